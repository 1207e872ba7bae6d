//! Deleting objects, and what is left of a bucket that is gone. Documents go first, then the
//! record, then the bytes: whatever a crash leaves can be deleted again.

use super::place;
use super::write::stored_of;
use crate::control::{Control, not_found};
use crate::error::Result;
use crate::model::Name;
use crate::store::catalog::{
    Bucket, BucketStats, Deletion, Lookup, Namespace, Object, Removal, Source, Upload,
};
use crate::store::{Noun, Op, Store};

/// Records of one commit.
const CHUNK: usize = 500;
/// Later than any run: the sink compares signed integers.
const ANY_RUN: u64 = i64::MAX as u64;

/// How many objects were marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftDeletion {
    pub deleted: u64,
    /// Collections that read the bucket.
    pub collections: u64,
}

impl Control {
    /// With its documents and bytes.
    pub fn delete_object(&self, namespace: &Namespace, bucket: &Bucket, id: &str) -> Result<()> {
        let object = self.object_record(bucket, id)?;
        self.forget_documents(&namespace.key, &[object.id.to_string()])?;
        let lock = self.locks.hold(bucket.id.as_str());
        let object = self.object_record(bucket, id)?;
        let mut stats = self.bucket_stats(bucket)?;
        let mut ops = self.lookup_removal(&object)?;
        ops.push(Store::remove::<Object>(&place(bucket, object.id.as_str())));
        if object.deleted.is_none() {
            discount(&mut stats, &object);
            ops.push(Store::put(bucket.id.as_str(), &stats)?);
        }
        self.engine.store.commit(ops)?;
        drop(lock);
        self.discard(&stored_of(&object));
        Ok(())
    }

    /// The records stay and are marked; lists and batches pass over them, their documents go.
    /// Objects that are not there are passed over.
    pub fn soft_delete_objects(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        ids: &[String],
        mark: impl Fn(String) -> Deletion,
    ) -> Result<SoftDeletion> {
        let reads = |source: &Source| match source {
            Source::Buckets(buckets) => buckets.contains(&bucket.id),
            Source::Collections(_) => false,
        };
        let collections = self.collections(namespace)?;
        let collections = collections.iter().filter(|found| reads(&found.source)).count() as u64;
        let mut deleted = 0;
        for ids in ids.chunks(CHUNK) {
            let lock = self.locks.hold(bucket.id.as_str());
            let mut stats = self.bucket_stats(bucket)?;
            let mut ops = Vec::new();
            let mut marked: Vec<String> = Vec::new();
            for id in ids {
                let key = place(bucket, id);
                let Some(mut object) = self.engine.store.find::<Object>(&key)? else { continue };
                // One that is marked already may have documents left after a crash.
                let again = object.deleted.is_some() || marked.contains(id);
                if !again {
                    discount(&mut stats, &object);
                    ops.extend(self.lookup_removal(&object)?);
                    object.lookups.clear();
                    object.deleted = Some(mark(self.now()));
                    object.updated_at = self.now();
                    ops.push(Store::put(&key, &object)?);
                    deleted += 1;
                }
                marked.push(id.clone());
            }
            if !ops.is_empty() {
                ops.push(Store::put(bucket.id.as_str(), &stats)?);
                self.engine.store.commit(ops)?;
            }
            drop(lock);
            self.forget_documents(&namespace.key, &marked)?;
        }
        Ok(SoftDeletion { deleted, collections })
    }

    /// Deletes the documents that descend from these objects.
    fn forget_documents(&self, namespace: &Name, objects: &[String]) -> Result<u64> {
        let Some(sink) = &self.engine.sink else { return Ok(0) };
        if objects.is_empty() || sink.layout(namespace)?.is_none() {
            return Ok(0);
        }
        self.engine.disturb(namespace)?;
        let mut deleted = 0;
        for collection in self.engine.store.namespace(namespace)?.collections.keys() {
            deleted += sink.delete_stale(namespace, collection, objects, ANY_RUN)?;
        }
        if deleted > 0 {
            sink.flush(namespace)?;
        }
        Ok(deleted)
    }

    /// Of the lookups that lead to this object.
    fn lookup_removal(&self, object: &Object) -> Result<Vec<Op>> {
        let mut ops = Vec::new();
        for key in &object.lookups {
            let found = self.engine.store.find::<Lookup>(key)?;
            if found.is_some_and(|Lookup(id)| id == object.id.as_str()) {
                ops.push(Store::remove::<Lookup>(key));
            }
        }
        Ok(ops)
    }

    /// Removes what was in buckets that are gone. The commit that removed such a bucket left a note
    /// of it, so a crash only delays this.
    pub(in crate::control) fn finish_removals(&self) -> Result<()> {
        let removals: Vec<(String, Removal)> =
            self.engine.store.each("", None).collect::<Result<_>>()?;
        for (key, removal) in removals {
            // Whoever was about to write to the bucket has done so, and nobody else will.
            let _lock = self.locks.hold(removal.bucket.as_str());
            let prefix = format!("{}/", removal.bucket);
            self.remove_all::<Object>(&prefix, |objects| {
                let ids: Vec<String> = objects.iter().map(|found| found.id.to_string()).collect();
                self.forget_documents(&removal.namespace_key, &ids)?;
                Ok(objects.iter().flat_map(stored_of).collect())
            })?;
            self.remove_all::<Upload>(&prefix, |uploads| {
                Ok(uploads.iter().map(|upload| upload.stored.clone()).collect())
            })?;
            self.remove_all::<Lookup>(&prefix, |_| Ok(Vec::new()))?;
            let stats = Store::remove::<BucketStats>(removal.bucket.as_str());
            self.engine.store.commit(vec![stats, Store::remove::<Removal>(&key)])?;
        }
        Ok(())
    }

    /// Chunk by chunk: `clear` says which bytes have to go with the records.
    fn remove_all<T: Noun>(
        &self,
        prefix: &str,
        clear: impl Fn(&[T]) -> Result<Vec<String>>,
    ) -> Result<()> {
        loop {
            let chunk: Vec<(String, T)> =
                self.engine.store.each(prefix, None).take(CHUNK).collect::<Result<_>>()?;
            if chunk.is_empty() {
                return Ok(());
            }
            let (keys, records): (Vec<String>, Vec<T>) = chunk.into_iter().unzip();
            let names = clear(&records)?;
            let ops = keys.iter().map(|key| Store::remove::<T>(key)).collect();
            self.engine.store.commit(ops)?;
            self.discard(&names);
        }
    }

    /// Makes sure that what is written belongs to a bucket that is there.
    pub(in crate::control) fn check_bucket(&self, bucket: &Bucket) -> Result<()> {
        let found = self.engine.store.find::<Bucket>(&crate::control::buckets::place(bucket))?;
        found.map(|_| ()).ok_or_else(|| not_found("bucket", bucket.id.as_str()))
    }
}

fn discount(stats: &mut BucketStats, object: &Object) {
    stats.objects = stats.objects.saturating_sub(1);
    stats.bytes = stats.bytes.saturating_sub(object.bytes);
}
