//! Schedules: batches that are submitted again and again, and what became of each.

use super::Noun;
use crate::model::{BatchId, BucketId, CollectionId, NamespaceId, ScheduleId};
use serde::{Deserialize, Serialize};

/// Under `namespace/id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    pub id: ScheduleId,
    pub namespace: NamespaceId,
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    pub timing: Timing,
    pub action: Action,
    pub missed: MissedRuns,
    pub paused: bool,
    /// ISO 8601; `None` while it is paused, or if its time never comes again.
    #[serde(default)]
    pub next_at: Option<String>,
    /// When it was run last, for whatever cause.
    #[serde(default)]
    pub last_at: Option<String>,
    pub created_at: String,
    pub updated_at: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// Five fields, in the time zone of that IANA name.
    Cron { expression: String, time_zone: String },
    /// At multiples of so many seconds after `from`.
    Interval { seconds: u64, from: String },
}

/// The batch that is submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    pub bucket: BucketId,
    /// A Parquet manifest; all objects that the bucket has at that time if absent.
    #[serde(default)]
    pub manifest: Option<String>,
    /// Only these and what they read; all that come from the bucket if empty.
    #[serde(default)]
    pub collections: Vec<CollectionId>,
    #[serde(default)]
    pub include_processing_history: bool,
}

/// What becomes of times at which the engine was not running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedRuns {
    /// Noted in the history, and the next one is run at its time.
    Skip,
    /// One run for all of them, as soon as the engine runs again.
    RunOnce,
}

impl Noun for Schedule {
    const TABLE: &'static str = "schedule";
}

/// Under `schedule/id`; ids sort by time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleRun {
    pub id: String,
    pub schedule: ScheduleId,
    pub cause: RunCause,
    /// When it was to be, unless somebody asked for it.
    #[serde(default)]
    pub due_at: Option<String>,
    pub started_at: String,
    pub status: RunStatus,
    /// Known before it is made: a run that was interrupted goes on with the same one.
    #[serde(default)]
    pub batch: Option<BatchId>,
    #[serde(default)]
    pub error: Option<String>,
    /// Times at which the engine was not running.
    #[serde(default)]
    pub missed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunCause {
    Time,
    /// Somebody asked.
    Manual,
    /// The engine was not running when it was time.
    Missed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// The batch is being submitted.
    Started,
    Submitted,
    Failed,
    /// Nothing was submitted.
    Skipped,
}

impl Noun for ScheduleRun {
    const TABLE: &'static str = "schedule-run";
}
