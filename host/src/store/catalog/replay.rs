//! Answers to requests that carried an Idempotency-Key, for those who send them again.

use super::Noun;
use serde::{Deserialize, Serialize};

/// Under a hash of who asked, method, path and key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// Of all that was asked.
    pub fingerprint: String,
    pub at: String,
    /// `None` from the commit of the effect until the answer is known: who finds it that way knows
    /// that it was done, and that the process died before it could say so.
    pub answer: Option<ReplayAnswer>,
}

impl Noun for Replay {
    const TABLE: &'static str = "replay";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: ReplayBody,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayBody {
    /// In base64.
    Inline(String),
    /// Name of an object.
    Stored(String),
    /// It showed a secret.
    Withheld,
}

/// When a replay may be forgotten, under `at/its key`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayEnd {
    pub replay: String,
}

impl Noun for ReplayEnd {
    const TABLE: &'static str = "replay-end";
}
