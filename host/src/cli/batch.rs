//! `quarry batch`.

use super::options::GlobalOptions;
use super::{DONE, Done, printer};
use crate::app::{App, cancel_request};
use crate::error::{Code, Context, Error};
use crate::model::{BatchId, BatchStatus};
use crate::store::{BatchRecord, Store};
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
    /// Ends a batch. Documents that were committed stay. When another process is running it, that
    /// process is asked.
    Cancel {
        /// Batch id
        id: String,
    },
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::List => list(options),
        Command::Get { id } => get(options, id),
        Command::Errors { id, limit } => errors(options, id, *limit),
        Command::Events { id } => events(options, id),
        Command::Cancel { id } => cancel(options, id),
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

fn cancel(options: &GlobalOptions, id: &str) -> Done {
    let id = BatchId::parse(id)?;
    let app = match options.open() {
        Ok(app) => app,
        Err(error) if error.code() == Code::InUse => return ask(options, &id, &error),
        Err(error) => return Err(error),
    };
    let mut record = app.engine.store.batch(&id)?;
    if record.status.is_terminal() {
        let message = format!("batch {id} is {}", record.status.as_str());
        return Err(
            Error::new(Code::Conflict, message).hint("only an unfinished one can be canceled")
        );
    }
    record.status = BatchStatus::Canceled;
    record.ended_at = Some(app.engine.env.timestamp());
    app.engine.store.commit(vec![Store::put_batch(&record)?])?;
    printer::one(options, &summary(&record), &GET);
    Ok(DONE)
}

/// The process that runs the batch looks for this file five times a second.
fn ask(options: &GlobalOptions, id: &BatchId, in_use: &Error) -> Done {
    let request = cancel_request(&options.data_dir, id.as_str());
    let named = || format!("can not leave a request in {}", request.display());
    if let Some(folder) = request.parent() {
        std::fs::create_dir_all(folder).context(Code::Unavailable, named)?;
    }
    std::fs::write(&request, b"").context(Code::Unavailable, named)?;
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
