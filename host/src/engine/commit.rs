//! The commit point: a marker object, made by conditional create, that says what a partition made.
//!
//! Whoever creates it has won: a slower worker of an older lease finds it and takes its content for
//! its own. The record in the state follows and may trail behind; [`recover`] makes it again. A
//! marker is small and immutable, so the state can be derived from the object store alone.

use crate::artifact::Artifacts;
use crate::error::{Code, Context, Error, Result};
use crate::model::BatchId;
use crate::store::{PartitionKey, PartitionRecord, PartitionState, Store, Timing};
use serde::{Deserialize, Serialize};

/// Raised when an older program could misread a marker.
const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Marker {
    pub version: u32,
    /// As in the state: collection, source, id.
    pub key: String,
    /// The lease that won.
    pub fence: u64,
    pub attempts: u32,
    pub round: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// Always `Committed`, and not sunk unless there is nothing to sink.
    pub state: PartitionState,
}

/// Folder of a round's markers in the batch's folder.
pub fn folder(round: u32) -> String {
    format!("commits/{round:03}")
}

/// What the round set aside before it began, see [`super::redo`].
pub fn redo_name(round: u32) -> String {
    format!("{}/redo.json", folder(round))
}

pub fn name(round: u32, key: &PartitionKey) -> String {
    format!("{}/{}.json", folder(round), key.to_string().replace('/', "-"))
}

/// Publishes what a partition made, and answers with what counts: this, or what an earlier worker
/// published.
pub fn publish(
    batch: &Artifacts,
    key: &PartitionKey,
    fence: u64,
    record: PartitionRecord,
) -> Result<PartitionRecord> {
    let PartitionRecord { state, attempts, round, timing } = record.clone();
    let (version, key_text) = (VERSION, key.to_string());
    let marker = Marker { version, key: key_text, fence, attempts, round, timing, state };
    let json = serde_json::to_vec(&marker)
        .context(Code::Internal, || format!("can not encode the marker of {key}"))?;
    let name = name(record.round, key);
    match batch.create(&name, json.into())? {
        true => Ok(record),
        false => Ok(read(batch, &name)?.into_record()?.1),
    }
}

/// A marker by its name in the batch's folder.
pub fn read(batch: &Artifacts, name: &str) -> Result<Marker> {
    let bytes = batch.get(name)?;
    let wrong = |what: &str| {
        Error::new(Code::Corrupt, format!("the marker {} {what}", batch.name_of(name)))
    };
    let marker: Marker =
        serde_json::from_slice(&bytes).map_err(|error| wrong("can not be read").source(error))?;
    if marker.version != VERSION {
        return Err(wrong(&format!("has the unknown version {}", marker.version)));
    }
    if !matches!(marker.state, PartitionState::Committed { .. }) {
        return Err(wrong("is not of a committed partition"));
    }
    Ok(marker)
}

impl Marker {
    /// As the state keeps it.
    pub fn into_record(self) -> Result<(PartitionKey, PartitionRecord)> {
        let Marker { key, state, attempts, round, timing, .. } = self;
        Ok((PartitionKey::parse(&key)?, PartitionRecord { state, attempts, round, timing }))
    }
}

/// Records that the last process did not get to write: markers without one. Returns how many.
pub fn recover(store: &Store, batch: &BatchId, artifacts: &Artifacts, round: u32) -> Result<u64> {
    let mut found = 0;
    // Their names are 40 bytes a partition: a million rows have some thousand.
    for name in artifacts.list(&folder(round))? {
        let Some(key) = key_of(&name) else { continue };
        let known = store.partition(batch, &key)?;
        let committed = |record: &PartitionRecord| {
            matches!(record.state, PartitionState::Committed { .. }) && record.round == round
        };
        if known.as_ref().is_some_and(committed) {
            continue;
        }
        let (key, record) = read(artifacts, &name)?.into_record()?;
        store.post(vec![Store::put_partition(batch, &key, &record)?])?;
        found += 1;
    }
    store.settle()?;
    Ok(found)
}

/// Whether the name, in the batch's folder, is that of a marker.
pub fn is_name(name: &str) -> bool {
    name.starts_with("commits/") && key_of(name).is_some()
}

fn key_of(name: &str) -> Option<PartitionKey> {
    let file = name.rsplit('/').next()?.strip_suffix(".json")?;
    PartitionKey::parse(&file.replacen('-', "/", 2)).ok()
}
