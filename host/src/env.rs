//! Time and identities come in here, so that tests can fix them.

use chrono::{DateTime, SecondsFormat, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

#[derive(Clone)]
pub enum Env {
    System,
    /// The clock stands still; ids count up.
    Fixed {
        now: DateTime<Utc>,
        counter: Arc<AtomicU64>,
    },
}

impl Env {
    pub fn fixed(now: DateTime<Utc>) -> Self {
        Env::Fixed { now, counter: Arc::new(AtomicU64::new(1)) }
    }

    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Env::System => Utc::now(),
            Env::Fixed { now, .. } => *now,
        }
    }

    /// ISO 8601 with milliseconds, in UTC.
    pub fn timestamp(&self) -> String {
        self.now().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Version 7: ids sort by the time they were made.
    pub fn uuid(&self) -> Uuid {
        match self {
            Env::System => Uuid::now_v7(),
            Env::Fixed { counter, .. } => {
                Uuid::from_u128(u128::from(counter.fetch_add(1, Ordering::Relaxed)))
            }
        }
    }
}
