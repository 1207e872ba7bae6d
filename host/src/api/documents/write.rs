//! Documents that users give, change and delete.

use super::shown::{DocumentModel, Shape, Shower};
use crate::api::call::Call;
use crate::api::filters;
use crate::api::operation::NoQuery;
use crate::control::{DocumentDraft, Merge, Selection};
use crate::error::{Error, Result};
use crate::model::{SparseVector, Vector};
use crate::store::catalog::Collection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize, JsonSchema)]
pub(super) struct CreateDocument {
    /// `doc_` and a UUID, or any other name: the same one is the same document. The content decides
    /// if absent.
    #[schemars(length(min = 1, max = 512))]
    document_id: Option<String>,
    /// That of the path.
    collection_id: Option<String>,
    /// The object it descends from; itself if absent.
    #[schemars(length(min = 1, max = 512))]
    root_object_id: Option<String>,
    #[schemars(length(min = 1, max = 512))]
    source_object_id: Option<String>,
    root_bucket_id: Option<String>,
    source_type: Option<SourceType>,
    source_collection_id: Option<String>,
    /// A document of this namespace that it was made from.
    source_document_id: Option<String>,
    #[schemars(length(min = 1, max = 4096))]
    lineage_path: Option<String>,
    #[schemars(length(max = 64))]
    lineage_chain: Option<Vec<LineageStep>>,
    /// SHA-256 of the source.
    content_hash: Option<String>,
    document_schema_version: Option<SchemaVersion>,
    metadata: Option<Map<String, Value>>,
    #[schemars(length(max = 64))]
    features: Option<Vec<Feature>>,
    /// By the names of the namespace's vectors.
    vectors: Option<BTreeMap<String, GivenVector>>,
    /// Fields of the document.
    #[serde(flatten)]
    fields: Map<String, Value>,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SourceType {
    Bucket,
    Collection,
    DirectUpsert,
    Signal,
}

/// Taken: documents have one schema.
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum SchemaVersion {
    V1,
    V2,
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct LineageStep {
    collection_id: String,
    feature_extractor_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
}

/// Fields and vectors that an extractor made elsewhere.
#[derive(Deserialize, JsonSchema)]
struct Feature {
    #[allow(dead_code, reason = "part of the API")]
    feature_extractor_id: String,
    payload: Option<Map<String, Value>>,
    vectors: Option<BTreeMap<String, GivenVector>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum GivenVector {
    Dense(Vec<f32>),
    Multi(Vec<Vec<f32>>),
    Sparse { indices: Vec<u32>, values: Vec<f32> },
}

impl From<GivenVector> for Vector {
    fn from(given: GivenVector) -> Vector {
        match given {
            GivenVector::Dense(values) => Vector::Dense(values),
            GivenVector::Multi(rows) => Vector::Multi(rows),
            GivenVector::Sparse { indices, values } => {
                Vector::Sparse(SparseVector { indices, values })
            }
        }
    }
}

fn draft(collection: &Collection, body: CreateDocument) -> Result<DocumentDraft> {
    if let Some(given) = &body.collection_id
        && *given != collection.id.as_str()
        && *given != collection.name
    {
        return Err(Error::invalid("the collection of the path is another one")
            .field("/collection_id")
            .hint("leave it out"));
    }
    let object = match (body.root_object_id, body.source_object_id) {
        (Some(root), Some(source)) if root != source => {
            return Err(Error::invalid("a document descends from one object: the two differ")
                .field("/source_object_id"));
        }
        (root, source) => root.or(source),
    };
    let mut notes = Map::new();
    let mut note = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            notes.insert(name.to_string(), value);
        }
    };
    note("source", body.source_type.map(|kind| json!(kind)));
    note("root_bucket", body.root_bucket_id.map(Value::from));
    note("source_collection", body.source_collection_id.map(Value::from));
    note("path", body.lineage_path.map(Value::from));
    note("chain", body.lineage_chain.map(|chain| json!(chain)));
    note("content_hash", body.content_hash.map(Value::from));
    note("schema_version", body.document_schema_version.map(|version| json!(version)));
    let mut fields = body.fields;
    if let Some(metadata) = body.metadata {
        fields.insert("metadata".to_string(), Value::Object(metadata));
    }
    let mut vectors: BTreeMap<String, Vector> = BTreeMap::new();
    let given = body.vectors.into_iter().flatten();
    vectors.extend(given.map(|(name, vector)| (name, vector.into())));
    for (at, feature) in body.features.into_iter().flatten().enumerate() {
        for (name, value) in feature.payload.into_iter().flatten() {
            if fields.insert(name.clone(), value).is_some() {
                return Err(Error::invalid(format!("field `{name}` is given twice"))
                    .field(format!("/features/{at}/payload/{name}")));
            }
        }
        for (name, vector) in feature.vectors.into_iter().flatten() {
            if vectors.insert(name.clone(), vector.into()).is_some() {
                return Err(Error::invalid(format!("vector `{name}` is given twice"))
                    .field(format!("/features/{at}/vectors/{name}")));
            }
        }
    }
    Ok(DocumentDraft {
        id: body.document_id,
        fields,
        vectors: vectors.into_iter().collect(),
        object,
        parent: body.source_document_id,
        notes,
    })
}

pub(super) fn create(call: &Call, _: NoQuery, body: CreateDocument) -> Result<DocumentModel> {
    let (namespace, collection) = call.collection()?;
    let draft = draft(&collection, body)?;
    let document = call.control.create_document(&namespace, &collection, draft)?;
    Shower::new(call, &namespace, Shape::default())?.one(document)
}

pub(super) fn change(call: &Call, _: NoQuery, body: Map<String, Value>) -> Result<DocumentModel> {
    let (namespace, collection) = call.collection()?;
    let id = call.path("document_id").to_string();
    let updates = [(id.clone(), body)];
    let changed =
        call.control.change_documents(&namespace, &collection, &updates, Merge::Metadata)?;
    changed.into_iter().collect::<Result<()>>()?;
    let document = call.control.document(&namespace, &collection, &id, false)?;
    Shower::new(call, &namespace, Shape::default())?.one(document)
}

/// Either `updates`, or `filters` and `update_data`.
#[derive(Deserialize, JsonSchema)]
pub(super) struct BatchUpdate {
    #[schemars(length(min = 1, max = 1_000))]
    updates: Option<Vec<OneUpdate>>,
    filters: Option<Map<String, Value>>,
    /// A dotted key sets a field inside an object; any other replaces the whole field, and null
    /// takes it away.
    update_data: Option<Map<String, Value>>,
}

#[derive(Deserialize, JsonSchema)]
struct OneUpdate {
    document_id: String,
    update_data: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct BatchUpdated {
    updated_count: u64,
    failed_count: u64,
    /// In the order of `updates`.
    results: Option<Vec<OneOutcome>>,
    message: String,
}

#[derive(Serialize, JsonSchema)]
struct OneOutcome {
    document_id: String,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A filter that is there and selects something less than everything.
fn selection(collection: &Collection, filters: Option<&Map<String, Value>>) -> Result<Selection> {
    let filter = filters.map(|filters| filters::parse(filters, true)).transpose()?;
    Selection::new(collection, filter.as_ref(), None)
}

pub(super) fn batch_update(call: &Call, _: NoQuery, body: BatchUpdate) -> Result<BatchUpdated> {
    let (namespace, collection) = call.collection()?;
    match (body.updates, body.filters, body.update_data) {
        (Some(updates), None, None) => {
            let updates: Vec<(String, Map<String, Value>)> =
                updates.into_iter().map(|one| (one.document_id, one.update_data)).collect();
            let outcomes =
                call.control.change_documents(&namespace, &collection, &updates, Merge::Nothing)?;
            let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count() as u64;
            let results = updates.into_iter().zip(outcomes).map(|((document_id, _), outcome)| {
                let error = outcome.err().map(|error| error.chain());
                OneOutcome { document_id, success: error.is_none(), error }
            });
            let results: Vec<OneOutcome> = results.collect();
            Ok(BatchUpdated {
                updated_count: results.len() as u64 - failed,
                failed_count: failed,
                results: Some(results),
                message: "Batch update completed".to_string(),
            })
        }
        (None, Some(filters), Some(update)) => {
            let selection = selection(&collection, Some(&filters))?;
            let updated =
                call.control.change_selected(&namespace, &collection, &selection, &update)?;
            Ok(BatchUpdated {
                updated_count: updated,
                failed_count: 0,
                results: None,
                message: "Batch update completed".to_string(),
            })
        }
        _ => Err(Error::invalid("give either `updates`, or `filters` and `update_data`")
            .field("/updates")),
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct BulkUpdate {
    /// All documents of the collection if absent.
    filters: Option<Map<String, Value>>,
    /// As in a batch update.
    update_data: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct BulkUpdated {
    /// It is done when the answer comes.
    status: &'static str,
    updated_count: u64,
    message: String,
}

pub(super) fn bulk_update(call: &Call, _: NoQuery, body: BulkUpdate) -> Result<BulkUpdated> {
    let (namespace, collection) = call.collection()?;
    let selection = selection(&collection, body.filters.as_ref())?;
    let updated =
        call.control.change_selected(&namespace, &collection, &selection, &body.update_data)?;
    Ok(BulkUpdated {
        status: "COMPLETED",
        updated_count: updated,
        message: "Bulk update completed".to_string(),
    })
}

/// What was deleted.
#[derive(Serialize, JsonSchema)]
pub(super) struct Deleted {
    success: bool,
    message: String,
}

pub(super) fn delete(call: &Call, _: NoQuery, (): ()) -> Result<Deleted> {
    let (namespace, collection) = call.collection()?;
    let id = call.path("document_id").to_string();
    // Says that it is not there as reading does.
    call.control.document(&namespace, &collection, &id, false)?;
    call.control.delete_documents(&namespace, &collection, std::slice::from_ref(&id))?;
    Ok(Deleted { success: true, message: format!("document {id} is deleted") })
}

/// Either `document_ids` or `filters`.
#[derive(Deserialize, JsonSchema)]
pub(super) struct BatchDelete {
    #[schemars(length(min = 1, max = 1_000))]
    document_ids: Option<Vec<String>>,
    filters: Option<Map<String, Value>>,
    /// Why, for the log.
    #[schemars(length(max = 500))]
    reason: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct BatchDeleted {
    /// It is done when the answer comes.
    status: &'static str,
    deleted_count: u64,
    failed_count: u64,
    /// In the order of `document_ids`.
    results: Option<Vec<OneOutcome>>,
    message: String,
}

pub(super) fn batch_delete(call: &Call, _: NoQuery, body: BatchDelete) -> Result<BatchDeleted> {
    let (namespace, collection) = call.collection()?;
    let (deleted, results) = match (body.document_ids, body.filters) {
        (Some(ids), None) => {
            let found = call.control.delete_documents(&namespace, &collection, &ids)?;
            let results = ids.into_iter().zip(found).map(|(document_id, success)| OneOutcome {
                error: (!success).then(|| format!("there is no document `{document_id}`")),
                document_id,
                success,
            });
            let results: Vec<OneOutcome> = results.collect();
            (results.iter().filter(|result| result.success).count() as u64, Some(results))
        }
        (None, Some(filters)) => {
            if filters.keys().all(|key| key == "case_sensitive") {
                return Err(Error::invalid("the filter selects everything")
                    .field("/filters")
                    .hint("delete the collection, if that is meant"));
            }
            let selection = selection(&collection, Some(&filters))?;
            (call.control.delete_selected(&namespace, &collection, &selection)?, None)
        }
        _ => {
            return Err(
                Error::invalid("give either `document_ids` or `filters`").field("/document_ids")
            );
        }
    };
    tracing::info!(
        collection = collection.id.as_str(),
        deleted,
        reason = body.reason.as_deref().unwrap_or_default(),
        request_id = call.request_id,
        "documents were deleted"
    );
    let failed = results.as_ref().map_or(0, Vec::len) as u64;
    Ok(BatchDeleted {
        status: "COMPLETED",
        deleted_count: deleted,
        failed_count: failed.saturating_sub(deleted),
        results,
        message: "Batch delete completed".to_string(),
    })
}
