//! One output row.

use super::DocumentId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Key of the lineage object in a document's payload. Extractors can not write fields of this name.
pub const LINEAGE_FIELD: &str = "_quarry";

#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub id: DocumentId,
    /// Fields of the extractor and passed-through fields, and the [`Lineage`] under `_quarry`.
    pub payload: Map<String, Value>,
    /// Vector name and value, sorted by name. Empty for a document that is only payload.
    pub vectors: Vec<(String, Vector)>,
}

/// Largest magnitude of a vector's value. A product of two of them, summed over the largest vector,
/// stays finite: no score can be infinite or NaN.
pub const VECTOR_VALUE_MAX: f32 = 1e16;

#[derive(Debug, Clone, PartialEq)]
pub enum Vector {
    Dense(Vec<f32>),
    Sparse(SparseVector),
    /// Rows of equal length.
    Multi(Vec<Vec<f32>>),
}

/// Indices are strictly ascending, values finite, both of one length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SparseVector {
    pub indices: Vec<u32>,
    pub values: Vec<f32>,
}

/// Where a document comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    pub collection: String,
    /// Id of the object at the root.
    pub object: String,
    /// The document it was made from; absent in tier 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Position among the documents of its parent.
    pub position: i64,
    /// Bucket and collections it went through, joined with `/`.
    pub path: String,
    /// `name@version`.
    pub extractor: String,
    /// SHA-256 of the component.
    pub digest: String,
    pub batch: String,
    /// Number of the run in the namespace. Grows with every batch: what is older and not rewritten
    /// by a later run of the same row is stale.
    pub run: u64,
    /// How it was made, where the batch was told to keep that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Enrichment>,
}

/// One operation that made a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enrichment {
    pub extractor: String,
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// BLAKE3 of the parameters as canonical JSON, in hex.
    pub parameters_hash: String,
    /// Of the partition it was made in; ISO 8601 in UTC.
    pub started_at: String,
    pub duration_ms: u64,
}
