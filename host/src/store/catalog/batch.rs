//! Batches as the API knows them: what is to be run, before and beside the engine's own record,
//! which has the same id.

use super::Noun;
use crate::model::{BatchId, BucketId, CollectionId, KeyId, NamespaceId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Under its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub id: BatchId,
    pub namespace: NamespaceId,
    pub bucket: BucketId,
    #[serde(default)]
    pub name: Option<String>,
    pub phase: Phase,
    pub input: Input,
    /// Only these and what they read; all that come from the bucket if empty.
    #[serde(default)]
    pub collections: Vec<CollectionId>,
    #[serde(default)]
    pub include_processing_history: bool,
    /// Extract rows although they have not changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_memo: bool,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// `skip`, `replace` or `force`, as it was given.
    #[serde(default)]
    pub dedup_strategy: Option<String>,
    #[serde(default)]
    pub webhook_url: Option<String>,
    #[serde(default)]
    pub submitted_by: Option<KeyId>,
    /// Of the last submission, retry or resubmission.
    #[serde(default)]
    pub task: Option<TaskId>,
    /// Why it never began.
    #[serde(default)]
    pub error: Option<String>,
    #[serde(default)]
    pub retries: u32,
    /// Of a draft that was run before: it runs from this tier on when it is submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_from: Option<u64>,
    /// It runs, and somebody has canceled it: whoever takes it up again ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancel>,
    pub created_at: String,
    pub updated_at: String,
    #[serde(default)]
    pub submitted_at: Option<String>,
}

/// How far it came before the engine took over: from then on the engine's record counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Draft,
    /// To be flattened and run, as soon as there is room.
    Submitted,
    /// The engine has ended it, or it was refused before it began.
    Ended,
    /// Ended before it began.
    Canceled,
}

/// What is to become of the documents of a canceled batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancel {
    Keep,
    Discard,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// So many objects, whose ids are in [`BatchObjects`].
    Objects(u64),
    /// A Parquet manifest in object storage: nothing is registered for it.
    Manifest(String),
}

impl Noun for Batch {
    const TABLE: &'static str = "batch";
}

/// Ids of the objects of a batch in chunks, under `batch/number`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchObjects(pub Vec<String>);

/// Ids of one chunk at most.
pub const BATCH_OBJECTS_CHUNK: usize = 1_000;

impl Noun for BatchObjects {
    const TABLE: &'static str = "batch-objects";
}

/// What waits to be run, under `time of submission/batch id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    pub batch: BatchId,
    pub namespace: NamespaceId,
    #[serde(default)]
    pub details: Map<String, Value>,
}

impl Noun for Queued {
    const TABLE: &'static str = "queue";
}
