//! `quarry batch`.

#[doc(hidden)]
pub mod events;
mod remote;
mod watch;

use super::options::{GlobalOptions, opening};
use super::reach::{Reach, Server};
use super::run::{Effort, go_on};
use super::{DONE, Done, printer, wrong_option};
use crate::app::{App, DISCARD, cancel_request};
use crate::engine::redo::Redo;
use crate::error::{Code, Context, Error, Result};
use crate::model::BatchId;
use crate::store::BatchRecord;
use clap::Subcommand;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(super) enum Command {
    #[command(before_help = "Example: quarry batch list")]
    /// All batches of the data directory, oldest first; those of a server that the key may see.
    List {
        #[command(flatten)]
        server: Server,
    },
    #[command(before_help = "Example: quarry batch get btch_0199c0ffee00")]
    /// One batch with the funnel of each collection.
    Get {
        /// Batch id
        id: String,
        #[command(flatten)]
        server: Server,
    },
    #[command(before_help = "Example: quarry batch errors btch_0199c0ffee00 --limit 10")]
    /// Rows that failed, with extractor, reason and log.
    Errors {
        /// Batch id
        id: String,
        /// Rows at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
    #[command(before_help = "Example: quarry batch events btch_0199c0ffee00")]
    /// What happened to a batch: claims, waits, ends.
    Events {
        /// Batch id
        id: String,
        #[command(flatten)]
        server: Server,
    },
    #[command(before_help = "Example: quarry batch submit btch_0199c0ffee00")]
    /// Submits a draft of a server; asked again, the answer is the same task.
    Submit {
        /// Batch id
        id: String,
        #[command(flatten)]
        server: Server,
    },
    #[command(before_help = "Example: quarry batch watch btch_0199c0ffee00")]
    /// Follows a batch of a server until it has ended, and exits as `quarry run` does. A connection
    /// that breaks is taken up where it ended.
    Watch {
        /// Batch id
        id: String,
        /// Exit with 3 when rows failed
        #[arg(long)]
        fail_on_errors: bool,
        #[command(flatten)]
        server: Server,
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
        #[command(flatten)]
        server: Server,
    },
    #[command(before_help = "Example: quarry batch delete btch_0199c0ffee00")]
    /// Forgets a batch that has ended, with its files; its documents stay. Refused as long as
    /// documents in the sink are of it, because damaged vectors are made again from its files.
    Delete {
        /// Batch id
        id: String,
        /// Although documents are of it
        #[arg(long)]
        keep_documents: bool,
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
        /// Only rows that failed in this tier, from 0; may be repeated
        #[arg(long = "tier", value_name = "N")]
        tiers: Vec<usize>,
        /// Failed rows at most, of a data directory; 100,000 if absent
        #[arg(long, value_name = "ROWS")]
        limit: Option<u64>,
        #[command(flatten)]
        effort: Effort,
        #[command(flatten)]
        server: Server,
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
        #[command(flatten)]
        server: Server,
    },
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::List { server } => list(options, server),
        Command::Get { id, server } => get(options, server, id),
        Command::Errors { id, limit, server } => errors(options, server, id, *limit),
        Command::Events { id, server } => events(options, server, id),
        Command::Submit { id, server } => {
            remote::submit(options, &server.afar(options)?, id).map(|()| DONE)
        }
        Command::Watch { id, fail_on_errors, server } => {
            watch::run(options, server, id, *fail_on_errors)
        }
        Command::Cancel { id, discard, server } => cancel(options, server, id, *discard),
        Command::Delete { id, keep_documents } => delete(options, id, *keep_documents),
        Command::Resume { id, effort } => {
            let (app, record) = opened_for(options, id, effort)?;
            go_on(options, &app, &record.id)
        }
        Command::Retry { id, transient_only, tiers, limit, effort, server } => {
            let (transient_only, tiers) = (*transient_only, tiers.clone());
            if let Place::There(reach) = place(options, server)? {
                if limit.is_some() {
                    let hint = "leave it out: a server retries all of them";
                    return Err(wrong_option("--limit", "ROWS", hint));
                }
                return remote::retry(options, &reach, id, transient_only, &tiers).map(|()| DONE);
            }
            let limit = limit.unwrap_or(FAILED_ROWS_MAX);
            redo(options, id, Redo::Failed { transient_only, tiers, limit }, effort)
        }
        Command::Resubmit { id, from_tier, effort, server } => {
            if let Place::There(reach) = place(options, server)? {
                return remote::resubmit(options, &reach, id, *from_tier).map(|()| DONE);
            }
            redo(options, id, Redo::FromTier(*from_tier), effort)
        }
    }
}

/// That a retry takes up, unless it is told otherwise.
const FAILED_ROWS_MAX: u64 = 100_000;

/// Where batches are: a data directory that nobody holds, or a server.
enum Place {
    Here(Box<App>),
    There(Reach),
}

fn place(options: &GlobalOptions, server: &Server) -> Result<Place> {
    if let Some(reach) = server.named()? {
        return Ok(Place::There(reach));
    }
    match options.open() {
        Ok(app) => Ok(Place::Here(Box::new(app))),
        Err(error) if error.code() == Code::InUse => {
            server.afar(options).map(Place::There).map_err(|_| error)
        }
        Err(error) => Err(error),
    }
}

fn list(options: &GlobalOptions, server: &Server) -> Done {
    let app = match place(options, server)? {
        Place::Here(app) => app,
        Place::There(reach) => return remote::list(options, &reach).map(|()| DONE),
    };
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

fn get(options: &GlobalOptions, server: &Server, id: &str) -> Done {
    let app = match place(options, server)? {
        Place::Here(app) => app,
        Place::There(reach) => return remote::get(options, &reach, id).map(|()| DONE),
    };
    let value = summary(&app.engine.store.batch(&BatchId::parse(id)?)?);
    printer::one(options, &value, &GET);
    Ok(DONE)
}

fn errors(options: &GlobalOptions, server: &Server, id: &str, limit: usize) -> Done {
    let app = match place(options, server)? {
        Place::Here(app) => app,
        Place::There(reach) => return remote::errors(options, &reach, id, limit).map(|()| DONE),
    };
    let record = app.engine.store.batch(&BatchId::parse(id)?)?;
    let app = reopened_for(*app, options, &record)?;
    let letters = app.engine.dead_letters(&record, limit)?;
    let rows: Vec<Value> = letters.iter().map(|letter| json!(letter)).collect();
    printer::list(options, &rows, &ERRORS);
    if let Some(first) = letters.first() {
        let (batch, object) = (&record.id, &first.object);
        let command = format!("quarry extractor replay {batch} \"{object}\"");
        printer::note(
            options,
            &format!("hint: `{command}` runs the first once more, with its log"),
        );
    }
    Ok(DONE)
}

fn events(options: &GlobalOptions, server: &Server, id: &str) -> Done {
    let rows: Vec<Value> = match place(options, server)? {
        Place::Here(app) => {
            let record = app.engine.store.batch(&BatchId::parse(id)?)?;
            let events = app.engine.store.events(&record.id)?;
            events.iter().map(|event| json!(event)).collect()
        }
        Place::There(reach) => remote::events(&reach, id)?,
    };
    printer::list(options, &rows, &EVENTS);
    Ok(DONE)
}

/// With the object store that the batch was run with.
pub(super) fn reopened_for(app: App, options: &GlobalOptions, record: &BatchRecord) -> Result<App> {
    if app.engine.artifacts.url() == record.artifacts {
        return Ok(app);
    }
    let mut settings = options.settings()?;
    settings.artifacts = Some(record.artifacts.clone());
    drop(app);
    App::open(&settings)
}

fn delete(options: &GlobalOptions, id: &str, keep_documents: bool) -> Done {
    let app = options.open()?;
    let record = app.engine.store.batch(&BatchId::parse(id)?)?;
    if app.engine.store.find::<crate::store::catalog::Batch>(id)?.is_some() {
        let message = format!("batch {id} was made over REST");
        return Err(Error::new(Code::Conflict, message)
            .hint("quarry api delete_batch_buckets_batches deletes it there, too"));
    }
    let mut settings = opening(&options.settled()?)?;
    settings.sink = record.sink.clone();
    settings.artifacts = Some(record.artifacts.clone());
    drop(app);
    App::open(&settings)?.engine.forget(&record.id, keep_documents)?;
    printer::note(options, &format!("batch {id} is forgotten"));
    printer::one(options, &summary(&record), &GET);
    Ok(DONE)
}

/// With sink, object store and effort to run the batch.
fn opened_for(options: &GlobalOptions, id: &str, effort: &Effort) -> Result<(App, BatchRecord)> {
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
    printer::note(
        options,
        &match partitions {
            0 => "what had not run".to_string(),
            _ => format!("{partitions} partitions, {rows} failed rows among them"),
        },
    );
    go_on(options, &app, &record.id)
}

fn cancel(options: &GlobalOptions, server: &Server, id: &str, discard: bool) -> Done {
    if let Some(reach) = server.named()? {
        return remote::cancel(options, &reach, id, discard).map(|()| DONE);
    }
    let id = BatchId::parse(id)?;
    let app = match options.open() {
        Ok(app) => app,
        Err(error) if error.code() == Code::InUse && server.afar(options).is_ok() => {
            let reach = server.afar(options)?;
            match remote::cancel(options, &reach, id.as_str(), discard) {
                // What a server left that died says nothing of who holds the directory now.
                Err(gone) if gone.code() == Code::Unavailable => {
                    return ask(options, &id, discard, &error);
                }
                done => return done.map(|()| DONE),
            }
        }
        Err(error) if error.code() == Code::InUse => return ask(options, &id, discard, &error),
        Err(error) => return Err(error),
    };
    let record = app.engine.store.batch(&id)?;
    let app = reopened_for(app, options, &record)?;
    let (record, deleted) = app.engine.cancel(record, None, discard)?;
    if discard {
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
