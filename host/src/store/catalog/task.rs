//! Tasks: the handle of something that goes on after the answer.

use super::Noun;
use crate::model::{BatchId, NamespaceId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Under its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub namespace: NamespaceId,
    /// A word of the API's closed list, such as `api_buckets_batches_process`.
    pub kind: String,
    /// The batch it stands for: its status is the batch's.
    #[serde(default)]
    pub batch: Option<BatchId>,
    /// Where there is no batch: a word of the API's closed list.
    pub status: String,
    #[serde(default)]
    pub error: Option<String>,
    #[serde(default)]
    pub details: Map<String, Value>,
    pub created_at: String,
    #[serde(default)]
    pub ended_at: Option<String>,
}

impl Noun for Task {
    const TABLE: &'static str = "task";
}
