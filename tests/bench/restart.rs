//! `./x bench restart`: how long a process needs before it can work, with 1,000 batches behind it.

use crate::Options;
use crate::torture::batch::{Batch, NAMESPACE, PIPELINE, settings};
use anyhow::{Context, Result, bail, ensure};
use quarry::app::App;
use quarry::config::Pipeline;
use quarry::engine::{Stop, Submission, Submitted};
use quarry::model::BatchStatus;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BATCHES: usize = 1_000;
const OBJECTS: u64 = 10;
const START_MAX: Duration = Duration::from_secs(2);
/// Starts that are timed, at least.
const STARTS: usize = 5;

pub(crate) fn run(options: &Options) -> Result<()> {
    let work = options.work.join("restart");
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    let data = work.join("data");
    let batch = Batch::write(&work.join("batch"), OBJECTS)?;
    let began = Instant::now();
    let live_bytes = history(&batch, &data)?;
    eprintln!("{BATCHES} batches in {:.0} s", began.elapsed().as_secs_f64());
    let mut times = Vec::new();
    for _ in 0..options.repeat.max(STARTS) {
        let started = Instant::now();
        let listed = batch.json(&data, &["batch", "list"])?;
        times.push(started.elapsed());
        let count = listed.as_array().map_or(0, Vec::len);
        ensure!(count == BATCHES, "{count} batches are listed, {BATCHES} were run");
    }
    times.sort();
    let (middle, worst) = (times[times.len() / 2], times[times.len() - 1]);
    let opened = Instant::now();
    let app = App::open(&settings(&data, "edge", 1))?;
    let opened = opened.elapsed();
    drop(app);
    std::fs::remove_dir_all(&work)?;
    println!(
        "{BATCHES} batches, {} KiB of state: `quarry batch list` takes {:.3} s (at most {:.3} s of \
         {} times), opening with a sink {:.3} s",
        live_bytes >> 10,
        middle.as_secs_f64(),
        worst.as_secs_f64(),
        times.len(),
        opened.as_secs_f64()
    );
    ensure!(worst < START_MAX, "a start takes {worst:?}, {START_MAX:?} are allowed");
    Ok(())
}

/// Runs the batches and answers how many bytes the state has then.
fn history(batch: &Batch, data: &Path) -> Result<u64> {
    let app = App::open(&settings(data, "none", 1))?;
    let pipeline = Pipeline::parse(PIPELINE)?;
    let manifest = batch.manifest().to_str().context("the folder is not UTF-8")?.to_string();
    let manifests = [(None, manifest)];
    let submission = Submission {
        pipeline: &pipeline,
        name: "restart",
        manifests: &manifests,
        force: true,
        resume: false,
        memo: true,
    };
    for number in 0..BATCHES {
        let Submitted::Ready(id) = app.engine.submit(&submission, &|_| ())? else {
            bail!("batch {number} was not begun");
        };
        let record = app.engine.run(&id, &Arc::new(Stop::default()), &|_, _| ())?;
        ensure!(record.status == BatchStatus::Completed, "batch {id} of {NAMESPACE} failed");
        if number % 100 == 99 {
            eprintln!("{} batches", number + 1);
        }
    }
    Ok(app.engine.store.live_bytes()?)
}
