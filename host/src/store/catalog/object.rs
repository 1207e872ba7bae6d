//! Objects: what a bucket holds. Bytes stay where they are, or are in the object store.

use super::Noun;
use crate::model::{BucketId, ObjectId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Under `bucket/id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    pub id: ObjectId,
    pub bucket: BucketId,
    #[serde(default)]
    pub key_prefix: Option<String>,
    /// What the user gave, in order: one for each field of the bucket's schema that it fills.
    pub blobs: Vec<Blob>,
    /// Kept, and not a field.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// Of all blobs whose size is known.
    pub bytes: u64,
    pub created_at: String,
    pub updated_at: String,
}

/// One field of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blob {
    pub id: String,
    /// Name of the field in the bucket's schema.
    pub property: String,
    /// Type word as the user gave it.
    pub kind: String,
    pub content: Content,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    #[serde(default)]
    pub bytes: Option<u64>,
    #[serde(default)]
    pub sha256: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// The value itself: text, number, JSON.
    Value(Value),
    /// Where the bytes are: an absolute path or a URL that the engine can read.
    Reference(String),
}

impl Noun for Object {
    const TABLE: &'static str = "object";
}
