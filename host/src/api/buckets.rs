//! `/v1/buckets`.

use super::call::Call;
use super::listing::{ListRequest, Pagination, Paging, Wanted};
use super::operation::{NoQuery, Table};
use crate::config::FieldType;
use crate::control::BucketDraft;
use crate::error::{Code, Error, Result};
use crate::store::catalog::Bucket;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(super) fn declare(table: &mut Table) {
    table.tag("buckets");
    table
        .post("/v1/buckets", "create_bucket", "Create a bucket", create)
        .alias("schema", "bucket_schema");
    table.get("/v1/buckets", "list_buckets_get", "List buckets", list_get);
    table.post("/v1/buckets/list", "list_buckets", "List buckets", list);
    let one = "/v1/buckets/{bucket_identifier}";
    table.get(one, "get_bucket", "Read a bucket", get);
    table.patch(one, "patch_bucket", "Change a bucket", change);
    table.put(one, "update_bucket", "Change a bucket", change);
    table.delete(one, "delete_bucket", "Delete a bucket and its objects", delete);
}

/// The fields of a bucket's objects by name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct BucketSchema {
    #[schemars(length(max = 256))]
    properties: BTreeMap<String, BucketSchemaField>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct BucketSchemaField {
    #[serde(rename = "type")]
    kind: FieldType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<Value>,
    /// Of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items: Option<Box<BucketSchemaField>>,
    /// Of an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    properties: Option<BTreeMap<String, BucketSchemaField>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    examples: Option<Vec<Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The only values there are.
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    values: Option<Vec<Value>>,
    /// An object without it is refused.
    #[serde(default)]
    required: Option<bool>,
}

/// Fields that tell objects apart, and what happens to a second one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct UniqueKey {
    #[schemars(length(min = 1, max = 16))]
    fields: Vec<String>,
    #[serde(default)]
    default_policy: Option<Policy>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Policy {
    /// Refused.
    Insert,
    /// Must be there.
    Update,
    Upsert,
}

#[derive(Deserialize, JsonSchema)]
struct CreateBucket {
    #[schemars(length(min = 1, max = 256))]
    bucket_name: String,
    #[schemars(length(max = 4096))]
    description: Option<String>,
    bucket_schema: BucketSchema,
    unique_key: Option<UniqueKey>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize, JsonSchema)]
struct ChangeBucket {
    #[schemars(length(min = 1, max = 256))]
    bucket_name: Option<String>,
    #[schemars(length(max = 4096))]
    description: Option<String>,
    bucket_schema: Option<BucketSchema>,
    unique_key: Option<UniqueKey>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Serialize, JsonSchema)]
struct BucketModel {
    bucket_id: String,
    bucket_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// As it was given.
    bucket_schema: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_key: Option<Value>,
    metadata: Map<String, Value>,
    object_count: u64,
    total_size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_upload_at: Option<String>,
    status: &'static str,
    is_locked: bool,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize, JsonSchema)]
struct BucketList {
    results: Vec<BucketModel>,
    total_count: u64,
    pagination: Pagination,
}

#[derive(Deserialize, JsonSchema)]
struct ListQuery {
    #[serde(flatten)]
    paging: Paging,
    search: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct ChangeQuery {
    /// Although objects have been checked against the fields that go or change their type.
    force_schema_break: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct DeleteQuery {
    /// Taken: a bucket is deleted with its objects in any case.
    #[allow(dead_code, reason = "part of the API")]
    force_foreclose: Option<bool>,
}

fn model(call: &Call, bucket: Bucket) -> Result<BucketModel> {
    let stats = call.control.bucket_stats(&bucket)?;
    Ok(BucketModel {
        bucket_id: bucket.id.to_string(),
        bucket_name: bucket.name,
        description: bucket.description,
        bucket_schema: bucket.schema,
        unique_key: bucket.unique_key,
        metadata: bucket.metadata,
        object_count: stats.objects,
        total_size_bytes: stats.bytes,
        last_upload_at: stats.last_upload_at,
        status: "ACTIVE",
        is_locked: false,
        created_at: bucket.created_at,
        updated_at: bucket.updated_at,
    })
}

/// The names a schema and its unique key use must fit together.
fn check(schema: &BucketSchema, unique: Option<&UniqueKey>) -> Result<()> {
    for name in schema.properties.keys() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        // What begins with `_` is the engine's own.
        let own = name.starts_with('_') || name == "object_id";
        if name.is_empty() || name.len() > 128 || !name.bytes().all(plain) || own {
            return Err(Error::invalid(format!("`{name}` is not a name of a field"))
                .field("/bucket_schema/properties")
                .hint("1 to 128 of letters, digits, `_` and `-`, no `_` first, not `object_id`"));
        }
    }
    for field in unique.into_iter().flat_map(|unique| &unique.fields) {
        if !schema.properties.contains_key(field) {
            let message = format!("the unique key names `{field}`, which the schema has not");
            return Err(Error::invalid(message).field("/unique_key/fields"));
        }
    }
    Ok(())
}

fn create(call: &Call, _: NoQuery, body: CreateBucket) -> Result<BucketModel> {
    check(&body.bucket_schema, body.unique_key.as_ref())?;
    let draft = BucketDraft {
        name: body.bucket_name,
        description: body.description,
        schema: json!(body.bucket_schema),
        unique_key: body.unique_key.map(|unique| json!(unique)),
        metadata: body.metadata.unwrap_or_default(),
        settings: Map::new(),
    };
    let bucket = call.control.create_bucket(&call.namespace()?, draft)?;
    model(call, bucket)
}

fn get(call: &Call, _: NoQuery) -> Result<BucketModel> {
    model(call, call.bucket()?.1)
}

fn page(call: &Call, wanted: &Wanted) -> Result<BucketList> {
    let buckets = call.control.buckets(&call.namespace()?)?;
    let all: Vec<BucketModel> =
        buckets.into_iter().map(|bucket| model(call, bucket)).collect::<Result<_>>()?;
    let listed = wanted.page(all, |bucket| &bucket.bucket_id)?;
    Ok(BucketList {
        results: listed.items,
        total_count: listed.total,
        pagination: listed.pagination,
    })
}

fn list_get(call: &Call, query: ListQuery) -> Result<BucketList> {
    let mut wanted = Wanted::new(&query.paging, None)?;
    wanted.search = query.search.filter(|text| !text.is_empty());
    page(call, &wanted)
}

fn list(call: &Call, query: Paging, body: Option<ListRequest>) -> Result<BucketList> {
    page(call, &Wanted::new(&query, body.as_ref())?)
}

fn change(call: &Call, query: ChangeQuery, body: ChangeBucket) -> Result<BucketModel> {
    let namespace = call.namespace()?;
    let identifier = call.path("bucket_identifier");
    let has_objects = call.control.bucket_stats(&call.bucket()?.1)?.objects > 0;
    let changed = call.control.change_bucket(&namespace, identifier, |bucket| {
        let known: BucketSchema = serde_json::from_value(bucket.schema.clone())
            .map_err(|error| Error::internal("a stored schema does not fit").source(error))?;
        let schema = body.bucket_schema.unwrap_or_else(|| known.clone());
        check(&schema, body.unique_key.as_ref())?;
        let kept = |(name, field): (&String, &BucketSchemaField)| {
            schema.properties.get(name).is_some_and(|new| new.kind == field.kind)
        };
        let broken = known.properties.iter().find(|entry| !kept(*entry));
        if let Some((name, _)) = broken
            && has_objects
            && !query.force_schema_break.unwrap_or(false)
        {
            let message = format!("field `{name}` goes or changes its type, and objects have it");
            return Err(Error::new(Code::Conflict, message)
                .field("/bucket_schema/properties")
                .hint("force_schema_break=true does it all the same"));
        }
        if let Some(unique) = &body.unique_key
            && has_objects
            && bucket.unique_key.as_ref().map(|known| &known["fields"])
                != Some(&json!(unique.fields))
        {
            let message = "the unique key can not change while there are objects";
            return Err(Error::new(Code::Conflict, message).field("/unique_key/fields"));
        }
        bucket.schema = json!(schema);
        if let Some(name) = body.bucket_name {
            bucket.name = name;
        }
        if body.description.is_some() {
            bucket.description = body.description;
        }
        if let Some(unique) = body.unique_key {
            bucket.unique_key = Some(json!(unique));
        }
        if let Some(metadata) = body.metadata {
            bucket.metadata = metadata;
        }
        Ok(())
    })?;
    model(call, changed)
}

/// What was deleted.
#[derive(Serialize, JsonSchema)]
struct Deleted {
    success: bool,
    message: String,
    bucket_id: String,
}

fn delete(call: &Call, _: DeleteQuery, (): ()) -> Result<Deleted> {
    let (namespace, bucket) = call.bucket()?;
    let gone = call.control.delete_bucket(&namespace, &bucket)?;
    Ok(Deleted {
        success: true,
        message: format!("bucket `{}` is deleted", gone.name),
        bucket_id: gone.id.to_string(),
    })
}
