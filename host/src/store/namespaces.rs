//! Namespaces: what remains between batches.

use super::{Op, Store};
use crate::error::Result;
use crate::model::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One process writes a state, and a namespace's record is changed for moments only.
static CHANGING: Mutex<()> = Mutex::new(());

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NamespaceRecord {
    /// Number of the last run that was created.
    pub last_run: u64,
    /// For each collection that holds documents, what a search needs to know of it.
    pub collections: BTreeMap<String, CollectionState>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CollectionState {
    /// SHA-256 of the extractor that wrote last.
    pub digest: String,
    pub extractor: String,
    /// JSON of its parameters.
    pub parameters: String,
    /// Vector name by output field.
    pub vectors: BTreeMap<String, String>,
    /// Where its documents are: `edge`, `none` or the URL of a Qdrant.
    pub sink: String,
    pub batch: String,
    /// Users have changed or deleted documents since that batch began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
}

impl Store {
    pub fn namespace(&self, name: &Name) -> Result<NamespaceRecord> {
        Ok(self.get(&format!("namespace/{name}"))?.unwrap_or_default())
    }

    /// Held by whoever reads a namespace's record to write it changed, until that is committed.
    pub fn hold_namespaces(&self) -> MutexGuard<'static, ()> {
        CHANGING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn put_namespace(name: &Name, record: &NamespaceRecord) -> Result<Op> {
        Op::put(format!("namespace/{name}"), record)
    }

    pub fn namespaces(&self) -> Result<Vec<(Name, NamespaceRecord)>> {
        self.scan("namespace/")
            .map(|entry| {
                let (name, record) = entry?;
                Ok((Name::parse(&name)?, record))
            })
            .collect()
    }
}
