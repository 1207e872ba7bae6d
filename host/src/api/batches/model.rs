//! A batch on the wire.

use super::health::{self, Health};
use super::text;
use crate::api::call::Call;
use crate::control::{BatchView, Sight};
use crate::engine::plan::{Plan, Source};
use crate::error::Result;
use crate::model::BatchStatus;
use crate::store::catalog::{Collection, Input, Namespace};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Ids of objects that an answer lists at most; `object_count` has the whole number.
const OBJECT_IDS_MAX: usize = 1_000;

#[derive(Serialize, JsonSchema)]
pub(super) struct BatchModel {
    batch_id: String,
    bucket_id: String,
    namespace_id: String,
    batch_name: Option<String>,
    status: &'static str,
    /// The first 1,000.
    object_ids: Vec<String>,
    object_count: u64,
    /// The Parquet manifest it reads, where it has no objects.
    manifest_key: Option<String>,
    dedup_strategy: Option<String>,
    collection_ids: Vec<String>,
    error: Option<String>,
    /// Dead letters by error class.
    error_summary: Option<BTreeMap<String, u64>>,
    failed_object_count: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    task_id: Option<String>,
    internal_metadata: Map<String, Value>,
    metadata: Map<String, Value>,
    tier_tasks: Vec<TierTask>,
    current_tier: Option<u64>,
    total_tiers: u64,
    /// Ids of collections by tier.
    dag_tiers: Vec<Vec<String>>,
    progress: ProgressModel,
    documents_written: u64,
    documents_deleted: u64,
    documents_resolvable: bool,
    health: Health,
    status_message: String,
    estimated_completion: Option<String>,
    retry_count: u32,
    max_retries: u32,
    max_node_death_resubmits: u32,
    max_deploy_resubmits: u32,
    lifecycle: &'static str,
    lifecycle_reason: Option<String>,
    webhook_url: Option<String>,
    submitted_by_key_id: Option<String>,
    created_at: String,
    updated_at: String,
    last_activity_at: String,
}

impl BatchModel {
    pub(super) fn progress(&self) -> &ProgressModel {
        &self.progress
    }

    pub(super) fn status_message(&self) -> &str {
        &self.status_message
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ProgressModel {
    /// Objects that went through all collections.
    processed: u64,
    total: u64,
    percent: f64,
    items_per_second: Option<f64>,
    eta_seconds: Option<f64>,
    /// Rows that failed.
    errors: u64,
    current_stage: Option<StageModel>,
    documents_written: u64,
    status_warnings: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct StageModel {
    name: String,
    index: u64,
    total: u64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct TierTask {
    pub(super) tier_num: u64,
    task_id: Option<String>,
    pub(super) status: &'static str,
    pub(super) collection_ids: Vec<String>,
    extractor_jobs: Vec<ExtractorJob>,
    source_type: &'static str,
    source_collection_ids: Vec<String>,
    errors: Vec<Value>,
    source_documents_fetched: u64,
    documents_after_source_filter: u64,
    documents_missing_input_fields: u64,
    documents_submitted_to_engine: u64,
    documents_written: u64,
    documents_deleted: u64,
    audit: TierAudit,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct TierAudit {
    tier_num: u64,
    submitted: u64,
    processed: u64,
    failed: u64,
    skipped: u64,
    lost: u64,
    balanced: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ExtractorJob {
    extractor_type: String,
    collection_ids: Vec<String>,
    extractor_id: String,
    /// This engine's own name of the job.
    ray_job_id: String,
    execution_mode: &'static str,
    status: &'static str,
    documents_written: u64,
    documents_skipped: u64,
}

/// What answers about several batches of a namespace need only once.
pub(super) struct Names {
    /// Ids of collections by key.
    ids: BTreeMap<String, String>,
}

impl Names {
    pub(super) fn new(collections: &[Collection]) -> Names {
        let pair = |known: &Collection| (known.key.to_string(), known.id.to_string());
        Names { ids: collections.iter().map(pair).collect() }
    }

    pub(super) fn of(call: &Call, namespace: &Namespace) -> Result<Names> {
        Ok(Names::new(&call.control.collections(namespace)?))
    }

    /// The key itself for a collection that is gone.
    pub(super) fn id(&self, key: &str) -> String {
        self.ids.get(key).cloned().unwrap_or_else(|| key.to_string())
    }
}

/// What a job of a tier is called here.
pub(super) fn job_id(batch: &str, tier: u64, collection: &str) -> String {
    format!("{batch}-t{tier}-{collection}")
}

pub(super) fn model(call: &Call, names: &Names, view: &BatchView) -> Result<BatchModel> {
    let control = call.control;
    let batch = &view.batch;
    let sight = control.sight(view);
    let plan = plan_of(call, view);
    let (objects, object_ids, manifest) = match &batch.input {
        Input::Objects(count) => (*count, control.batch_objects(batch, OBJECT_IDS_MAX)?, None),
        Input::Manifest(url) => {
            (rows_of_first_tier(view, sight.as_ref()), Vec::new(), Some(url.clone()))
        }
    };
    let tiers = plan.as_ref().map(|plan| tiers(names, view, plan, sight.as_ref()));
    let tiers = tiers.unwrap_or_default();
    let (health, reasons) = health::of(view, sight.as_ref());
    let now = control.engine.env.now();
    let seconds = sight.as_ref().and_then(|sight| sight.eta_seconds);
    let status = view.status();
    let failed: u64 = match &sight {
        Some(sight) => sight.errors,
        None => sum(view, |summary| summary.funnel.failed),
    };
    let documents = match &sight {
        Some(sight) => sight.documents,
        None => sum(view, |summary| summary.funnel.documents),
    };
    let progress = progress(view, sight.as_ref(), objects, failed, documents, &reasons);
    let mut internal = Map::new();
    internal
        .insert("include_processing_history".to_string(), batch.include_processing_history.into());
    if let Some(record) = &view.record {
        internal.insert("run".to_string(), record.run.into());
        internal.insert("fence".to_string(), record.fence.into());
        internal.insert("repeated_partitions".to_string(), record.repeated_partitions.into());
    }
    let open = tiers.iter().find(|tier| tier.status != "COMPLETED");
    Ok(BatchModel {
        batch_id: batch.id.to_string(),
        bucket_id: batch.bucket.to_string(),
        namespace_id: batch.namespace.to_string(),
        batch_name: batch.name.clone(),
        status: status.as_str(),
        object_ids,
        object_count: objects,
        manifest_key: manifest,
        dedup_strategy: batch.dedup_strategy.clone(),
        collection_ids: match &plan {
            Some(plan) => {
                plan.collections.iter().map(|known| names.id(known.name.as_str())).collect()
            }
            None => batch.collections.iter().map(ToString::to_string).collect(),
        },
        error: view.error().map(str::to_string),
        error_summary: (failed > 0).then(|| BTreeMap::from([("runtime".to_string(), failed)])),
        failed_object_count: failed.min(objects),
        kind: "BUCKET",
        task_id: batch.task.as_ref().map(ToString::to_string),
        internal_metadata: internal,
        metadata: batch.metadata.clone(),
        current_tier: match status {
            BatchStatus::Processing => open.map(|tier| tier.tier_num),
            BatchStatus::Draft
            | BatchStatus::Queued
            | BatchStatus::Completed
            | BatchStatus::CompletedWithErrors
            | BatchStatus::Failed
            | BatchStatus::Canceled => None,
        },
        total_tiers: tiers.len().max(1) as u64,
        dag_tiers: tiers.iter().map(|tier| tier.collection_ids.clone()).collect(),
        tier_tasks: tiers,
        progress,
        documents_written: documents,
        documents_deleted: sum(view, |summary| summary.stale_deleted),
        documents_resolvable: matches!(
            status,
            BatchStatus::Completed | BatchStatus::CompletedWithErrors
        ) && control.engine.sink.is_some(),
        health,
        status_message: text::status(view, sight.as_ref(), objects),
        estimated_completion: seconds.and_then(|seconds| text::after(now, seconds)),
        retry_count: batch.retries,
        max_retries: super::RETRIES_MAX,
        // A dead process is not counted: what it had begun is taken up by the next one, for ever.
        max_node_death_resubmits: 0,
        max_deploy_resubmits: 0,
        lifecycle: lifecycle(status, view.running.is_some()),
        lifecycle_reason: view.error().map(str::to_string).or_else(|| reasons.first().cloned()),
        webhook_url: batch.webhook_url.clone(),
        submitted_by_key_id: batch.submitted_by.as_ref().map(ToString::to_string),
        created_at: batch.created_at.clone(),
        updated_at: batch.updated_at.clone(),
        last_activity_at: view
            .record
            .as_ref()
            .and_then(|record| record.ended_at.clone().or_else(|| record.started_at.clone()))
            .unwrap_or_else(|| batch.updated_at.clone()),
    })
}

fn lifecycle(status: BatchStatus, running: bool) -> &'static str {
    match status {
        BatchStatus::Draft => "accepted",
        BatchStatus::Queued if running => "admitted",
        BatchStatus::Queued => "queued",
        BatchStatus::Processing => "extracting",
        BatchStatus::Completed | BatchStatus::CompletedWithErrors => "indexed",
        BatchStatus::Failed => "failed",
        BatchStatus::Canceled => "canceled",
    }
}

fn sum(view: &BatchView, of: impl Fn(&crate::store::CollectionSummary) -> u64) -> u64 {
    view.record.iter().flat_map(|record| &record.collections).map(of).sum()
}

fn rows_of_first_tier(view: &BatchView, sight: Option<&Sight>) -> u64 {
    if let Some(sight) = sight {
        return sight.total;
    }
    let summaries = view.record.iter().flat_map(|record| &record.collections);
    summaries
        .filter(|summary| summary.tier == 0)
        .map(|summary| summary.funnel.fetched)
        .max()
        .unwrap_or(0)
}

/// What the batch runs, once that is decided.
pub(super) fn plan_of(call: &Call, view: &BatchView) -> Option<Arc<Plan>> {
    if let Some(plan) = view.running.as_ref().and_then(|running| running.plan()) {
        return Some(plan);
    }
    // While the first files are still written there are no tiers yet, and nothing to read.
    let record = view.record.as_ref().filter(|record| record.status != BatchStatus::Draft)?;
    call.control.engine.manifest(record).ok().map(|manifest| Arc::new(manifest.plan))
}

fn progress(
    view: &BatchView,
    sight: Option<&Sight>,
    objects: u64,
    errors: u64,
    documents: u64,
    reasons: &[String],
) -> ProgressModel {
    let status = view.status();
    let done = matches!(status, BatchStatus::Completed | BatchStatus::CompletedWithErrors);
    let processed = match sight {
        Some(sight) => sight.processed,
        None if done => objects,
        None => 0,
    };
    let rounded = |number: f64| (number * 100.0).round() / 100.0;
    ProgressModel {
        processed,
        total: objects,
        percent: if done { 100.0 } else { text::percent(processed, objects) },
        items_per_second: sight.and_then(|sight| sight.per_second).map(rounded),
        eta_seconds: sight.and_then(|sight| sight.eta_seconds).map(|seconds| seconds.ceil()),
        errors,
        current_stage: sight.map(|sight| StageModel {
            name: sight.stage.name.clone(),
            index: sight.stage.index,
            total: sight.stage.total,
        }),
        documents_written: documents,
        status_warnings: reasons.to_vec(),
    }
}

pub(super) fn tiers(
    names: &Names,
    view: &BatchView,
    plan: &Plan,
    sight: Option<&Sight>,
) -> Vec<TierTask> {
    (0..plan.tiers()).map(|tier| tier_task(names, view, plan, sight, tier)).collect()
}

fn tier_task(
    names: &Names,
    view: &BatchView,
    plan: &Plan,
    sight: Option<&Sight>,
    tier: usize,
) -> TierTask {
    let number = tier as u64;
    let batch = view.batch.id.as_str();
    let mut funnel = crate::model::Funnel::default();
    let (mut jobs, mut ids, mut sources, mut deleted) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let mut states = Vec::new();
    for (at, collection) in plan.collections.iter().enumerate() {
        if collection.tier != tier {
            continue;
        }
        let key = collection.name.as_str();
        let mut own = crate::model::Funnel::default();
        let recorded = view.record.as_ref().and_then(|record| {
            record.collections.iter().find(|summary| summary.collection.as_str() == key)
        });
        let seen = sight.and_then(|sight| sight.collections.get(at));
        if let Some(summary) = recorded {
            own = summary.funnel;
            deleted += summary.stale_deleted;
        } else if let Some(seen) = seen {
            own.fetched = seen.rows_done;
            own.submitted = seen.rows_done;
            own.succeeded = seen.rows_done.saturating_sub(seen.failed);
            own.failed = seen.failed;
            own.documents = seen.documents;
        }
        let status = state(view.status(), seen.map(|seen| (seen.complete, seen.rows_done)));
        states.push(status);
        funnel.add(&own);
        let id = names.id(key);
        jobs.push(ExtractorJob {
            extractor_type: collection.extractor.name.clone(),
            collection_ids: vec![id.clone()],
            extractor_id: collection.extractor.to_string(),
            ray_job_id: job_id(batch, number, key),
            execution_mode: "wasm",
            status,
            documents_written: own.documents,
            documents_skipped: own.skipped,
        });
        ids.push(id);
        for source in &collection.sources {
            if let Source::Collection(above) = source {
                sources.push(names.id(plan.collections[*above].name.as_str()));
            }
        }
    }
    sources.sort();
    sources.dedup();
    let accounted = funnel.succeeded + funnel.failed + funnel.skipped;
    let first = states.first().copied().unwrap_or("PENDING");
    TierTask {
        tier_num: number,
        task_id: view.batch.task.as_ref().map(ToString::to_string),
        status: if states.iter().all(|state| *state == first) { first } else { "PROCESSING" },
        collection_ids: ids,
        extractor_jobs: jobs,
        source_type: if tier == 0 { "bucket" } else { "collection" },
        source_collection_ids: sources,
        errors: failures(&funnel, view),
        source_documents_fetched: funnel.fetched,
        documents_after_source_filter: funnel.fetched - funnel.filtered.min(funnel.fetched),
        documents_missing_input_fields: funnel.missing,
        documents_submitted_to_engine: funnel.submitted,
        documents_written: funnel.documents,
        documents_deleted: deleted,
        audit: TierAudit {
            tier_num: number,
            submitted: funnel.submitted,
            processed: funnel.succeeded,
            failed: funnel.failed,
            skipped: funnel.skipped,
            lost: funnel.submitted.saturating_sub(accounted),
            balanced: funnel.balances(),
        },
    }
}

fn failures(funnel: &crate::model::Funnel, view: &BatchView) -> Vec<Value> {
    if funnel.failed == 0 {
        return Vec::new();
    }
    let id = view.batch.id.as_str();
    vec![json!({
        "error_type": "runtime",
        "message": format!("{} rows failed", funnel.failed),
        "affected_count": funnel.failed,
        "recovery_suggestion": format!("see /v1/buckets/…/batches/{id}/failed-documents"),
    })]
}

/// Of a collection: whether all its rows are done, and how many are.
fn state(batch: BatchStatus, seen: Option<(bool, u64)>) -> &'static str {
    match (batch, seen) {
        (BatchStatus::Processing, Some((true, _))) => "COMPLETED",
        (BatchStatus::Processing, Some((false, 1..))) => "PROCESSING",
        (BatchStatus::Processing, _) | (BatchStatus::Queued | BatchStatus::Draft, _) => "PENDING",
        (ended, _) => ended.as_str(),
    }
}
