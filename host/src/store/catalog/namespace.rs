//! A namespace as the API knows it.

use super::Noun;
use crate::model::{Name, NamespaceId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Under its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    pub id: NamespaceId,
    /// As the user writes it; may change.
    pub name: String,
    /// What the engine, the object store and the sink call it; never changes.
    pub key: Name,
    #[serde(default)]
    pub description: Option<String>,
    /// What the user said of it that the engine only keeps: extractors, indexes, modes.
    #[serde(default)]
    pub settings: Map<String, Value>,
    pub created_at: String,
    pub updated_at: String,
}

impl Noun for Namespace {
    const TABLE: &'static str = "namespace";
}
