//! How fields of another system's export become documents.

use crate::error::{Error, Result};
use crate::model::Vector;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Documents of one export at most: each is durable before the next one is begun.
const ROWS_MAX: usize = 1_000;
/// Numbers that make a list a vector.
const VECTOR_MIN: usize = 8;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Mapping {
    #[schemars(length(max = 1_024))]
    pub(super) fields: Option<Vec<Field>>,
    /// What the export stands for there; taken, nothing depends on it.
    #[allow(dead_code, reason = "part of the API")]
    source_type: Option<Origin>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Origin {
    Bucket,
    Collection,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Field {
    /// Dotted path.
    #[schemars(length(min = 1, max = 512))]
    pub(super) source_field: String,
    pub(super) target: Target,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Target {
    pub(super) kind: Kind,
    /// Of metadata: dotted path in the document.
    #[schemars(length(min = 1, max = 512))]
    pub(super) path: Option<String>,
    /// Of a vector: its name.
    pub(super) index: Option<String>,
    pub(super) dim: Option<u32>,
    /// Of a vector that is text: `float32-base64` or `float16-base64`.
    dtype: Option<VectorType>,
    /// Of an identity.
    pub(super) role: Option<Role>,
    /// Of a parent; taken, a document has one parent.
    #[allow(dead_code, reason = "part of the API")]
    chain_position: Option<u32>,
    pub(super) expected_type: Option<ValueType>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Metadata,
    Vector,
    Identity,
    Parent,
    Ignore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum VectorType {
    #[serde(rename = "float32-base64")]
    Float32,
    #[serde(rename = "float16-base64")]
    Float16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    RootObjectId,
    RootBucketId,
    SourceObjectId,
    SourceDocumentId,
    SourceCollectionId,
    DocumentId,
    ContentHash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ValueType {
    String,
    Integer,
    Float,
    Boolean,
    Datetime,
    Vector,
    Object,
    Null,
}

/// A list in the export, each of whose elements becomes a document.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Explode {
    /// Dotted path of the list.
    explode_axis: String,
    vector_join: Option<VectorJoin>,
}

/// Vectors that are in a list of their own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct VectorJoin {
    /// Dotted path of that list.
    array: String,
    /// Field that an element and its vector have in common.
    key: String,
    /// Name of the vector.
    index: String,
    /// Field with the vector (`vector_b64`).
    vector_field: Option<String>,
}

/// A document that an export stands for.
#[derive(Debug, Clone, Default)]
pub(super) struct Reconstructed {
    pub(super) id: Option<String>,
    pub(super) fields: Map<String, Value>,
    pub(super) vectors: Vec<(String, Vector)>,
    pub(super) object: Option<String>,
    pub(super) parent: Option<String>,
    /// Further identities.
    pub(super) notes: Map<String, Value>,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Metadata => "metadata",
            Kind::Vector => "vector",
            Kind::Identity => "identity",
            Kind::Parent => "parent",
            Kind::Ignore => "ignore",
        }
    }

    /// The field of a target that says where it goes.
    pub(super) fn needs(self) -> &'static str {
        match self {
            Kind::Metadata => "path",
            Kind::Vector => "index",
            Kind::Identity => "role",
            Kind::Parent | Kind::Ignore => "kind",
        }
    }
}

impl Role {
    pub(super) fn word(self) -> &'static str {
        match self {
            Role::RootObjectId => "root_object_id",
            Role::RootBucketId => "root_bucket_id",
            Role::SourceObjectId => "source_object_id",
            Role::SourceDocumentId => "source_document_id",
            Role::SourceCollectionId => "source_collection_id",
            Role::DocumentId => "document_id",
            Role::ContentHash => "content_hash",
        }
    }
}

impl ValueType {
    pub(super) fn word(self) -> &'static str {
        match self {
            ValueType::String => "string",
            ValueType::Integer => "integer",
            ValueType::Float => "float",
            ValueType::Boolean => "boolean",
            ValueType::Datetime => "datetime",
            ValueType::Vector => "vector",
            ValueType::Object => "object",
            ValueType::Null => "null",
        }
    }

    /// Of a JSON Schema.
    pub(super) fn named(word: &str) -> ValueType {
        match word {
            "integer" => ValueType::Integer,
            "number" | "float" => ValueType::Float,
            "boolean" => ValueType::Boolean,
            "object" | "array" => ValueType::Object,
            "null" => ValueType::Null,
            _ => ValueType::String,
        }
    }

    /// With dimension and coding of what looks like a vector.
    pub(super) fn of(
        value: &Value,
        known: &BTreeMap<String, u32>,
    ) -> (ValueType, Option<u32>, Option<&'static str>) {
        let kind = match value {
            Value::Null => ValueType::Null,
            Value::Bool(_) => ValueType::Boolean,
            Value::Number(number) if number.is_f64() => ValueType::Float,
            Value::Number(_) => ValueType::Integer,
            Value::Object(_) => ValueType::Object,
            Value::Array(items) => {
                let length = items.len() as u32;
                let numbers = items.iter().all(Value::is_number);
                let fits = items.len() >= VECTOR_MIN || known.values().any(|dim| *dim == length);
                if numbers && fits && length > 0 {
                    return (ValueType::Vector, Some(length), Some("float32"));
                }
                ValueType::Object
            }
            Value::String(text) => {
                if let Ok(bytes) = STANDARD.decode(text) {
                    let has = |size: usize| {
                        known.values().find(|dim| **dim as usize * size == bytes.len())
                    };
                    if let Some(dim) = has(4) {
                        return (ValueType::Vector, Some(*dim), Some("float32-base64"));
                    }
                    if let Some(dim) = has(2) {
                        return (ValueType::Vector, Some(*dim), Some("float16-base64"));
                    }
                }
                match chrono::DateTime::parse_from_rfc3339(text) {
                    Ok(_) => ValueType::Datetime,
                    Err(_) => ValueType::String,
                }
            }
        };
        (kind, None, None)
    }
}

fn lookup<'a>(value: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut words = path.split('.');
    let first = value.get(words.next()?)?;
    words.try_fold(first, |value, word| value.get(word)).filter(|value| !value.is_null())
}

/// A document for each element of the exploded list, or one for the whole; what can not be made one
/// says why. `vectors` are the names in the sink.
pub(super) fn reconstruct(
    export: &Map<String, Value>,
    mapping: &Mapping,
    explode: Option<&Explode>,
    vectors: &BTreeMap<String, String>,
) -> Result<Vec<Result<Reconstructed>>> {
    let none = Map::new();
    let Some(explode) = explode else {
        if export.is_empty() {
            return Ok(Vec::new());
        }
        return Ok(vec![one(&none, export, mapping, vectors)]);
    };
    let at = "/explode/explode_axis";
    let elements = lookup(export, &explode.explode_axis)
        .and_then(Value::as_array)
        .ok_or_else(|| Error::invalid("the export has no such list").field(at))?;
    if elements.len() > ROWS_MAX {
        let message = format!("the list has more than {ROWS_MAX} elements");
        return Err(Error::invalid(message).field(at).hint("import it in parts"));
    }
    let joined = explode.vector_join.as_ref().map(|join| (join, vectors_by_key(export, join)));
    let mut rows = Vec::with_capacity(elements.len());
    for (position, element) in elements.iter().enumerate() {
        let Some(element) = element.as_object() else {
            rows.push(Err(Error::invalid("the element is no object")));
            continue;
        };
        let row = one(element, export, mapping, vectors).and_then(|mut made| {
            if let Some((join, by_key)) = &joined
                && let Some(given) =
                    element.get(&join.key).and_then(|key| by_key.get(&key.to_string()))
            {
                made.vectors.push((name_of(vectors, &join.index)?, vector(given, None)?));
            }
            if made.id.is_none()
                && let Some(object) = &made.object
            {
                made.id = Some(format!("{object}/{position}"));
            }
            made.vectors.sort_by(|a, b| a.0.cmp(&b.0));
            Ok(made)
        });
        rows.push(row);
    }
    Ok(rows)
}

fn vectors_by_key<'a>(
    export: &'a Map<String, Value>,
    join: &VectorJoin,
) -> BTreeMap<String, &'a Value> {
    let rows = lookup(export, &join.array).and_then(Value::as_array).into_iter().flatten();
    let field = join.vector_field.as_deref().unwrap_or("vector_b64");
    rows.filter_map(|row| Some((row.get(&join.key)?.to_string(), row.get(field)?))).collect()
}

/// Fields of the element first, then those of the whole.
fn one(
    element: &Map<String, Value>,
    whole: &Map<String, Value>,
    mapping: &Mapping,
    vectors: &BTreeMap<String, String>,
) -> Result<Reconstructed> {
    let mut made = Reconstructed::default();
    for Field { source_field, target } in mapping.fields.iter().flatten() {
        let found = lookup(element, source_field).or_else(|| lookup(whole, source_field));
        let Some(value) = found else { continue };
        let text = || value.as_str().map_or_else(|| value.to_string(), str::to_string);
        match target.kind {
            Kind::Ignore => {}
            Kind::Metadata => {
                let path = target.path.as_deref().unwrap_or(source_field);
                put(&mut made.fields, path, value.clone())?;
            }
            Kind::Vector => {
                let name = target.index.as_deref().unwrap_or(source_field);
                let vector = vector(value, target.dtype)
                    .map_err(|error| error.field(source_field.clone()))?;
                made.vectors.push((name_of(vectors, name)?, vector));
            }
            Kind::Parent => made.parent = Some(text()),
            Kind::Identity => match target.role {
                Some(Role::DocumentId) => made.id = Some(text()),
                Some(Role::RootObjectId | Role::SourceObjectId) => made.object = Some(text()),
                Some(Role::SourceDocumentId) => made.parent = Some(text()),
                Some(role) => {
                    made.notes.insert(role.word().to_string(), text().into());
                }
                None => {}
            },
        }
    }
    made.vectors.sort_by(|a, b| a.0.cmp(&b.0));
    match made.fields.is_empty() && made.vectors.is_empty() {
        true => Err(Error::invalid("nothing of the mapping is in it")),
        false => Ok(made),
    }
}

fn name_of(vectors: &BTreeMap<String, String>, name: &str) -> Result<String> {
    vectors.get(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = vectors.keys().map(String::as_str).collect();
        Error::invalid(format!("the collection has no vector `{name}`"))
            .hint(format!("it has {}", known.join(", ")))
    })
}

fn put(fields: &mut Map<String, Value>, path: &str, value: Value) -> Result<()> {
    let Some((first, rest)) = path.split_once('.') else {
        fields.insert(path.to_string(), value);
        return Ok(());
    };
    let inner = fields.entry(first.to_string()).or_insert_with(|| Value::Object(Map::new()));
    match inner {
        Value::Object(inner) => put(inner, rest, value),
        _ => Err(Error::invalid(format!("two fields go to `{first}`"))),
    }
}

fn vector(value: &Value, dtype: Option<VectorType>) -> Result<Vector> {
    let wrong = || Error::invalid("it is no vector");
    match value {
        Value::Array(items) => {
            let numbers = items.iter().map(|item| item.as_f64().map(|number| number as f32));
            numbers.collect::<Option<Vec<f32>>>().map(Vector::Dense).ok_or_else(wrong)
        }
        Value::String(text) => {
            let bytes = STANDARD.decode(text).map_err(|_| wrong())?;
            let values: Vec<f32> = match dtype.unwrap_or(VectorType::Float32) {
                VectorType::Float32 if bytes.len() % 4 == 0 => bytes
                    .chunks_exact(4)
                    .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
                    .collect(),
                VectorType::Float16 if bytes.len() % 2 == 0 => bytes
                    .chunks_exact(2)
                    .map(|word| half(u16::from_le_bytes([word[0], word[1]])))
                    .collect(),
                VectorType::Float32 | VectorType::Float16 => return Err(wrong()),
            };
            Ok(Vector::Dense(values))
        }
        _ => Err(wrong()),
    }
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}
