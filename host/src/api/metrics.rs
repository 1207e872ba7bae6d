//! What Prometheus reads. Counts are recorded where things happen, with the macros of `metrics`;
//! what the state knows is read when somebody asks.

use super::call::Call;
use super::operation::{NoQuery, Plainly};
use crate::error::{Code, Error, Result};
use crate::store::Store;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

/// The form that Prometheus reads.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";
/// Seconds: from an answer out of memory to a call that ran into its limit.
const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 60.0];

/// A process has one recorder, whatever it has open.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// From now on counts are kept.
pub(super) fn start() {
    RECORDER.get_or_init(|| {
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS).ok()?.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok()?;
        describe();
        Some(handle)
    });
}

fn describe() {
    describe_counter!("quarry_http_requests_total", "requests by operation and status");
    describe_histogram!("quarry_http_request_seconds", "time from request to answer, by operation");
    describe_counter!("quarry_http_shed_total", "requests refused because too many were waiting");
    describe_counter!("quarry_partitions_total", "partitions committed, by tier");
    describe_counter!("quarry_rows_total", "rows by extractor and what became of them");
    describe_counter!("quarry_documents_total", "documents made, by extractor");
    describe_counter!("quarry_guest_calls_total", "calls of extractors, failed ones included");
    describe_counter!("quarry_guest_traps_total", "calls of extractors that failed, by reason");
    describe_counter!("quarry_quarantined_rows_total", "rows that became dead letters");
    describe_counter!(
        "quarry_lease_expired_total",
        "partitions that begin again because the process that had begun them is gone"
    );
    describe_counter!("quarry_webhook_attempts_total", "messages sent to webhooks, by result");
    describe_counter!("quarry_trace_spans_lost_total", "spans that no collector received");
    describe_counter!(
        "quarry_http_idle_closed_total",
        "connections closed because no request came over them"
    );
    describe_histogram!("quarry_guest_seconds", "time that a partition spent in its extractor");
    describe_histogram!("quarry_commit_seconds", "time to make a group of changes durable");
    describe_histogram!("quarry_sink_seconds", "time to write a part into the sink");
    describe_counter!("quarry_retries_total", "effects that failed and were tried again, by class");
    describe_gauge!("quarry_partitions", "partitions that are worked on, by tier");
    describe_gauge!("quarry_batches", "batches by status");
    describe_gauge!("quarry_state_bytes", "bytes of the file of the state");
    describe_counter!("quarry_state_compactions_total", "times that the state was written anew");
    describe_gauge!("quarry_disk_free_bytes", "bytes free on the disk of the data directory");
    describe_gauge!("quarry_state_poisoned", "1 once the state accepts no writes any more");
}

/// A request that was answered.
pub(super) fn answered(operation: &'static str, status: u16, took: Duration) {
    let status = status.to_string();
    counter!("quarry_http_requests_total", "operation" => operation, "status" => status)
        .increment(1);
    histogram!("quarry_http_request_seconds", "operation" => operation).record(took.as_secs_f64());
}

/// A request that nobody had time for.
pub(super) fn shed() {
    counter!("quarry_http_shed_total").increment(1);
}

/// A connection over which no request came.
pub(super) fn idle_closed() {
    counter!("quarry_http_idle_closed_total").increment(1);
}

/// Keeps what is recorded small while nobody reads it.
pub(super) fn tidy() {
    if let Some(Some(handle)) = RECORDER.get() {
        handle.run_upkeep();
    }
}

/// Tells about all namespaces, so a key that is bound to one may not read it.
pub(super) fn scrape(call: &Call, _: NoQuery) -> Result<Plainly> {
    if call.caller.namespace.is_some() {
        let message = "the key is bound to a namespace, and metrics are about all of them";
        return Err(Error::new(Code::Forbidden, message));
    }
    let Some(Some(handle)) = RECORDER.get() else {
        return Err(Error::internal("there is no recorder of metrics"));
    };
    read(&call.control.engine.store, &call.control.data_dir)?;
    let bytes = handle.render().into_bytes();
    Ok(Plainly::Bytes { content_type: CONTENT_TYPE.to_string(), bytes })
}

fn read(store: &Store, data_dir: &Path) -> Result<()> {
    let statuses = crate::model::BatchStatus::ALL.map(|status| (status.as_str(), 0_u32));
    let mut batches = BTreeMap::from(statuses);
    for batch in store.batches()? {
        *batches.entry(batch.status.as_str()).or_default() += 1;
    }
    for (status, count) in batches {
        gauge!("quarry_batches", "status" => status).set(count);
    }
    gauge!("quarry_state_bytes").set(store.file_bytes()? as f64);
    if let Ok(free) = crate::env::free_bytes(data_dir) {
        gauge!("quarry_disk_free_bytes").set(free as f64);
    }
    gauge!("quarry_state_poisoned").set(if store.poison().is_some() { 1.0 } else { 0.0 });
    Ok(())
}
