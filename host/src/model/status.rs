//! The life of a batch, as one pure function.

use crate::error::{Code, Error, Result};
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

/// What can happen to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BatchEvent {
    /// Its artifacts and its manifest are in the object store.
    Queue,
    /// A process takes it, the first one or one after a crash.
    Claim,
    /// Every partition is done and every row accounted for; some rows may be dead letters.
    Complete {
        with_errors: bool,
    },
    /// It does not balance.
    Fail,
    Cancel,
    /// Parts of it are to run again.
    Redo,
}

impl BatchStatus {
    pub const ALL: [BatchStatus; 7] = [
        BatchStatus::Draft,
        BatchStatus::Queued,
        BatchStatus::Processing,
        BatchStatus::Completed,
        BatchStatus::CompletedWithErrors,
        BatchStatus::Failed,
        BatchStatus::Canceled,
    ];

    /// Where the event leads; an illegal move is a conflict that names both.
    pub fn after(self, event: BatchEvent) -> Result<BatchStatus> {
        use BatchStatus as S;
        let next = match (self, event) {
            (S::Draft, BatchEvent::Queue) => S::Queued,
            (S::Queued | S::Processing, BatchEvent::Claim) => S::Processing,
            (S::Processing, BatchEvent::Complete { with_errors: false }) => S::Completed,
            (S::Processing, BatchEvent::Complete { with_errors: true }) => S::CompletedWithErrors,
            (S::Processing, BatchEvent::Fail) => S::Failed,
            (S::Draft | S::Queued | S::Processing, BatchEvent::Cancel) => S::Canceled,
            (S::Completed | S::CompletedWithErrors | S::Failed | S::Canceled, BatchEvent::Redo) => {
                S::Queued
            }
            (status, event) => {
                let message =
                    format!("a batch that is {} can not {}", status.as_str(), event.verb());
                return Err(Error::new(Code::Conflict, message).hint(match self.is_terminal() {
                    true => "it has ended; `quarry batch retry` and `resubmit` take it up again",
                    false => "it has not ended; `quarry batch resume` goes on with it",
                }));
            }
        };
        Ok(next)
    }

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

impl BatchEvent {
    pub const ALL: [BatchEvent; 7] = [
        BatchEvent::Queue,
        BatchEvent::Claim,
        BatchEvent::Complete { with_errors: false },
        BatchEvent::Complete { with_errors: true },
        BatchEvent::Fail,
        BatchEvent::Cancel,
        BatchEvent::Redo,
    ];

    fn verb(self) -> &'static str {
        match self {
            BatchEvent::Queue => "be queued",
            BatchEvent::Claim => "be run",
            BatchEvent::Complete { .. } => "be completed",
            BatchEvent::Fail => "fail",
            BatchEvent::Cancel => "be canceled",
            BatchEvent::Redo => "be taken up again",
        }
    }
}
