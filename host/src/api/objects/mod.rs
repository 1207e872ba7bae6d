//! `/v1/buckets/{bucket_identifier}/objects`.

mod aggregate;
mod dates;
mod list;
mod model;
mod request;

pub(super) use model::{LINK_SECONDS, link};
pub(super) use request::{PolicyWord, TypeWord};

use super::call::Call;
use super::failure;
use super::operation::{NoQuery, Table};
use crate::control::{BatchDraft, Control, ObjectDraft, Replay, Submission, WriteOptions, Written};
use crate::error::{Error, Result};
use crate::model::Scope;
use crate::store::catalog::{Bucket, Deletion, Namespace};
use model::{Links, ObjectModel, model};
use request::{CreateObject, CreateObjects, PatchObject, UpdateObject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of a body: files may be in it, in base64.
const BODY_BYTES_MAX: usize = 32 << 20;

pub(super) fn declare(table: &mut Table) {
    table.tag("objects");
    let all = "/v1/buckets/{bucket_identifier}/objects";
    table.post(all, "create_object_buckets", "Make an object", create).bytes_max(BODY_BYTES_MAX);
    table.get(all, "list_objects_get_buckets", "List objects", list::get);
    table
        .post(
            "/v1/buckets/{bucket_identifier}/objects/batch",
            "create_objects_batch_buckets",
            "Make up to 100 objects",
            create_many,
        )
        .bytes_max(BODY_BYTES_MAX);
    table.post(
        "/v1/buckets/{bucket_identifier}/objects/list",
        "list_objects_buckets",
        "List objects",
        list::post,
    );
    table
        .post(
            "/v1/buckets/{bucket_identifier}/objects/aggregate",
            "aggregate_objects_buckets",
            "Count and compute over groups of objects",
            aggregate::aggregate,
        )
        .scope(Scope::Read);
    table
        .post(
            "/v1/buckets/{bucket_identifier}/objects/bulk-soft-delete",
            "bulk_soft_delete_objects_buckets",
            "Mark objects as deleted, and delete their documents",
            soft_delete,
        )
        .scope(Scope::Delete);
    let one = "/v1/buckets/{bucket_identifier}/objects/{object_identifier}";
    table.get(one, "get_object_buckets", "Read an object", get);
    table
        .patch(one, "patch_object_buckets", "Change fields of an object", patch)
        .bytes_max(BODY_BYTES_MAX);
    table.put(one, "update_object_buckets", "Change an object", update).bytes_max(BODY_BYTES_MAX);
    table.delete(one, "delete_object_buckets", "Delete an object and its documents", delete);
}

#[derive(Deserialize, JsonSchema)]
struct CreateQuery {
    /// Where the bucket has a unique key; its own `default_policy` if absent.
    policy: Option<PolicyWord>,
    /// Process the object at once.
    auto_process: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct CreateManyQuery {
    /// Process the objects at once.
    auto_process: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct GetQuery {
    /// With links to the bytes that are here, valid for an hour.
    return_presigned_urls: Option<bool>,
    /// With the number of its documents (true).
    include_document_count: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct ManyObjects {
    succeeded: Vec<MadeObject>,
    failed: Vec<FailedObject>,
    total_requested: u64,
    succeeded_count: u64,
    failed_count: u64,
}

#[derive(Serialize, JsonSchema)]
struct MadeObject {
    #[serde(flatten)]
    object: ObjectModel,
    /// Place in the request.
    object_index: u64,
    /// It was there before.
    replayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed_by: Option<ReplayWord>,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ReplayWord {
    IdempotencyKey,
    SkipDuplicates,
}

#[derive(Serialize, JsonSchema)]
struct FailedObject {
    /// Place in the request.
    object_index: u64,
    error: String,
    /// As `type` of errors.
    error_type: String,
    /// Where in the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct SoftDelete {
    #[schemars(length(min = 1, max = 5000))]
    object_ids: Vec<String>,
    #[schemars(length(min = 1, max = 500))]
    reason: String,
    /// Word for the state they are in from now on (`disabled`).
    #[schemars(length(min = 1, max = 64))]
    lifecycle_state: Option<String>,
    /// Who or what wanted it (`bulk_purge`).
    #[schemars(length(min = 1, max = 64))]
    source: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct SoftDeleted {
    /// Those that are marked now and were not before.
    soft_deleted: u64,
    requested: u64,
    /// Collections that read the bucket: documents in them are gone.
    collections: u64,
}

fn options(call: &Call, policy: Option<PolicyWord>) -> WriteOptions {
    // A key that is bound to a namespace shall not read what is beside it on this machine.
    let local_files = call.caller.namespace.is_none();
    WriteOptions::new(policy.map(PolicyWord::policy), local_files)
}

/// Whether the objects are to be processed as soon as they are made; what can not be is refused
/// before anything is made.
pub(super) fn check_process(
    call: &Call,
    namespace: &Namespace,
    bucket: &Bucket,
    auto: Option<bool>,
) -> Result<bool> {
    if auto == Some(true) {
        let pipeline = call.control.pipeline(namespace, bucket, &[]);
        let checked = pipeline.and_then(|pipeline| call.control.engine.check(&pipeline));
        checked.map_err(|error| error.field("/auto_process"))?;
    }
    Ok(auto == Some(true))
}

/// Submits a batch of them.
pub(super) fn process(
    call: &Call,
    namespace: &Namespace,
    bucket: &Bucket,
    objects: Vec<String>,
) -> Result<()> {
    let draft = BatchDraft {
        name: None,
        objects,
        manifest_uri: None,
        collections: Vec::new(),
        metadata: Default::default(),
        dedup_strategy: None,
    };
    let batch = call.control.create_batch(namespace, bucket, draft)?.batch;
    let submission = Submission {
        include_processing_history: true,
        no_memo: false,
        key: call.caller.key.clone(),
        ..Submission::default()
    };
    call.control.submit_batch(namespace, bucket, &batch.id, submission).map(|_| ())
}

fn create(call: &Call, query: CreateQuery, body: CreateObject) -> Result<ObjectModel> {
    let (namespace, bucket) = call.bucket()?;
    let auto = check_process(call, &namespace, &bucket, query.auto_process)?;
    let draft = body.draft(&bucket)?;
    let options = options(call, query.policy);
    let made = call.control.create_object(&namespace, &bucket, draft, options)?;
    if auto {
        process(call, &namespace, &bucket, vec![made.object.id.to_string()])?;
    }
    Ok(model(made.object, None)?.just_made())
}

fn create_many(call: &Call, query: CreateManyQuery, body: CreateObjects) -> Result<ManyObjects> {
    let (namespace, bucket) = call.bucket()?;
    let auto = check_process(call, &namespace, &bucket, query.auto_process)?;
    let drafts: Vec<Result<ObjectDraft>> =
        body.objects.into_iter().map(|object| object.draft(&bucket)).collect();
    let results = made(call.control, &namespace, &bucket, drafts, options(call, None))?;
    if auto {
        let ids = results.iter().flatten().map(|made| made.object.id.to_string());
        let ids: Vec<String> = ids.collect();
        if !ids.is_empty() {
            process(call, &namespace, &bucket, ids)?;
        }
    }
    let mut answer = ManyObjects {
        succeeded: Vec::new(),
        failed: Vec::new(),
        total_requested: results.len() as u64,
        succeeded_count: 0,
        failed_count: 0,
    };
    for (at, result) in results.into_iter().enumerate() {
        let object_index = at as u64;
        match result {
            Ok(Written { object, replayed }) => answer.succeeded.push(MadeObject {
                object: model(object, None)?.just_made(),
                object_index,
                replayed: replayed.is_some(),
                replayed_by: replayed.map(|why| match why {
                    Replay::IdempotencyKey => ReplayWord::IdempotencyKey,
                    Replay::SkipDuplicates => ReplayWord::SkipDuplicates,
                }),
            }),
            // That is no fault of the object.
            Err(error) if failure::status(error.code()) >= 500 => return Err(error),
            Err(error) => answer.failed.push(FailedObject {
                object_index,
                error: error.chain(),
                error_type: failure::kind(error.code()).to_string(),
                pointer: error.field_name().map(|field| format!("/objects/{at}{field}")),
                hint: error.hint_text().map(str::to_string),
            }),
        }
    }
    answer.succeeded_count = answer.succeeded.len() as u64;
    answer.failed_count = answer.failed.len() as u64;
    match (answer.succeeded.first(), answer.failed.first()) {
        (None, Some(first)) => Err(none_made(&answer.failed, first)),
        _ => Ok(answer),
    }
}

/// Those drafts that could be read, made; all results in the order of the drafts.
fn made(
    control: &Control,
    namespace: &Namespace,
    bucket: &Bucket,
    drafts: Vec<Result<ObjectDraft>>,
    options: WriteOptions,
) -> Result<Vec<Result<Written>>> {
    let mut results: Vec<Option<Result<Written>>> = Vec::new();
    let mut readable = Vec::new();
    for draft in drafts {
        match draft {
            Ok(draft) => {
                readable.push(draft);
                results.push(None);
            }
            Err(error) => results.push(Some(Err(error))),
        }
    }
    let mut made = control.create_objects(namespace, bucket, readable, options)?.into_iter();
    let lost = || Err(Error::internal("an object was lost"));
    Ok(results
        .into_iter()
        .map(|known| known.or_else(|| made.next()).unwrap_or_else(lost))
        .collect())
}

fn none_made(failed: &[FailedObject], first: &FailedObject) -> Error {
    let message = match failed.len() {
        1 => format!("the object was not made: {}", first.error),
        many => format!("none of {many} objects was made; the first: {}", first.error),
    };
    let error = Error::invalid(message);
    let error = match &first.pointer {
        Some(pointer) => error.field(pointer),
        None => error.field(format!("/objects/{}", first.object_index)),
    };
    match &first.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn get(call: &Call, query: GetQuery) -> Result<ObjectModel> {
    let (namespace, bucket) = call.bucket()?;
    let object = call.control.object_record(&bucket, call.path("object_identifier"))?;
    let documents = match query.include_document_count.unwrap_or(true) {
        true => call.control.documents_of(&namespace, &object)?,
        false => None,
    };
    let links = Links { call, namespace: &namespace, bucket: &bucket };
    let links = query.return_presigned_urls.unwrap_or(false).then_some(&links);
    Ok(model(object, links)?.counted(documents))
}

fn patch(call: &Call, _: NoQuery, body: PatchObject) -> Result<ObjectModel> {
    change(call, |_| body.draft())
}

fn update(call: &Call, _: NoQuery, body: UpdateObject) -> Result<ObjectModel> {
    change(call, |bucket| body.draft(bucket))
}

fn change(call: &Call, draft: impl FnOnce(&Bucket) -> ObjectDraft) -> Result<ObjectModel> {
    let (namespace, bucket) = call.bucket()?;
    let (id, draft) = (call.path("object_identifier"), draft(&bucket));
    let options = options(call, None);
    let object = call.control.change_object(&namespace, &bucket, id, draft, options)?;
    let documents = call.control.documents_of(&namespace, &object)?;
    Ok(model(object, None)?.counted(documents))
}

fn delete(call: &Call, _: NoQuery, (): ()) -> Result<()> {
    let (namespace, bucket) = call.bucket()?;
    call.control.delete_object(&namespace, &bucket, call.path("object_identifier"))
}

fn soft_delete(call: &Call, _: NoQuery, body: SoftDelete) -> Result<SoftDeleted> {
    let (namespace, bucket) = call.bucket()?;
    let state = body.lifecycle_state.unwrap_or_else(|| "disabled".to_string());
    if state.eq_ignore_ascii_case("active") {
        return Err(Error::invalid("objects that are deleted are not active")
            .field("/lifecycle_state")
            .hint("leave it out, or name another state"));
    }
    let source = body.source.unwrap_or_else(|| "bulk_purge".to_string());
    let mark = |at: String| Deletion {
        at,
        reason: body.reason.clone(),
        state: state.clone(),
        source: source.clone(),
    };
    let done = call.control.soft_delete_objects(&namespace, &bucket, &body.object_ids, mark)?;
    Ok(SoftDeleted {
        soft_deleted: done.deleted,
        requested: body.object_ids.len() as u64,
        collections: done.collections,
    })
}
