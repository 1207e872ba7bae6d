//! Uploads: bytes on their way into the object store, and the secret that their links are signed
//! with.

use super::Noun;
use crate::model::{BucketId, ObjectId, UploadId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Under `bucket/id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    pub id: UploadId,
    pub bucket: BucketId,
    pub filename: String,
    pub content_type: String,
    /// What the user said the file would have.
    #[serde(default)]
    pub bytes_expected: Option<u64>,
    #[serde(default)]
    pub sha256_expected: Option<String>,
    /// How long the link is valid.
    pub expires_in_seconds: u64,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    pub create_object: bool,
    #[serde(default)]
    pub object_metadata: Map<String, Value>,
    #[serde(default)]
    pub property: Option<String>,
    /// Type word, in lower case.
    #[serde(default)]
    pub kind: Option<String>,
    pub skip_duplicates: bool,
    /// Name of the bytes in the object store.
    pub stored: String,
    pub status: UploadStatus,
    #[serde(default)]
    pub bytes: Option<u64>,
    #[serde(default)]
    pub sha256: Option<String>,
    /// The one that brought the same bytes before.
    #[serde(default)]
    pub duplicate_of: Option<UploadId>,
    #[serde(default)]
    pub object: Option<ObjectId>,
    pub created_at: String,
    pub expires_at: String,
    #[serde(default)]
    pub confirmed_at: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadStatus {
    /// The bytes have not come.
    Pending,
    Received,
    Confirmed,
    Canceled,
}

impl Noun for Upload {
    const TABLE: &'static str = "upload";
}

/// A random key of this installation in hex, under what it is for.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Secret(pub String);

impl Noun for Secret {
    const TABLE: &'static str = "secret";
}
