//! Objects: what a bucket holds. Bytes stay where they are, or are in the object store.

use super::Noun;
use crate::model::{BucketId, Name, NamespaceId, ObjectId, UploadId};
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
    /// Relations to other objects, as they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Value>,
    /// Of all blobs whose size is known.
    pub bytes: u64,
    #[serde(default)]
    pub status: ObjectStatus,
    /// Why the last batch failed on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Deletion>,
    /// Keys of the [`Lookup`]s that may lead here.
    #[serde(default)]
    pub lookups: Vec<String>,
    pub created_at: String,
    pub updated_at: String,
}

/// What batches have made of an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectStatus {
    #[default]
    Pending,
    Completed,
    Failed,
}

/// The record stays, and lists and batches pass over it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deletion {
    pub at: String,
    pub reason: String,
    pub state: String,
    pub source: String,
}

/// One field of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blob {
    pub id: String,
    /// Name of the field in the bucket's schema.
    pub property: String,
    /// Type word of the field, in lower case.
    pub kind: String,
    pub content: Content,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    #[serde(default)]
    pub bytes: Option<u64>,
    #[serde(default)]
    pub sha256: Option<String>,
    /// Given as a field of the object itself, and shown there.
    #[serde(default)]
    pub root: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Name of the bytes in the engine's own object store, where they are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<String>,
    /// The upload that brought the bytes; those of a blob without one go with the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadId>,
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

/// What is found by a value instead of its id, under `bucket/kind-hash`: the id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lookup(pub String);

impl Noun for Lookup {
    const TABLE: &'static str = "lookup";
}

/// A bucket that is gone while some of what was in it may still be there, under its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Removal {
    pub bucket: BucketId,
    pub namespace: NamespaceId,
    /// What the sink calls the namespace.
    pub namespace_key: Name,
}

impl Noun for Removal {
    const TABLE: &'static str = "removal";
}
