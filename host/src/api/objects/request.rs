//! What objects are made and changed from, as clients write it.

use super::model::Edge;
use crate::config::FieldType;
use crate::control::{BlobDraft, ObjectDraft, Policy};
use crate::error::{Code, Error, Result};
use crate::store::catalog::Bucket;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

#[derive(Deserialize, JsonSchema)]
pub(super) struct CreateObject {
    #[schemars(length(max = 1024))]
    key_prefix: Option<String>,
    /// At most one for each field of the bucket's schema.
    #[schemars(length(max = 256))]
    blobs: Option<Vec<CreateBlob>>,
    /// Answer with the object that has the same content, where there is one.
    skip_duplicates: Option<bool>,
    /// Taken: what is referred to is never copied.
    #[allow(dead_code, reason = "part of the API")]
    canonicalize_source: Option<bool>,
    /// Taken if false: what is referred to is never copied.
    force_remirror: Option<bool>,
    #[schemars(length(max = 64))]
    edges: Option<Vec<Edge>>,
    /// The second object with one is the first.
    #[schemars(length(min = 1, max = 255))]
    idempotency_key: Option<String>,
    /// Kept with the object; what is called like a field of the schema fills it.
    metadata: Option<Map<String, Value>>,
    /// Fields of the bucket's schema by their names.
    #[serde(flatten)]
    fields: Map<String, Value>,
}

#[derive(Deserialize, JsonSchema)]
struct CreateBlob {
    /// Field of the bucket's schema.
    #[schemars(length(min = 1, max = 128))]
    property: String,
    #[schemars(length(max = 1024))]
    key_prefix: Option<String>,
    /// That of the field.
    #[serde(rename = "type")]
    kind: Option<TypeWord>,
    /// The value itself, a URL, a `data:` URL, or `{"url" | "base64" | "text" | "upload_id": …}`
    /// with `filename` and `mime_type`.
    data: Option<Value>,
    /// Instead of data: a confirmed upload.
    #[schemars(regex(pattern = r"^upl_[a-zA-Z0-9_-]+$"))]
    upload_id: Option<String>,
    /// `sha256:` and 64 hex digits.
    checksum: Option<String>,
    metadata: Option<Map<String, Value>>,
    /// Taken: what is referred to is never copied.
    #[allow(dead_code, reason = "part of the API")]
    canonicalize_source: Option<bool>,
    force_remirror: Option<bool>,
}

/// A type of the bucket's schema; clients write it in lower or in upper case.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct TypeWord(pub(in crate::api) FieldType);

impl<'de> Deserialize<'de> for TypeWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?.to_lowercase();
        let kind = serde_json::from_value(Value::from(word)).map_err(serde::de::Error::custom)?;
        Ok(TypeWord(kind))
    }
}

impl JsonSchema for TypeWord {
    fn schema_name() -> Cow<'static, str> {
        "TypeWord".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut words = FieldType::json_schema(generator).to_value()["enum"].clone();
        if let Value::Array(words) = &mut words {
            let upper: Vec<Value> = words
                .iter()
                .filter_map(Value::as_str)
                .map(|word| word.to_uppercase().into())
                .collect();
            words.extend(upper);
        }
        schemars::json_schema!({ "type": "string", "enum": words })
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct CreateObjects {
    #[schemars(length(min = 1, max = 100))]
    pub(super) objects: Vec<CreateObject>,
}

/// Fields of the bucket's schema by their names; null empties one.
#[derive(Deserialize, JsonSchema)]
pub(super) struct PatchObject {
    #[schemars(length(max = 1024))]
    key_prefix: Option<String>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct UpdateObject {
    #[schemars(length(max = 1024))]
    key_prefix: Option<String>,
    /// Fields of the bucket's schema, and what is kept beside them; null removes.
    metadata: Option<Map<String, Value>>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// What happens to an object whose unique key is there, or is not.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::api) enum PolicyWord {
    /// One that is there is refused.
    Insert,
    /// One that is not there is refused.
    Update,
    Upsert,
}

impl PolicyWord {
    pub(in crate::api) fn policy(self) -> Policy {
        match self {
            PolicyWord::Insert => Policy::Insert,
            PolicyWord::Update => Policy::Update,
            PolicyWord::Upsert => Policy::Upsert,
        }
    }
}

fn refuse_copy(force: Option<bool>, pointer: &str) -> Result<()> {
    match force {
        Some(true) => Err(Error::new(Code::Unsupported, "what is referred to is never copied")
            .field(format!("{pointer}/force_remirror"))
            .hint("leave it out, or upload the file")),
        _ => Ok(()),
    }
}

/// Metadata that is called like a field of the schema fills it.
fn sort_out(
    bucket: &Bucket,
    fields: &mut Map<String, Value>,
    given: Map<String, Value>,
) -> Map<String, Value> {
    let known = |name: &str| bucket.schema["properties"].get(name).is_some();
    let (own, rest): (Map<String, Value>, Map<String, Value>) =
        given.into_iter().partition(|(name, _)| known(name) && !fields.contains_key(name));
    fields.extend(own);
    rest
}

impl CreateObject {
    pub(super) fn draft(self, bucket: &Bucket) -> Result<ObjectDraft> {
        refuse_copy(self.force_remirror, "")?;
        let blobs = self.blobs.unwrap_or_default();
        let filled = |name: &String| blobs.iter().any(|blob: &CreateBlob| blob.property == *name);
        let mut fields = self.fields;
        let (filling, kept) =
            self.metadata.unwrap_or_default().into_iter().partition(|(name, _)| !filled(name));
        let mut metadata = sort_out(bucket, &mut fields, filling);
        let kept: Map<String, Value> = kept;
        metadata.extend(kept);
        let blobs = blobs.into_iter().enumerate().map(|(at, blob)| blob.draft(at));
        Ok(ObjectDraft {
            key_prefix: self.key_prefix,
            blobs: blobs.collect::<Result<_>>()?,
            fields,
            metadata,
            edges: self.edges.map(|edges| edges.iter().map(|edge| json!(edge)).collect()),
            idempotency_key: self.idempotency_key,
            skip_duplicates: self.skip_duplicates.unwrap_or(false),
        })
    }
}

impl CreateBlob {
    fn draft(self, at: usize) -> Result<BlobDraft> {
        refuse_copy(self.force_remirror, &format!("/blobs/{at}"))?;
        Ok(BlobDraft {
            property: self.property,
            kind: self.kind.map(|TypeWord(kind)| kind),
            key_prefix: self.key_prefix,
            data: self.data,
            upload: self.upload_id,
            checksum: self.checksum,
            metadata: self.metadata.unwrap_or_default(),
        })
    }
}

impl PatchObject {
    pub(super) fn draft(self) -> ObjectDraft {
        let PatchObject { key_prefix, fields } = self;
        ObjectDraft { key_prefix, fields, ..ObjectDraft::default() }
    }
}

impl UpdateObject {
    pub(super) fn draft(self, bucket: &Bucket) -> ObjectDraft {
        let UpdateObject { key_prefix, metadata, mut fields } = self;
        let metadata = sort_out(bucket, &mut fields, metadata.unwrap_or_default());
        ObjectDraft { key_prefix, fields, metadata, ..ObjectDraft::default() }
    }
}
