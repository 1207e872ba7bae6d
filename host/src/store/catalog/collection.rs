//! Collections: one extractor over buckets or other collections.

use super::Noun;
use crate::config::{FieldType, Passthrough};
use crate::model::{
    BucketId, CollectionId, Distance, ExtractorRef, FieldKind, Filter, Name, NamespaceId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Under `namespace/id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collection {
    pub id: CollectionId,
    pub namespace: NamespaceId,
    pub name: String,
    /// What pipelines and documents call it; never changes.
    pub key: Name,
    #[serde(default)]
    pub description: Option<String>,
    pub source: Source,
    /// With its version.
    pub extractor: ExtractorRef,
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// Source field by extractor input.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    #[serde(default)]
    pub passthrough: Vec<Passthrough>,
    /// Every field of the source that does not meet an output is passed through as well.
    #[serde(default)]
    pub all_fields: bool,
    #[serde(default)]
    pub filter: Option<Filter>,
    /// Name in the sink by vector output, chosen when the collection was made so that features that
    /// differ do not meet; the output's own name where there is none.
    #[serde(default)]
    pub vectors: BTreeMap<String, Name>,
    /// What its documents hold, as extractor and sources said when it was made or changed last.
    #[serde(default)]
    pub shape: Shape,
    /// Disabled ones and what reads them are left out of batches.
    pub enabled: bool,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// What the user said of it that the engine only keeps.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The same collection with another version of its extractor, during an upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<CollectionId>,
    pub created_at: String,
    pub updated_at: String,
}

/// The fields of a collection's documents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// SHA-256 of the extractor.
    pub digest: String,
    /// From the extractor's outputs, then passed through.
    pub fields: Vec<ShapeField>,
    /// Whether the extractor embeds queries.
    #[serde(default)]
    pub queries: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShapeField {
    pub name: String,
    /// What it is where it is no vector; where it is one, of its numbers.
    #[serde(rename = "type")]
    pub kind: FieldType,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Copied from the source.
    #[serde(default)]
    pub passed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<ShapeVector>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShapeVector {
    /// In the sink.
    pub name: String,
    /// `dense`, `sparse` or `multi`.
    pub kind: FieldKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<Distance>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Buckets(Vec<BucketId>),
    Collections(Vec<CollectionId>),
}

impl Noun for Collection {
    const TABLE: &'static str = "collection";
}

/// What a collection holds, under its id: written when a batch has written to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectionStats {
    pub documents: u64,
    /// Grows with every change of the collection's configuration.
    #[serde(default)]
    pub schema_version: u64,
    /// Digest of configuration, counts, dimensions and the last write: what caches compare.
    #[serde(default)]
    pub index_signature: String,
    #[serde(default)]
    pub last_write_at: Option<String>,
}

impl Noun for CollectionStats {
    const TABLE: &'static str = "collection-stats";
}
