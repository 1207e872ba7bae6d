//! Buckets: a typed schema, and how many objects are in it.

use super::Noun;
use crate::model::{BucketId, Name, NamespaceId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Under `namespace/id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    pub id: BucketId,
    pub namespace: NamespaceId,
    pub name: String,
    /// What pipelines call it; never changes.
    pub key: Name,
    #[serde(default)]
    pub description: Option<String>,
    /// `{"properties": {name: {"type", "required", …}}}`, as it was checked when it came.
    pub schema: Value,
    /// `{"fields": […], "default_policy"}`.
    #[serde(default)]
    pub unique_key: Option<Value>,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// What the user said of it that the engine only keeps.
    #[serde(default)]
    pub settings: Map<String, Value>,
    pub created_at: String,
    pub updated_at: String,
}

impl Noun for Bucket {
    const TABLE: &'static str = "bucket";
}

/// Counters of a bucket, under its id: written in the commit that changes what they count.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BucketStats {
    pub objects: u64,
    /// Of the blobs whose size is known.
    pub bytes: u64,
    #[serde(default)]
    pub last_upload_at: Option<String>,
}

impl Noun for BucketStats {
    const TABLE: &'static str = "bucket-stats";
}
