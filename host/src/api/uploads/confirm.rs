//! Confirmations: at once, whatever was asked for. The bytes are here and were looked at when they
//! came, so there is nothing to wait for.

use super::model::{UploadState, model};
use crate::api::call::Call;
use crate::api::failure;
use crate::api::objects::PolicyWord;
use crate::control::{Confirmation, WriteOptions};
use crate::error::{Code, Error, Result};
use crate::store::catalog::Upload;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[derive(Deserialize, JsonSchema)]
pub(super) struct ConfirmQuery {
    /// Taken: the answer comes when it is done in either case.
    #[serde(rename = "async")]
    #[allow(dead_code, reason = "part of the API")]
    later: Option<bool>,
    /// Where the bucket has a unique key; its own `default_policy` if absent.
    policy: Option<PolicyWord>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct ConfirmManyQuery {
    policy: Option<PolicyWord>,
}

#[derive(Default, Deserialize, JsonSchema)]
pub(super) struct ConfirmUpload {
    /// As the PUT has answered it.
    #[schemars(length(max = 256))]
    etag: Option<String>,
    #[schemars(range(min = 1))]
    file_size_bytes: Option<u64>,
    auto_submit_batch: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct ConfirmUploads {
    #[schemars(length(min = 1, max = 100))]
    confirmations: Vec<OneOfMany>,
}

#[derive(Deserialize, JsonSchema)]
struct OneOfMany {
    #[schemars(regex(pattern = "^upl_[a-zA-Z0-9_-]{1,64}$"))]
    upload_id: String,
    #[schemars(length(max = 256))]
    etag: Option<String>,
    #[schemars(range(min = 1))]
    file_size_bytes: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Confirmed {
    upload_id: String,
    status: UploadState,
    /// SHA-256 in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<String>,
    message: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ConfirmedMany {
    task_id: String,
    status: String,
    confirmations_count: u64,
    task: ConfirmationTask,
    message: String,
}

/// The task under which this can be looked up, which has ended.
#[derive(Serialize, JsonSchema)]
struct ConfirmationTask {
    task_id: String,
    task_type: String,
    status: String,
    /// Ids of the uploads.
    inputs: Vec<String>,
    /// What became of each.
    outputs: Vec<Outcome>,
    additional_data: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Clone, Serialize, JsonSchema)]
struct Outcome {
    upload_id: String,
    status: UploadState,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

fn options(call: &Call, policy: Option<PolicyWord>) -> WriteOptions {
    let local_files = call.caller.namespace.is_none();
    WriteOptions::new(policy.map(PolicyWord::policy), local_files)
}

pub(super) fn one(
    call: &Call,
    query: ConfirmQuery,
    body: Option<ConfirmUpload>,
) -> Result<Confirmed> {
    let body = body.unwrap_or_default();
    if body.auto_submit_batch == Some(true) {
        return Err(Error::new(Code::Unsupported, "no batch is made of an upload by itself")
            .field("/auto_submit_batch")
            .hint("make a batch of the object and submit it"));
    }
    let (namespace, bucket) = call.bucket()?;
    let confirmation = Confirmation { etag: body.etag, bytes: body.file_size_bytes };
    let upload = call.control.confirm_upload(
        &namespace,
        &bucket,
        call.path("upload_id"),
        &confirmation,
        options(call, query.policy),
    )?;
    Ok(confirmed(call, upload))
}

fn confirmed(call: &Call, upload: Upload) -> Confirmed {
    let shown = model(call.control, upload);
    let message = match (shown.is_duplicate, &shown.object_id) {
        (true, _) => "confirmed; a file with the same bytes was here before",
        (false, Some(_)) => "confirmed; the object can be put into a batch",
        (false, None) => "confirmed; name its upload_id in a blob of an object",
    };
    Confirmed {
        upload_id: shown.upload_id,
        status: shown.status,
        etag: shown.etag,
        file_size_bytes: shown.file_size_bytes,
        file_hash: shown.file_hash,
        verified_at: shown.completed_at.clone(),
        completed_at: shown.completed_at,
        object_id: shown.object_id,
        message: message.to_string(),
    }
}

pub(super) fn many(
    call: &Call,
    query: ConfirmManyQuery,
    body: ConfirmUploads,
) -> Result<ConfirmedMany> {
    let (namespace, bucket) = call.bucket()?;
    let options = options(call, query.policy);
    let mut outputs = Vec::new();
    for one in &body.confirmations {
        let confirmation = Confirmation { etag: one.etag.clone(), bytes: one.file_size_bytes };
        let control = call.control;
        let done =
            control.confirm_upload(&namespace, &bucket, &one.upload_id, &confirmation, options);
        outputs.push(match done {
            Ok(upload) => Outcome {
                upload_id: one.upload_id.clone(),
                status: UploadState::Completed,
                object_id: upload.object.map(|object| object.to_string()),
                error: None,
            },
            Err(error) if failure::status(error.code()) >= 500 => return Err(error),
            Err(error) => Outcome {
                upload_id: one.upload_id.clone(),
                status: UploadState::Failed,
                object_id: None,
                error: Some(error.chain().chars().take(200).collect()),
            },
        });
    }
    let failed = outputs.iter().filter(|outcome| outcome.error.is_some()).count();
    let status = match failed {
        0 => "COMPLETED",
        some if some < outputs.len() => "COMPLETED_WITH_ERRORS",
        _ => "FAILED",
    };
    let error = outputs.iter().find_map(|outcome| outcome.error.clone());
    let mut details = Map::new();
    details.insert("bucket_id".to_string(), json!(bucket.id));
    // Without the texts: a record has its limits.
    let brief: Vec<Outcome> =
        outputs.iter().map(|outcome| Outcome { error: None, ..outcome.clone() }).collect();
    details.insert("outputs".to_string(), json!(brief));
    let kind = "api_buckets_uploads_batch_confirm";
    let task = call.control.ended_task(&namespace, kind, status, error.clone(), details.clone())?;
    let count = outputs.len();
    Ok(ConfirmedMany {
        task_id: task.id.to_string(),
        status: status.to_string(),
        confirmations_count: count as u64,
        task: ConfirmationTask {
            task_id: task.id.to_string(),
            task_type: kind.to_string(),
            status: status.to_string(),
            inputs: body.confirmations.into_iter().map(|one| one.upload_id).collect(),
            outputs,
            additional_data: details,
            error,
        },
        message: format!("{} of {count} uploads are confirmed", count - failed),
    })
}
