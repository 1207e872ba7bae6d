//! `quarry manifest`.

use super::options::GlobalOptions;
use super::{DONE, Done, printer};
use crate::manifest::build::{self, BuildRequest};
use clap::Subcommand;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum Command {
    #[command(before_help = "Example: quarry manifest build photos/ -o photos.parquet")]
    /// Lists files or rows in a Parquet manifest: a folder or glob becomes one row a file
    /// (object_id, uri, size, media_type, sha256, metadata), a JSONL, CSV or TSV file one row a
    /// line.
    Build {
        /// Folders, globs, .jsonl/.ndjson, .csv or .tsv files
        #[arg(required = true)]
        sources: Vec<String>,
        /// Manifest to write
        #[arg(short, long, value_name = "FILE")]
        out: PathBuf,
        /// Field or column that is the object id
        #[arg(long, value_name = "FIELD")]
        id: Option<String>,
        /// Also put the content of text files into a `text` column
        #[arg(long)]
        text: bool,
        /// Include hidden files
        #[arg(long)]
        hidden: bool,
        /// Fail at the first file or line that can not be read instead of skipping it
        #[arg(long)]
        strict: bool,
    },
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    let Command::Build { sources, out, id, text, hidden, strict } = command;
    let mut request = BuildRequest::new(sources.clone(), out);
    request.id.clone_from(id);
    (request.text, request.hidden, request.strict) = (*text, *hidden, *strict);
    let bar = (!options.quiet && std::io::stderr().is_terminal()).then(ProgressBar::new_spinner);
    let report = build::build(&request, &mut |progress| {
        if let Some(bar) = &bar {
            let rows = printer::thousands(progress.rows);
            bar.set_message(format!("{rows} rows · {}", progress.current.display()));
            bar.tick();
        }
    })?;
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    for skipped in &report.skipped {
        eprintln!("skipped {skipped}");
    }
    let columns: Vec<Value> = report.columns.iter().map(|c| json!(c.name)).collect();
    let skipped: Vec<String> = report.skipped.iter().map(ToString::to_string).collect();
    let value = json!({
        "manifest": report.output,
        "rows": report.rows,
        "bytes": report.bytes,
        "source_bytes": report.source_bytes,
        "columns": columns,
        "skipped_count": report.skipped_count,
        "skipped": skipped,
    });
    printer::one(options, &value, &BUILD);
    Ok(DONE)
}

const BUILD: [printer::Column; 5] = [
    ("manifest", "/manifest"),
    ("rows", "/rows"),
    ("bytes", "/bytes"),
    ("columns", "/columns"),
    ("skipped", "/skipped_count"),
];
