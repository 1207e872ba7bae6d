//! Records of the control plane: one table for each noun, under keys that sort as lists show them.
//!
//! A record is read and written as a whole. Whoever changes one holds the lock of what it belongs
//! to; the store itself only promises that a commit is applied whole.

mod batch;
mod bucket;
mod collection;
mod grant;
mod key;
mod namespace;
mod object;
mod occurrence;
mod replay;
mod schedule;
mod task;
mod upload;
mod webhook;

pub use batch::{BATCH_OBJECTS_CHUNK, Batch, BatchObjects, Cancel, Input, Phase, Queued};
pub use bucket::{Bucket, BucketStats};
pub use collection::{Collection, CollectionStats, Shape, ShapeField, ShapeVector, Source};
pub use grant::{Grant, GrantEvent, GrantEventKind};
pub use key::{Key, KeySecret};
pub use namespace::Namespace;
pub use object::{Blob, Content, Deletion, Lookup, Object, ObjectStatus, Removal};
pub use occurrence::{Occurrence, Outgoing};
pub use replay::{Replay, ReplayAnswer, ReplayBody, ReplayEnd};
pub use schedule::{Action, MissedRuns, RunCause, RunStatus, Schedule, ScheduleRun, Timing};
pub use task::Task;
pub use upload::{Secret, Upload, UploadStatus};
pub use webhook::{
    ATTEMPTS_KEPT, Attempt, Delivery, DeliveryStatus, Due, Webhook, WebhookHealth, WebhookSecret,
};

use super::{Op, Store};
use crate::error::Result;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Under which first word of their keys these records are, followed by a slash.
const CATALOG: &str = "catalog";

/// A kind of record.
pub trait Noun: Serialize + DeserializeOwned {
    /// Name of its table, one word.
    const TABLE: &'static str;
}

fn key_of<T: Noun>(key: &str) -> String {
    format!("{CATALOG}/{}/{key}", T::TABLE)
}

impl Store {
    pub fn find<T: Noun>(&self, key: &str) -> Result<Option<T>> {
        self.get(&key_of::<T>(key))
    }

    /// A record has 64 KiB at most.
    pub fn put<T: Noun>(key: &str, record: &T) -> Result<Op> {
        Op::put(key_of::<T>(key), record)
    }

    pub fn remove<T: Noun>(key: &str) -> Op {
        Op::Delete { key: key_of::<T>(key) }
    }

    /// Key and record of all whose key begins with `prefix`, by key; those after the key `after`
    /// where one is given.
    pub fn each<'a, T: Noun + 'a>(
        &'a self,
        prefix: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<(String, T)>> + use<'a, T> {
        let head = prefix.to_string();
        let after = after.map(key_of::<T>);
        self.scan_from(&key_of::<T>(prefix), after.as_deref())
            .map(move |entry| entry.map(|(rest, record)| (format!("{head}{rest}"), record)))
    }

    /// The same backwards; those before the key `before` where one is given.
    pub fn each_back<'a, T: Noun + 'a>(
        &'a self,
        prefix: &str,
        before: Option<&str>,
    ) -> impl Iterator<Item = Result<(String, T)>> + use<'a, T> {
        let head = prefix.to_string();
        let before = before.map(key_of::<T>);
        self.scan_back(&key_of::<T>(prefix), before.as_deref())
            .map(move |entry| entry.map(|(rest, record)| (format!("{head}{rest}"), record)))
    }

    /// The last one whose key begins with `prefix`.
    pub fn last<T: Noun>(&self, prefix: &str) -> Result<Option<(String, T)>> {
        let head = prefix.to_string();
        let found = self.scan_last(&key_of::<T>(prefix))?;
        Ok(found.map(|(rest, record)| (format!("{head}{rest}"), record)))
    }

    /// The records alone.
    pub fn all<T: Noun>(&self, prefix: &str) -> Result<Vec<T>> {
        self.each(prefix, None).map(|entry| entry.map(|(_, record)| record)).collect()
    }
}

/// Splits the key of such a record into its table and the rest.
pub(in crate::store) fn split(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix(CATALOG)?.strip_prefix('/')?.split_once('/')
}

/// A record of whatever table, for those who copy or check the state.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogEntry {
    pub table: String,
    pub key: String,
    pub value: Value,
}
