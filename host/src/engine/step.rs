//! The steps of a batch as they begin, for whoever traces them: QUARRY_LOG=quarry::step=trace.

use crate::store::PartitionKey;

pub const TARGET: &str = "quarry::step";

/// Of the batch or the process.
pub fn begin(step: &'static str) {
    tracing::trace!(target: TARGET, step);
}

pub fn of(key: &PartitionKey, step: &'static str) {
    tracing::trace!(target: TARGET, step, partition = %key);
}
