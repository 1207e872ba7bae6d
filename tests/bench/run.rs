//! One measured run, in a process of its own.

use crate::digest::{Digest, digest_batch, digest_directory};
use crate::measure::{self, Measured};
use crate::native::Native;
use crate::{Options, export, runs};
use anyhow::{Context, Result, ensure};
use quarry::app::{App, Settings};
use quarry::config::Pipeline;
use quarry::engine::{Patience, Progress, Registry, Stop, Submission, Submitted};
use quarry::plugin::Limits;
use quarry::store::BatchRecord;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PIPELINE: &str = include_str!("pipeline.toml");

/// Starts a child for one variant and checks nothing: the caller does.
pub(crate) fn measure(options: &Options, manifest: &Path, variant: &str) -> Result<Measured> {
    let data = runs::next(&options.work)?;
    let out = match &options.export {
        Some(export) => export.clone(),
        None => runs::next(&options.work)?,
    };
    measure::settle()?;
    let started = Instant::now();
    let child = Command::new(std::env::current_exe()?)
        .arg("child")
        .args([variant, &options.sink])
        .args([manifest, data.as_path(), out.as_path(), options.work.join("cache").as_path()])
        .stdout(Stdio::piped())
        .spawn()?
        .wait_with_output()?;
    let wall_s = started.elapsed().as_secs_f64();
    ensure!(child.status.success(), "the run of {variant} failed");
    let line = String::from_utf8(child.stdout)?;
    let mut measured: Measured =
        serde_json::from_str(line.trim()).with_context(|| format!("{variant} printed {line}"))?;
    // Checking the digest is not part of the run.
    measured.wall_s = measured.wall_s.min(wall_s);
    Ok(measured)
}

/// CPU seconds of a first start, which compiles the extractors and keeps them in the cache that the
/// measured runs share.
pub(crate) fn compile(options: &Options) -> Result<f64> {
    let (data, cache) = (options.work.join("data-compile"), options.work.join("cache"));
    for old in [&data, &cache] {
        if old.exists() {
            std::fs::remove_dir_all(old)?;
        }
    }
    let output = Command::new(std::env::current_exe()?)
        .args(["child", "compile", "none", "-"])
        .args([data.as_path(), Path::new("-"), cache.as_path()])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the extractors can not be compiled");
    std::fs::remove_dir_all(&data)?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

pub(crate) fn child(words: Vec<String>) -> Result<()> {
    let [variant, sink, manifest, data, out, cache] = words.as_slice() else {
        anyhow::bail!("child VARIANT SINK MANIFEST DATA OUT CACHE");
    };
    let started = Instant::now();
    let peak = Sampler::start();
    let settings = Settings {
        data_dir: PathBuf::from(data),
        cache_dir: Some(PathBuf::from(cache)),
        artifacts: None,
        sink: sink.clone(),
        storage_options: Vec::new(),
        extractors: std::env::var_os("QUARRY_EXTRACTORS").map(PathBuf::from).into_iter().collect(),
        workers: std::thread::available_parallelism().map_or(1, usize::from),
        patience: Patience::default(),
        limits: Limits::default(),
        compiler: None,
        trust: quarry::plugin::Trust::default(),
        limit_ceilings: Default::default(),
        compact_from_bytes: quarry::config::COMPACT_FROM_BYTES,
    };
    let app = match variant.as_str() {
        "native" => {
            let chunk = Native::<text_chunk::TextChunk>::new()?;
            let embed = Native::<text_embed::TextEmbed>::new()?;
            let registry = Registry::of(vec![Arc::new(chunk), Arc::new(embed)]);
            App::with_registry(&settings, registry)?
        }
        _ => App::open(&settings)?,
    };
    let pipeline = Pipeline::parse(PIPELINE)?;
    if variant == "compile" {
        app.engine.plan(&pipeline)?;
        println!("{}", measure::usage().0);
        return Ok(());
    }
    let manifests = [(None, manifest.clone())];
    let submission = Submission {
        pipeline: &pipeline,
        name: "bench",
        manifests: &manifests,
        force: false,
        resume: false,
        memo: true,
    };
    let Submitted::Ready(batch) = app.engine.submit(&submission, &|_| ())? else {
        anyhow::bail!("the data directory was not empty");
    };
    let seen: Mutex<Option<Arc<Progress>>> = Mutex::new(None);
    let record = app.engine.run(&batch, &Arc::new(Stop::default()), &|_, progress| {
        *seen.lock().unwrap() = Some(progress.clone());
    })?;
    ensure!(record.error.is_none(), "{:?}", record.error);
    if variant.ends_with("export") {
        export::export(&app, &record, Path::new(out))?;
    }
    let wall_s = started.elapsed().as_secs_f64();
    let (cpu_s, peak_rss_mb) = measure::usage();
    let peak_anonymous_mb = peak.stop();
    let digest = match variant.ends_with("export") {
        true => digest_directory(Path::new(out))?,
        false => digest(&app, &record)?,
    };
    let progress = seen.lock().unwrap().clone().context("the run showed no progress")?;
    let times = &progress.times;
    let measured = Measured {
        rows: record.collections[0].funnel.fetched,
        documents: digest.documents(),
        digest: digest.finish(),
        vec_sum: digest.vec_sum(),
        wall_s,
        cpu_s,
        peak_rss_mb,
        peak_anonymous_mb,
        shares: measure::shares(&[
            ("read", times.read.load(Ordering::Relaxed)),
            ("extract", times.extract.load(Ordering::Relaxed)),
            ("assemble", times.assemble.load(Ordering::Relaxed)),
            ("write", times.write.load(Ordering::Relaxed)),
            ("commit", times.commit.load(Ordering::Relaxed)),
            ("sink", times.sink.load(Ordering::Relaxed)),
        ]),
    };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

/// The digest over the parts of the last collection.
fn digest(app: &App, record: &BatchRecord) -> Result<Digest> {
    let mut all = Digest::default();
    for part in app.engine.parts(record, 1)? {
        for rows in app.engine.read_part(record, &part)? {
            digest_batch(&rows, &mut all)?;
        }
    }
    Ok(all)
}

/// Samples anonymous memory while a run goes on.
struct Sampler {
    end: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<f64>,
}

impl Sampler {
    fn start() -> Sampler {
        let end = Arc::new(AtomicBool::new(false));
        let ended = end.clone();
        let thread = std::thread::spawn(move || {
            let mut peak: f64 = 0.0;
            while !ended.load(Ordering::Relaxed) {
                peak = peak.max(measure::anonymous_mb());
                std::thread::park_timeout(Duration::from_millis(50));
            }
            peak
        });
        Sampler { end, thread }
    }

    fn stop(self) -> f64 {
        self.end.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or(0.0)
    }
}
