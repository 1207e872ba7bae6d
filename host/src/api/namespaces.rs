//! `/v1/namespaces`.

use super::call::Call;
use super::listing::{ListRequest, Pagination, Paging, Wanted};
use super::operation::{NoQuery, Table};
use crate::control::NamespaceDraft;
use crate::error::{Code, Error, Result};
use crate::model::Scope;
use crate::store::catalog::{BucketStats, Namespace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(super) fn declare(table: &mut Table) {
    table.tag("namespaces");
    table
        .post("/v1/namespaces", "create_namespace", "Create a namespace", create)
        .scope(Scope::Admin);
    table.get("/v1/namespaces", "list_namespaces_get", "List namespaces", list_get);
    table.post("/v1/namespaces/list", "list_namespaces", "List namespaces", list);
    table
        .post("/v1/namespaces/stats/batch", "get_namespace_stats_batch", "Count in many", stats_of)
        .scope(Scope::Read);
    let one = "/v1/namespaces/{namespace_identifier}";
    table.get(one, "get_namespace", "Read a namespace", get);
    table.patch(one, "patch_namespace", "Change a namespace", patch).scope(Scope::Admin);
    table.put(one, "update_namespace", "Change a namespace", update).scope(Scope::Admin);
    table
        .delete(one, "delete_namespace", "Delete a namespace and all in it", delete)
        .scope(Scope::Admin);
    table.get(
        "/v1/namespaces/{namespace_identifier}/stats",
        "get_namespace_stats",
        "Count what is in a namespace",
        stats,
    );
    table.post(
        "/v1/namespaces/{namespace_identifier}/ensure-indexes",
        "ensure_namespace_indexes",
        "Add the payload indexes that are missing",
        ensure_indexes,
    );
}

/// A field of documents that filters find fast.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct PayloadIndex {
    /// Dotted path in the payload.
    #[schemars(length(min = 1, max = 255))]
    field_name: String,
    #[serde(rename = "type")]
    kind: PayloadIndexType,
    field_schema: Option<Value>,
    #[serde(default)]
    is_protected: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum PayloadIndexType {
    Keyword,
    Integer,
    Float,
    Bool,
    Geo,
    Datetime,
    Text,
    Uuid,
}

/// Extractors that the namespace is meant for; collections name theirs themselves.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct NamespaceExtractor {
    feature_extractor_name: String,
    version: String,
    params: Option<Map<String, Value>>,
}

#[derive(Deserialize, JsonSchema)]
struct CreateNamespace {
    /// Unique.
    #[schemars(length(min = 3, max = 64))]
    namespace_name: String,
    #[schemars(length(max = 4096))]
    description: Option<String>,
    /// `managed`; there is no other.
    mode: Option<Mode>,
    feature_extractors: Option<Vec<NamespaceExtractor>>,
    payload_indexes: Option<Vec<PayloadIndex>>,
    auto_create_indexes: Option<bool>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Managed,
}

#[derive(Deserialize, JsonSchema)]
struct ChangeNamespace {
    #[schemars(length(min = 3, max = 64))]
    namespace_name: Option<String>,
    #[schemars(length(max = 4096))]
    description: Option<String>,
    feature_extractors: Option<Vec<NamespaceExtractor>>,
    payload_indexes: Option<Vec<PayloadIndex>>,
    auto_create_indexes: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct NamespaceModel {
    object: &'static str,
    namespace_id: String,
    namespace_name: String,
    namespace_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    mode: Mode,
    feature_extractors: Vec<Value>,
    payload_indexes: Vec<Value>,
    payload_index_count: u64,
    auto_create_indexes: bool,
    document_count: u64,
    document_count_complete: bool,
    bucket_count: u64,
    collection_count: u64,
    object_count: u64,
    namespace_ready: bool,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize, JsonSchema)]
struct NamespaceStats {
    namespace_id: String,
    document_count: u64,
    document_count_complete: bool,
    bucket_count: u64,
    collection_count: u64,
    object_count: u64,
}

#[derive(Serialize, JsonSchema)]
struct NamespaceList {
    results: Vec<NamespaceModel>,
    pagination: Pagination,
    total_count: u64,
}

#[derive(Deserialize, JsonSchema)]
struct StatsRequest {
    #[schemars(length(max = 100))]
    namespace_ids: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct StatsOfMany {
    stats: BTreeMap<String, NamespaceStats>,
}

#[derive(Deserialize, JsonSchema)]
struct DeleteQuery {
    /// Although there is something in it.
    force: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct EnsureQuery {
    /// Taken and not needed: an index is always whole.
    #[allow(dead_code, reason = "part of the API")]
    force_rebuild: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct ListQuery {
    #[serde(flatten)]
    paging: Paging,
    /// Taken: there are no hidden namespaces.
    #[allow(dead_code, reason = "part of the API")]
    include_system: Option<bool>,
    #[allow(dead_code, reason = "part of the API")]
    view: Option<String>,
}

fn counted(call: &Call, namespace: &Namespace) -> Result<NamespaceStats> {
    let control = call.control;
    let buckets = control.buckets(namespace)?;
    let mut objects = 0;
    for bucket in &buckets {
        let BucketStats { objects: own, .. } = control.bucket_stats(bucket)?;
        objects += own;
    }
    let documents = match &control.engine.sink {
        Some(sink) if sink.layout(&namespace.key)?.is_some() => sink.count(&namespace.key, None)?,
        _ => 0,
    };
    Ok(NamespaceStats {
        namespace_id: namespace.id.to_string(),
        document_count: documents,
        document_count_complete: true,
        bucket_count: buckets.len() as u64,
        collection_count: control.collections(namespace)?.len() as u64,
        object_count: objects,
    })
}

fn model(call: &Call, namespace: Namespace) -> Result<NamespaceModel> {
    let stats = counted(call, &namespace)?;
    let list = |name: &str| match namespace.settings.get(name) {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let payload_indexes = list("payload_indexes");
    let extractors = list("feature_extractors").into_iter().map(|mut extractor| {
        let name = extractor["feature_extractor_name"].as_str().unwrap_or_default();
        let id = format!("{name}@{}", extractor["version"].as_str().unwrap_or_default());
        extractor["feature_extractor_id"] = id.into();
        extractor
    });
    let auto = namespace.settings.get("auto_create_indexes");
    Ok(NamespaceModel {
        object: "namespace",
        namespace_id: namespace.id.to_string(),
        namespace_name: namespace.name,
        namespace_type: "standard",
        description: namespace.description,
        mode: Mode::Managed,
        feature_extractors: extractors.collect(),
        payload_index_count: payload_indexes.len() as u64,
        payload_indexes,
        auto_create_indexes: auto.and_then(Value::as_bool).unwrap_or(false),
        document_count: stats.document_count,
        document_count_complete: true,
        bucket_count: stats.bucket_count,
        collection_count: stats.collection_count,
        object_count: stats.object_count,
        namespace_ready: true,
        created_at: namespace.created_at,
        updated_at: namespace.updated_at,
    })
}

/// What the engine keeps of a namespace as it was given.
fn settings(
    into: &mut Map<String, Value>,
    extractors: Option<Vec<NamespaceExtractor>>,
    indexes: Option<Vec<PayloadIndex>>,
    auto: Option<bool>,
) {
    let mut keep = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            into.insert(name.to_string(), value);
        }
    };
    keep("feature_extractors", extractors.map(|list| json!(list)));
    keep("payload_indexes", indexes.map(|list| json!(list)));
    keep("auto_create_indexes", auto.map(Value::Bool));
}

/// A name is free or not among all namespaces, of which a key that is bound to one knows nothing.
fn unbound(call: &Call) -> Result<()> {
    match &call.caller.namespace {
        None => Ok(()),
        Some(_) => Err(Error::new(Code::Forbidden, "the key is bound to one namespace")
            .hint("a key that is not may name namespaces")),
    }
}

fn create(call: &Call, _: NoQuery, body: CreateNamespace) -> Result<NamespaceModel> {
    unbound(call)?;
    let mut draft = NamespaceDraft::named(&body.namespace_name);
    draft.description = body.description;
    settings(
        &mut draft.settings,
        body.feature_extractors,
        body.payload_indexes,
        body.auto_create_indexes,
    );
    let Mode::Managed = body.mode.unwrap_or(Mode::Managed);
    model(call, call.control.create_namespace(draft)?)
}

fn get(call: &Call, _: NoQuery) -> Result<NamespaceModel> {
    model(call, call.namespace_named(call.path("namespace_identifier"))?)
}

fn page(call: &Call, wanted: &Wanted) -> Result<NamespaceList> {
    let mut all = call.control.namespaces()?;
    if let Some(own) = &call.caller.namespace {
        all.retain(|namespace| namespace.id == *own);
    }
    let all: Vec<NamespaceModel> =
        all.into_iter().map(|namespace| model(call, namespace)).collect::<Result<_>>()?;
    let listed = wanted.page(all, |namespace| &namespace.namespace_id)?;
    Ok(NamespaceList {
        results: listed.items,
        pagination: listed.pagination,
        total_count: listed.total,
    })
}

fn list_get(call: &Call, query: Paging) -> Result<NamespaceList> {
    page(call, &Wanted::new(&query, None)?)
}

fn list(call: &Call, query: ListQuery, body: Option<ListRequest>) -> Result<NamespaceList> {
    page(call, &Wanted::new(&query.paging, body.as_ref())?)
}

fn change(call: &Call, body: ChangeNamespace) -> Result<NamespaceModel> {
    let namespace = call.namespace_named(call.path("namespace_identifier"))?;
    if body.namespace_name.as_ref().is_some_and(|name| *name != namespace.name) {
        unbound(call)?;
    }
    let changed = call.control.change_namespace(namespace.id.as_str(), |namespace| {
        if let Some(name) = body.namespace_name {
            namespace.name = name;
        }
        if body.description.is_some() {
            namespace.description = body.description;
        }
        settings(
            &mut namespace.settings,
            body.feature_extractors,
            body.payload_indexes,
            body.auto_create_indexes,
        );
        Ok(())
    })?;
    model(call, changed)
}

fn patch(call: &Call, _: NoQuery, body: ChangeNamespace) -> Result<NamespaceModel> {
    change(call, body)
}

fn update(call: &Call, _: NoQuery, body: ChangeNamespace) -> Result<NamespaceModel> {
    change(call, body)
}

/// What was deleted.
#[derive(Serialize, JsonSchema)]
struct Deleted {
    success: bool,
    message: String,
    namespace_id: String,
}

fn delete(call: &Call, query: DeleteQuery, (): ()) -> Result<Deleted> {
    let namespace = call.namespace_named(call.path("namespace_identifier"))?;
    let force = query.force.unwrap_or(false);
    let gone = call.control.delete_namespace(namespace.id.as_str(), force)?;
    Ok(Deleted {
        success: true,
        message: format!("namespace `{}` is deleted", gone.name),
        namespace_id: gone.id.to_string(),
    })
}

fn stats(call: &Call, _: NoQuery) -> Result<NamespaceStats> {
    counted(call, &call.namespace_named(call.path("namespace_identifier"))?)
}

fn stats_of(call: &Call, _: NoQuery, body: StatsRequest) -> Result<StatsOfMany> {
    let mut stats = BTreeMap::new();
    for id in body.namespace_ids {
        // One that is not there is left out, as for somebody who may not know of it.
        if let Ok(namespace) = call.namespace_named(&id) {
            stats.insert(id, counted(call, &namespace)?);
        }
    }
    Ok(StatsOfMany { stats })
}

/// The indexes that the namespace has now.
#[derive(Serialize, JsonSchema)]
struct Indexes {
    success: bool,
    namespace_id: String,
    indexes: Vec<String>,
}

fn ensure_indexes(call: &Call, _: EnsureQuery, (): ()) -> Result<Indexes> {
    let namespace = call.namespace_named(call.path("namespace_identifier"))?;
    let layout = match &call.control.engine.sink {
        Some(sink) => sink.layout(&namespace.key)?.unwrap_or_default(),
        None => Default::default(),
    };
    Ok(Indexes {
        success: true,
        namespace_id: namespace.id.to_string(),
        indexes: layout.indexes.into_iter().map(|index| index.path).collect(),
    })
}
