//! Buckets.

use super::{Control, key_for, not_found, taken};
use crate::error::Result;
use crate::model::BucketId;
use crate::store::catalog::{Bucket, BucketStats, Namespace, Removal};
use crate::store::{Op, Store};
use serde_json::{Map, Value, json};

/// What a bucket is made from; the schema is checked by whoever fills it in.
#[derive(Debug, Clone, Default)]
pub struct BucketDraft {
    pub name: String,
    pub description: Option<String>,
    pub schema: Value,
    pub unique_key: Option<Value>,
    pub metadata: Map<String, Value>,
    pub settings: Map<String, Value>,
}

pub(super) fn place(bucket: &Bucket) -> String {
    format!("{}/{}", bucket.namespace, bucket.id)
}

/// What events say of it.
fn told(bucket: &Bucket) -> Value {
    json!({ "bucket_id": bucket.id, "bucket_name": bucket.name })
}

impl Control {
    /// Oldest first.
    pub fn buckets(&self, namespace: &Namespace) -> Result<Vec<Bucket>> {
        self.engine.store.all(&format!("{}/", namespace.id))
    }

    /// By id or name.
    pub fn bucket(&self, namespace: &Namespace, identifier: &str) -> Result<Bucket> {
        let store = &self.engine.store;
        if let Some(found) = store.find::<Bucket>(&format!("{}/{identifier}", namespace.id))? {
            return Ok(found);
        }
        let named = self.buckets(namespace)?.into_iter().find(|found| found.name == identifier);
        named.ok_or_else(|| not_found("bucket", identifier))
    }

    pub fn bucket_stats(&self, bucket: &Bucket) -> Result<BucketStats> {
        Ok(self.engine.store.find(bucket.id.as_str())?.unwrap_or_default())
    }

    pub fn create_bucket(&self, namespace: &Namespace, draft: BucketDraft) -> Result<Bucket> {
        let _lock = self.locks.hold(namespace.id.as_str());
        let all = self.buckets(namespace)?;
        if all.iter().any(|other| other.name == draft.name) {
            return Err(taken("bucket", &draft.name).field("/bucket_name"));
        }
        let id = BucketId::from_uuid(self.engine.env.uuid());
        let key =
            key_for(&draft.name, id.as_str(), |key| all.iter().any(|other| other.key == *key))?;
        let now = self.now();
        let bucket = Bucket {
            id,
            namespace: namespace.id.clone(),
            name: draft.name,
            key,
            description: draft.description,
            schema: draft.schema,
            unique_key: draft.unique_key,
            metadata: draft.metadata,
            settings: draft.settings,
            created_at: now.clone(),
            updated_at: now,
        };
        let mut ops =
            self.occur(&namespace.id, bucket.id.as_str(), "bucket.created", told(&bucket))?;
        ops.push(Store::put(&place(&bucket), &bucket)?);
        self.engine.store.commit(ops)?;
        self.rang();
        Ok(bucket)
    }

    pub fn change_bucket(
        &self,
        namespace: &Namespace,
        identifier: &str,
        change: impl FnOnce(&mut Bucket) -> Result<()>,
    ) -> Result<Bucket> {
        let _lock = self.locks.hold(namespace.id.as_str());
        let mut bucket = self.bucket(namespace, identifier)?;
        let before = bucket.name.clone();
        change(&mut bucket)?;
        if bucket.name != before
            && self.buckets(namespace)?.iter().any(|other| other.name == bucket.name)
        {
            return Err(taken("bucket", &bucket.name).field("/bucket_name"));
        }
        bucket.updated_at = self.now();
        self.engine.store.commit(vec![Store::put(&place(&bucket), &bucket)?])?;
        Ok(bucket)
    }

    pub fn delete_bucket(&self, namespace: &Namespace, bucket: &Bucket) -> Result<Bucket> {
        let lock = self.locks.hold(namespace.id.as_str());
        let bucket = self.bucket(namespace, bucket.id.as_str())?;
        let mut ops =
            self.occur(&namespace.id, bucket.id.as_str(), "bucket.deleted", told(&bucket))?;
        ops.extend(self.bucket_removal(namespace, &bucket)?);
        self.engine.store.commit(ops)?;
        drop(lock);
        self.rang();
        self.finish_removals()?;
        Ok(bucket)
    }

    /// What has to be committed to remove a bucket; [`Control::finish_removals`] does the rest.
    pub(super) fn bucket_removal(&self, namespace: &Namespace, bucket: &Bucket) -> Result<Vec<Op>> {
        let removal = Removal {
            bucket: bucket.id.clone(),
            namespace: namespace.id.clone(),
            namespace_key: namespace.key.clone(),
        };
        Ok(vec![Store::remove::<Bucket>(&place(bucket)), Store::put(bucket.id.as_str(), &removal)?])
    }
}
