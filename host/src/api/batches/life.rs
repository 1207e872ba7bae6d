//! Batches are made, filled, changed, deleted.

use super::model::BatchModel;
use super::{collections, find_in_bucket, shown, submit};
use crate::api::call::Call;
use crate::api::filters;
use crate::api::operation::{NoQuery, Table};
use crate::control::{BatchDraft, Submission};
use crate::error::{Error, Result};
use crate::model::Filter;
use crate::store::catalog::{Bucket, Content, Object};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Objects that a filter chooses for one batch at most.
const CHOSEN_MAX: u64 = 100_000;

pub(super) fn declare(table: &mut Table) {
    let all = "/v1/buckets/{bucket_identifier}/batches";
    let one = "/v1/buckets/{bucket_identifier}/batches/{batch_id}";
    table.post(all, "create_batch_buckets_batches", "Create a batch", create).bytes_max(16 << 20);
    table.patch(one, "patch_batch_buckets_batches", "Change a batch's metadata", patch);
    table.delete(one, "delete_batch_buckets_batches", "Forget a batch; documents stay", delete);
    table.delete(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/documents",
        "delete_batch_documents_buckets_batches",
        "Delete the documents that a batch has written",
        delete_documents,
    );
    table
        .post(
            "/v1/buckets/{bucket_identifier}/batches/{batch_id}/objects",
            "add_objects_to_batch_buckets_batches",
            "Add objects to a draft",
            add,
        )
        .bytes_max(16 << 20);
}

/// What happens to objects that were processed before: ids are deterministic, so `replace` is what
/// always happens; `skip` and `force` are kept and mean the same today.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum DedupStrategy {
    Skip,
    Replace,
    Force,
}

impl DedupStrategy {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            DedupStrategy::Skip => "skip",
            DedupStrategy::Replace => "replace",
            DedupStrategy::Force => "force",
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct CreateBatch {
    #[schemars(length(max = 256))]
    batch_name: Option<String>,
    /// None at all makes an empty draft.
    #[schemars(length(max = 100_000))]
    object_ids: Option<Vec<String>>,
    /// Instead of ids: the objects of the bucket that fit.
    filters: Option<Map<String, Value>>,
    /// Of the objects that fit.
    #[schemars(range(min = 1, max = CHOSEN_MAX))]
    limit: Option<u64>,
    /// Path or URL of a Parquet file or folder that the engine reads instead of objects: a column
    /// `object_id` and one for each field of the bucket.
    #[schemars(length(min = 1, max = 4096))]
    manifest_uri: Option<String>,
    /// Only these collections and what they read; all that come from the bucket by default.
    collection_ids: Option<Vec<String>>,
    dedup_strategy: Option<DedupStrategy>,
    metadata: Option<Map<String, Value>>,
    /// Submit it at once.
    auto_submit: Option<bool>,
    /// The same.
    trigger_processing: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct CreateQuery {
    /// Taken: objects are always looked up.
    #[allow(dead_code, reason = "part of the API")]
    skip_validation: Option<bool>,
    auto_submit: Option<bool>,
    trigger_processing: Option<bool>,
}

fn create(call: &Call, query: CreateQuery, body: CreateBatch) -> Result<BatchModel> {
    let (namespace, bucket) = call.bucket()?;
    let mut objects = body.object_ids.unwrap_or_default();
    if body.filters.is_some() || body.limit.is_some() {
        if !objects.is_empty() {
            return Err(Error::invalid("a batch has ids or a filter, not both").field("/filters"));
        }
        let filter = filters::parse(&body.filters.unwrap_or_default(), false)?;
        objects = chosen(call, &bucket, &filter, body.limit.unwrap_or(CHOSEN_MAX))?;
    }
    let draft = BatchDraft {
        name: body.batch_name,
        objects,
        manifest_uri: body.manifest_uri,
        collections: collections(call, &namespace, body.collection_ids)?.unwrap_or_default(),
        metadata: body.metadata.unwrap_or_default(),
        dedup_strategy: body.dedup_strategy.map(|strategy| strategy.as_str().to_string()),
    };
    let view = call.control.create_batch(&namespace, &bucket, draft)?;
    let at_once = [query.auto_submit, query.trigger_processing, body.auto_submit];
    if at_once.into_iter().chain([body.trigger_processing]).any(|wish| wish == Some(true)) {
        let submission = Submission { key: call.caller.key.clone(), ..submit::default() };
        call.control.submit_batch(&namespace, &bucket, &view.batch.id, submission)?;
        let view = call.control.batch(view.batch.id.as_str())?;
        return shown(call, &namespace, &view);
    }
    shown(call, &namespace, &view)
}

/// Ids of the bucket's objects that fit, in the order in which they were made.
pub(super) fn chosen(
    call: &Call,
    bucket: &Bucket,
    filter: &Filter,
    limit: u64,
) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for object in call.control.objects_of(bucket, None) {
        let object = object?;
        if filters::holds(filter, &fields(&object))? {
            ids.push(object.id.to_string());
            if ids.len() as u64 >= limit {
                break;
            }
        }
    }
    Ok(ids)
}

/// An object as filters see it: its fields, and what else it has.
fn fields(object: &Object) -> Value {
    let mut fields = object.metadata.clone();
    for blob in &object.blobs {
        let value = match &blob.content {
            Content::Value(value) => value.clone(),
            Content::Reference(url) => url.as_str().into(),
        };
        fields.insert(blob.property.clone(), value);
    }
    fields.insert("object_id".to_string(), object.id.as_str().into());
    fields.insert("key_prefix".to_string(), object.key_prefix.as_deref().into());
    fields.insert("created_at".to_string(), object.created_at.as_str().into());
    Value::Object(fields)
}

#[derive(Deserialize, JsonSchema)]
struct AddObjects {
    #[schemars(length(min = 1, max = 100_000))]
    object_ids: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
struct AddQuery {
    #[allow(dead_code, reason = "part of the API")]
    skip_validation: Option<bool>,
}

fn add(call: &Call, _: AddQuery, body: AddObjects) -> Result<BatchModel> {
    let (namespace, bucket, view) = find_in_bucket(call)?;
    let view = call.control.add_to_batch(&bucket, &view.batch.id, body.object_ids)?;
    shown(call, &namespace, &view)
}

#[derive(Deserialize, JsonSchema)]
struct PatchBatch {
    /// Replaces what there is.
    metadata: Option<Map<String, Value>>,
    #[schemars(length(max = 256))]
    batch_name: Option<String>,
}

fn patch(call: &Call, _: NoQuery, body: PatchBatch) -> Result<BatchModel> {
    let (namespace, _, view) = find_in_bucket(call)?;
    let view = call.control.change_batch(&view.batch.id, |batch| {
        if let Some(metadata) = body.metadata {
            batch.metadata = metadata;
        }
        if body.batch_name.is_some() {
            batch.name = body.batch_name;
        }
    })?;
    shown(call, &namespace, &view)
}

#[derive(Serialize, JsonSchema)]
struct Deleted {
    message: String,
    success: bool,
}

fn delete(call: &Call, _: NoQuery, (): ()) -> Result<Deleted> {
    let (.., view) = find_in_bucket(call)?;
    call.control.delete_batch(&view.batch.id)?;
    Ok(Deleted { message: format!("batch {} is deleted", view.batch.id), success: true })
}

#[derive(Serialize, JsonSchema)]
struct DeletedDocuments {
    success: bool,
    batch_id: String,
    documents_deleted: u64,
}

/// Those that no later batch has written again.
fn delete_documents(call: &Call, _: NoQuery, (): ()) -> Result<DeletedDocuments> {
    let (namespace, _, view) = find_in_bucket(call)?;
    let deleted = call.control.delete_batch_documents(&namespace, &view.batch.id)?;
    Ok(DeletedDocuments {
        success: true,
        batch_id: view.batch.id.to_string(),
        documents_deleted: deleted,
    })
}
