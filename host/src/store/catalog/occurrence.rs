//! What happened, for those who watch: written in the commit of the change itself.

use super::Noun;
use crate::model::{EventId, NamespaceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Under `subject/sequence`, the sequence with 12 digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Occurrence {
    pub id: EventId,
    /// Dotted, past tense: `batch.completed`, `collection.documents.written`.
    pub kind: String,
    pub namespace: NamespaceId,
    /// What it happened to: the id of a batch, bucket, …
    pub subject: String,
    /// From 1, without gaps for each subject.
    pub sequence: u64,
    pub at: String,
    /// A few KiB at most.
    pub data: Value,
}

impl Noun for Occurrence {
    const TABLE: &'static str = "occurrence";
}

/// What still has to be told to webhooks, under the event's id: ids sort by time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Key of the occurrence.
    pub occurrence: String,
}

impl Noun for Outgoing {
    const TABLE: &'static str = "outgoing";
}
