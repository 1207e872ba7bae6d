//! Whether a batch is well, by thresholds that are published with the answer.

use crate::control::{BatchView, Sight};
use crate::model::BatchStatus;
use schemars::JsonSchema;
use serde::Serialize;

/// From which share of failed rows on a batch is degraded.
const DEGRADED_SHARE: f64 = 0.01;
/// From which share of failed rows on it is unhealthy.
const UNHEALTHY_SHARE: f64 = 0.10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    Healthy,
    Degraded,
    Unhealthy,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Thresholds {
    /// Failed rows of all rows.
    degraded_failed_share: f64,
    unhealthy_failed_share: f64,
    /// A batch that waits for a store or a sink is degraded.
    waiting_is: Health,
    /// A batch that FAILED is unhealthy.
    failed_is: Health,
}

pub(super) const THRESHOLDS: Thresholds = Thresholds {
    degraded_failed_share: DEGRADED_SHARE,
    unhealthy_failed_share: UNHEALTHY_SHARE,
    waiting_is: Health::Degraded,
    failed_is: Health::Unhealthy,
};

/// And why, for each reason that it is not healthy.
pub(super) fn of(view: &BatchView, sight: Option<&Sight>) -> (Health, Vec<String>) {
    let mut health = Health::Healthy;
    let mut reasons = Vec::new();
    let mut worse = |to: Health, reason: String| {
        if health != Health::Unhealthy {
            health = to;
        }
        reasons.push(reason);
    };
    let (failed, rows) = rows(view, sight);
    let share = if rows == 0 { 0.0 } else { failed as f64 / rows as f64 };
    if share >= UNHEALTHY_SHARE {
        worse(Health::Unhealthy, format!("{failed} of {rows} rows failed"));
    } else if share >= DEGRADED_SHARE {
        worse(Health::Degraded, format!("{failed} of {rows} rows failed"));
    }
    let recorded = view.record.as_ref().and_then(|record| record.parked.as_ref());
    let parked = sight.and_then(|sight| sight.parked.clone());
    if let Some(reason) = parked.or_else(|| recorded.map(|parked| parked.reason.clone())) {
        worse(Health::Degraded, format!("waiting: {reason}"));
    }
    if view.status() == BatchStatus::Failed {
        worse(Health::Unhealthy, view.error().unwrap_or("it failed").to_string());
    }
    (health, reasons)
}

/// Rows that failed, and all that were handed to extractors.
fn rows(view: &BatchView, sight: Option<&Sight>) -> (u64, u64) {
    if let Some(sight) = sight {
        let done = sight.collections.iter().map(|seen| seen.rows_done).sum();
        return (sight.errors, done);
    }
    let summaries = view.record.iter().flat_map(|record| &record.collections);
    summaries.fold((0, 0), |(failed, rows), summary| {
        (failed + summary.funnel.failed, rows + summary.funnel.submitted)
    })
}
