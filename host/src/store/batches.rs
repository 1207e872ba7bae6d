//! Batches and what became of them.

use super::{Op, Store};
use crate::error::{Code, Error, Result};
use crate::model::{BatchId, BatchStatus, Funnel, Name};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchRecord {
    pub id: BatchId,
    pub namespace: Name,
    pub status: BatchStatus,
    /// Digest of pipeline, pinned extractors and manifest: equal runs have equal ones.
    pub fingerprint: String,
    /// What the user called the pipeline: its file name.
    pub pipeline: String,
    /// Manifest URL by bucket.
    pub manifests: Vec<(Name, String)>,
    /// URL of the object store that holds the artifacts.
    pub artifacts: String,
    /// Where the documents go, as the user wrote it.
    pub sink: String,
    /// Number of this run in its namespace, from 1 and in the order of claims; 0 before the first.
    pub run: u64,
    /// Grows with every claim: what a lower one writes late does not count.
    pub fence: u64,
    /// Grows with every retry of what has ended: 0 is the first.
    #[serde(default)]
    pub round: u32,
    /// How often a partition was run again because an earlier claim had begun it and not committed
    /// it. Filled at the end.
    pub repeated_partitions: u64,
    pub created_at: String,
    #[serde(default)]
    pub started_at: Option<String>,
    #[serde(default)]
    pub ended_at: Option<String>,
    #[serde(default)]
    pub error: Option<String>,
    /// Why it waits, when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
    /// Events so far.
    #[serde(default)]
    pub events: u64,
    /// Its partition records are in the object store, under this name in its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// What it keeps of an earlier batch is in the sink as that one left it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept_in_place: bool,
    /// Its documents were deleted since it wrote them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub discarded: bool,
    /// Filled at the end, in the order of the plan.
    #[serde(default)]
    pub collections: Vec<CollectionSummary>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    pub reason: String,
    pub since: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CollectionSummary {
    pub collection: Name,
    pub tier: usize,
    pub extractor: String,
    pub partitions: u64,
    #[serde(flatten)]
    pub funnel: Funnel,
    /// Documents of earlier runs that this one no longer makes.
    pub stale_deleted: u64,
}

impl Store {
    pub fn batch(&self, id: &BatchId) -> Result<BatchRecord> {
        self.get(&format!("batch/{id}"))?.ok_or_else(|| {
            Error::new(Code::NotFound, format!("there is no batch {id}"))
                .hint("`quarry batch list` shows those of this data directory")
        })
    }

    pub fn put_batch(record: &BatchRecord) -> Result<Op> {
        Op::put(format!("batch/{}", record.id), record)
    }

    pub fn delete_batch(id: &BatchId) -> Op {
        Op::Delete { key: format!("batch/{id}") }
    }

    /// Oldest first: batch ids sort by time.
    pub fn batches(&self) -> Result<Vec<BatchRecord>> {
        self.scan("batch/").map(|entry| entry.map(|(_, record)| record)).collect()
    }
}
