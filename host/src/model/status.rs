//! The life of a batch.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BatchStatus {
    Draft,
    Queued,
    Processing,
    Completed,
    CompletedWithErrors,
    Failed,
    Canceled,
}

impl BatchStatus {
    pub fn is_terminal(self) -> bool {
        match self {
            BatchStatus::Draft | BatchStatus::Queued | BatchStatus::Processing => false,
            BatchStatus::Completed
            | BatchStatus::CompletedWithErrors
            | BatchStatus::Failed
            | BatchStatus::Canceled => true,
        }
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            BatchStatus::Draft => "DRAFT",
            BatchStatus::Queued => "QUEUED",
            BatchStatus::Processing => "PROCESSING",
            BatchStatus::Completed => "COMPLETED",
            BatchStatus::CompletedWithErrors => "COMPLETED_WITH_ERRORS",
            BatchStatus::Failed => "FAILED",
            BatchStatus::Canceled => "CANCELED",
        }
    }
}
