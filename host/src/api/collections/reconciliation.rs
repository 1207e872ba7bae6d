//! Which objects of its buckets a collection has no document of.

use super::model::Shelf;
use super::source::roots;
use crate::api::call::Call;
use crate::api::operation::Table;
use crate::control::documents_of;
use crate::engine::lineage;
use crate::error::{Code, Result};
use crate::model::{Condition, LINEAGE_FIELD, Name, Operator};
use crate::sink::{SCROLL_LIMIT_MAX, Scroll, VectorSink};
use crate::store::catalog::Object;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1_000;
/// Objects that are looked for at once.
const CHUNK: usize = 500;

pub(super) fn declare(table: &mut Table) {
    table.get(
        "/v1/collections/{collection_identifier}/reconciliation",
        "reconcile_collection_reconciliation",
        "Compare a collection's documents with the objects of its buckets",
        reconcile,
    );
}

#[derive(Deserialize, JsonSchema)]
struct ReconcileQuery {
    /// Discrepancies that are listed at most (100).
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
struct Reconciliation {
    collection_id: String,
    /// Objects that are registered in the buckets it comes from.
    source_object_count: u64,
    /// Those of them with a document.
    produced_object_count: u64,
    document_count: u64,
    /// Objects without a document.
    delta: u64,
    discrepancies: Vec<Discrepancy>,
    discrepancies_truncated: bool,
    limit: u64,
}

#[derive(Serialize, JsonSchema)]
struct Discrepancy {
    object_id: String,
    bucket_id: String,
    /// `no_document`: no batch has run it, or it was filtered, refused or failed there.
    reason: &'static str,
    age_seconds: f64,
}

fn reconcile(call: &Call, query: ReconcileQuery) -> Result<Reconciliation> {
    let (namespace, collection) = call.collection()?;
    let limit = query.limit.unwrap_or(LIMIT);
    let shelf = Shelf::open(call, &namespace)?;
    let sink = match call.control.engine.sink.as_deref() {
        Some(sink) if sink.layout(&namespace.key)?.is_some() => Some(sink),
        _ => None,
    };
    let filter = documents_of(&collection.key);
    let mut answer = Reconciliation {
        collection_id: collection.id.to_string(),
        source_object_count: 0,
        produced_object_count: 0,
        document_count: match sink {
            Some(sink) => sink.count(&namespace.key, Some(&filter))?,
            None => 0,
        },
        delta: 0,
        discrepancies: Vec::new(),
        discrepancies_truncated: false,
        limit: limit as u64,
    };
    let now = chrono::DateTime::parse_from_rfc3339(&call.control.engine.env.timestamp()).ok();
    let mut compare = |objects: &mut Vec<Object>| -> Result<()> {
        let ids: Vec<String> = objects.iter().map(|object| object.id.to_string()).collect();
        let made = match sink {
            Some(sink) => with_documents(sink, &namespace.key, &collection.key, ids)?,
            None => BTreeSet::new(),
        };
        for object in objects.drain(..) {
            answer.source_object_count += 1;
            if made.contains(object.id.as_str()) {
                answer.produced_object_count += 1;
                continue;
            }
            answer.delta += 1;
            if answer.discrepancies.len() >= limit {
                answer.discrepancies_truncated = true;
                continue;
            }
            let created = chrono::DateTime::parse_from_rfc3339(&object.created_at).ok();
            let age = now.zip(created).map(|(now, created)| now - created);
            answer.discrepancies.push(Discrepancy {
                object_id: object.id.to_string(),
                bucket_id: object.bucket.to_string(),
                reason: "no_document",
                age_seconds: age.map_or(0.0, |age| age.num_milliseconds() as f64 / 1_000.0),
            });
        }
        Ok(())
    };
    for id in roots(&collection, &shelf.collections) {
        let bucket = match call.control.bucket(&namespace, &id) {
            // One that was deleted has no objects.
            Err(error) if error.code() == Code::NotFound => continue,
            bucket => bucket?,
        };
        let mut objects: Vec<Object> = Vec::new();
        for object in call.control.objects_of(&bucket, None) {
            objects.push(object?);
            if objects.len() >= CHUNK {
                compare(&mut objects)?;
            }
        }
        compare(&mut objects)?;
    }
    Ok(answer)
}

/// Those of the objects that the collection has a document of.
fn with_documents(
    sink: &dyn VectorSink,
    namespace: &Name,
    collection: &Name,
    ids: Vec<String>,
) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let wanted = ids.len();
    if wanted == 0 {
        return Ok(found);
    }
    let mut filter = documents_of(collection);
    filter.and.push(Condition::Field {
        field: format!("{LINEAGE_FIELD}.object"),
        operator: Operator::In,
        value: ids.into(),
    });
    let mut from = None;
    loop {
        let filter = Some(filter.clone());
        let scroll = Scroll { filter, from, limit: SCROLL_LIMIT_MAX, with_vectors: false };
        let page = sink.scroll(namespace, &scroll)?;
        let objects = page.documents.iter().filter_map(lineage).map(|lineage| lineage.object);
        found.extend(objects);
        from = page.next;
        if from.is_none() || found.len() >= wanted {
            return Ok(found);
        }
    }
}
