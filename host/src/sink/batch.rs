//! How heavy documents are, and writing them in requests of bounded size.

use crate::model::{Document, Vector};
use serde_json::Value;
use std::iter::Peekable;
use std::vec::IntoIter;

/// Points of one write to either engine.
pub(super) const BATCH_POINTS_MAX: usize = 1_024;
/// Estimated bytes of one write to either engine. A single document may not be heavier either.
pub(super) const BATCH_BYTES_MAX: usize = 16 << 20;

/// Takes the documents off `documents` batch by batch, each with its estimated size in bytes.
pub(super) struct Batches {
    documents: Peekable<IntoIter<Document>>,
}

impl Batches {
    pub(super) fn new(documents: Vec<Document>) -> Self {
        Batches { documents: documents.into_iter().peekable() }
    }
}

impl Iterator for Batches {
    type Item = (Vec<Document>, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.documents.next()?;
        let mut bytes = weigh(&first);
        let mut batch = Vec::with_capacity(self.documents.len().min(BATCH_POINTS_MAX - 1) + 1);
        batch.push(first);
        while batch.len() < BATCH_POINTS_MAX {
            let Some(next) = self.documents.peek() else { break };
            let weight = weigh(next);
            if bytes + weight > BATCH_BYTES_MAX {
                break;
            }
            bytes += weight;
            batch.extend(self.documents.next());
        }
        Some((batch, bytes))
    }
}

/// Estimated bytes of a document in a request and in a log: id, names, vectors and JSON text.
pub(super) fn weigh(document: &Document) -> usize {
    let vectors = document.vectors.iter().map(|(name, vector)| name.len() + weigh_vector(vector));
    let fields = document.payload.iter().map(|(key, value)| key.len() + 4 + weigh_json(value));
    32 + vectors.sum::<usize>() + fields.sum::<usize>()
}

fn weigh_vector(vector: &Vector) -> usize {
    match vector {
        Vector::Dense(values) => 8 + 4 * values.len(),
        Vector::Sparse(sparse) => 8 + 8 * sparse.indices.len(),
        Vector::Multi(rows) => rows.iter().map(|row| 8 + 4 * row.len()).sum(),
    }
}

pub(super) fn weigh_json(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 6,
        Value::Number(_) => 10,
        Value::String(text) => text.len() + 4,
        Value::Array(items) => 4 + items.iter().map(weigh_json).sum::<usize>(),
        Value::Object(fields) => {
            4 + fields.iter().map(|(key, value)| key.len() + 4 + weigh_json(value)).sum::<usize>()
        }
    }
}
