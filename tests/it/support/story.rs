//! A bucket of texts, and collections over it: what most tests of batches begin with.

use super::api::Bed;
use quarry::model::{BucketId, ObjectId};
use quarry::store::Store;
use quarry::store::catalog::Object;
use serde_json::{Value, json};

/// Chunks of texts, and their vectors: two tiers.
pub(crate) struct Story {
    pub(crate) bed: Bed,
    pub(crate) bucket: String,
}

impl Story {
    pub(crate) fn new() -> Story {
        Story::on(Bed::running())
    }

    pub(crate) fn on(bed: Bed) -> Story {
        let schema = json!({ "properties": { "text": { "type": "text" } } });
        let made = bed
            .post("/v1/buckets", json!({ "bucket_name": "texts", "bucket_schema": schema }))
            .ok();
        let bucket = made["bucket_id"].as_str().unwrap().to_string();
        let story = Story { bed, bucket };
        story.collect(
            "chunks",
            &json!({ "type": "bucket", "bucket_ids": [story.bucket] }),
            json!({
                "feature_extractor_name": "text-chunk",
                "version": "1.0.0",
            }),
        );
        story.collect(
            "vectors",
            &json!({ "type": "collection", "collection_id": "chunks" }),
            json!({
                "feature_extractor_name": "text-embed",
                "version": "1.0.0",
            }),
        );
        story
    }

    pub(crate) fn collect(&self, name: &str, source: &Value, extractor: Value) -> Value {
        let body = json!({
            "collection_name": name, "source": source, "feature_extractor": extractor,
        });
        self.bed.post("/v1/collections", body).ok()
    }

    /// The ids of new objects.
    pub(crate) fn objects(&self, texts: &[&str]) -> Vec<String> {
        texts
            .iter()
            .map(|text| {
                let body = json!({
                    "blobs": [{ "property": "text", "type": "text", "data": text }],
                });
                let target = format!("/v1/buckets/{}/objects", self.bucket);
                let made = self.bed.post(&target, body).ok();
                made["object_id"].as_str().unwrap().to_string()
            })
            .collect()
    }

    /// The same without a request for each.
    pub(crate) fn registered(&self, texts: &[&str]) -> Vec<String> {
        let store = &self.bed.app.engine.store;
        let bucket = BucketId::parse(&self.bucket).unwrap();
        let object = |text: &&str| {
            let id = ObjectId::from_uuid(self.bed.app.engine.env.uuid());
            let at = self.bed.app.engine.env.timestamp();
            let record = json!({
                "id": id, "bucket": bucket, "bytes": text.len(), "created_at": at, "updated_at": at,
                "blobs": [{
                    "id": "blob", "property": "text", "kind": "text", "content": { "value": text },
                }],
            });
            let record: Object = serde_json::from_value(record).unwrap();
            let op = Store::put(&format!("{bucket}/{id}"), &record).unwrap();
            store.commit(vec![op]).unwrap();
            id.to_string()
        };
        texts.iter().map(object).collect()
    }

    pub(crate) fn batches(&self) -> String {
        format!("/v1/buckets/{}/batches", self.bucket)
    }

    /// A draft of these objects; where it is.
    pub(crate) fn draft(&self, objects: &[String]) -> String {
        let made = self.bed.post(&self.batches(), json!({ "object_ids": objects })).ok();
        format!("{}/{}", self.batches(), made["batch_id"].as_str().unwrap())
    }

    pub(crate) fn submit(&self, batch: &str) -> Value {
        self.bed.post(&format!("{batch}/submit"), json!({})).ok()
    }

    /// The batch when it has ended.
    pub(crate) fn ended(&self, batch: &str) -> Value {
        self.until(batch, |found| {
            let status = found["status"].as_str().unwrap();
            !["DRAFT", "QUEUED", "PROCESSING"].contains(&status)
        })
    }

    /// Waits for what happens, not for time.
    pub(crate) fn until(&self, batch: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut bell = self.bed.api.control().bell();
        loop {
            bell.mark_unchanged();
            let found = self.bed.get(batch).ok();
            if wanted(&found) {
                return found;
            }
            let rang = bell.changed();
            self.bed.app.runtime().block_on(rang).unwrap();
        }
    }
}
