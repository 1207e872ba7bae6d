//! `/v1/buckets/{bucket_identifier}/uploads`, and the links that bytes go through.

mod confirm;
mod list;
mod model;

use super::call::Call;
use super::objects::{LINK_SECONDS, TypeWord, link};
use super::operation::{NoQuery, Plainly, Table};
use crate::control::{UploadDraft, Verb};
use crate::error::{Code, Error, Result};
use crate::store::catalog::{Bucket, Namespace, Upload, UploadStatus};
use axum::http::Method;
use model::{UploadModel, model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Bytes of one file at most.
const FILE_BYTES_MAX: usize = 64 << 20;
const EXPIRATION_SECONDS: u64 = 3600;

pub(super) fn declare(table: &mut Table) {
    table.tag("uploads");
    table.post(
        "/v1/buckets/{bucket_identifier}/uploads",
        "create_upload_buckets",
        "Announce a file and get the URL that takes it",
        create,
    );
    table.post(
        "/v1/buckets/{bucket_identifier}/uploads/batch",
        "create_uploads_batch_buckets",
        "Announce up to 100 files",
        create_many,
    );
    table.post(
        "/v1/buckets/{bucket_identifier}/uploads/list",
        "list_uploads_buckets",
        "List uploads",
        list::list,
    );
    table.post(
        "/v1/buckets/{bucket_identifier}/uploads/confirm/batch",
        "confirm_uploads_batch_buckets",
        "Confirm up to 100 uploads",
        confirm::many,
    );
    let one = "/v1/buckets/{bucket_identifier}/uploads/{upload_id}";
    table.get(one, "get_upload_buckets", "Read an upload", get);
    table.delete(one, "delete_upload_buckets", "Cancel an upload", delete);
    table.post(
        "/v1/buckets/{bucket_identifier}/uploads/{upload_id}/confirm",
        "confirm_upload_buckets",
        "Check what was sent and make its object",
        confirm::one,
    );
    let content = "/v1/uploads/{upload_id}/content";
    table
        .upload(
            Method::PUT,
            content,
            "put_upload_content",
            "Send the bytes of an upload; the token of its URL opens this",
            FILE_BYTES_MAX,
            receive,
        )
        .public();
    table
        .download(
            content,
            "get_upload_content",
            "Read bytes; the token of their URL opens this",
            "application/octet-stream",
            send,
        )
        .public();
}

#[derive(Deserialize, JsonSchema)]
struct CreateUpload {
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^/\\\x00-\x1f]+$"))]
    filename: String,
    #[schemars(
        length(max = 255),
        regex(pattern = r"^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
    )]
    content_type: String,
    /// What it will have: others are refused.
    #[schemars(range(min = 1, max = FILE_BYTES_MAX))]
    file_size_bytes: Option<u64>,
    /// Seconds that the URL is valid for (3600).
    #[schemars(range(min = 60, max = 86400))]
    presigned_url_expiration: Option<u64>,
    /// Kept with the upload.
    metadata: Option<Map<String, Value>>,
    /// Make an object when the upload is confirmed (true).
    create_object_on_confirm: Option<bool>,
    /// For that object: fields of the bucket's schema, the rest is kept beside them.
    object_metadata: Option<Map<String, Value>>,
    /// Field of the bucket's schema; if absent, the only one that takes files, or the name of the
    /// file.
    #[schemars(length(min = 1, max = 128))]
    blob_property: Option<String>,
    /// That of the field, or what the content type says.
    blob_type: Option<TypeWord>,
    /// SHA-256 in hex: other bytes are refused.
    #[schemars(regex(pattern = "^[a-f0-9]{64}$"))]
    file_hash: Option<String>,
    /// Take the upload that has brought the same bytes, where there is one (true).
    skip_duplicates: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct CreateUploads {
    #[schemars(length(min = 1, max = 100))]
    uploads: Vec<CreateUpload>,
    /// For all of them, under their own.
    shared_metadata: Option<Map<String, Value>>,
    shared_object_metadata: Option<Map<String, Value>>,
}

#[derive(Serialize, JsonSchema)]
struct Uploads {
    uploads: Vec<UploadModel>,
    total: u64,
}

#[derive(Deserialize, JsonSchema)]
struct GetQuery {
    /// With a link to the bytes, valid for an hour.
    return_presigned_urls: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct DeleteQuery {
    /// Nothing is left of it (true); else it is CANCELED, and its bytes stay.
    delete_s3_object: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct TokenQuery {
    /// As it is in the URL.
    token: String,
}

/// What came.
#[derive(Serialize, JsonSchema)]
struct Received {
    upload_id: String,
    /// SHA-256 in hex.
    etag: String,
    file_size_bytes: u64,
}

impl CreateUpload {
    fn draft(self) -> UploadDraft {
        UploadDraft {
            filename: self.filename,
            content_type: self.content_type,
            bytes_expected: self.file_size_bytes,
            sha256_expected: self.file_hash,
            expires_in_seconds: self.presigned_url_expiration.unwrap_or(EXPIRATION_SECONDS),
            metadata: self.metadata.unwrap_or_default(),
            create_object: self.create_object_on_confirm.unwrap_or(true),
            object_metadata: self.object_metadata.unwrap_or_default(),
            property: self.blob_property,
            kind: self.blob_type.map(|TypeWord(kind)| kind),
            skip_duplicates: self.skip_duplicates.unwrap_or(true),
        }
    }
}

/// As it is announced: with the URL that takes its bytes, unless somebody has sent them before.
fn announced(
    call: &Call,
    namespace: &Namespace,
    bucket: &Bucket,
    (upload, known): (Upload, bool),
) -> Result<UploadModel> {
    if known {
        return Ok(model(call.control, upload).known_before());
    }
    let expires = i64::try_from(upload.expires_in_seconds).unwrap_or(0);
    let expires = call.control.engine.env.now().timestamp() + expires;
    let url = link(call, namespace, bucket, &upload.stored, Verb::Put, expires)?;
    Ok(model(call.control, upload).with_url(url))
}

fn create(call: &Call, _: NoQuery, body: CreateUpload) -> Result<UploadModel> {
    let (namespace, bucket) = call.bucket()?;
    let mut made = call.control.create_uploads(&namespace, &bucket, vec![body.draft()])?;
    let made = made.pop().ok_or_else(|| Error::internal("an upload was lost"))?;
    announced(call, &namespace, &bucket, made)
}

fn create_many(call: &Call, _: NoQuery, body: CreateUploads) -> Result<Uploads> {
    let (namespace, bucket) = call.bucket()?;
    let merged = |shared: &Option<Map<String, Value>>, own: Map<String, Value>| {
        let mut all = shared.clone().unwrap_or_default();
        all.extend(own);
        all
    };
    let drafts = body.uploads.into_iter().map(|upload| {
        let mut draft = upload.draft();
        draft.metadata = merged(&body.shared_metadata, draft.metadata);
        draft.object_metadata = merged(&body.shared_object_metadata, draft.object_metadata);
        draft
    });
    let made = call.control.create_uploads(&namespace, &bucket, drafts.collect())?;
    let uploads: Vec<UploadModel> = made
        .into_iter()
        .map(|made| announced(call, &namespace, &bucket, made))
        .collect::<Result<_>>()?;
    Ok(Uploads { total: uploads.len() as u64, uploads })
}

/// With a link for reading where there is something to read.
fn readable(
    call: &Call,
    namespace: &Namespace,
    bucket: &Bucket,
    upload: Upload,
    wanted: bool,
) -> Result<UploadModel> {
    let has_bytes = matches!(upload.status, UploadStatus::Received | UploadStatus::Confirmed);
    if !wanted || !has_bytes {
        return Ok(model(call.control, upload));
    }
    let expires = call.control.engine.env.now().timestamp() + LINK_SECONDS;
    let url = link(call, namespace, bucket, &upload.stored, Verb::Get, expires)?;
    Ok(model(call.control, upload).with_url(url))
}

fn get(call: &Call, query: GetQuery) -> Result<UploadModel> {
    let (namespace, bucket) = call.bucket()?;
    let upload = call.control.upload(&bucket, call.path("upload_id"))?;
    readable(call, &namespace, &bucket, upload, query.return_presigned_urls.unwrap_or(false))
}

fn delete(call: &Call, query: DeleteQuery, (): ()) -> Result<()> {
    let (_, bucket) = call.bucket()?;
    let with_bytes = query.delete_s3_object.unwrap_or(true);
    call.control.delete_upload(&bucket, call.path("upload_id"), with_bytes)
}

fn receive(call: &Call, query: TokenQuery, bytes: &[u8]) -> Result<Received> {
    let id = call.path("upload_id");
    let link = call.control.opened(&query.token, Verb::Put, id)?;
    let namespace = call.control.namespace(link.namespace.as_str())?;
    let bucket = call.control.bucket(&namespace, link.bucket.as_str())?;
    let upload = call.control.receive_upload(&bucket, id, bytes)?;
    Ok(Received {
        upload_id: upload.id.to_string(),
        etag: upload.sha256.unwrap_or_default(),
        file_size_bytes: upload.bytes.unwrap_or(0),
    })
}

fn send(call: &Call, query: TokenQuery) -> Result<Plainly> {
    let link = call.control.opened(&query.token, Verb::Get, call.path("upload_id"))?;
    // The link outlives neither its namespace nor its bucket.
    let namespace = call.control.namespace(link.namespace.as_str())?;
    call.control.bucket(&namespace, link.bucket.as_str())?;
    let bytes =
        call.control.engine.artifacts.get(&link.stored).map_err(|error| match error.code() {
            // Where they were is nobody's business.
            Code::NotFound => Error::new(Code::NotFound, "the bytes are gone"),
            _ => error,
        })?;
    let bytes = bytes.to_vec();
    Ok(Plainly::Bytes { content_type: "application/octet-stream".to_string(), bytes })
}
