//! `/v1/collections`.

mod exports;
mod imports;
mod mapping;
mod model;
mod reconciliation;
mod source;
mod trigger;
mod upgrade;

use super::call::Call;
use super::extractors::{VectorIndex, feature_uri};
use super::listing::{ListRequest, Pagination, Paging, Wanted};
use super::operation::{NoQuery, Table};
use crate::control::CollectionDraft;
use crate::error::Result;
use crate::store::catalog::{Collection, Namespace};
use model::{CollectionModel, Shelf, vector_fields};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use source::{Configured, ExtractorConfig, SourceConfig, in_request};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn declare(table: &mut Table) {
    table.tag("collections");
    table.post("/v1/collections", "create_collection", "Create a collection", create);
    table.get("/v1/collections", "list_collections_get", "List collections", list_get);
    table.post("/v1/collections/list", "list_collections", "List collections", list);
    let one = "/v1/collections/{collection_identifier}";
    table.get(one, "get_collection", "Read a collection", get);
    table.patch(one, "update_collection", "Change a collection", change);
    table.delete(one, "delete_collection", "Delete a collection and its documents", delete);
    table.post(
        "/v1/collections/{collection_identifier}/clone",
        "clone_collection",
        "Make a collection like another one, without its documents",
        duplicate,
    );
    table.get(
        "/v1/collections/{collection_identifier}/features",
        "describe_collection_features",
        "List the vectors of a collection",
        features,
    );
    exports::declare(table);
    imports::declare(table);
    reconciliation::declare(table);
    trigger::declare(table);
    upgrade::declare(table);
}

#[derive(Deserialize, JsonSchema)]
struct CreateCollection {
    /// Unique in the namespace.
    #[schemars(length(min = 3, max = 100))]
    collection_name: String,
    #[schemars(length(max = 4096))]
    description: Option<String>,
    source: SourceConfig,
    feature_extractor: ExtractorConfig,
    /// Disabled ones are left out of batches.
    enabled: Option<bool>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize, JsonSchema)]
struct ChangeCollection {
    #[schemars(length(min = 3, max = 100))]
    collection_name: Option<String>,
    #[schemars(length(max = 4096))]
    description: Option<String>,
    source: Option<SourceConfig>,
    feature_extractor: Option<ExtractorConfig>,
    enabled: Option<bool>,
    /// Instead of what there is.
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize, JsonSchema)]
struct CloneCollection {
    #[schemars(length(min = 3, max = 100))]
    collection_name: String,
    #[schemars(length(max = 4096))]
    description: Option<String>,
    source: Option<SourceConfig>,
    feature_extractor: Option<ExtractorConfig>,
    enabled: Option<bool>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize, JsonSchema)]
struct ListQuery {
    #[serde(flatten)]
    paging: Paging,
    search: Option<String>,
    /// Instead of the header: id or name.
    namespace_id: Option<String>,
    /// Taken: there are no hidden collections.
    #[allow(dead_code, reason = "part of the API")]
    include_system: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct ListCollections {
    #[serde(flatten)]
    request: ListRequest,
    /// Taken: there are no hidden collections.
    #[allow(dead_code, reason = "part of the API")]
    include_system: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct CollectionList {
    results: Vec<CollectionModel>,
    pagination: Pagination,
    total_count: u64,
    /// Of the whole list.
    stats: ListStats,
}

#[derive(Serialize, JsonSchema)]
struct ListStats {
    total_documents: u64,
    avg_documents_per_collection: f64,
    collections_with_taxonomies: u64,
    /// Different ones.
    total_feature_extractors: u64,
    total_taxonomies: u64,
    total_retrievers: u64,
}

fn model(call: &Call, namespace: &Namespace, collection: &Collection) -> Result<CollectionModel> {
    Shelf::open(call, namespace)?.model(call, collection)
}

fn create(call: &Call, _: NoQuery, body: CreateCollection) -> Result<CollectionModel> {
    let namespace = call.namespace()?;
    let source = body.source.parse(call, &namespace)?;
    let configured = body.feature_extractor.parse(call).map_err(in_request)?;
    let draft = CollectionDraft {
        name: body.collection_name,
        description: body.description,
        source,
        extractor: configured.extractor,
        parameters: configured.parameters,
        inputs: configured.inputs,
        passthrough: configured.passthrough,
        all_fields: configured.all_fields,
        vectors: configured.vectors,
        filter: body.source.filter(),
        enabled: body.enabled.unwrap_or(true),
        metadata: body.metadata.unwrap_or_default(),
    };
    let collection = call.control.create_collection(&namespace, draft).map_err(in_request)?;
    model(call, &namespace, &collection)
}

fn get(call: &Call, _: NoQuery) -> Result<CollectionModel> {
    let (namespace, collection) = call.collection()?;
    model(call, &namespace, &collection)
}

fn page(call: &Call, namespace: &Namespace, wanted: &Wanted) -> Result<CollectionList> {
    let shelf = Shelf::open(call, namespace)?;
    let all: Vec<CollectionModel> = shelf
        .collections
        .iter()
        .map(|collection| shelf.model(call, collection))
        .collect::<Result<_>>()?;
    let documents: u64 = all.iter().map(|collection| collection.document_count).sum();
    let count = all.len();
    let extractors: BTreeSet<String> =
        shelf.collections.iter().map(|collection| collection.extractor.to_string()).collect();
    let listed = wanted.page(all, |collection| &collection.collection_id)?;
    Ok(CollectionList {
        results: listed.items,
        pagination: listed.pagination,
        total_count: listed.total,
        stats: ListStats {
            total_documents: documents,
            avg_documents_per_collection: documents as f64 / count.max(1) as f64,
            collections_with_taxonomies: 0,
            total_feature_extractors: extractors.len() as u64,
            total_taxonomies: 0,
            total_retrievers: 0,
        },
    })
}

fn list_get(call: &Call, query: ListQuery) -> Result<CollectionList> {
    let namespace = match &query.namespace_id {
        Some(identifier) => call.namespace_named(identifier)?,
        None => call.namespace()?,
    };
    let mut wanted = Wanted::new(&query.paging, None)?;
    wanted.search = query.search.filter(|text| !text.is_empty());
    page(call, &namespace, &wanted)
}

fn list(call: &Call, query: Paging, body: Option<ListCollections>) -> Result<CollectionList> {
    let request = body.map(|body| body.request);
    page(call, &call.namespace()?, &Wanted::new(&query, request.as_ref())?)
}

fn change(call: &Call, _: NoQuery, body: ChangeCollection) -> Result<CollectionModel> {
    let namespace = call.namespace()?;
    let source = body.source.as_ref().map(|given| given.parse(call, &namespace)).transpose()?;
    let configured =
        body.feature_extractor.map(|given| given.parse(call)).transpose().map_err(in_request)?;
    let identifier = call.path("collection_identifier");
    let changed = call.control.change_collection(&namespace, identifier, |collection| {
        if let Some(name) = body.collection_name {
            collection.name = name;
        }
        if body.description.is_some() {
            collection.description = body.description;
        }
        if let (Some(source), Some(given)) = (source, body.source) {
            collection.source = source;
            collection.filter = given.filter();
        }
        if let Some(configured) = configured {
            let Configured { extractor, parameters, inputs, passthrough, all_fields, vectors } =
                configured;
            collection.extractor = extractor;
            collection.parameters = parameters;
            collection.inputs = inputs;
            collection.passthrough = passthrough;
            collection.all_fields = all_fields;
            // Those that nobody mentions keep theirs.
            collection.vectors.extend(vectors);
        }
        if let Some(enabled) = body.enabled {
            collection.enabled = enabled;
        }
        if let Some(metadata) = body.metadata {
            collection.metadata = metadata;
        }
        Ok(())
    });
    model(call, &namespace, &changed.map_err(in_request)?)
}

#[derive(Deserialize, JsonSchema)]
struct DeleteQuery {
    /// With the collections that read it.
    cascade: Option<bool>,
}

/// What was deleted.
#[derive(Serialize, JsonSchema)]
struct Deleted {
    success: bool,
    message: String,
    collection_id: String,
    /// It and those that went with it.
    deleted_collection_ids: Vec<String>,
}

fn delete(call: &Call, query: DeleteQuery, (): ()) -> Result<Deleted> {
    let (namespace, collection) = call.collection()?;
    let cascade = query.cascade.unwrap_or(false);
    let gone = call.control.delete_collection(&namespace, collection.id.as_str(), cascade)?;
    Ok(Deleted {
        success: true,
        message: format!("collection `{}` is deleted", collection.name),
        collection_id: collection.id.to_string(),
        deleted_collection_ids: gone.iter().map(|gone| gone.id.to_string()).collect(),
    })
}

#[derive(Serialize, JsonSchema)]
struct Cloned {
    collection: CollectionModel,
    source_collection_id: String,
}

fn duplicate(call: &Call, _: NoQuery, body: CloneCollection) -> Result<Cloned> {
    let (namespace, original) = call.collection()?;
    let (source, filter) = match &body.source {
        Some(given) => (given.parse(call, &namespace)?, given.filter()),
        None => (original.source, original.filter),
    };
    let configured = match body.feature_extractor {
        Some(given) => given.parse(call).map_err(in_request)?,
        None => Configured {
            extractor: original.extractor,
            parameters: original.parameters,
            inputs: original.inputs,
            passthrough: original.passthrough,
            all_fields: original.all_fields,
            vectors: BTreeMap::new(),
        },
    };
    let draft = CollectionDraft {
        name: body.collection_name,
        description: body.description.or(original.description),
        source,
        extractor: configured.extractor,
        parameters: configured.parameters,
        inputs: configured.inputs,
        passthrough: configured.passthrough,
        all_fields: configured.all_fields,
        vectors: configured.vectors,
        filter,
        enabled: body.enabled.unwrap_or(original.enabled),
        metadata: body.metadata.unwrap_or(original.metadata),
    };
    let made = call.control.create_collection(&namespace, draft).map_err(in_request)?;
    Ok(Cloned {
        collection: model(call, &namespace, &made)?,
        source_collection_id: original.id.to_string(),
    })
}

#[derive(Serialize, JsonSchema)]
struct Features {
    features: Vec<Feature>,
}

#[derive(Serialize, JsonSchema)]
struct Feature {
    feature_address: String,
    feature_uri: String,
    feature_extractor_name: String,
    version: String,
    vector_index: VectorIndex,
    /// The first one.
    primary: bool,
}

fn features(call: &Call, _: NoQuery) -> Result<Features> {
    let (_, collection) = call.collection()?;
    let described =
        vector_fields(&collection).into_iter().enumerate().map(|(at, (field, index))| {
            let uri = feature_uri(&collection.extractor.to_string(), &field);
            Feature {
                feature_address: uri.clone(),
                feature_uri: uri,
                feature_extractor_name: collection.extractor.name.clone(),
                version: collection.extractor.version.clone().unwrap_or_default(),
                vector_index: index,
                primary: at == 0,
            }
        });
    Ok(Features { features: described.collect() })
}
