//! Batches that have ended are taken up again.

use super::model::plan_of;
use super::{RETRIES_MAX, find_in_bucket, tier};
use crate::api::call::Call;
use crate::api::operation::{NoQuery, Table};
use crate::control::BatchView;
use crate::engine::redo::Redo;
use crate::error::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn declare(table: &mut Table) {
    table.post(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/retry",
        "retry_batch_buckets_batches",
        "Run the failed rows again",
        retry,
    );
    table.post(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/tiers/{tier_num}/retry",
        "retry_tier_buckets_batches_batch_id_num",
        "Run the failed rows of a tier again",
        retry_tier,
    );
    table.post(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/resubmit",
        "resubmit_batch_buckets_batches",
        "Run everything again from a tier on; what is above stays",
        resubmit,
    );
    table.post(
        "/v1/buckets/{bucket_identifier}/batches/{batch_id}/tiers/{tier_num}/heal",
        "heal_tier_buckets_batches_batch_id_num",
        "Look for what is stuck and take it up",
        heal,
    );
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RetryMode {
    #[default]
    TransientOnly,
    All,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Retry {
    retry_mode: Option<RetryMode>,
    /// Only rows that failed in these tiers; all if absent.
    #[schemars(length(max = 64))]
    tier_nums: Option<Vec<u64>>,
    /// Refused when the batch was retried so often already.
    #[schemars(range(min = 1, max = RETRIES_MAX))]
    max_retry_count: Option<u32>,
}

/// What is run again.
#[derive(Serialize, JsonSchema)]
struct Again {
    success: bool,
    message: String,
    batch_id: String,
    /// None where there was nothing to do.
    task_id: Option<String>,
    status: &'static str,
    partitions: u64,
    rows: u64,
    retry_count: u32,
}

fn again(call: &Call, view: &BatchView, redo: Redo) -> Result<Again> {
    let id = &view.batch.id;
    let (task, redone) = call.control.redo_batch(id, redo)?;
    let view = call.control.batch(id.as_str())?;
    Ok(Again {
        success: true,
        message: match &task {
            Some(_) if redone.dropped == 0 => "what had not run is run".to_string(),
            Some(_) => format!("{} partitions run again", redone.dropped),
            None => "there is nothing to run again".to_string(),
        },
        batch_id: id.to_string(),
        task_id: task.map(|task| task.id.to_string()),
        status: view.status().as_str(),
        partitions: redone.dropped,
        rows: redone.rows,
        retry_count: view.batch.retries,
    })
}

fn retry(call: &Call, _: NoQuery, body: Option<Retry>) -> Result<Again> {
    let (.., view) = find_in_bucket(call)?;
    let body = body.unwrap_or_default();
    let tiers: Vec<usize> =
        body.tier_nums.unwrap_or_default().into_iter().map(|tier| tier as usize).collect();
    if let Some(plan) = plan_of(call, &view) {
        for (at, tier) in tiers.iter().enumerate() {
            plan.check_tier(*tier).map_err(|error| error.field(format!("/tier_nums/{at}")))?;
        }
    }
    let max = body.max_retry_count.unwrap_or(RETRIES_MAX);
    if view.batch.retries >= max {
        let message = format!("the batch was taken up {} times", view.batch.retries);
        return Err(Error::new(Code::Conflict, message).field("/max_retry_count"));
    }
    let transient_only = body.retry_mode.unwrap_or_default() == RetryMode::TransientOnly;
    again(call, &view, Redo::Failed { transient_only, tiers, limit: u64::MAX })
}

/// Nothing is read from it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Anything {
    #[serde(flatten)]
    #[allow(dead_code, reason = "clients may send what they like")]
    rest: serde_json::Map<String, serde_json::Value>,
}

fn retry_tier(call: &Call, _: NoQuery, _: Option<Anything>) -> Result<Again> {
    let (.., view) = find_in_bucket(call)?;
    let tiers = vec![tier(call, &view)?];
    again(call, &view, Redo::Failed { transient_only: false, tiers, limit: u64::MAX })
}

#[derive(Debug, Deserialize, JsonSchema)]
struct ResubmitQuery {
    /// From 0, which is everything.
    #[schemars(range(min = 0, max = 1_000))]
    from_tier: Option<u64>,
    /// `false`: the batch becomes a draft, and runs again once it is submitted.
    auto_submit: Option<bool>,
    /// `false`: the same.
    trigger_processing: Option<bool>,
}

fn resubmit(call: &Call, query: ResubmitQuery, _: Option<Anything>) -> Result<Again> {
    let (.., view) = find_in_bucket(call)?;
    let tier = query.from_tier.unwrap_or(0) as usize;
    if ![query.auto_submit, query.trigger_processing].contains(&Some(false)) {
        return again(call, &view, Redo::FromTier(tier));
    }
    let view = call.control.prepare_again(&view.batch.id, tier);
    let view = view.map_err(|error| match error.field_name() {
        Some(_) => error.field("from_tier"),
        None => error,
    })?;
    Ok(Again {
        success: true,
        message: format!("submitted, it runs again from tier {tier} on"),
        batch_id: view.batch.id.to_string(),
        task_id: None,
        status: view.status().as_str(),
        partitions: 0,
        rows: 0,
        retry_count: view.batch.retries,
    })
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// There are none: a partition is committed once.
    KillDuplicates,
    DetectStuck,
    /// There is one status.
    SyncStatus,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Heal {
    action: Action,
}

#[derive(Serialize, JsonSchema)]
struct Healed {
    success: bool,
    batch_id: String,
    tier_num: u64,
    action: String,
    /// Things that were mended. What heals itself, which is everything that can be mended, is not
    /// among them.
    changed: u64,
    findings: Vec<String>,
    status: &'static str,
}

fn heal(call: &Call, _: NoQuery, body: Heal) -> Result<Healed> {
    let (.., view) = find_in_bucket(call)?;
    let tier = tier(call, &view)?;
    let (action, findings) = match body.action {
        Action::KillDuplicates => ("kill_duplicates", Vec::new()),
        Action::DetectStuck => ("detect_stuck", super::health::of(&view, None).1),
        Action::SyncStatus => ("sync_status", Vec::new()),
    };
    // Whoever waits for its turn is looked at now.
    call.control.dispatch.ring();
    Ok(Healed {
        success: true,
        batch_id: view.batch.id.to_string(),
        tier_num: tier as u64,
        action: action.to_string(),
        changed: 0,
        findings,
        status: view.status().as_str(),
    })
}
