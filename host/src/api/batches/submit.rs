//! Batches are submitted and canceled.

use super::life::{DedupStrategy, chosen};
use super::model::{BatchModel, job_id, plan_of};
use super::{collections, find, find_in_bucket, shown, tier};
use crate::api::call::Call;
use crate::api::filters;
use crate::api::operation::{NoQuery, Table};
use crate::api::tasks::TaskModel;
use crate::control::{BatchDraft, BatchView, Submission};
use crate::error::{Code, Error, Result};
use crate::model::BatchStatus;
use crate::store::catalog::{Bucket, Namespace, Phase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Batches of one request at most.
const BATCHES_MAX: usize = 1_000;
const CHUNK: u64 = 1_000;

pub(super) fn declare(table: &mut Table) {
    table.post(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/submit",
        "submit_batch_buckets_batches",
        "Submit a batch; asked again, the answer is the same task",
        submit,
    );
    table.post(
        "/v1/buckets/{bucket_identifier}/batches/bulk-submit",
        "bulk_submit_batches_buckets",
        "Cut the bucket's objects into batches and submit them all",
        bulk,
    );
    table.post(
        "/v1/buckets/{bucket_identifier}/batches/submit-all",
        "submit_all_drafts_buckets_batches",
        "Submit all drafts of the bucket",
        submit_all,
    );
    table.post(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/cancel",
        "cancel_batch_buckets_batches",
        "Cancel a batch",
        cancel_in_bucket,
    );
    table.post("/v1/batches/{batch_id}/cancel", "cancel_batch_by_id_batches", "Cancel", cancel);
    table.post(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/tiers/{tier_num}/cancel",
        "cancel_tier_buckets_batches_batch_id_num",
        "Cancel a tier, which cancels the batch",
        cancel_tier,
    );
    table.post(
        concat!(
            "/v1/buckets/{bucket_identifier}/batches/{batch_id}",
            "/tiers/{tier_num}/jobs/{ray_job_id}/cancel"
        ),
        "cancel_job_buckets_batches_batch_id_tiers_num_ray",
        "Cancel a job of a tier, which cancels the batch",
        cancel_job,
    );
}

/// As a client that says nothing wants it.
pub(super) fn default() -> Submission {
    Submission { include_processing_history: true, ..Submission::default() }
}

#[derive(Default, Deserialize, JsonSchema)]
struct SubmitBatch {
    /// Keep with each document how it was made (`internal_metadata.processing_history`); true if
    /// absent.
    include_processing_history: Option<bool>,
    /// Take what an earlier batch made of rows that have not changed since; true if absent.
    memo: Option<bool>,
    collection_ids: Option<Vec<String>>,
    /// Told of this batch alone.
    #[schemars(length(min = 1, max = 2048))]
    webhook_url: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct SubmitQuery {
    /// Taken: a batch is run whatever was run before.
    #[allow(dead_code, reason = "part of the API")]
    force: Option<bool>,
}

fn submit(call: &Call, _: SubmitQuery, body: Option<SubmitBatch>) -> Result<TaskModel> {
    let (namespace, bucket, view) = find_in_bucket(call)?;
    let body = body.unwrap_or_default();
    let submission = Submission {
        include_processing_history: body.include_processing_history.unwrap_or(true),
        no_memo: !body.memo.unwrap_or(true),
        collections: collections(call, &namespace, body.collection_ids)?,
        webhook_url: body.webhook_url,
        key: call.caller.key.clone(),
    };
    let task = call.control.submit_batch(&namespace, &bucket, &view.batch.id, submission)?;
    TaskModel::of(call, task)
}

#[derive(Default, Deserialize, JsonSchema)]
struct BulkSubmit {
    collection_ids: Option<Vec<String>>,
    filters: Option<Map<String, Value>>,
    /// Objects of a batch (1,000).
    #[schemars(range(min = 1, max = 10_000))]
    chunk_size: Option<u64>,
    dedup_strategy: Option<DedupStrategy>,
    #[schemars(range(min = 1, max = 1_000_000))]
    max_objects: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
struct BulkSubmitted {
    batch_group_id: String,
    total_objects: u64,
    total_batches: u64,
    submitted: u64,
    failed: u64,
    chunk_size: u64,
    batches: Vec<BulkBatch>,
}

#[derive(Serialize, JsonSchema)]
struct BulkBatch {
    batch_id: String,
    status: &'static str,
    object_count: u64,
    error: Option<String>,
}

fn bulk(call: &Call, _: NoQuery, body: Option<BulkSubmit>) -> Result<BulkSubmitted> {
    let (namespace, bucket) = call.bucket()?;
    let body = body.unwrap_or_default();
    let filter = filters::parse(&body.filters.unwrap_or_default(), false)?;
    let objects = chosen(call, &bucket, &filter, body.max_objects.unwrap_or(1_000_000))?;
    let chunk_size = body.chunk_size.unwrap_or(CHUNK);
    let chunks: Vec<Vec<String>> =
        objects.chunks(chunk_size as usize).map(<[String]>::to_vec).collect();
    if chunks.is_empty() {
        return Err(Error::invalid("no object of the bucket fits").field("/filters"));
    }
    if chunks.len() > BATCHES_MAX {
        let message = format!("{} objects are more than {BATCHES_MAX} batches", objects.len());
        return Err(Error::invalid(message).field("/chunk_size").hint("take larger chunks"));
    }
    let wanted = collections(call, &namespace, body.collection_ids)?.unwrap_or_default();
    let group = format!("grp_{}", call.control.engine.env.uuid().simple());
    let mut batches = Vec::new();
    for chunk in chunks {
        let mut metadata = Map::new();
        metadata.insert("batch_group_id".to_string(), group.as_str().into());
        let draft = BatchDraft {
            name: None,
            objects: chunk,
            manifest_uri: None,
            collections: wanted.clone(),
            metadata,
            dedup_strategy: body.dedup_strategy.map(|strategy| strategy.as_str().to_string()),
        };
        let view = call.control.create_batch(&namespace, &bucket, draft)?;
        batches.push(one_of_many(call, &namespace, &bucket, &view)?);
    }
    let failed = batches.iter().filter(|batch| batch.error.is_some()).count() as u64;
    Ok(BulkSubmitted {
        batch_group_id: group,
        total_objects: objects.len() as u64,
        total_batches: batches.len() as u64,
        submitted: batches.len() as u64 - failed,
        failed,
        chunk_size,
        batches,
    })
}

/// Submits; what is wrong with one batch is told and does not keep the others back.
fn one_of_many(
    call: &Call,
    namespace: &Namespace,
    bucket: &Bucket,
    view: &BatchView,
) -> Result<BulkBatch> {
    let id = &view.batch.id;
    let submission = Submission { key: call.caller.key.clone(), ..default() };
    let error = match call.control.submit_batch(namespace, bucket, id, submission) {
        Ok(_) => None,
        Err(error) if matches!(error.code(), Code::Internal | Code::StateFailed) => {
            return Err(error);
        }
        Err(error) => Some(error.chain()),
    };
    let count = match view.batch.input {
        crate::store::catalog::Input::Objects(count) => count,
        crate::store::catalog::Input::Manifest(_) => 0,
    };
    let status = if error.is_some() { BatchStatus::Draft } else { BatchStatus::Queued };
    Ok(BulkBatch { batch_id: id.to_string(), status: status.as_str(), object_count: count, error })
}

#[derive(Serialize, JsonSchema)]
struct AllSubmitted {
    submitted: u64,
    failed: u64,
    batches: Vec<BulkBatch>,
}

fn submit_all(call: &Call, _: NoQuery, (): ()) -> Result<AllSubmitted> {
    let (namespace, bucket) = call.bucket()?;
    let mut batches = Vec::new();
    for batch in call.control.batches(&namespace, Some(&bucket))? {
        if batch.phase == Phase::Draft {
            let view = call.control.view(batch)?;
            batches.push(one_of_many(call, &namespace, &bucket, &view)?);
        }
    }
    let failed = batches.iter().filter(|batch| batch.error.is_some()).count() as u64;
    Ok(AllSubmitted { submitted: batches.len() as u64 - failed, failed, batches })
}

#[derive(Deserialize, JsonSchema)]
struct CancelQuery {
    #[schemars(length(max = 1024))]
    reason: Option<String>,
    /// Delete what the batch has written; it stays otherwise.
    discard: Option<bool>,
}

fn canceled(call: &Call, view: &BatchView, query: &CancelQuery) -> Result<TaskModel> {
    let discard = query.discard.unwrap_or(false);
    let view = call.control.cancel_batch(&view.batch.id, discard, query.reason.as_deref())?;
    match &view.batch.task {
        Some(task) => TaskModel::of(call, call.control.task(task.as_str())?),
        None => Ok(TaskModel::without(&view)),
    }
}

fn cancel(call: &Call, query: CancelQuery, (): ()) -> Result<TaskModel> {
    canceled(call, &find(call)?.1, &query)
}

fn cancel_in_bucket(call: &Call, query: CancelQuery, (): ()) -> Result<TaskModel> {
    canceled(call, &find_in_bucket(call)?.2, &query)
}

/// What a canceled tier means for the batch.
#[derive(Serialize, JsonSchema)]
struct TierCanceled {
    success: bool,
    batch_id: String,
    tier_num: u64,
    ray_job_id: Option<String>,
    /// Tiers run into each other here, so none can be taken out of a batch: all of it is canceled.
    batch: BatchModel,
}

fn end_tier(call: &Call, query: &CancelQuery, job: Option<&str>) -> Result<TierCanceled> {
    let (namespace, _, view) = find_in_bucket(call)?;
    let tier = tier(call, &view)?;
    if let Some(job) = job {
        let id = view.batch.id.as_str();
        let known = plan_of(call, &view).is_some_and(|plan| {
            let mut own = plan.collections.iter().filter(|collection| collection.tier == tier);
            own.any(|collection| job_id(id, tier as u64, collection.name.as_str()) == job)
        });
        if !known {
            let message = format!("tier {tier} has no job `{job}`");
            return Err(Error::new(Code::NotFound, message));
        }
    }
    let discard = query.discard.unwrap_or(false);
    let view = call.control.cancel_batch(&view.batch.id, discard, query.reason.as_deref())?;
    Ok(TierCanceled {
        success: true,
        batch_id: view.batch.id.to_string(),
        tier_num: tier as u64,
        ray_job_id: job.map(str::to_string),
        batch: shown(call, &namespace, &view)?,
    })
}

fn cancel_tier(call: &Call, query: CancelQuery, (): ()) -> Result<TierCanceled> {
    end_tier(call, &query, None)
}

fn cancel_job(call: &Call, query: CancelQuery, (): ()) -> Result<TierCanceled> {
    end_tier(call, &query, Some(call.path("ray_job_id")))
}
