//! `./x bench memo`: a batch, and the same batch again with every row unchanged, with the embedded
//! sink and without one. Both from submission to end in one process, after a sync of the disk.

use crate::{Options, measure};
use anyhow::{Context, Result, bail, ensure};
use quarry::app::{App, Settings};
use quarry::config::Pipeline;
use quarry::engine::{Patience, Progress, Stop, Submission, Submitted};
use quarry::plugin::Limits;
use quarry::store::BatchRecord;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;

const PIPELINE: &str = include_str!("pipeline.toml");
/// How much faster the second run has to be with the embedded sink.
const RATIO_MIN: f64 = 20.0;

struct Ran {
    record: BatchRecord,
    seconds: f64,
    cpu_s: f64,
    /// Of guests.
    calls: u64,
}

pub(crate) fn run(options: &Options, manifest: &Path) -> Result<()> {
    for sink in ["edge", "none"] {
        let mut ratios = Vec::new();
        for _ in 0..options.repeat.max(1) {
            ratios.push(compare(options, manifest, sink)?);
        }
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios[ratios.len() / 2];
        ensure!(sink != "edge" || ratio >= RATIO_MIN, "only {ratio:.1} times faster");
    }
    Ok(())
}

fn compare(options: &Options, manifest: &Path, sink: &str) -> Result<f64> {
    let data = options.work.join(format!("data-memo-{sink}"));
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    let settings = Settings {
        data_dir: data.clone(),
        cache_dir: Some(options.work.join("cache")),
        artifacts: None,
        sink: sink.to_string(),
        storage_options: Vec::new(),
        extractors: std::env::var_os("QUARRY_EXTRACTORS").map(PathBuf::from).into_iter().collect(),
        workers: std::thread::available_parallelism().map_or(1, usize::from),
        patience: Patience::default(),
        limits: Limits::default(),
        limit_ceilings: Default::default(),
        compiler: None,
        trust: Default::default(),
    };
    let app = App::open(&settings)?;
    let pipeline = Pipeline::parse(PIPELINE)?;
    // Compiling is no part of either run.
    app.engine.plan(&pipeline)?;
    let first = once(&app, &pipeline, manifest)?;
    let again = once(&app, &pipeline, manifest)?;
    drop(app);
    std::fs::remove_dir_all(&data)?;
    let count = |ran: &Ran, of: fn(&quarry::model::Funnel) -> u64| -> u64 {
        ran.record.collections.iter().map(|collection| of(&collection.funnel)).sum()
    };
    ensure!(again.calls == 0, "the second run called a guest {} times", again.calls);
    ensure!(count(&again, |f| f.skipped) == count(&first, |f| f.succeeded), "rows are missing");
    ensure!(count(&again, |f| f.documents) == count(&first, |f| f.documents), "documents are");
    let ratio = first.seconds / again.seconds;
    println!(
        "sink {sink}: {} rows and {} documents in {:.2} s ({:.2} CPU s, {} guest calls), again \
         unchanged in {:.3} s ({:.3} CPU s, {} guest calls): {ratio:.1} times faster",
        first.record.collections[0].funnel.fetched,
        count(&first, |funnel| funnel.documents),
        first.seconds,
        first.cpu_s,
        first.calls,
        again.seconds,
        again.cpu_s,
        again.calls
    );
    Ok(ratio)
}

fn once(app: &App, pipeline: &Pipeline, manifest: &Path) -> Result<Ran> {
    measure::settle()?;
    let cpu_before = measure::usage().0;
    let started = Instant::now();
    let manifests = [(None, manifest.to_str().context("the folder is not UTF-8")?.to_string())];
    let submission = Submission {
        pipeline,
        name: "memo",
        manifests: &manifests,
        force: true,
        resume: false,
        memo: true,
    };
    let Submitted::Ready(batch) = app.engine.submit(&submission, &|_| ())? else {
        bail!("a forced run was not begun");
    };
    let seen: Mutex<Option<Arc<Progress>>> = Mutex::new(None);
    let record = app.engine.run(&batch, &Arc::new(Stop::default()), &|_, progress| {
        *seen.lock().unwrap() = Some(progress.clone());
    })?;
    let (seconds, cpu_s) = (started.elapsed().as_secs_f64(), measure::usage().0 - cpu_before);
    ensure!(record.error.is_none(), "{:?}", record.error);
    let progress = seen.lock().unwrap().clone().context("the run showed no progress")?;
    Ok(Ran { record, seconds, cpu_s, calls: progress.calls.load(Ordering::Relaxed) })
}
