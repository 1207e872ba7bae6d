//! Collections: one extractor over buckets or other collections.

use super::Noun;
use crate::config::Passthrough;
use crate::model::{BucketId, CollectionId, ExtractorRef, Filter, Name, NamespaceId};
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
    #[serde(default)]
    pub filter: Option<Filter>,
    /// Disabled ones and what reads them are left out of batches.
    pub enabled: bool,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// What the user said of it that the engine only keeps.
    #[serde(default)]
    pub settings: Map<String, Value>,
    pub created_at: String,
    pub updated_at: String,
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
