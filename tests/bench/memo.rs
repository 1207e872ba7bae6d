//! `./x bench memo`: a batch, the same batch again, and once more over the same rows in files that
//! were written anew; with the embedded sink and without one. Each from submission to end in one
//! process, after a sync of the disk.

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
use std::time::{Duration, Instant, SystemTime};

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
    let own = options.work.join("manifest-memo");
    copy(manifest, &own)?;
    for sink in ["edge", "none"] {
        let mut ratios = Vec::new();
        for _ in 0..options.repeat.max(1) {
            ratios.push(compare(options, &own, sink)?);
        }
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios[ratios.len() / 2];
        ensure!(sink != "edge" || ratio >= RATIO_MIN, "only {ratio:.1} times faster");
    }
    Ok(std::fs::remove_dir_all(&own)?)
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
        compact_from_bytes: quarry::config::COMPACT_FROM_BYTES,
        compiler: None,
        trust: Default::default(),
    };
    let app = App::open(&settings)?;
    let pipeline = Pipeline::parse(PIPELINE)?;
    // Compiling is no part of either run.
    app.engine.plan(&pipeline)?;
    let hour = Duration::from_secs(60 * 60);
    touch(manifest, SystemTime::now() - hour)?;
    let first = once(&app, &pipeline, manifest)?;
    let again = once(&app, &pipeline, manifest)?;
    touch(manifest, SystemTime::now())?;
    let anew = once(&app, &pipeline, manifest)?;
    drop(app);
    std::fs::remove_dir_all(&data)?;
    let count = |ran: &Ran, of: fn(&quarry::model::Funnel) -> u64| -> u64 {
        ran.record.collections.iter().map(|collection| of(&collection.funnel)).sum()
    };
    for later in [&again, &anew] {
        ensure!(later.calls == 0, "a later run called a guest {} times", later.calls);
        ensure!(count(later, |f| f.skipped) == count(&first, |f| f.succeeded), "rows are missing");
        ensure!(count(later, |f| f.documents) == count(&first, |f| f.documents), "documents are");
    }
    let ratio = first.seconds / again.seconds;
    println!(
        "sink {sink}: {} rows and {} documents in {:.2} s ({:.2} CPU s, {} guest calls), again \
         unchanged in {:.3} s ({:.3} CPU s, {} guest calls): {ratio:.1} times faster; in files \
         written anew {:.3} s ({:.3} CPU s): {:.1} times",
        first.record.collections[0].funnel.fetched,
        count(&first, |funnel| funnel.documents),
        first.seconds,
        first.cpu_s,
        first.calls,
        again.seconds,
        again.cpu_s,
        again.calls,
        anew.seconds,
        anew.cpu_s,
        first.seconds / anew.seconds
    );
    Ok(ratio)
}

/// Files whose times are nobody else's.
fn copy(manifest: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(manifest)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Makes the files of the manifest look as if written then.
fn touch(manifest: &Path, moment: SystemTime) -> Result<()> {
    for entry in std::fs::read_dir(manifest)? {
        std::fs::File::options().append(true).open(entry?.path())?.set_modified(moment)?;
    }
    Ok(())
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
