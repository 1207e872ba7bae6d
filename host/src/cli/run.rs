//! `quarry run`.

use super::options::{GlobalOptions, Output, opening};
use super::progress::{Watch, human};
use super::{DONE, Done, printer};
use crate::app::App;
use crate::config::Pipeline;
use crate::engine::{Stop, Submission, Submitted};
use crate::error::Result;
use crate::model::{BatchId, BatchStatus};
use crate::store::BatchRecord;
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

pub(super) const WITH_ROW_ERRORS: u8 = 3;
pub(super) const FAILED: u8 = 1;

/// Runs a pipeline over a manifest: submits a batch and works until it is finished. Ctrl-C once
/// finishes what was begun and leaves a batch that --resume continues; twice leaves at once.
#[derive(Args)]
#[command(before_help = "Example: quarry run pipeline.toml --manifest objects.parquet")]
pub(super) struct Arguments {
    /// Pipeline file (TOML)
    pipeline: PathBuf,
    /// Parquet file or folder, a path or URL; BUCKET=URL where the pipeline has several buckets
    #[arg(long, required = true, value_name = "[BUCKET=]URL")]
    manifest: Vec<String>,
    /// Continue the unfinished batch of this pipeline and manifest
    #[arg(long)]
    resume: bool,
    /// Run again although nothing changed
    #[arg(long, conflicts_with = "resume")]
    force: bool,
    /// Extract all rows, also those that have not changed since an earlier batch
    #[arg(long)]
    no_memo: bool,
    #[command(flatten)]
    whereto: Whereto,
    #[command(flatten)]
    effort: Effort,
    /// Exit with 3 when rows failed
    #[arg(long)]
    fail_on_errors: bool,
}

/// Where documents and artifacts go.
#[derive(Args)]
pub(super) struct Whereto {
    /// edge (in this process), none, or qdrant://HOST:PORT [default: edge]
    #[arg(long)]
    sink: Option<String>,
    /// Object store for artifacts; a folder of the data directory by default
    #[arg(long, value_name = "URL")]
    artifacts: Option<String>,
}

/// How a batch is run, wherever it comes from.
#[derive(Args)]
pub(super) struct Effort {
    /// Worker threads; one for each core by default
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Time that one extractor call may take, in milliseconds [default: 30000]
    #[arg(long, value_name = "MS")]
    call_ms_max: Option<u64>,
    /// How long to wait for a store or sink that is out of reach, or for a full disk, before giving
    /// up, in seconds; the batch can be resumed then [default: 600]
    #[arg(long, value_name = "S")]
    patience: Option<u64>,
}

/// Flags that were given, by the names of the settings.
pub(super) fn given<const N: usize>(flags: [(&str, Option<Value>); N]) -> Map<String, Value> {
    flags.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect()
}

impl Whereto {
    pub(super) fn flags(&self) -> Map<String, Value> {
        let value = |text: &Option<String>| text.clone().map(Value::from);
        given([("sink", value(&self.sink)), ("artifacts", value(&self.artifacts))])
    }
}

impl Effort {
    pub(super) fn flags(&self) -> Map<String, Value> {
        given([
            ("workers", self.workers.map(|workers| workers.max(1).into())),
            ("call_ms_max", self.call_ms_max.map(Value::from)),
            ("patience", self.patience.map(Value::from)),
        ])
    }
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let (pipeline, text) = Pipeline::read(&arguments.pipeline)?;
    let started = Instant::now();
    let mut flags = arguments.whereto.flags();
    flags.extend(arguments.effort.flags());
    let app = App::open(&opening(&options.resolve(flags)?.config)?)?;
    let manifests: Vec<(Option<String>, String)> =
        arguments.manifest.iter().map(|given| named(given, &pipeline)).collect();
    let name = arguments.pipeline.file_name().unwrap_or_default().to_string_lossy();
    let submission = Submission {
        pipeline: &pipeline,
        name: &name,
        manifests: &manifests,
        force: arguments.force,
        resume: arguments.resume,
        memo: !arguments.no_memo,
    };
    let submitted = app
        .engine
        .submit(&submission, &|_| ())
        .map_err(|error| Pipeline::explain(error, &arguments.pipeline, &text))?;
    let (record, changed) = match submitted {
        Submitted::Unchanged(record) => (*record, false),
        Submitted::Ready(batch) => (work(options, &app, &batch)?, true),
    };
    print(options, &app, &record, changed, started.elapsed().as_secs_f64());
    Ok(exit_code(&record, arguments.fail_on_errors))
}

/// Runs a batch that is queued or was interrupted, and reports as `run` does.
pub(super) fn go_on(options: &GlobalOptions, app: &App, batch: &BatchId) -> Done {
    let started = Instant::now();
    let record = work(options, app, batch)?;
    print(options, app, &record, true, started.elapsed().as_secs_f64());
    Ok(exit_code(&record, false))
}

fn exit_code(record: &BatchRecord, fail_on_errors: bool) -> u8 {
    match record.status {
        BatchStatus::CompletedWithErrors if fail_on_errors => WITH_ROW_ERRORS,
        BatchStatus::Failed | BatchStatus::Canceled => FAILED,
        BatchStatus::Completed
        | BatchStatus::CompletedWithErrors
        | BatchStatus::Draft
        | BatchStatus::Queued
        | BatchStatus::Processing => DONE,
    }
}

/// BUCKET=URL where the part before the `=` is a bucket of the pipeline.
fn named(given: &str, pipeline: &Pipeline) -> (Option<String>, String) {
    if let Some((bucket, url)) = given.split_once('=')
        && pipeline.buckets.keys().any(|name| name.as_str() == bucket)
    {
        return (Some(bucket.to_string()), url.to_string());
    }
    (None, given.to_string())
}

fn work(options: &GlobalOptions, app: &App, batch: &BatchId) -> Result<BatchRecord> {
    let stop = Arc::new(Stop::default());
    let watch = Watch::start(options, &app.data_dir, batch.as_str(), stop.clone());
    listen(app, stop.clone());
    printer::note(options, &format!("batch {batch}"));
    app.engine.run(batch, &stop, &|plan, progress| watch.attach(plan, progress))
}

/// First Ctrl-C or SIGTERM drains, the second leaves at once.
fn listen(app: &App, stop: Arc<Stop>) {
    let count = Arc::new(AtomicUsize::new(0));
    app.runtime().spawn(async move {
        let terminate = tokio::signal::unix::SignalKind::terminate();
        let Ok(mut terminated) = tokio::signal::unix::signal(terminate) else { return };
        loop {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            if count.fetch_add(1, Ordering::Relaxed) > 0 {
                std::process::exit(130);
            }
            eprintln!("finishing what was begun; once more leaves at once");
            stop.drain();
        }
    });
}

fn print(options: &GlobalOptions, app: &App, record: &BatchRecord, changed: bool, seconds: f64) {
    let documents: u64 = record.collections.iter().map(|c| c.funnel.documents).sum();
    if options.output != Output::Table {
        let value = json!({
            "batch": record,
            "changed": changed,
            "documents": documents,
            "seconds": seconds,
            "data_dir": app.data_dir,
        });
        return printer::one(options, &value, &[]);
    }
    if options.quiet {
        return printer::text(record.id.as_str());
    }
    let rows: Vec<Value> = record.collections.iter().map(|c| json!(c)).collect();
    printer::list(options, &rows, &COLUMNS);
    if changed {
        let status = record.status.as_str();
        let took = human(seconds);
        let balanced = match record.status {
            BatchStatus::Completed | BatchStatus::CompletedWithErrors => {
                ", every row accounted for"
            }
            BatchStatus::Failed
            | BatchStatus::Canceled
            | BatchStatus::Draft
            | BatchStatus::Queued
            | BatchStatus::Processing => "",
        };
        let documents = printer::thousands(documents);
        printer::text(&format!("{status}: {documents} documents in {took}{balanced}"));
        if record.repeated_partitions > 0 {
            let repeated = record.repeated_partitions;
            printer::text(&format!("{repeated} partitions were begun before and run again"));
        }
    } else {
        printer::text(&format!(
            "nothing changed: batch {} already made these {} documents",
            record.id,
            printer::thousands(documents)
        ));
    }
    if let Some(error) = &record.error {
        printer::text(&format!("error: {error}"));
    }
    let failed: u64 = record.collections.iter().map(|c| c.funnel.failed).sum();
    if failed > 0 {
        let failed = printer::thousands(failed);
        printer::text(&format!("{failed} rows failed: quarry batch errors {}", record.id));
    }
    printer::text(&format!("data in {}", app.data_dir.display()));
}

const COLUMNS: [printer::Column; 12] = [
    ("tier", "/tier"),
    ("collection", "/collection"),
    ("extractor", "/extractor"),
    ("fetched", "/fetched"),
    ("filtered", "/filtered"),
    ("missing", "/missing"),
    ("submitted", "/submitted"),
    ("succeeded", "/succeeded"),
    ("unchanged", "/skipped"),
    ("failed", "/failed"),
    ("documents", "/documents"),
    ("stale deleted", "/stale_deleted"),
];
