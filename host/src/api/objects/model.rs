//! Objects as clients read them.

use crate::api::call::Call;
use crate::control::{Link, Verb};
use crate::error::Result;
use crate::store::catalog::{Blob, Bucket, Content, Namespace, Object, ObjectStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How long links for reading are valid.
pub(in crate::api) const LINK_SECONDS: i64 = 3600;
/// What a field of an object can not be called at its root.
const RESERVED: [&str; 14] = [
    "object_id",
    "bucket_id",
    "key_prefix",
    "blobs",
    "source_details",
    "edges",
    "status",
    "error",
    "metadata",
    "created_at",
    "updated_at",
    "document_count",
    "consistency",
    "deletion",
];

/// A relation to another object.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct Edge {
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 128))]
    kind: String,
    #[schemars(length(min = 1, max = 256))]
    target_object_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_collection_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<EdgeDirection>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<Map<String, Value>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum EdgeDirection {
    Out,
    In,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ObjectState {
    /// No batch has ended with it.
    Pending,
    Completed,
    Failed,
    /// It was deleted and is only kept for the record.
    Deactivated,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ObjectModel {
    object_id: String,
    bucket_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blobs: Option<Vec<BlobModel>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_details: Option<Vec<SourceDetails>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<Edge>>")]
    edges: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ObjectState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    /// Only when one object is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) document_count: Option<u64>,
    /// Only when it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    consistency: Option<Consistency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion: Option<DeletionModel>,
    /// Fields that were given by their names.
    #[serde(flatten)]
    fields: Map<String, Value>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct BlobModel {
    blob_id: String,
    property: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_prefix: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    /// Its metadata, and `text`, `value` or `url`, or `storage_key` for bytes that are here.
    properties: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presigned_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<BlobDetails>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct BlobDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<String>,
    /// `sha256:` and 64 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SourceDetails {
    #[serde(rename = "type")]
    kind: &'static str,
    source_id: String,
}

/// When an object can be found by what is in it.
#[derive(Debug, Serialize, JsonSchema)]
struct Consistency {
    /// After a batch has processed it.
    retriever_visible: &'static str,
    write_token_available: bool,
    poll: Poll,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Poll {
    endpoint: String,
    field: &'static str,
    ready_when: &'static str,
}

#[derive(Debug, Serialize, JsonSchema)]
struct DeletionModel {
    at: String,
    reason: String,
    lifecycle_state: String,
    source: String,
}

/// An object of which only some fields may have been asked for.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Shown(pub(super) Value);

impl JsonSchema for Shown {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        ObjectModel::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        ObjectModel::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        ObjectModel::json_schema(generator)
    }
}

/// For a link to bytes of the engine's own store.
pub(in crate::api) fn link(
    call: &Call,
    namespace: &Namespace,
    bucket: &Bucket,
    stored: &str,
    verb: Verb,
    expires: i64,
) -> Result<String> {
    let link = Link {
        verb,
        namespace: namespace.id.clone(),
        bucket: bucket.id.clone(),
        stored: stored.to_string(),
        expires,
    };
    let token = call.control.sign(&link)?;
    let (origin, id) = (call.origin.unwrap_or_default(), stored.rsplit('/').next().unwrap_or(""));
    Ok(format!("{origin}/v1/uploads/{id}/content?token={token}"))
}

/// Whose links a model may hold.
pub(super) struct Links<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) namespace: &'a Namespace,
    pub(super) bucket: &'a Bucket,
}

impl Links<'_> {
    fn to(&self, blob: &Blob) -> Result<Option<String>> {
        match (&blob.stored, &blob.content) {
            (Some(stored), _) => {
                let expires = self.call.control.engine.env.now().timestamp() + LINK_SECONDS;
                link(self.call, self.namespace, self.bucket, stored, Verb::Get, expires).map(Some)
            }
            (None, Content::Reference(url)) if url.starts_with("http") => Ok(Some(url.clone())),
            (None, _) => Ok(None),
        }
    }
}

pub(super) fn model(object: Object, links: Option<&Links>) -> Result<ObjectModel> {
    let mut blobs = Vec::new();
    let mut fields = Map::new();
    for blob in object.blobs {
        match blob.content {
            Content::Value(value) if blob.root && !RESERVED.contains(&blob.property.as_str()) => {
                fields.insert(blob.property, value);
            }
            _ => blobs.push(blob_model(blob, links)?),
        }
    }
    let state = match (object.status, &object.deleted) {
        (_, Some(_)) => ObjectState::Deactivated,
        (ObjectStatus::Pending, None) => ObjectState::Pending,
        (ObjectStatus::Completed, None) => ObjectState::Completed,
        (ObjectStatus::Failed, None) => ObjectState::Failed,
    };
    let source = SourceDetails { kind: "bucket", source_id: object.bucket.to_string() };
    Ok(ObjectModel {
        object_id: object.id.to_string(),
        bucket_id: object.bucket.to_string(),
        key_prefix: object.key_prefix,
        blobs: Some(blobs),
        source_details: Some(vec![source]),
        edges: (!object.edges.is_empty()).then_some(object.edges),
        status: Some(state),
        error: object.error,
        metadata: (!object.metadata.is_empty()).then_some(object.metadata),
        created_at: Some(object.created_at),
        updated_at: Some(object.updated_at),
        document_count: None,
        consistency: None,
        deletion: object.deleted.map(|deletion| DeletionModel {
            at: deletion.at,
            reason: deletion.reason,
            lifecycle_state: deletion.state,
            source: deletion.source,
        }),
        fields,
    })
}

impl ObjectModel {
    /// Says how to find out when it can be searched.
    pub(super) fn just_made(mut self) -> ObjectModel {
        let endpoint = format!("/v1/buckets/{}/objects/{}", self.bucket_id, self.object_id);
        self.consistency = Some(Consistency {
            retriever_visible: "after_processing",
            write_token_available: false,
            poll: Poll { endpoint, field: "document_count", ready_when: "greater than 0" },
        });
        self
    }

    /// One that has documents was processed, whatever is noted.
    pub(super) fn counted(mut self, documents: Option<u64>) -> ObjectModel {
        self.document_count = documents;
        if documents > Some(0) && matches!(self.status, Some(ObjectState::Pending)) {
            self.status = Some(ObjectState::Completed);
        }
        self
    }
}

fn blob_model(blob: Blob, links: Option<&Links>) -> Result<BlobModel> {
    let presigned_url = match links {
        Some(links) => links.to(&blob)?,
        None => None,
    };
    let mut properties = blob.metadata;
    match (blob.content, &blob.stored) {
        (_, Some(stored)) => properties.insert("storage_key".to_string(), json!(stored)),
        (Content::Reference(url), None) => properties.insert("url".to_string(), json!(url)),
        (Content::Value(value @ Value::String(_)), None) => {
            properties.insert("text".to_string(), value)
        }
        (Content::Value(value), None) => properties.insert("value".to_string(), value),
    };
    if let Some(upload) = &blob.upload {
        properties.insert("upload_id".to_string(), json!(upload));
    }
    if let Some(url) = &presigned_url {
        properties.insert("presigned_url".to_string(), json!(url));
    }
    let details = BlobDetails {
        filename: blob.filename,
        size_bytes: blob.bytes,
        mime_type: blob.mime_type,
        hash: blob.sha256.map(|digest| format!("sha256:{digest}")),
    };
    Ok(BlobModel {
        blob_id: blob.id,
        property: blob.property,
        key_prefix: blob.key_prefix,
        kind: blob.kind,
        properties,
        presigned_url,
        details: Some(details),
    })
}

/// What filters, sorting and aggregations see: the answer, and every field by its name.
pub(super) fn view(object: &Object) -> Result<Value> {
    let mut view = json!(model(object.clone(), None)?);
    if let Value::Object(fields) = &mut view {
        for blob in &object.blobs {
            let value = match &blob.content {
                Content::Value(value) => value.clone(),
                Content::Reference(_) if blob.stored.is_some() => json!(blob.stored),
                Content::Reference(url) => json!(url),
            };
            fields.entry(blob.property.clone()).or_insert(value);
        }
    }
    Ok(view)
}
