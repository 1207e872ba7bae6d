//! `quarry extractor replay`.

use super::super::options::{GlobalOptions, Output, opening};
use super::super::{DONE, Done, printer};
use super::subject::{CallLimits, Subject, bytes, name_of, nanos, told};
use crate::app::{App, Settings};
use crate::engine::replay::{RowName, Stored};
use crate::engine::trial::{self, Failed, Fixture, Trial};
use crate::error::Result;
use crate::model::BatchId;
use crate::plugin::{Component, Extractor, rows};
use crate::store::BatchRecord;
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// Rows of one object that are replayed.
const ROWS_MAX: usize = 20;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor replay btch_0199c0ffee00 report-17")]
/// Runs a failed row of a batch once more, with the extractor, parameters and stored input of that
/// batch and the limits of this command. Nothing is written to the data directory.
pub(in crate::cli) struct Arguments {
    /// Batch id
    batch: String,
    /// Object id, or the number of a row as `quarry batch errors` lists them, from 0
    row: String,
    /// Only in this collection; then the object need not have failed
    #[arg(long, value_name = "C")]
    collection: Option<String>,
    /// Run this extractor instead: a project folder, component file or name@version
    #[arg(long, value_name = "EXTRACTOR")]
    with: Option<String>,
    /// Write the row and the parameters as a fixture
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    limits: CallLimits,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let config = arguments.limits.settled(options)?;
    let id = BatchId::parse(&arguments.batch)?;
    let record = options.open()?.engine.store.batch(&id)?;
    // Again, with the object store of the batch and the limits of this command.
    let app = App::open(&Settings {
        sink: "none".to_string(),
        artifacts: Some(record.artifacts.clone()),
        ..opening(&config)?
    })?;
    let given = match &arguments.with {
        Some(text) => {
            let subject = Subject::find(options, &config, text)?;
            Some(subject.load(&super::subject::host(&config)?)?)
        }
        None => None,
    };
    let names = app.engine.rows_named(&record, &arguments.row, arguments.collection.as_deref())?;
    if names.len() > ROWS_MAX {
        let more = names.len() - ROWS_MAX;
        printer::note(options, &format!("{more} more rows of the object are left out"));
    }
    let mut replayed = Vec::new();
    for name in names.into_iter().take(ROWS_MAX) {
        let stored = app.engine.stored_rows(&record, &name)?;
        if let Some(path) = arguments.save.as_ref().filter(|_| replayed.is_empty()) {
            let inputs = &stored.collection.description.inputs;
            let rows = rows::rows(inputs, &stored.bound.input)?;
            Fixture::write(path, &stored.collection.parameters, &rows)?;
            printer::note(options, &format!("wrote {}", path.display()));
        }
        replayed.push(replay(&app, &record, name, stored, given.as_ref())?);
    }
    match options.output {
        Output::Table => replayed.iter().for_each(|replayed| replayed.tell(options)),
        Output::Json | Output::Ndjson => {
            let values: Vec<Value> = replayed.iter().map(Replayed::value).collect();
            printer::list(options, &values, &[]);
        }
    }
    Ok(DONE)
}

/// What became of a row this time.
struct Replayed {
    batch: String,
    name: RowName,
    extractor: String,
    digest: String,
    parameters: Value,
    trial: Trial,
    /// Word, code and message.
    outcome: (&'static str, Option<String>, Option<String>),
}

fn replay(
    app: &App,
    record: &BatchRecord,
    name: RowName,
    stored: Stored,
    given: Option<&Component>,
) -> Result<Replayed> {
    let Stored { collection, bound } = stored;
    let (extractor, component): (String, Arc<dyn Extractor>) = match given {
        Some(component) => (name_of(component), Arc::new(component.clone())),
        None => {
            let digest = &collection.extractor.digest;
            (collection.extractor.to_string(), app.engine.registry.by_digest(digest)?)
        }
    };
    let trial = match bound.input.rows {
        0 => Trial::default(),
        _ => {
            let mut instance = component.instantiate(&collection.parameters)?;
            trial::run(instance.as_mut(), &bound.input)
        }
    };
    let text = |text: &str| Some(text.to_string());
    let outcome = if let Some(failed) = trial.failed.first() {
        ("failed", text(&failed.reason), text(&failed.message))
    } else if let Some(rejected) = trial.rejected.first() {
        ("rejected", text(&rejected.code), text(&rejected.message))
    } else if let Some(row) = bound.unreadable.first() {
        ("unreadable", text(row.code), text(&row.message))
    } else if bound.input.rows > 0 {
        ("documents", None, None)
    } else if bound.funnel.missing > 0 {
        ("missing", None, text("a required input is null"))
    } else {
        ("filtered", None, text("the filter of the collection leaves it out"))
    };
    Ok(Replayed {
        batch: record.id.to_string(),
        name,
        extractor,
        digest: component.digest().to_string(),
        parameters: collection.parameters,
        trial,
        outcome,
    })
}

impl Replayed {
    /// Whether the row failed for the same reason as in the batch.
    fn reproduced(&self) -> Option<bool> {
        let letter = self.name.letter.as_ref()?;
        Some(self.outcome.1.as_deref() == Some(letter.code.as_str()))
    }

    fn log(&self) -> &[String] {
        self.trial.failed.first().map_or(&self.trial.log, |failed| &failed.log)
    }

    fn value(&self) -> Value {
        let (outcome, code, message) = &self.outcome;
        let letter = self.name.letter.as_ref();
        let recorded = letter.map(|letter| {
            let (code, message) = (&letter.code, &letter.message);
            json!({ "code": code, "message": message, "attempts": letter.attempts })
        });
        let documents: Vec<Value> =
            self.trial.documents.iter().map(|made| json!(made.fields)).collect();
        json!({
            "batch": self.batch,
            "collection": self.name.collection,
            "object": self.name.object,
            "parent": self.name.parent,
            "extractor": self.extractor,
            "digest": self.digest,
            "parameters": self.parameters,
            "outcome": outcome,
            "code": code,
            "message": message,
            "log": self.log(),
            "documents": documents,
            "recorded": recorded,
            "reproduced": self.reproduced(),
            "took_ns": self.trial.took.as_nanos() as u64,
            "memory_bytes": self.trial.memory_bytes,
        })
    }

    fn tell(&self, options: &GlobalOptions) {
        let (outcome, code, message) = &self.outcome;
        let mut value = self.value();
        let (took, memory) = (self.trial.took, self.trial.memory_bytes);
        let took = nanos(took.as_nanos() as f64);
        value["took"] = format!("{took}, memory {}", bytes(memory as u64)).into();
        if let Some(letter) = &self.name.letter {
            value["recorded"] = format!("{}: {}", letter.code, letter.message).into();
        }
        value["documents"] = self.trial.documents.len().into();
        printer::one(options, &value, &REPLAYED);
        let row = format!("object {} of {}", self.name.object, self.name.collection);
        match (*outcome, code, message) {
            ("failed", Some(reason), Some(message)) => {
                let (reason, message) = (reason.clone(), message.clone());
                let log = self.log().to_vec();
                let failed = Failed { row: 0, reason, message, log };
                printer::text(&told(&self.extractor, &row, &failed));
            }
            _ => {
                let reason = [code, message].into_iter().flatten().cloned().collect::<Vec<_>>();
                printer::text(&format!("{row}: {outcome} {}", reason.join(": ")));
                self.log().iter().for_each(|line| printer::text(&format!("    {line}")));
            }
        }
        if self.reproduced() == Some(false) {
            printer::note(options, "not what happened in the batch");
        }
    }
}

const REPLAYED: [printer::Column; 10] = [
    ("batch", "/batch"),
    ("collection", "/collection"),
    ("object", "/object"),
    ("parent", "/parent"),
    ("extractor", "/extractor"),
    ("digest", "/digest"),
    ("parameters", "/parameters"),
    ("in the batch", "/recorded"),
    ("documents", "/documents"),
    ("took", "/took"),
];
