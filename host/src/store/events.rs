//! What happened to a batch without anybody asking for it, in order.

use super::batches::BatchRecord;
use super::{Op, Store};
use crate::error::Result;
use crate::model::BatchId;
use serde::{Deserialize, Serialize};

/// Events that a batch keeps: the first ones tell more than the last repetitions.
const EVENTS_MAX: u64 = 500;
const TEXT_BYTES_MAX: usize = 2 << 10;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// ISO 8601 in UTC.
    pub at: String,
    /// `submitted`, `claimed`, `recovered`, `parked`, `resumed`, `canceled`, …
    pub kind: String,
    /// For people.
    pub text: String,
}

impl Store {
    /// Counts the event in the record, which the caller writes in the same commit.
    pub fn put_event(record: &mut BatchRecord, event: &Event) -> Result<Vec<Op>> {
        record.events += 1;
        if record.events > EVENTS_MAX {
            return Ok(Vec::new());
        }
        let mut event = event.clone();
        event.text.truncate(event.text.floor_char_boundary(TEXT_BYTES_MAX));
        let key = format!("event/{}/{:06}", record.id, record.events);
        Ok(vec![Op::put(key, &event)?])
    }

    /// Of a batch, oldest first.
    pub fn events(&self, batch: &BatchId) -> Result<Vec<Event>> {
        self.scan(&format!("event/{batch}/")).map(|entry| entry.map(|(_, event)| event)).collect()
    }

    /// What removes all of a batch.
    pub fn event_removals(&self, batch: &BatchId) -> Result<Vec<Op>> {
        let prefix = format!("event/{batch}/");
        self.scan::<Event>(&prefix)
            .map(|entry| entry.map(|(key, _)| Op::Delete { key: format!("{prefix}{key}") }))
            .collect()
    }
}
