//! Where a document comes from, what was made from it, and what is known of its making.

use super::shown::{DocumentModel, Shape, Shower};
use crate::api::call::Call;
use crate::api::operation::NoQuery;
use crate::control::lineage_of;
use crate::error::{Code, Result};
use crate::model::{BatchId, Document};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Dead letters of a batch that are looked through.
const LETTERS_MAX: usize = 10_000;
const FAILURES_MAX: usize = 20;

/// From the parent up to the root.
pub(super) fn ancestors(call: &Call, _: NoQuery) -> Result<Vec<DocumentModel>> {
    let (namespace, document) = found(call)?;
    let ancestors = call.control.ancestors(&namespace, &document)?;
    Shower::new(call, &namespace, Shape::default())?.all(ancestors)
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct DescendantsQuery {
    /// Levels: 1, the direct children, if absent.
    #[schemars(range(min = 1, max = 64))]
    depth: Option<u8>,
    /// Documents at most (100).
    #[schemars(range(min = 1, max = 1_000))]
    limit: Option<u64>,
}

/// Level by level.
pub(super) fn descendants(call: &Call, query: DescendantsQuery) -> Result<Vec<DocumentModel>> {
    let (namespace, document) = found(call)?;
    let depth = query.depth.unwrap_or(1).into();
    let limit = query.limit.unwrap_or(100) as usize;
    let descendants = call.control.descendants(&namespace, &document, depth, limit)?;
    Shower::new(call, &namespace, Shape::default())?.all(descendants)
}

fn found(call: &Call) -> Result<(crate::store::catalog::Namespace, Document)> {
    let (namespace, collection) = call.collection()?;
    let id = call.path("document_id");
    let document = call.control.document(&namespace, &collection, id, false)?;
    Ok((namespace, document))
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Diagnostics {
    document_id: String,
    collection_id: String,
    source_object_id: Option<String>,
    visibility_reason: Visibility,
    recent_failures: Failures,
    diagnostic_history: History,
}

#[derive(Serialize, JsonSchema)]
struct Visibility {
    searchable: bool,
    reason: String,
    source_object_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Failures {
    failures: Vec<Failure>,
    reason: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Failure {
    source: &'static str,
    object_id: String,
    status: &'static str,
    error: String,
}

#[derive(Serialize, JsonSchema)]
struct History {
    entries: Vec<HistoryEntry>,
    reason: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct HistoryEntry {
    source: &'static str,
    timestamp: Option<String>,
    detail: Map<String, Value>,
}

fn detail(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => Map::from_iter([("value".to_string(), other)]),
    }
}

pub(super) fn diagnostics(call: &Call, _: NoQuery) -> Result<Diagnostics> {
    let (_, collection) = call.collection()?;
    let (_, document) = found(call)?;
    let text = |name: &str| {
        let found = lineage_of(&document, name).as_str().filter(|text| !text.is_empty());
        found.map(str::to_string)
    };
    let object = text("object");
    let mut entries = Vec::new();
    if let Value::Array(steps) = lineage_of(&document, "history") {
        entries.extend(steps.iter().map(|step| HistoryEntry {
            source: "processing.history",
            timestamp: step["started_at"].as_str().map(str::to_string),
            detail: detail(step.clone()),
        }));
    }
    for (name, event) in [("created_at", "given"), ("updated_at", "given again")] {
        if let Some(at) = text(name)
            && (name == "created_at" || text("created_at").as_ref() != Some(&at))
        {
            let detail = detail(json!({ "event": event }));
            entries.push(HistoryEntry { source: "document", timestamp: Some(at), detail });
        }
    }
    let (failures, reason) = failures(call, &document, &mut entries)?;
    let reason_none = || "neither its batch nor the document tells of it".to_string();
    Ok(Diagnostics {
        document_id: document.id.to_string(),
        collection_id: collection.id.to_string(),
        source_object_id: object.clone(),
        visibility_reason: Visibility {
            searchable: true,
            reason: "it is in the vector sink, and searches of its collection see it".to_string(),
            source_object_id: object,
        },
        recent_failures: Failures { failures, reason },
        diagnostic_history: History { reason: entries.is_empty().then(reason_none), entries },
    })
}

/// What failed of the same object in the batch that wrote the document, and that batch's life.
fn failures(
    call: &Call,
    document: &Document,
    entries: &mut Vec<HistoryEntry>,
) -> Result<(Vec<Failure>, Option<String>)> {
    let batch = lineage_of(document, "batch").as_str().and_then(|id| BatchId::parse(id).ok());
    let Some(batch) = batch else {
        return Ok((Vec::new(), Some("no batch wrote it".to_string())));
    };
    let engine = &call.control.engine;
    let record = match engine.store.batch(&batch) {
        Ok(record) => record,
        Err(error) if error.code() == Code::NotFound => {
            return Ok((Vec::new(), Some(format!("batch {batch} is not there any more"))));
        }
        Err(error) => return Err(error),
    };
    let told = json!({
        "batch_id": batch,
        "status": record.status,
        "run": record.run,
        "extractor": lineage_of(document, "extractor"),
        "digest": lineage_of(document, "digest"),
    });
    entries.push(HistoryEntry {
        source: "batch",
        timestamp: record.ended_at.clone().or(record.started_at.clone()),
        detail: detail(told),
    });
    let object = lineage_of(document, "object");
    let letters = engine.dead_letters(&record, LETTERS_MAX)?.into_iter();
    let failures: Vec<Failure> = letters
        .filter(|letter| *object == letter.object)
        .take(FAILURES_MAX)
        .map(|letter| Failure {
            source: "dead_letter",
            object_id: letter.object,
            status: "FAILED",
            error: format!("{} in `{}`: {}", letter.code, letter.collection, letter.message),
        })
        .collect();
    let none = || format!("nothing of the object failed in batch {batch}");
    let reason = failures.is_empty().then(none);
    Ok((failures, reason))
}
