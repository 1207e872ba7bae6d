//! What is counted for whoever watches the process; `api/metrics.rs` says what each name means.
//! Labels have few values: nothing that a guest or an object chooses becomes one.

use super::extract::Extracted;
use super::patience::Class;
use super::plan::PlannedCollection;
use crate::model::Funnel;
use metrics::{counter, gauge, histogram};
use std::time::Duration;

/// The calls for a partition have ended.
pub fn extracted(collection: &PlannedCollection, extracted: &Extracted, took: Duration) {
    let extractor = collection.extractor.to_string();
    let calls = u64::from(extracted.calls);
    counter!("quarry_guest_calls_total", "extractor" => extractor.clone()).increment(calls);
    histogram!("quarry_guest_seconds", "extractor" => extractor.clone()).record(took.as_secs_f64());
    for (reason, count) in &extracted.failures {
        let labels = [("extractor", extractor.clone()), ("reason", reason.to_string())];
        counter!("quarry_guest_traps_total", &labels).increment(*count);
    }
    let rows = extracted.dead.len() as u64;
    counter!("quarry_quarantined_rows_total", "extractor" => extractor).increment(rows);
}

/// A partition that a worker is at, until this is dropped.
pub struct Leased(String);

impl Leased {
    pub fn begin(tier: usize) -> Leased {
        let tier = tier.to_string();
        gauge!("quarry_partitions", "state" => "leased", "tier" => tier.clone()).increment(1);
        Leased(tier)
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        let tier = std::mem::take(&mut self.0);
        gauge!("quarry_partitions", "state" => "leased", "tier" => tier).decrement(1);
    }
}

/// A partition that another process had begun and not ended begins again.
pub fn lease_expired() {
    counter!("quarry_lease_expired_total").increment(1);
}

/// A partition is committed.
pub fn committed(collection: &PlannedCollection, funnel: &Funnel) {
    let tier = collection.tier.to_string();
    counter!("quarry_partitions_total", "tier" => tier).increment(1);
    let extractor = collection.extractor.to_string();
    let outcomes = [
        ("filtered", funnel.filtered),
        ("missing", funnel.missing),
        ("succeeded", funnel.succeeded),
        ("failed", funnel.failed),
        ("skipped", funnel.skipped),
    ];
    for (outcome, rows) in outcomes {
        let labels = [("extractor", extractor.clone()), ("outcome", outcome.to_string())];
        counter!("quarry_rows_total", &labels).increment(rows);
    }
    counter!("quarry_documents_total", "extractor" => extractor).increment(funnel.documents);
}

/// Documents were written to the sink.
pub fn sunk(took: Duration) {
    histogram!("quarry_sink_seconds").record(took.as_secs_f64());
}

/// An effect failed and will be tried again.
pub fn retried(class: Class) {
    counter!("quarry_retries_total", "class" => class.as_str()).increment(1);
}
