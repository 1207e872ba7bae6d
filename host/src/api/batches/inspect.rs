//! What happened in a batch, and why.

use super::health::{self, Health, THRESHOLDS, Thresholds};
use super::model::{Names, TierTask, plan_of, tiers};
use super::{READ, find_in_bucket, text};
use crate::api::call::Call;
use crate::api::operation::{NoQuery, Table};
use crate::control::BatchView;
use crate::engine::DeadLetter;
use crate::error::Result;
use crate::store::catalog::{Input, Namespace, Occurrence};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Things of an answer at most.
const EVENTS_MAX: usize = 1_000;
const LETTERS_MAX: usize = 10_000;

pub(super) fn declare(table: &mut Table) {
    table.get(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/health",
        "get_batch_health",
        "Whether a batch is well, and by which thresholds",
        health,
    );
    table.get(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/diagnose",
        "diagnose_batch_buckets_batches",
        "What is wrong with a batch, and what to do",
        diagnose,
    );
    table.get(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/audit",
        "get_batch_audit_buckets_batches",
        "Where every row of a batch went",
        audit,
    );
    table.get(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/logs",
        "get_batch_logs_buckets_batches",
        "What happened to a batch, in order",
        logs,
    );
    table.get(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/failed-documents",
        "get_failed_documents_buckets_batches_batch",
        "Rows that no document could be made of",
        failed_documents,
    );
    table
        .post(
            "/v1/buckets/{bucket_identifier}/batches/{batch_id}/estimate-cost",
            "estimate_batch_cost_buckets_batches",
            "What a batch costs: nothing but this machine's time",
            estimate,
        )
        .scope(READ);
}

#[derive(Serialize, JsonSchema)]
struct HealthModel {
    batch_id: String,
    status: &'static str,
    health: Health,
    reasons: Vec<String>,
    status_message: String,
    thresholds: Thresholds,
}

fn objects(view: &BatchView) -> u64 {
    match view.batch.input {
        Input::Objects(count) => count,
        Input::Manifest(_) => 0,
    }
}

fn health(call: &Call, _: NoQuery) -> Result<HealthModel> {
    let (.., view) = find_in_bucket(call)?;
    let sight = call.control.sight(&view);
    let (health, reasons) = health::of(&view, sight.as_ref());
    Ok(HealthModel {
        batch_id: view.batch.id.to_string(),
        status: view.status().as_str(),
        health,
        reasons,
        status_message: text::status(&view, sight.as_ref(), objects(&view)),
        thresholds: THRESHOLDS,
    })
}

fn tiers_of(call: &Call, namespace: &Namespace, view: &BatchView) -> Result<Vec<TierTask>> {
    let names = Names::of(call, namespace)?;
    let sight = call.control.sight(view);
    let plan = plan_of(call, view);
    Ok(plan.map(|plan| tiers(&names, view, &plan, sight.as_ref())).unwrap_or_default())
}

#[derive(Serialize, JsonSchema)]
struct Diagnosis {
    batch_id: String,
    status: &'static str,
    health: Health,
    findings: Vec<String>,
    recommendations: Vec<String>,
    tiers: Vec<TierTask>,
}

fn diagnose(call: &Call, _: NoQuery) -> Result<Diagnosis> {
    let (namespace, _, view) = find_in_bucket(call)?;
    let sight = call.control.sight(&view);
    let (health, findings) = health::of(&view, sight.as_ref());
    let failed: u64 = view
        .record
        .iter()
        .flat_map(|record| &record.collections)
        .map(|summary| summary.funnel.failed)
        .sum();
    let mut recommendations = Vec::new();
    if failed > 0 {
        recommendations.push("read failed-documents for the rows and their reasons".to_string());
        recommendations.push("retry with retry_mode=all once the cause is mended".to_string());
    }
    if sight.is_some_and(|sight| sight.parked.is_some()) {
        recommendations.push("nothing: it goes on by itself when the cause is gone".to_string());
    }
    if view.error().is_some() && view.status().is_terminal() && failed == 0 {
        recommendations.push("resubmit it once the cause is mended".to_string());
    }
    Ok(Diagnosis {
        batch_id: view.batch.id.to_string(),
        status: view.status().as_str(),
        health,
        findings,
        recommendations,
        tiers: tiers_of(call, &namespace, &view)?,
    })
}

#[derive(Serialize, JsonSchema)]
struct Audit {
    batch_id: String,
    status: &'static str,
    /// Every row of every tier is accounted for.
    balanced: bool,
    /// The opposite, as existing clients ask for it.
    has_lost_objects: bool,
    repeated_partitions: u64,
    submitted_at: Option<String>,
    started_at: Option<String>,
    ended_at: Option<String>,
    tiers: Vec<TierTask>,
}

fn audit(call: &Call, _: NoQuery) -> Result<Audit> {
    let (namespace, _, view) = find_in_bucket(call)?;
    let record = view.record.as_ref();
    let mut funnels = record.iter().flat_map(|record| &record.collections);
    let balanced = funnels.all(|summary| summary.funnel.balances());
    Ok(Audit {
        batch_id: view.batch.id.to_string(),
        status: view.status().as_str(),
        balanced,
        has_lost_objects: !balanced,
        repeated_partitions: record.map_or(0, |record| record.repeated_partitions),
        submitted_at: view.batch.submitted_at.clone(),
        started_at: record.and_then(|record| record.started_at.clone()),
        ended_at: record.and_then(|record| record.ended_at.clone()),
        tiers: tiers_of(call, &namespace, &view)?,
    })
}

#[derive(Deserialize, JsonSchema)]
struct TierQuery {
    /// Only rows of this tier.
    #[schemars(range(min = 0, max = 1_000))]
    tier_num: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
struct Logs {
    batch_id: String,
    tier_num: Option<u64>,
    events: Vec<EventModel>,
    /// What the extractor wrote for rows that failed.
    rows: Vec<RowLog>,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::api) struct EventModel {
    at: String,
    kind: String,
    text: String,
}

#[derive(Serialize, JsonSchema)]
struct RowLog {
    object_id: String,
    collection_id: String,
    tier_num: i64,
    log: String,
}

fn logs(call: &Call, query: TierQuery) -> Result<Logs> {
    let (namespace, _, view) = find_in_bucket(call)?;
    let id = &view.batch.id;
    let told = call.control.occurrences(id.as_str(), 0, EVENTS_MAX)?;
    let told = told.into_iter().map(|Occurrence { at, kind, data, .. }| EventModel {
        at,
        kind,
        text: data.to_string(),
    });
    let engine = call.control.engine.store.events(id)?.into_iter();
    let engine =
        engine.map(|event| EventModel { at: event.at, kind: event.kind, text: event.text });
    let mut events: Vec<EventModel> = told.chain(engine).collect();
    events.sort_by(|a, b| a.at.cmp(&b.at));
    let names = Names::of(call, &namespace)?;
    let letters = letters(call, &view)?.into_iter();
    let rows = letters
        .filter(|letter| query.tier_num.is_none_or(|tier| letter.tier == tier as i64))
        .map(|letter| RowLog {
            object_id: letter.object,
            collection_id: names.id(&letter.collection),
            tier_num: letter.tier,
            log: letter.log,
        });
    Ok(Logs { batch_id: id.to_string(), tier_num: query.tier_num, events, rows: rows.collect() })
}

fn letters(call: &Call, view: &BatchView) -> Result<Vec<DeadLetter>> {
    match &view.record {
        Some(record) => call.control.engine.dead_letters(record, LETTERS_MAX),
        None => Ok(Vec::new()),
    }
}

#[derive(Deserialize, JsonSchema)]
struct FailedQuery {
    #[schemars(range(min = 0, max = 1_000))]
    tier_num: Option<u64>,
    collection_id: Option<String>,
    #[schemars(range(min = 1, max = 1_000))]
    limit: Option<u64>,
    #[schemars(range(min = 0, max = 10_000))]
    offset: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
struct FailedDocuments {
    batch_id: String,
    total: u64,
    limit: u64,
    offset: u64,
    failed_documents: Vec<FailedDocument>,
}

#[derive(Serialize, JsonSchema)]
struct FailedDocument {
    object_id: String,
    /// The document it was to be made from, below tier 0.
    parent_document_id: Option<String>,
    collection_id: String,
    tier_num: i64,
    extractor: String,
    digest: String,
    error_code: String,
    /// `transient`: running it again may help; `permanent`: it does not.
    error_type: &'static str,
    error: String,
    attempts: i64,
    log: String,
}

fn failed_documents(call: &Call, query: FailedQuery) -> Result<FailedDocuments> {
    let (namespace, _, view) = find_in_bucket(call)?;
    let names = Names::of(call, &namespace)?;
    let wanted = match &query.collection_id {
        Some(identifier) => Some(call.control.collection(&namespace, identifier)?.key.to_string()),
        None => None,
    };
    let all: Vec<DeadLetter> = letters(call, &view)?
        .into_iter()
        .filter(|letter| query.tier_num.is_none_or(|tier| letter.tier == tier as i64))
        .filter(|letter| wanted.as_ref().is_none_or(|key| letter.collection == *key))
        .collect();
    let (limit, offset) = (query.limit.unwrap_or(100), query.offset.unwrap_or(0));
    let total = all.len() as u64;
    let shown = all.into_iter().skip(offset as usize).take(limit as usize);
    let failed = shown.map(|letter| FailedDocument {
        object_id: letter.object,
        parent_document_id: letter.parent,
        collection_id: names.id(&letter.collection),
        tier_num: letter.tier,
        extractor: letter.extractor,
        digest: letter.digest,
        error_type: match crate::engine::Class::of_dead(&letter.code) {
            crate::engine::Class::Transient => "transient",
            crate::engine::Class::Resource => "resource",
            crate::engine::Class::Guest | crate::engine::Class::Permanent => "permanent",
        },
        error_code: letter.code,
        error: letter.message,
        attempts: letter.attempts,
        log: letter.log,
    });
    Ok(FailedDocuments {
        batch_id: view.batch.id.to_string(),
        total,
        limit,
        offset,
        failed_documents: failed.collect(),
    })
}

#[derive(Serialize, JsonSchema)]
struct CostEstimate {
    batch_id: String,
    collection_ids: Vec<String>,
    dedup_strategy: String,
    object_count: u64,
    already_extracted_count: u64,
    /// Always 0: there are no credits.
    estimated_credits: u64,
    estimated_usd: f64,
    estimated_repay_credits: u64,
    extractors: Vec<String>,
    content_summary: Map<String, Value>,
    warnings: Vec<String>,
}

fn estimate(call: &Call, _: NoQuery, (): ()) -> Result<CostEstimate> {
    let (namespace, bucket, view) = find_in_bucket(call)?;
    let pipeline = call.control.pipeline(&namespace, &bucket, &view.batch.collections)?;
    let names = Names::of(call, &namespace)?;
    let collections = pipeline.collections;
    Ok(CostEstimate {
        batch_id: view.batch.id.to_string(),
        collection_ids: collections.keys().map(|key| names.id(key.as_str())).collect(),
        dedup_strategy: view.batch.dedup_strategy.clone().unwrap_or("replace".to_string()),
        object_count: objects(&view),
        already_extracted_count: 0,
        estimated_credits: 0,
        estimated_usd: 0.0,
        estimated_repay_credits: 0,
        extractors: collections.values().map(|known| known.extractor.to_string()).collect(),
        content_summary: Map::new(),
        warnings: vec!["self-hosted: no credits are taken".to_string()],
    })
}
