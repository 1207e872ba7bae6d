//! Uploads: announced, sent, confirmed. Each brings one file, whose bytes never change: an object
//! that names them may have been made.

use super::objects::{self, ObjectDraft, WriteOptions, is_file, sha256, type_word};
use super::{BlobDraft, Control, not_found};
use crate::config::FieldType;
use crate::error::{Code, Error, Result};
use crate::model::{ObjectId, TaskId, UploadId};
use crate::store::Store;
use crate::store::catalog::{Bucket, Lookup, Namespace, Task, Upload, UploadStatus};
use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Map, Value};

/// What an upload is announced with.
#[derive(Debug, Clone)]
pub struct UploadDraft {
    pub filename: String,
    pub content_type: String,
    pub bytes_expected: Option<u64>,
    pub sha256_expected: Option<String>,
    pub expires_in_seconds: u64,
    pub metadata: Map<String, Value>,
    pub create_object: bool,
    pub object_metadata: Map<String, Value>,
    /// Field of the bucket's schema; the only one that takes files, if absent.
    pub property: Option<String>,
    pub kind: Option<FieldType>,
    pub skip_duplicates: bool,
}

/// What somebody says has been uploaded.
#[derive(Debug, Clone, Default)]
pub struct Confirmation {
    pub etag: Option<String>,
    pub bytes: Option<u64>,
}

fn lookup_key(bucket: &Bucket, digest: &str) -> String {
    objects::place(bucket, &format!("file-{digest}"))
}

impl Control {
    pub fn uploads_of<'a>(
        &'a self,
        bucket: &Bucket,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<Upload>> + 'a {
        let after = after.map(|id| objects::place(bucket, id));
        let prefix = objects::place(bucket, "");
        let entries = self.engine.store.each::<Upload>(&prefix, after.as_deref());
        entries.map(|entry| entry.map(|(_, upload)| upload))
    }

    /// Newest first.
    pub fn uploads_back<'a>(
        &'a self,
        bucket: &Bucket,
        before: Option<&str>,
    ) -> impl Iterator<Item = Result<Upload>> + 'a {
        let before = before.map(|id| objects::place(bucket, id));
        let prefix = objects::place(bucket, "");
        let entries = self.engine.store.each_back::<Upload>(&prefix, before.as_deref());
        entries.map(|entry| entry.map(|(_, upload)| upload))
    }

    pub fn upload(&self, bucket: &Bucket, id: &str) -> Result<Upload> {
        let found = self.engine.store.find(&objects::place(bucket, id))?;
        found.ok_or_else(|| not_found("upload", id))
    }

    /// Whether its time ran out before it was confirmed.
    pub fn is_expired(&self, upload: &Upload) -> bool {
        let open = matches!(upload.status, UploadStatus::Pending | UploadStatus::Received);
        open && upload.expires_at <= self.now()
    }

    /// The confirmed upload with these bytes.
    fn upload_with(&self, bucket: &Bucket, digest: &str) -> Result<Option<Upload>> {
        match self.engine.store.find::<Lookup>(&lookup_key(bucket, digest))? {
            Some(Lookup(id)) => self.engine.store.find(&objects::place(bucket, &id)),
            None => Ok(None),
        }
    }

    /// Announces uploads. `true`: there is one with these bytes, which takes the new one's place.
    pub fn create_uploads(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        drafts: Vec<UploadDraft>,
    ) -> Result<Vec<(Upload, bool)>> {
        let _lock = self.locks.hold(bucket.id.as_str());
        self.check_bucket(bucket)?;
        let (mut all, mut ops) = (Vec::new(), Vec::new());
        for draft in drafts {
            if draft.skip_duplicates
                && let Some(digest) = &draft.sha256_expected
                && let Some(known) = self.upload_with(bucket, digest)?
            {
                all.push((known, true));
                continue;
            }
            let upload = self.announced(namespace, bucket, draft)?;
            ops.push(Store::put(&objects::place(bucket, upload.id.as_str()), &upload)?);
            all.push((upload, false));
        }
        self.engine.store.commit(ops)?;
        Ok(all)
    }

    fn announced(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        draft: UploadDraft,
    ) -> Result<Upload> {
        let (property, kind) = objects::file_field(bucket, &draft)?;
        let id = UploadId::from_uuid(self.engine.env.uuid());
        let expires = self.engine.env.now()
            + TimeDelta::seconds(i64::try_from(draft.expires_in_seconds).unwrap_or(0));
        let upload = Upload {
            stored: objects::stored_name(namespace, &id),
            id,
            bucket: bucket.id.clone(),
            filename: draft.filename,
            content_type: draft.content_type,
            bytes_expected: draft.bytes_expected,
            sha256_expected: draft.sha256_expected,
            expires_in_seconds: draft.expires_in_seconds,
            metadata: draft.metadata,
            create_object: draft.create_object,
            object_metadata: draft.object_metadata,
            property,
            kind: kind.map(|kind| type_word(kind).to_string()),
            skip_duplicates: draft.skip_duplicates,
            status: UploadStatus::Pending,
            bytes: None,
            sha256: None,
            duplicate_of: None,
            object: None,
            created_at: self.now(),
            expires_at: expires.to_rfc3339_opts(SecondsFormat::Millis, true),
            confirmed_at: None,
        };
        objects::check_record(&upload, UPLOAD_BYTES_MAX, "most of it is metadata")?;
        Ok(upload)
    }

    /// Takes the bytes of an upload. The same ones may be sent again.
    pub fn receive_upload(&self, bucket: &Bucket, id: &str, bytes: &[u8]) -> Result<Upload> {
        let open = |upload: &Upload| match upload.status {
            UploadStatus::Pending | UploadStatus::Received if !self.is_expired(upload) => Ok(()),
            _ => Err(Error::new(Code::Conflict, format!("upload {id} takes no bytes any more"))
                .hint("make a new one")),
        };
        let upload = self.upload(bucket, id)?;
        open(&upload)?;
        let digest = sha256(bytes);
        let size = bytes.len() as u64;
        if upload.bytes_expected.is_some_and(|expected| expected != size) {
            let message = format!("the file has {size} bytes, not those that were announced");
            return Err(Error::invalid(message).hint("announce it with its size, or without one"));
        }
        if upload.sha256_expected.as_ref().is_some_and(|expected| *expected != digest) {
            let message = format!("the SHA-256 of the bytes is {digest}, not the announced one");
            return Err(Error::invalid(message).hint("send them again, or announce it anew"));
        }
        let artifacts = &self.engine.artifacts;
        let fresh = artifacts.create(&upload.stored, bytes.to_vec().into())?;
        if !fresh && sha256(&artifacts.get(&upload.stored)?) != digest {
            let message = format!("upload {id} has other bytes already");
            return Err(Error::new(Code::Conflict, message).hint("make a new one"));
        }
        let lock = self.locks.hold(bucket.id.as_str());
        let received = self.upload(bucket, id).and_then(|mut upload| {
            open(&upload)?;
            upload.status = UploadStatus::Received;
            upload.bytes = Some(size);
            upload.sha256 = Some(digest);
            let op = Store::put(&objects::place(bucket, id), &upload)?;
            self.engine.store.commit(vec![op])?;
            Ok(upload)
        });
        drop(lock);
        if fresh && received.as_ref().is_err_and(|error| error.code() == Code::NotFound) {
            // It was deleted meanwhile.
            self.discard(&[upload.stored]);
        }
        received
    }

    /// Checks what was sent and makes the object from it, if one is to be made. Again: the same
    /// answer.
    pub fn confirm_upload(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        id: &str,
        confirmation: &Confirmation,
        options: WriteOptions,
    ) -> Result<Upload> {
        let upload = self.upload(bucket, id)?;
        self.check_confirmation(&upload, confirmation)?;
        if upload.status == UploadStatus::Confirmed {
            return Ok(upload);
        }
        let digest = upload.sha256.clone().unwrap_or_default();
        let known = match upload.skip_duplicates {
            true => self.upload_with(bucket, &digest)?.filter(|known| known.id != upload.id),
            false => None,
        };
        let mut object = known.as_ref().and_then(|known| known.object.clone());
        if let Some(id) = &object
            && !self.has_object(bucket, id.as_str())?
        {
            object = None;
        }
        if upload.create_object && object.is_none() {
            object = Some(self.object_of_upload(namespace, bucket, &upload, options)?);
        }
        let _lock = self.locks.hold(bucket.id.as_str());
        let mut upload = self.upload(bucket, id)?;
        if upload.status == UploadStatus::Confirmed {
            return Ok(upload);
        }
        let mut spare = None;
        if let Some(known) = known {
            // What was made from its own bytes needs them.
            if object == known.object {
                spare = Some(std::mem::replace(&mut upload.stored, known.stored));
            }
            upload.duplicate_of = Some(known.id);
        }
        upload.status = UploadStatus::Confirmed;
        upload.confirmed_at = Some(self.now());
        upload.object = object;
        let mut ops = vec![Store::put(&objects::place(bucket, id), &upload)?];
        let key = lookup_key(bucket, &digest);
        if self.engine.store.find::<Lookup>(&key)?.is_none() {
            ops.push(Store::put(&key, &Lookup(id.to_string()))?);
        }
        self.engine.store.commit(ops)?;
        self.discard(spare.as_slice());
        Ok(upload)
    }

    fn check_confirmation(&self, upload: &Upload, confirmation: &Confirmation) -> Result<()> {
        let refused = |message: &str, hint: &str| {
            let message = format!("upload {} {message}", upload.id);
            Err(Error::new(Code::Conflict, message).hint(hint.to_string()))
        };
        match upload.status {
            UploadStatus::Canceled => return refused("was canceled", "make a new one"),
            UploadStatus::Pending | UploadStatus::Received if self.is_expired(upload) => {
                return refused("has expired", "make a new one");
            }
            UploadStatus::Pending => {
                return refused("has no bytes yet", "send them to its URL first");
            }
            UploadStatus::Received | UploadStatus::Confirmed => {}
        }
        if let Some(etag) = &confirmation.etag {
            let plain = etag.trim().trim_start_matches("W/").trim_matches('"');
            if upload.sha256.as_deref() != Some(plain) {
                return Err(Error::invalid("the bytes that came have another ETag")
                    .field("/etag")
                    .hint("it is the one that the PUT has answered, their SHA-256"));
            }
        }
        if let Some(bytes) = confirmation.bytes
            && upload.bytes != Some(bytes)
        {
            let came = upload.bytes.unwrap_or(0);
            return Err(
                Error::invalid(format!("{came} bytes came, not {bytes}")).field("/file_size_bytes")
            );
        }
        Ok(())
    }

    /// Under an idempotency key of the upload, so that a crash before its own record is written
    /// does not make a second object.
    fn object_of_upload(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        upload: &Upload,
        options: WriteOptions,
    ) -> Result<ObjectId> {
        let (fields, metadata) = objects::split(bucket, upload.object_metadata.clone())?;
        let property = upload.property.clone().ok_or_else(|| {
            Error::internal(format!("upload {} makes an object of no field", upload.id))
        })?;
        let draft = ObjectDraft {
            blobs: vec![BlobDraft {
                property,
                kind: None,
                key_prefix: None,
                data: None,
                upload: Some(upload.id.to_string()),
                checksum: None,
                metadata: Map::new(),
            }],
            fields,
            metadata,
            idempotency_key: Some(format!("upload {}", upload.id)),
            ..ObjectDraft::default()
        };
        let options = WriteOptions { unconfirmed: true, ..options };
        Ok(self.create_object(namespace, bucket, draft, options)?.object.id)
    }

    /// Keeps a task of something that is done already.
    pub fn ended_task(
        &self,
        namespace: &Namespace,
        kind: &str,
        status: &str,
        error: Option<String>,
        details: Map<String, Value>,
    ) -> Result<Task> {
        let task = Task {
            id: TaskId::from_uuid(self.engine.env.uuid()),
            namespace: namespace.id.clone(),
            kind: kind.to_string(),
            batch: None,
            status: status.to_string(),
            error,
            details,
            created_at: self.now(),
            ended_at: Some(self.now()),
        };
        self.engine.store.commit(vec![Store::put(task.id.as_str(), &task)?])?;
        Ok(task)
    }

    /// Ends an upload that is not confirmed. Without its bytes nothing is left of it, else it is
    /// CANCELED.
    pub fn delete_upload(&self, bucket: &Bucket, id: &str, with_bytes: bool) -> Result<()> {
        let lock = self.locks.hold(bucket.id.as_str());
        let mut upload = self.upload(bucket, id)?;
        if upload.status == UploadStatus::Confirmed {
            let message = format!("upload {id} is confirmed, and objects may name its bytes");
            return Err(Error::new(Code::Conflict, message).hint("delete the object"));
        }
        let key = objects::place(bucket, id);
        upload.status = UploadStatus::Canceled;
        let op = match with_bytes {
            true => Store::remove::<Upload>(&key),
            false => Store::put(&key, &upload)?,
        };
        self.engine.store.commit(vec![op])?;
        drop(lock);
        if with_bytes {
            self.discard(&[upload.stored]);
        }
        Ok(())
    }
}

/// Bytes of the record of an upload.
const UPLOAD_BYTES_MAX: usize = 32 << 10;

/// The type of field that files of this kind go into.
pub fn kind_of(content_type: &str) -> Option<FieldType> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(match kind.split_once('/')? {
        ("image", _) => FieldType::Image,
        ("audio", _) => FieldType::Audio,
        ("video", _) => FieldType::Video,
        ("application", "pdf") => FieldType::Pdf,
        ("application", "vnd.ms-excel") | ("text", "csv") => FieldType::Excel,
        ("application", word) if word.contains("spreadsheetml") => FieldType::Excel,
        ("application", "json" | "xml") | ("text", _) => FieldType::Text,
        _ => return None,
    })
}

/// Whether a file of that kind may fill a field of this type.
pub fn takes(field: FieldType, content_type: &str) -> bool {
    match (field, kind_of(content_type)) {
        (_, None) => is_file(field),
        (FieldType::Binary, _) => true,
        // Pictures that move, and tables that are text.
        (FieldType::Video, Some(FieldType::Image)) => content_type.starts_with("image/gif"),
        (FieldType::Text, Some(FieldType::Excel)) => content_type.starts_with("text/"),
        (field, Some(kind)) => field == kind,
    }
}
