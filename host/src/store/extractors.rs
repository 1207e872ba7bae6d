//! Which component `name@version` is. Immutable once written.

use super::{Op, Store};
use crate::error::Result;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractorRecord {
    pub name: String,
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    pub registered_at: String,
}

impl Store {
    pub fn extractor(&self, name: &str, version: &str) -> Result<Option<ExtractorRecord>> {
        self.get(&format!("extractor/{name}@{version}"))
    }

    pub fn put_extractor(record: &ExtractorRecord) -> Result<Op> {
        Op::put(format!("extractor/{}@{}", record.name, record.version), record)
    }

    pub fn delete_extractor(record: &ExtractorRecord) -> Op {
        Op::Delete { key: format!("extractor/{}@{}", record.name, record.version) }
    }

    pub fn extractors(&self) -> Result<Vec<ExtractorRecord>> {
        self.scan("extractor/").map(|entry| entry.map(|(_, record)| record)).collect()
    }
}
