//! Objects: made, changed, found. What they hold is checked against the schema of their bucket
//! before anything is written.

mod content;
mod fields;
mod removal;
mod schema;
mod write;

pub use content::{DATA_BYTES_MAX, sha256};
pub use fields::{BlobDraft, ObjectDraft};
pub use removal::SoftDeletion;
pub(super) use schema::{file_field, split};
pub use schema::{is_file, type_word};
pub(super) use write::check_record;
pub use write::{Policy, Replay, WriteOptions, Written};

use super::{Control, not_found};
use crate::error::{Error, Result};
use crate::model::{Condition, Filter, LINEAGE_FIELD, Operator, UploadId};
use crate::store::Store;
use crate::store::catalog::{Blob, Bucket, Content, Namespace, Object, ObjectStatus};
use serde_json::json;

pub(super) fn place(bucket: &Bucket, id: &str) -> String {
    format!("{}/{id}", bucket.id)
}

/// Where bytes are in the object store.
pub(super) fn stored_name(namespace: &Namespace, id: &UploadId) -> String {
    format!("{}/uploads/{id}", namespace.key)
}

impl Control {
    /// Without those that are marked as deleted; oldest first, those after the id `after` where
    /// one is given.
    pub fn objects_of<'a>(
        &'a self,
        bucket: &Bucket,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<Object>> + 'a {
        let after = after.map(|id| place(bucket, id));
        let entries = self.engine.store.each::<Object>(&place(bucket, ""), after.as_deref());
        entries.map(|entry| entry.map(|(_, object)| self.located(object))).filter(live)
    }

    /// The same, newest first.
    pub fn objects_back<'a>(
        &'a self,
        bucket: &Bucket,
        before: Option<&str>,
    ) -> impl Iterator<Item = Result<Object>> + 'a {
        let before = before.map(|id| place(bucket, id));
        let entries = self.engine.store.each_back::<Object>(&place(bucket, ""), before.as_deref());
        entries.map(|entry| entry.map(|(_, object)| self.located(object))).filter(live)
    }

    /// One that is not marked as deleted.
    pub fn object(&self, bucket: &Bucket, identifier: &str) -> Result<Object> {
        let found = self.object_record(bucket, identifier)?;
        match found.deleted {
            None => Ok(found),
            Some(_) => Err(not_found("object", identifier)),
        }
    }

    /// One that may be marked as deleted.
    pub fn object_record(&self, bucket: &Bucket, identifier: &str) -> Result<Object> {
        let found = self.engine.store.find(&place(bucket, identifier))?;
        found.map(|object| self.located(object)).ok_or_else(|| not_found("object", identifier))
    }

    pub fn has_object(&self, bucket: &Bucket, identifier: &str) -> Result<bool> {
        let found = self.engine.store.find::<Object>(&place(bucket, identifier))?;
        Ok(found.is_some_and(|object| object.deleted.is_none()))
    }

    /// Documents that descend from an object; `None` where there is no sink to count in.
    pub fn documents_of(&self, namespace: &Namespace, object: &Object) -> Result<Option<u64>> {
        let Some(sink) = &self.engine.sink else { return Ok(None) };
        if sink.layout(&namespace.key)?.is_none() {
            return Ok(Some(0));
        }
        let condition = Condition::Field {
            field: format!("{LINEAGE_FIELD}.object"),
            operator: Operator::Eq,
            value: json!(object.id.as_str()),
        };
        let filter = Filter { and: vec![condition], case_sensitive: true, ..Filter::default() };
        sink.count(&namespace.key, Some(&filter)).map(Some)
    }

    /// Notes what a batch has made of objects; those that are gone are passed over. For at most
    /// as many as fit into one commit, some hundreds.
    pub fn mark_objects(
        &self,
        bucket: &Bucket,
        ids: &[String],
        status: ObjectStatus,
        error: Option<&str>,
    ) -> Result<()> {
        let _lock = self.locks.hold(bucket.id.as_str());
        let mut ops = Vec::new();
        for id in ids {
            let key = place(bucket, id);
            let Some(mut object) = self.engine.store.find::<Object>(&key)? else { continue };
            object.status = status;
            object.error = error.map(|text| text.chars().take(1_000).collect());
            ops.push(Store::put(&key, &object)?);
        }
        self.engine.store.commit(ops)
    }

    /// The data directory may have moved since: bytes of the engine's own store are where that is
    /// now.
    fn located(&self, mut object: Object) -> Object {
        for Blob { stored, content, .. } in &mut object.blobs {
            if let Some(name) = stored {
                *content = Content::Reference(self.engine.artifacts.name_of(name));
            }
        }
        object
    }

    /// Removes bytes that nothing names any more. What can not be removed now takes space, and
    /// does no other harm.
    pub(super) fn discard(&self, names: &[String]) {
        for name in names {
            match self.engine.artifacts.delete(name) {
                Err(error) if error.code() != crate::error::Code::NotFound => {
                    tracing::warn!("bytes of no object stay behind: {}", error.chain());
                }
                _ => {}
            }
        }
    }
}

fn live(found: &std::result::Result<Object, Error>) -> bool {
    found.as_ref().map_or(true, |object| object.deleted.is_none())
}
