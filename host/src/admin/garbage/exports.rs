//! Which exports of collections somebody may still download.

use super::batch::{STAGING, Verdict, is_staging};
use crate::model::CollectionId;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

/// An export can be made again: it is kept for a week.
const KEPT: TimeDelta = TimeDelta::days(7);
const ENDINGS: [&str; 4] = [".vectors.jsonl", ".jsonl", ".csv", ".parquet"];

/// `name` in the folder of a collection's exports.
pub(super) fn judge(
    collection: &str,
    name: &str,
    known: &BTreeSet<CollectionId>,
    now: DateTime<Utc>,
) -> Verdict {
    let Ok(collection) = CollectionId::parse(collection) else { return Verdict::Unknown };
    if is_staging(name) {
        return Verdict::Orphan(STAGING);
    }
    let Some(made) = made(name) else { return Verdict::Unknown };
    if !known.contains(&collection) {
        return Verdict::Orphan("an export of a collection that is gone");
    }
    match now - made > KEPT {
        true => Verdict::Orphan("an export that is older than a week"),
        false => Verdict::Live,
    }
}

/// Its name says when.
fn made(name: &str) -> Option<DateTime<Utc>> {
    let id = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))?;
    let (seconds, nanoseconds) = Uuid::try_parse(id).ok()?.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)
}
