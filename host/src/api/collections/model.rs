//! Collections on the wire.

use super::source::{CollectionExtractor, SourceConfig, roots};
use crate::api::call::Call;
use crate::api::extractors::{VectorIndex, feature_uri, vector_index};
use crate::config::FieldType;
use crate::error::Result;
use crate::store::catalog::{Bucket, Collection, Namespace, ShapeField, Source};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What answers about collections of one namespace are made from, read once.
pub(super) struct Shelf {
    buckets: Vec<Bucket>,
    pub(super) collections: Vec<Collection>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct CollectionModel {
    pub(super) collection_id: String,
    pub(super) collection_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Fields that all sources have.
    input_schema: Schema,
    /// Fields of the documents, but for vectors.
    output_schema: Schema,
    pub(super) feature_extractor: CollectionExtractor,
    source: SourceConfig,
    /// By bucket id.
    source_bucket_schemas: BTreeMap<String, Value>,
    /// The collections above it, from the buckets on.
    source_lineage: Vec<Lineage>,
    /// Name in the vector sink by output.
    index_map: BTreeMap<String, String>,
    vector_indexes: Vec<CollectionVectorIndex>,
    payload_indexes: Vec<Value>,
    /// Disabled ones are left out of batches.
    enabled: bool,
    metadata: Map<String, Value>,
    created_at: String,
    updated_at: String,
    lifecycle_state: &'static str,
    /// After the last write.
    pub(super) document_count: u64,
    /// Grows when what documents are made from changes.
    schema_version: u64,
    schema_sync_enabled: bool,
    schema_validation: &'static str,
    taxonomy_count: u64,
    retriever_count: u64,
    /// When a batch or the API wrote documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_write_at: Option<String>,
    /// Digest of configuration, counts, dimensions and last write: equal while nothing changed.
    index_signature: String,
}

#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub(super) struct Schema {
    /// Each with its `type` and more.
    properties: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
struct Lineage {
    source_config: SourceConfig,
    feature_extractor: CollectionExtractor,
    output_schema: Schema,
}

#[derive(Serialize, JsonSchema)]
struct CollectionVectorIndex {
    name: String,
    feature_uri: String,
    #[serde(rename = "type")]
    kind: &'static str,
    index: VectorIndex,
}

impl Shelf {
    pub(super) fn open(call: &Call, namespace: &Namespace) -> Result<Shelf> {
        Ok(Shelf {
            buckets: call.control.buckets(namespace)?,
            collections: call.control.collections(namespace)?,
        })
    }

    pub(super) fn model(&self, call: &Call, collection: &Collection) -> Result<CollectionModel> {
        let stats = call.control.collection_stats(collection)?;
        let roots = roots(collection, &self.collections);
        let buckets = self.buckets.iter().filter(|b| roots.iter().any(|id| id == b.id.as_str()));
        let lineage = self.above(collection).into_iter().map(|source| Lineage {
            source_config: SourceConfig::of(source, &self.collections),
            feature_extractor: CollectionExtractor::of(source),
            output_schema: output_schema(source),
        });
        let vectors = vector_fields(collection);
        Ok(CollectionModel {
            collection_id: collection.id.to_string(),
            collection_name: collection.name.clone(),
            description: collection.description.clone(),
            input_schema: self.input_schema(collection),
            output_schema: output_schema(collection),
            feature_extractor: CollectionExtractor::of(collection),
            source: SourceConfig::of(collection, &self.collections),
            source_bucket_schemas: buckets
                .map(|bucket| (bucket.id.to_string(), bucket.schema.clone()))
                .collect(),
            source_lineage: lineage.collect(),
            index_map: vectors.iter().map(|(field, i)| (field.clone(), i.name.clone())).collect(),
            vector_indexes: vectors
                .into_iter()
                .map(|(field, index)| CollectionVectorIndex {
                    feature_uri: feature_uri(&collection.extractor.to_string(), &field),
                    name: field,
                    kind: "single",
                    index,
                })
                .collect(),
            payload_indexes: Vec::new(),
            enabled: collection.enabled,
            metadata: collection.metadata.clone(),
            created_at: collection.created_at.clone(),
            updated_at: collection.updated_at.clone(),
            lifecycle_state: "active",
            document_count: stats.documents,
            schema_version: stats.schema_version,
            schema_sync_enabled: true,
            schema_validation: "off",
            taxonomy_count: 0,
            retriever_count: 0,
            last_write_at: stats.last_write_at,
            index_signature: stats.index_signature,
        })
    }

    /// The collections it is made of, those that read buckets first.
    fn above(&self, collection: &Collection) -> Vec<&Collection> {
        let mut found: Vec<&Collection> = Vec::new();
        let mut open = vec![collection];
        while let Some(next) = open.pop() {
            let Source::Collections(ids) = &next.source else { continue };
            for source in self.collections.iter().filter(|source| ids.contains(&source.id)) {
                found.retain(|known| known.id != source.id);
                found.push(source);
                open.push(source);
            }
        }
        found.reverse();
        found
    }

    fn input_schema(&self, collection: &Collection) -> Schema {
        let mut schemas: Vec<Schema> = match &collection.source {
            Source::Buckets(ids) => {
                let buckets = self.buckets.iter().filter(|bucket| ids.contains(&bucket.id));
                let fields = buckets.map(|bucket| bucket.schema["properties"].as_object().cloned());
                fields.map(|fields| Schema { properties: fields.unwrap_or_default() }).collect()
            }
            Source::Collections(ids) => {
                let sources = self.collections.iter().filter(|source| ids.contains(&source.id));
                sources.map(output_schema).collect()
            }
        };
        let mut common = schemas.pop().unwrap_or_default();
        let kind = |field: &Value| field["type"].clone();
        for other in schemas {
            common.properties.retain(|name, field| {
                other.properties.get(name).is_some_and(|known| kind(known) == kind(field))
            });
        }
        common
    }
}

fn output_schema(collection: &Collection) -> Schema {
    let fields = collection.shape.fields.iter().filter(|field| field.vector.is_none());
    let entry = |field: &ShapeField| {
        let kind = match field.kind {
            // Words that clients know.
            FieldType::Json => FieldType::Object,
            FieldType::Binary => FieldType::String,
            kind => kind,
        };
        let mut told = json!({ "type": kind, "required": false });
        if !field.description.is_empty() {
            told["description"] = field.description.clone().into();
        }
        (field.name.clone(), told)
    };
    Schema { properties: fields.map(entry).collect() }
}

/// Vector outputs with what they are in the sink.
pub(super) fn vector_fields(collection: &Collection) -> Vec<(String, VectorIndex)> {
    let fields = collection.shape.fields.iter();
    fields
        .filter_map(|field| {
            let vector = field.vector.as_ref()?;
            let about = match field.description.is_empty() {
                true => format!("output of {}", collection.extractor),
                false => field.description.clone(),
            };
            let (dimension, distance) = (vector.dimension, vector.distance);
            let index = vector_index(&vector.name, &about, vector.kind, dimension, distance);
            Some((field.name.clone(), index))
        })
        .collect()
}
