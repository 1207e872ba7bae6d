//! What an extractor says of itself: the JSON of `describe` and `configure`.
//! The published schema is `wit/description.schema.json`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub summary: String,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Field>,
    /// Name of the i64 output that is the document's position within its row; its ordinal if
    /// absent.
    #[serde(default)]
    pub position: Option<String>,
    /// JSON Schema of the parameters.
    #[serde(default)]
    pub parameters: serde_json::Value,
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Whether the same row always gives the same documents: what was made of an unchanged row may
    /// be taken again.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub deterministic: bool,
    /// How much linear memory the extractor expects to need.
    #[serde(default)]
    pub memory_bytes: u64,
    /// Whether `embed-query` works.
    #[serde(default)]
    pub queries: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: FieldKind,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub description: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// Of a `dense` or `multi` vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<Distance>,
    #[serde(default)]
    pub description: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    Utf8,
    Json,
    I64,
    F64,
    Bool,
    Blob,
    Dense,
    Sparse,
    Multi,
}

impl FieldKind {
    pub fn is_vector(self) -> bool {
        match self {
            FieldKind::Dense | FieldKind::Sparse | FieldKind::Multi => true,
            FieldKind::Utf8
            | FieldKind::Json
            | FieldKind::I64
            | FieldKind::F64
            | FieldKind::Bool
            | FieldKind::Blob => false,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            FieldKind::Utf8 => "utf8",
            FieldKind::Json => "json",
            FieldKind::I64 => "i64",
            FieldKind::F64 => "f64",
            FieldKind::Bool => "bool",
            FieldKind::Blob => "blob",
            FieldKind::Dense => "dense",
            FieldKind::Sparse => "sparse",
            FieldKind::Multi => "multi",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    Cosine,
    Dot,
    Euclid,
    Manhattan,
}
