//! The state as keys and values, for those who copy or check it.

use super::{
    BatchRecord, CatalogEntry, Event, ExtractorRecord, NamespaceRecord, Op, PartitionKey,
    PartitionRecord, Store, UPGRADES, VERSION_KEY, catalog, record, rewrite, upgrade,
};
use crate::error::{Code, Context, Error, Result};
use crate::model::{BatchId, Name};
use serde_json::Value;
use std::path::Path;

/// A record with what its key says.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    Version(u32),
    Batch(Box<BatchRecord>),
    Namespace(Name, NamespaceRecord),
    Extractor(ExtractorRecord),
    Partition(BatchId, PartitionKey, PartitionRecord),
    Event(BatchId, Event),
    Catalog(CatalogEntry),
}

impl Entry {
    /// The error names the key.
    pub fn parse(key: &str, bytes: &[u8]) -> Result<Entry> {
        if key == VERSION_KEY {
            return Ok(Entry::Version(record::decode(key, bytes)?));
        }
        let stray = || Error::new(Code::Corrupt, format!("the key {key} is not one of the state"));
        if let Some((table, rest)) = catalog::split(key) {
            let value: Value = record::decode(key, bytes)?;
            let (table, key) = (table.to_string(), rest.to_string());
            return Ok(Entry::Catalog(CatalogEntry { table, key, value }));
        }
        let (noun, rest) = key.split_once('/').ok_or_else(stray)?;
        match noun {
            "batch" => {
                let found: BatchRecord = record::decode(key, bytes)?;
                matching(key, rest, found.id.as_str())?;
                Ok(Entry::Batch(Box::new(found)))
            }
            "namespace" => Ok(Entry::Namespace(Name::parse(rest)?, record::decode(key, bytes)?)),
            "extractor" => {
                let found: ExtractorRecord = record::decode(key, bytes)?;
                matching(key, rest, &format!("{}@{}", found.name, found.version))?;
                Ok(Entry::Extractor(found))
            }
            "partition" => {
                let (batch, partition) = rest.split_once('/').ok_or_else(stray)?;
                let partition = PartitionKey::parse(partition)?;
                Ok(Entry::Partition(BatchId::parse(batch)?, partition, record::decode(key, bytes)?))
            }
            "event" => {
                let (batch, _) = rest.split_once('/').ok_or_else(stray)?;
                Ok(Entry::Event(BatchId::parse(batch)?, record::decode(key, bytes)?))
            }
            _ => Err(stray()),
        }
    }
}

/// An entry of the database.
pub(super) fn text_key(
    entry: sled::Result<(sled::IVec, sled::IVec)>,
) -> Result<(String, sled::IVec)> {
    let (key, bytes) = entry.context(Code::Unavailable, || "can not read the state".to_string())?;
    let key = std::str::from_utf8(&key)
        .context(Code::Corrupt, || "a key of the state is not text".to_string())?;
    Ok((key.to_string(), bytes))
}

fn matching(key: &str, named: &str, found: &str) -> Result<()> {
    if named == found {
        return Ok(());
    }
    Err(Error::new(Code::Corrupt, format!("the record {key} is that of {found}")))
}

impl Store {
    /// The version that this binary writes.
    pub fn version() -> u32 {
        upgrade::newest(UPGRADES)
    }

    /// Whether a state is in `directory`, or about to move in after a crash.
    pub fn exists(directory: &Path) -> bool {
        rewrite::current(directory).is_some()
    }

    /// Every key with the bytes of its record, in the order of the keys. Nothing is checked.
    pub fn entries(&self) -> impl Iterator<Item = Result<(String, Vec<u8>)>> {
        self.db().iter().map(|entry| {
            let (key, bytes) = text_key(entry)?;
            Ok((key, bytes.to_vec()))
        })
    }

    /// Whether it holds nothing but its version.
    pub fn is_empty(&self) -> Result<bool> {
        for entry in self.entries() {
            if entry?.0 != VERSION_KEY {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The value of a record, without the frame that sled's copy of it has.
    pub fn value(key: &str, bytes: &[u8]) -> Result<Value> {
        record::decode(key, bytes)
    }

    pub fn put_version() -> Result<Op> {
        Op::put(VERSION_KEY, &Self::version())
    }

    /// The record of a value that [`Store::value`] gave.
    pub fn put_value(key: &str, value: &Value) -> Result<Op> {
        Op::put(key, value)
    }
}
