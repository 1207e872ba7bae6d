//! `quarry extractor run`.

use super::super::options::{GlobalOptions, Output};
use super::super::{DONE, Done, printer};
use super::source::Source;
use super::subject::{Subject, Trying, bytes, failure, host, name_of, nanos, told};
use super::{again, roots, watched};
use crate::engine::trial::{self, Trial};
use crate::plugin::Extractor;
use clap::Args;
use serde_json::{Value, json};

const FAILED: u8 = 1;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor run my-extractor/ --manifest objects.parquet")]
/// Runs a few rows, one call for each, and shows what it logs and makes. Nothing is written.
pub(in crate::cli) struct Arguments {
    /// Project folder, component file or name@version
    extractor: String,
    #[command(flatten)]
    source: Source,
    /// Rows at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    rows: usize,
    /// Run again whenever a source or the rows change, until Ctrl-C
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    trying: Trying,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let config = arguments.trying.settled(options)?;
    let mut watched = watched(&arguments.extractor);
    if arguments.watch {
        let origin = arguments.source.origin(&config, &arguments.extractor, 1)?;
        watched.extend(origin.path().exists().then(|| origin.path().to_path_buf()));
    }
    let roots = roots(options, watched, &[])?;
    again(options, arguments.watch, &roots, &mut || once(options, arguments))
}

fn once(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let config = arguments.trying.settled(options)?;
    let rows = arguments.rows.max(1);
    let origin = arguments.source.origin(&config, &arguments.extractor, rows)?;
    let given = arguments.trying.parameters()?.or(origin.parameters());
    let parameters = given.unwrap_or(json!({}));
    let component = Subject::find(options, &config, &arguments.extractor)?.load(&host(&config)?)?;
    arguments.trying.granting.apply(&component);
    let extractor = name_of(&component);
    let mut instance = component.instantiate(&parameters)?;
    let rows = origin.read(instance.description())?;
    let mut shown = Vec::new();
    for (object, code, message) in &rows.unreadable {
        printer::note(options, &format!("object {object} can not be read: {code}: {message}"));
    }
    if rows.missing > 0 {
        let missing = rows.missing;
        printer::note(options, &format!("{missing} rows lack a required input"));
    }
    let mut failed = false;
    for (row, object) in rows.objects.iter().enumerate().take(arguments.rows.max(1)) {
        let trial = trial::run(instance.as_mut(), &trial::row_of(&rows.input, row));
        tell(options, &extractor, object, &trial);
        failed |= !trial.failed.is_empty();
        let values = values(&extractor, row, object, &trial);
        match options.output {
            Output::Ndjson => printer::list(options, &values, &[]),
            Output::Json | Output::Table => shown.extend(values),
        }
    }
    let mut columns: Vec<(&str, &str)> = vec![("object", "/object")];
    let outputs = &instance.description().outputs;
    let pointers: Vec<String> =
        outputs.iter().map(|output| format!("/fields/{}", output.name)).collect();
    let named = outputs.iter().zip(&pointers);
    columns.extend(named.map(|(output, pointer)| (output.name.as_str(), pointer.as_str())));
    columns.extend([("rejected", "/rejected/code"), ("failed", "/failed/reason")]);
    match options.output {
        Output::Ndjson => {}
        Output::Json | Output::Table => printer::list(options, &shown, &columns),
    }
    Ok(if failed { FAILED } else { DONE })
}

/// The log, time and end of a row, for people.
fn tell(options: &GlobalOptions, extractor: &str, object: &str, trial: &Trial) {
    for line in &trial.log {
        printer::note(options, &format!("object {object}: {line}"));
    }
    for rejected in &trial.rejected {
        let (code, message) = (&rejected.code, &rejected.message);
        printer::note(options, &format!("object {object}: rejected: {code}: {message}"));
    }
    for failed in &trial.failed {
        printer::note(options, &told(extractor, &format!("object {object}"), failed));
    }
    let (documents, memory) = (trial.documents.len(), bytes(trial.memory_bytes as u64));
    let took = nanos(trial.took.as_nanos() as f64);
    let ended = format!("object {object}: {documents} documents in {took}, memory {memory}");
    printer::note(options, &ended);
}

fn values(extractor: &str, row: usize, object: &str, trial: &Trial) -> Vec<Value> {
    let made = trial.documents.iter().enumerate().map(
        |(at, made)| json!({ "row": row, "object": object, "document": at, "fields": made.fields }),
    );
    let rejected = trial.rejected.iter().map(|rejected| {
        let (code, message) = (&rejected.code, &rejected.message);
        let rejected = json!({ "code": code, "message": message });
        json!({ "row": row, "object": object, "rejected": rejected })
    });
    let failed = trial.failed.iter().map(|failed| {
        let mut failed = failure(extractor, failed);
        failed["row"] = row.into();
        json!({ "row": row, "object": object, "failed": failed })
    });
    made.chain(rejected).chain(failed).collect()
}
