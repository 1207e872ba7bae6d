//! A bucket of texts, and collections over it: what most tests of batches begin with.

use super::api::Bed;
use serde_json::{Value, json};

/// Chunks of texts, and their vectors: two tiers.
pub(crate) struct Story {
    pub(crate) bed: Bed,
    pub(crate) bucket: String,
}

impl Story {
    pub(crate) fn new() -> Story {
        let bed = Bed::running();
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
