//! Uploads as clients read them.

use crate::control::Control;
use crate::store::catalog::{Upload, UploadStatus};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum UploadState {
    /// The bytes have not come.
    Pending,
    /// They have, and are not confirmed.
    InProgress,
    Completed,
    /// It was not confirmed in time.
    Failed,
    Canceled,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct UploadModel {
    pub(super) upload_id: String,
    bucket_id: String,
    filename: String,
    content_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_size_bytes: Option<u64>,
    /// Takes the bytes (PUT) of one that was just announced, or gives them (GET).
    #[serde(skip_serializing_if = "Option::is_none")]
    presigned_url: Option<String>,
    presigned_url_expiration: u64,
    /// Name of the bytes in the object store.
    s3_key: String,
    pub(super) status: UploadState,
    metadata: Map<String, Value>,
    create_object_on_confirm: bool,
    object_metadata: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_property: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_type: Option<String>,
    /// SHA-256 in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_hash: Option<String>,
    skip_duplicates: bool,
    pub(super) is_duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate_of_upload_id: Option<String>,
    /// Always false: the unique key is looked at when the upload is confirmed.
    skipped_unique_key: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    created_at: String,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) completed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<String>,
    /// SHA-256 in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) object_id: Option<String>,
}

pub(super) fn model(control: &Control, upload: Upload) -> UploadModel {
    let expired = control.is_expired(&upload);
    let status = match upload.status {
        UploadStatus::Pending | UploadStatus::Received if expired => UploadState::Failed,
        UploadStatus::Pending => UploadState::Pending,
        UploadStatus::Received => UploadState::InProgress,
        UploadStatus::Confirmed => UploadState::Completed,
        UploadStatus::Canceled => UploadState::Canceled,
    };
    let message = match (status, &upload.duplicate_of) {
        (UploadState::Failed, _) => Some("it was not confirmed before it expired".to_string()),
        (_, Some(other)) => Some(format!("upload {other} had brought the same bytes")),
        (_, None) => None,
    };
    UploadModel {
        upload_id: upload.id.to_string(),
        bucket_id: upload.bucket.to_string(),
        filename: upload.filename,
        content_type: upload.content_type,
        file_size_bytes: upload.bytes.or(upload.bytes_expected),
        presigned_url: None,
        presigned_url_expiration: upload.expires_in_seconds,
        s3_key: upload.stored,
        status,
        metadata: upload.metadata,
        create_object_on_confirm: upload.create_object,
        object_metadata: upload.object_metadata,
        blob_property: upload.property,
        blob_type: upload.kind,
        file_hash: upload.sha256.clone().or(upload.sha256_expected),
        skip_duplicates: upload.skip_duplicates,
        is_duplicate: upload.duplicate_of.is_some(),
        duplicate_of_upload_id: upload.duplicate_of.map(|other| other.to_string()),
        skipped_unique_key: false,
        message,
        created_at: upload.created_at,
        expires_at: upload.expires_at,
        completed_at: upload.confirmed_at.clone(),
        verified_at: upload.confirmed_at,
        etag: upload.sha256,
        object_id: upload.object.map(|object| object.to_string()),
    }
}

impl UploadModel {
    pub(super) fn with_url(mut self, url: String) -> UploadModel {
        self.presigned_url = Some(url);
        self
    }

    /// Instead of a new one.
    pub(super) fn known_before(mut self) -> UploadModel {
        self.is_duplicate = true;
        self.duplicate_of_upload_id = Some(self.upload_id.clone());
        self.message = Some("a file with these bytes is here: nothing to upload".to_string());
        self
    }
}
