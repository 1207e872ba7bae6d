//! What an extractor says of itself, in the words of the client.

use crate::config::FieldType;
use crate::control::KnownExtractor;
use crate::model::{Description, Distance, Field, FieldKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Origin {
    /// In a folder of extractors, as those that come with the program.
    Builtin,
    /// Registered over the API.
    Custom,
    /// There are none.
    Community,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ExtractorModel {
    pub(super) feature_extractor_name: String,
    version: String,
    /// `name@version`.
    pub(super) feature_extractor_id: String,
    description: String,
    icon: &'static str,
    category: &'static str,
    pub(super) source: Origin,
    /// JSON Schema of a row.
    input_schema: Value,
    /// JSON Schema of a document.
    output_schema: Value,
    /// JSON Schema of the parameters.
    parameter_schema: Value,
    supported_input_types: Vec<FieldType>,
    /// One value of each input.
    max_inputs: BTreeMap<String, u64>,
    default_parameters: Map<String, Value>,
    required_vector_indexes: Vec<VectorIndexDefinition>,
    required_payload_indexes: Vec<Value>,
    position_fields: Vec<String>,
    /// URI of the first vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_uri: Option<String>,
    /// `batch`, and `realtime` where it embeds queries.
    capabilities: Vec<&'static str>,
    realtime_available: bool,
    /// SHA-256 of the component.
    digest: String,
    /// It runs in this process.
    deployed: bool,
    validation_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct VectorIndexDefinition {
    feature_uri: String,
    name: String,
    description: String,
    #[serde(rename = "type")]
    kind: &'static str,
    index: VectorIndex,
}

/// One named vector.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::api) struct VectorIndex {
    /// In the vector sink.
    pub(in crate::api) name: String,
    pub(in crate::api) description: String,
    /// Absent for sparse vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) dimensions: Option<u32>,
    #[serde(rename = "type")]
    pub(in crate::api) kind: VectorType,
    pub(in crate::api) distance: &'static str,
    datatype: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum VectorType {
    Dense,
    Sparse,
    MultiDense,
}

/// What names an output of an extractor everywhere.
pub(in crate::api) fn feature_uri(extractor: &str, output: &str) -> String {
    format!("quarry://{extractor}/{output}")
}

pub(in crate::api) fn vector_index(
    name: &str,
    description: &str,
    kind: FieldKind,
    dimension: Option<u32>,
    distance: Option<Distance>,
) -> VectorIndex {
    VectorIndex {
        name: name.to_string(),
        description: format!("Vector `{name}`: {description}"),
        dimensions: dimension,
        kind: match kind {
            FieldKind::Sparse => VectorType::Sparse,
            FieldKind::Multi => VectorType::MultiDense,
            FieldKind::Dense
            | FieldKind::Utf8
            | FieldKind::Json
            | FieldKind::I64
            | FieldKind::F64
            | FieldKind::Bool
            | FieldKind::Blob => VectorType::Dense,
        },
        distance: match distance {
            Some(Distance::Cosine) => "cosine",
            Some(Distance::Dot) | None => "dot",
            Some(Distance::Euclid) => "euclidean",
            Some(Distance::Manhattan) => "manhattan",
        },
        datatype: "float32",
    }
}

pub(super) fn model(known: &KnownExtractor) -> ExtractorModel {
    let Description { name, version, summary, inputs, outputs, .. } = &known.description;
    let id = known.id();
    let mut kinds: Vec<FieldType> = Vec::new();
    for kind in inputs.iter().flat_map(|input| accepted(input.kind)) {
        if !kinds.contains(kind) {
            kinds.push(*kind);
        }
    }
    let vectors: Vec<&Field> = outputs.iter().filter(|output| output.kind.is_vector()).collect();
    let mut capabilities = vec!["batch"];
    if known.description.queries {
        capabilities.push("realtime");
    }
    ExtractorModel {
        feature_extractor_name: name.clone(),
        version: version.clone(),
        description: summary.clone(),
        icon: "box",
        category: "general",
        source: if known.in_folder { Origin::Builtin } else { Origin::Custom },
        input_schema: input_schema(&known.description),
        output_schema: output_schema(outputs),
        parameter_schema: parameter_schema(&known.description),
        supported_input_types: kinds,
        max_inputs: inputs.iter().map(|input| (input.name.clone(), 1)).collect(),
        default_parameters: defaults(&known.description.parameters),
        required_vector_indexes: vectors.iter().map(|field| definition(&id, field)).collect(),
        required_payload_indexes: Vec::new(),
        position_fields: known.description.position.iter().cloned().collect(),
        feature_uri: vectors.first().map(|field| feature_uri(&id, &field.name)),
        capabilities,
        realtime_available: known.description.queries,
        digest: known.digest.clone(),
        deployed: true,
        validation_status: "passed",
        created_at: known.registered_at.clone(),
        feature_extractor_id: id,
    }
}

fn definition(id: &str, field: &Field) -> VectorIndexDefinition {
    let index =
        vector_index(&field.name, &field.description, field.kind, field.dimension, field.distance);
    VectorIndexDefinition {
        feature_uri: feature_uri(id, &field.name),
        name: field.name.clone(),
        description: format!("Output `{}` of {id}: {}", field.name, field.description),
        kind: "single",
        index,
    }
}

/// Types of fields that can feed an input.
fn accepted(kind: FieldKind) -> &'static [FieldType] {
    use FieldType::*;
    match kind {
        FieldKind::Utf8 => &[Text, String],
        FieldKind::Json => &[Json, Object, Array],
        FieldKind::I64 => &[Integer],
        FieldKind::F64 => &[Number, Float, Integer],
        FieldKind::Bool => &[Boolean],
        FieldKind::Blob => &[Image, Audio, Video, Pdf, Excel, Binary],
        // Comes from other extractors only.
        FieldKind::Dense | FieldKind::Sparse | FieldKind::Multi => &[],
    }
}

fn value_schema(kind: FieldKind, description: &str) -> Value {
    let mut schema = match kind {
        FieldKind::Utf8 => json!({ "type": "string" }),
        FieldKind::Json => json!({}),
        FieldKind::I64 => json!({ "type": "integer" }),
        FieldKind::F64 => json!({ "type": "number" }),
        FieldKind::Bool => json!({ "type": "boolean" }),
        FieldKind::Blob => json!({ "type": "string", "format": "binary" }),
        FieldKind::Dense => json!({ "type": "array", "items": { "type": "number" } }),
        FieldKind::Sparse => json!({ "type": "object", "properties": {
            "indices": { "type": "array", "items": { "type": "integer" } },
            "values": { "type": "array", "items": { "type": "number" } },
        } }),
        FieldKind::Multi => json!({ "type": "array", "items": {
            "type": "array", "items": { "type": "number" },
        } }),
    };
    if !description.is_empty() {
        schema["description"] = description.into();
    }
    schema
}

fn input_schema(description: &Description) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for input in &description.inputs {
        properties.insert(input.name.clone(), value_schema(input.kind, &input.description));
        if input.required {
            required.push(input.name.clone());
        }
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

fn output_schema(outputs: &[Field]) -> Value {
    let mut properties = Map::new();
    for output in outputs {
        let mut schema = value_schema(output.kind, &output.description);
        if let Some(dimension) = output.dimension {
            schema["x-dimensions"] = dimension.into();
        }
        properties.insert(output.name.clone(), schema);
    }
    json!({ "type": "object", "properties": properties })
}

fn parameter_schema(description: &Description) -> Value {
    match &description.parameters {
        Value::Null => json!({ "type": "object", "properties": {} }),
        schema => schema.clone(),
    }
}

fn defaults(schema: &Value) -> Map<String, Value> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .filter_map(|(name, schema)| Some((name.clone(), schema.get("default")?.clone())))
        .collect()
}
