//! Namespaces: made, changed, deleted with everything in them.

use super::{Control, key_for, not_found, taken};
use crate::error::{Code, Error, Result};
use crate::model::NamespaceId;
use crate::store::Store;
use crate::store::catalog::{Bucket, Namespace};
use serde_json::{Map, Value};

/// What a namespace is made from.
#[derive(Debug, Clone, Default)]
pub struct NamespaceDraft {
    pub name: String,
    pub description: Option<String>,
    pub settings: Map<String, Value>,
}

impl NamespaceDraft {
    pub fn named(name: &str) -> Self {
        NamespaceDraft { name: name.to_string(), ..NamespaceDraft::default() }
    }
}

/// Making and renaming are rare, and names must not clash: one lock for all.
const LOCK: &str = "namespaces";

impl Control {
    /// Oldest first.
    pub fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.engine.store.all("")
    }

    /// By id or name.
    pub fn namespace(&self, identifier: &str) -> Result<Namespace> {
        if let Some(found) = self.engine.store.find::<Namespace>(identifier)? {
            return Ok(found);
        }
        let named = self.namespaces()?.into_iter().find(|found| found.name == identifier);
        named.ok_or_else(|| not_found("namespace", identifier))
    }

    pub fn create_namespace(&self, draft: NamespaceDraft) -> Result<Namespace> {
        let _lock = self.locks.hold(LOCK);
        let all = self.namespaces()?;
        if all.iter().any(|other| other.name == draft.name) {
            return Err(taken("namespace", &draft.name).field("/namespace_name"));
        }
        let id = NamespaceId::from_uuid(self.engine.env.uuid());
        let key =
            key_for(&draft.name, id.as_str(), |key| all.iter().any(|other| other.key == *key))?;
        let now = self.now();
        let namespace = Namespace {
            id,
            name: draft.name,
            key,
            description: draft.description,
            settings: draft.settings,
            created_at: now.clone(),
            updated_at: now,
        };
        let op = Store::put(namespace.id.as_str(), &namespace)?;
        self.engine.store.commit(vec![op])?;
        Ok(namespace)
    }

    pub fn change_namespace(
        &self,
        identifier: &str,
        change: impl FnOnce(&mut Namespace) -> Result<()>,
    ) -> Result<Namespace> {
        let _lock = self.locks.hold(LOCK);
        let mut namespace = self.namespace(identifier)?;
        let before = namespace.name.clone();
        change(&mut namespace)?;
        if namespace.name != before
            && self.namespaces()?.iter().any(|other| other.name == namespace.name)
        {
            return Err(taken("namespace", &namespace.name).field("/namespace_name"));
        }
        namespace.updated_at = self.now();
        let op = Store::put(namespace.id.as_str(), &namespace)?;
        self.engine.store.commit(vec![op])?;
        Ok(namespace)
    }

    /// With its vectors. One that still has buckets or collections is only deleted with `force`.
    pub fn delete_namespace(&self, identifier: &str, force: bool) -> Result<Namespace> {
        let lock = self.locks.hold(LOCK);
        let namespace = self.namespace(identifier)?;
        let inside = format!("{}/", namespace.id);
        let buckets = self.engine.store.all::<Bucket>(&inside)?;
        let collections = self.collections(&namespace)?.len();
        if !force && (!buckets.is_empty() || collections > 0) {
            let message = format!(
                "namespace `{}` has {} buckets and {collections} collections",
                namespace.name,
                buckets.len()
            );
            return Err(Error::new(Code::Conflict, message)
                .hint("delete them first, or everything at once with force=true"));
        }
        if let Some(sink) = &self.engine.sink {
            sink.remove(&namespace.key)?;
        }
        let mut ops = vec![Store::remove::<Namespace>(namespace.id.as_str())];
        for bucket in buckets {
            ops.extend(self.bucket_removal(&namespace, &bucket)?);
        }
        ops.extend(self.collection_removals(&namespace)?);
        ops.extend(self.webhook_removals(&namespace)?);
        ops.extend(self.schedule_removals(&namespace)?);
        // Runs are still counted on: a namespace of the same name comes after this one.
        let _records = self.engine.store.hold_namespaces();
        let mut record = self.engine.store.namespace(&namespace.key)?;
        record.collections.clear();
        ops.push(Store::put_namespace(&namespace.key, &record)?);
        self.engine.store.commit(ops)?;
        drop(lock);
        self.finish_removals()?;
        Ok(namespace)
    }
}
