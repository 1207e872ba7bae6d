//! The command line as a user meets it: the whole engine behind one process.

mod api;
mod apply;
mod config;
mod damaged;
mod errors;
mod examples;
mod extractor;
mod grants;
mod help;
mod hostile;
mod memo;
mod recovery;
mod redo;
mod rest;
mod runs;
pub(crate) mod space;
mod stores;
mod traces;
mod versions;
mod watch;

use crate::support::quarry::Bench;
use arrow_array::{ArrayRef, StringArray};
use std::path::PathBuf;
use std::sync::Arc;

/// Two tiers over a bucket with one text field.
pub(crate) const PIPELINE: &str = r#"
namespace = "test"

[buckets.notes.schema]
text = "text"

[collections.chunks]
source = "bucket:notes"
extractor = "text-chunk@1.0.0"
parameters = { by = "words", size = 4 }
searchable = false

[collections.notes]
source = "collection:chunks"
extractor = "text-embed@1.0.0"
parameters = { dimensions = 16 }
passthrough = ["text"]
"#;

pub(crate) fn column(texts: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

/// A manifest of (id, text).
pub(crate) fn notes(bench: &Bench, name: &str, rows: &[(&str, &str)]) -> PathBuf {
    let ids: Vec<&str> = rows.iter().map(|(id, _)| *id).collect();
    let texts: Vec<&str> = rows.iter().map(|(_, text)| *text).collect();
    bench.parquet(name, vec![("object_id", column(&ids)), ("text", column(&texts))])
}

pub(crate) const ROWS: [(&str, &str); 3] = [
    ("a", "the quick brown fox jumps over the lazy dog"),
    ("b", "a boat on a quiet lake at dawn"),
    ("c", "one two three"),
];
