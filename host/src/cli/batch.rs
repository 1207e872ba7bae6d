//! `quarry batch`.

use super::options::{GlobalOptions, opening};
use super::run::{Effort, go_on};
use super::{DONE, Done, printer};
use crate::app::{App, DISCARD, cancel_request};
use crate::engine::redo::Redo;
use crate::error::{Code, Context, Error};
use crate::model::BatchId;
use crate::store::BatchRecord;
use clap::Subcommand;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(super) enum Command {
    #[command(before_help = "Example: quarry batch list")]
    /// All batches of the data directory, oldest first.
    List,
    #[command(before_help = "Example: quarry batch get btch_0199c0ffee00")]
    /// One batch with the funnel of each collection.
    Get {
        /// Batch id
        id: String,
    },
    #[command(before_help = "Example: quarry batch errors btch_0199c0ffee00 --limit 10")]
    /// Rows that failed, with extractor, reason and log.
    Errors {
        /// Batch id
        id: String,
        /// Rows at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    #[command(before_help = "Example: quarry batch events btch_0199c0ffee00")]
    /// What happened to a batch: claims, waits, ends.
    Events {
        /// Batch id
        id: String,
    },
    #[command(before_help = "Example: quarry batch cancel btch_0199c0ffee00")]
    /// Ends a batch. When another process is running it, that process is asked and stops within a
    /// second, in the middle of extractor calls.
    Cancel {
        /// Batch id
        id: String,
        /// Delete the documents it has written; what they overwrote does not come back
        #[arg(long)]
        discard: bool,
    },
    #[command(before_help = "Example: quarry batch resume btch_0199c0ffee00")]
    /// Goes on with a batch that was interrupted.
    Resume {
        /// Batch id
        id: String,
        #[command(flatten)]
        effort: Effort,
    },
    #[command(before_help = "Example: quarry batch retry btch_0199c0ffee00 --transient-only")]
    /// Runs the partitions with failed rows again, and everything that was made from them.
    Retry {
        /// Batch id
        id: String,
        /// Only rows that failed for something that passes by itself, such as a blob out of reach
        #[arg(long)]
        transient_only: bool,
        /// Only rows that failed in this tier, from 0
        #[arg(long, value_name = "N")]
        tier: Option<usize>,
        /// Failed rows at most
        #[arg(long, value_name = "ROWS", default_value_t = 100_000)]
        limit: u64,
        #[command(flatten)]
        effort: Effort,
    },
    #[command(before_help = "Example: quarry batch resubmit btch_0199c0ffee00 --from-tier 1")]
    /// Runs a tier and all tiers below it again, from the stored parts of the tier above.
    Resubmit {
        /// Batch id
        id: String,
        /// First tier to run, from 0
        #[arg(long, value_name = "N")]
        from_tier: usize,
        #[command(flatten)]
        effort: Effort,
    },
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::List => list(options),
        Command::Get { id } => get(options, id),
        Command::Errors { id, limit } => errors(options, id, *limit),
        Command::Events { id } => events(options, id),
        Command::Cancel { id, discard } => cancel(options, id, *discard),
        Command::Resume { id, effort } => {
            let (app, record) = opened_for(options, id, effort)?;
            go_on(options, &app, &record.id)
        }
        Command::Retry { id, transient_only, tier, limit, effort } => {
            let (transient_only, tier, limit) = (*transient_only, *tier, *limit);
            redo(options, id, Redo::Failed { transient_only, tier, limit }, effort)
        }
        Command::Resubmit { id, from_tier, effort } => {
            redo(options, id, Redo::FromTier(*from_tier), effort)
        }
    }
}

fn list(options: &GlobalOptions) -> Done {
    let app = options.open()?;
    let rows: Vec<Value> = app.engine.store.batches()?.iter().map(summary).collect();
    printer::list(options, &rows, &LIST);
    Ok(DONE)
}

fn summary(record: &BatchRecord) -> Value {
    let mut value = json!(record);
    value["documents"] = record.collections.iter().map(|c| c.funnel.documents).sum::<u64>().into();
    value["failed"] = record.collections.iter().map(|c| c.funnel.failed).sum::<u64>().into();
    value
}

fn get(options: &GlobalOptions, id: &str) -> Done {
    let app = options.open()?;
    let value = summary(&app.engine.store.batch(&BatchId::parse(id)?)?);
    printer::one(options, &value, &GET);
    Ok(DONE)
}

fn errors(options: &GlobalOptions, id: &str, limit: usize) -> Done {
    let app = options.open()?;
    let record = app.engine.store.batch(&BatchId::parse(id)?)?;
    let app = reopened_for(app, options, &record)?;
    let letters = app.engine.dead_letters(&record, limit)?;
    let rows: Vec<Value> = letters.iter().map(|letter| json!(letter)).collect();
    printer::list(options, &rows, &ERRORS);
    Ok(DONE)
}

fn events(options: &GlobalOptions, id: &str) -> Done {
    let app = options.open()?;
    let record = app.engine.store.batch(&BatchId::parse(id)?)?;
    let events = app.engine.store.events(&record.id)?;
    let rows: Vec<Value> = events.iter().map(|event| json!(event)).collect();
    printer::list(options, &rows, &EVENTS);
    Ok(DONE)
}

/// With the object store that the batch was run with.
pub(super) fn reopened_for(
    app: App,
    options: &GlobalOptions,
    record: &BatchRecord,
) -> crate::error::Result<App> {
    if app.engine.artifacts.url() == record.artifacts {
        return Ok(app);
    }
    let mut settings = options.settings()?;
    settings.artifacts = Some(record.artifacts.clone());
    drop(app);
    App::open(&settings)
}

/// With sink, object store and effort to run the batch.
fn opened_for(
    options: &GlobalOptions,
    id: &str,
    effort: &Effort,
) -> crate::error::Result<(App, BatchRecord)> {
    let id = BatchId::parse(id)?;
    let app = options.open()?;
    let record = app.engine.store.batch(&id)?;
    let mut settings = opening(&options.resolve(effort.flags())?.config)?;
    settings.sink = record.sink.clone();
    settings.artifacts = Some(record.artifacts.clone());
    drop(app);
    Ok((App::open(&settings)?, record))
}

fn redo(options: &GlobalOptions, id: &str, redo: Redo, effort: &Effort) -> Done {
    let (app, before) = opened_for(options, id, effort)?;
    let (record, redone) = app.engine.redo(&before.id, redo)?;
    if record.round == before.round {
        printer::note(options, "nothing to run again");
        printer::one(options, &summary(&record), &GET);
        return Ok(DONE);
    }
    let (partitions, rows) = (redone.dropped, redone.rows);
    printer::note(options, &format!("{partitions} partitions, {rows} failed rows among them"));
    go_on(options, &app, &record.id)
}

fn cancel(options: &GlobalOptions, id: &str, discard: bool) -> Done {
    let id = BatchId::parse(id)?;
    let app = match options.open() {
        Ok(app) => app,
        Err(error) if error.code() == Code::InUse => return ask(options, &id, discard, &error),
        Err(error) => return Err(error),
    };
    let record = app.engine.store.batch(&id)?;
    let app = reopened_for(app, options, &record)?;
    let record = app.engine.cancel(record, None)?;
    if discard && let Some(sink) = app.sink(&record.sink)? {
        let deleted = sink.delete_run(&record.namespace, record.run)?;
        sink.flush(&record.namespace)?;
        printer::note(options, &format!("{deleted} documents deleted"));
    }
    printer::one(options, &summary(&record), &GET);
    Ok(DONE)
}

/// The process that runs the batch looks for this file five times a second.
fn ask(options: &GlobalOptions, id: &BatchId, discard: bool, in_use: &Error) -> Done {
    let request = cancel_request(&options.data_dir()?, id.as_str());
    let named = || format!("can not leave a request in {}", request.display());
    if let Some(folder) = request.parent() {
        std::fs::create_dir_all(folder).context(Code::Unavailable, named)?;
    }
    let text = if discard { DISCARD } else { "" };
    std::fs::write(&request, text).context(Code::Unavailable, named)?;
    printer::note(options, &format!("{in_use}: asked it to cancel"));
    printer::one(options, &json!({ "id": id, "requested": true }), &[("batch", "/id")]);
    Ok(DONE)
}

const LIST: [printer::Column; 7] = [
    ("batch", "/id"),
    ("status", "/status"),
    ("pipeline", "/pipeline"),
    ("namespace", "/namespace"),
    ("documents", "/documents"),
    ("failed", "/failed"),
    ("created", "/created_at"),
];

const GET: [printer::Column; 14] = [
    ("batch", "/id"),
    ("status", "/status"),
    ("pipeline", "/pipeline"),
    ("namespace", "/namespace"),
    ("manifests", "/manifests"),
    ("artifacts", "/artifacts"),
    ("sink", "/sink"),
    ("documents", "/documents"),
    ("failed", "/failed"),
    ("repeated partitions", "/repeated_partitions"),
    ("created", "/created_at"),
    ("ended", "/ended_at"),
    ("error", "/error"),
    ("collections", "/collections"),
];

const EVENTS: [printer::Column; 3] = [("at", "/at"), ("event", "/kind"), ("text", "/text")];

const ERRORS: [printer::Column; 7] = [
    ("object", "/object"),
    ("parent", "/parent"),
    ("collection", "/collection"),
    ("extractor", "/extractor"),
    ("reason", "/code"),
    ("message", "/message"),
    ("attempts", "/attempts"),
];
