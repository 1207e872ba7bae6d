//! Collections.

use super::{Control, not_found};
use crate::error::Result;
use crate::store::catalog::{Collection, CollectionStats, Namespace};

impl Control {
    /// Oldest first.
    pub fn collections(&self, namespace: &Namespace) -> Result<Vec<Collection>> {
        self.engine.store.all(&format!("{}/", namespace.id))
    }

    /// By id or name.
    pub fn collection(&self, namespace: &Namespace, identifier: &str) -> Result<Collection> {
        let store = &self.engine.store;
        if let Some(found) = store.find::<Collection>(&format!("{}/{identifier}", namespace.id))? {
            return Ok(found);
        }
        let named = self.collections(namespace)?.into_iter().find(|found| found.name == identifier);
        named.ok_or_else(|| not_found("collection", identifier))
    }

    pub fn collection_stats(&self, collection: &Collection) -> Result<CollectionStats> {
        Ok(self.engine.store.find(collection.id.as_str())?.unwrap_or_default())
    }
}
