//! Which blobs documents refer to. A blob is named by its SHA-256 and shared by all batches of a
//! namespace.

use super::batch::{STAGING, Verdict, is_staging};
use crate::artifact::{Artifacts, PartReader};
use crate::engine::plan::{Plan, PlannedCollection, RowKind};
use crate::error::Result;
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use std::collections::{HashMap, HashSet};

const REFERENCE: &str = "blob:";
const DIGEST_CHARS: usize = 64;

/// Digests by namespace: 32 bytes a blob.
#[derive(Default)]
pub(super) struct Blobs(HashMap<String, HashSet<[u8; DIGEST_CHARS / 2]>>);

impl Blobs {
    /// Reads the parts and artifacts among the names. Every text that looks like a reference counts
    /// as one, in whatever column: a blob too many is kept, never one too few.
    pub(super) fn mark<'a>(
        &mut self,
        namespace: &str,
        plan: &Plan,
        folder: &Artifacts,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        let marked = self.0.entry(namespace.to_string()).or_default();
        let columns = text_columns(plan);
        let parts = names.filter(|name| name.ends_with(".parquet") && name.starts_with("tier-"));
        for name in parts {
            for rows in PartReader::read(folder, name, Some(&columns), None)? {
                mark_rows(&rows, marked);
            }
        }
        Ok(())
    }
}

/// Of all buckets and collections: a name too many selects nothing.
fn text_columns(plan: &Plan) -> Vec<String> {
    let buckets = plan.buckets.iter().flat_map(|bucket| &bucket.columns);
    let fields = buckets.map(|column| column.field.clone());
    let fields = fields.chain(plan.collections.iter().flat_map(PlannedCollection::fields));
    let texts = fields.filter(|field| match field.kind {
        RowKind::Utf8 | RowKind::Json | RowKind::Reference => true,
        RowKind::I64 | RowKind::F64 | RowKind::Bool | RowKind::Blob => false,
        RowKind::Dense { .. } | RowKind::Sparse | RowKind::Multi { .. } => false,
    });
    texts.map(|field| field.name).collect()
}

fn mark_rows(rows: &RecordBatch, marked: &mut HashSet<[u8; DIGEST_CHARS / 2]>) {
    for column in rows.columns().iter().filter(|column| column.data_type() == &DataType::Utf8) {
        for text in column.as_string::<i32>().iter().flatten() {
            for (at, _) in text.match_indices(REFERENCE) {
                let rest = &text.as_bytes()[at + REFERENCE.len()..];
                marked.extend(rest.get(..DIGEST_CHARS).and_then(digest));
            }
        }
    }
}

/// 64 hex digits.
fn digest(hex: &[u8]) -> Option<[u8; DIGEST_CHARS / 2]> {
    let mut bytes = [0; DIGEST_CHARS / 2];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks(2)) {
        let lower = pair.iter().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(c));
        let pair = std::str::from_utf8(pair).ok().filter(|_| lower)?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

/// `NAMESPACE/blobs/XX/DIGEST`.
pub(super) fn judge(name: &str, namespace: &str, marked: &Blobs) -> Verdict {
    if is_staging(name) {
        return Verdict::Orphan(STAGING);
    }
    let words: Vec<&str> = name.split('/').collect();
    let [_, _, prefix, file] = words[..] else { return Verdict::Unknown };
    let found = (file.len() == DIGEST_CHARS && file.starts_with(prefix) && prefix.len() == 2)
        .then(|| digest(file.as_bytes()))
        .flatten();
    match found {
        None => Verdict::Unknown,
        Some(digest) if marked.0.get(namespace).is_some_and(|all| all.contains(&digest)) => {
            Verdict::Live
        }
        Some(_) => Verdict::Orphan("no document names it"),
    }
}
