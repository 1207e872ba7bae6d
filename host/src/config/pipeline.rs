//! The pipeline file: buckets and collections in TOML. The JSON Schema is what
//! `quarry pipeline schema` prints.

use super::{locate, values};
use crate::config::PIPELINE_BYTES_MAX;
use crate::error::{Code, Context, Error, Result};
use crate::model::{ExtractorRef, Filter, Name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// A namespace, the buckets that objects come from and the collections that are made of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Unit of isolation: one Qdrant collection.
    pub namespace: Name,
    /// Objects by bucket name.
    pub buckets: BTreeMap<Name, Bucket>,
    /// Collections by name.
    pub collections: BTreeMap<Name, Collection>,
}

/// A typed schema over the columns of a manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Column that identifies an object.
    #[serde(default = "object_id")]
    pub id: String,
    /// Fields by name.
    pub schema: BTreeMap<String, BucketField>,
}

fn object_id() -> String {
    "object_id".to_string()
}

/// A type, or a type with the column it is in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BucketField {
    Type(FieldType),
    #[serde(rename_all = "snake_case")]
    Column {
        #[serde(rename = "type")]
        kind: FieldType,
        /// Manifest column; the field's own name if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        column: Option<String>,
        /// Manifest column that holds a path or URL; the object's bytes stay where they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uri: Option<String>,
    },
}

impl BucketField {
    pub fn kind(&self) -> FieldType {
        match self {
            BucketField::Type(kind) | BucketField::Column { kind, .. } => *kind,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    String,
    Number,
    Integer,
    Float,
    Boolean,
    Object,
    Array,
    Date,
    Datetime,
    Json,
    Text,
    Image,
    Audio,
    Video,
    Pdf,
    Excel,
    Binary,
}

/// One extractor over one or more sources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// `bucket:NAME` or `collection:NAME`, or a list of them.
    pub source: Sources,
    /// `name@version`, or a name where there is one version.
    #[schemars(with = "String")]
    pub extractor: ExtractorRef,
    /// As the extractor's JSON Schema allows.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// Source field (dotted path) by extractor input; an input is mapped to the field of its own
    /// name when it is not mentioned.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// Field of the document by the extractor's output, where it is not the output's own name.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
    /// Source fields that every document carries along.
    #[serde(default, alias = "field_passthrough")]
    pub passthrough: Vec<Passthrough>,
    /// Rows that fit are extracted, the rest is counted as filtered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Name of the vector by output field, where it is not the field's own name.
    #[serde(default)]
    pub vectors: BTreeMap<String, Name>,
    /// Payload fields to index for filters.
    #[serde(default)]
    pub index: Vec<Index>,
    /// `false`: the documents stay in the batch's parts and do not go to the vector sink.
    #[serde(default = "yes")]
    pub searchable: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Sources {
    One(String),
    Many(Vec<String>),
}

impl Sources {
    pub fn list(&self) -> Vec<&str> {
        match self {
            Sources::One(source) => vec![source],
            Sources::Many(sources) => sources.iter().map(String::as_str).collect(),
        }
    }
}

/// A field path, or one with a target name and a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Passthrough {
    Path(String),
    Full(PassthroughFull),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassthroughFull {
    /// Dotted path in the source.
    #[serde(alias = "source_path")]
    pub source: String,
    /// Field of the document; the last word of the path if absent.
    #[serde(default, alias = "target_path", skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Value where the source has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// A row without it is counted as missing its input.
    #[serde(default)]
    pub required: bool,
}

/// A keyword field, or a field with another kind of index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Index {
    Keyword(String),
    Typed {
        field: String,
        #[serde(rename = "type")]
        kind: IndexType,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IndexType {
    Keyword,
    Integer,
    Float,
    Bool,
    Text,
    Datetime,
}

impl Pipeline {
    /// Reads and parses the file; every error names file, line and column and quotes the line.
    pub fn read(path: &Path) -> Result<(Pipeline, String)> {
        let named = || format!("can not read the pipeline {}", path.display());
        let size = std::fs::metadata(path).context(Code::NotFound, named)?.len();
        if size > PIPELINE_BYTES_MAX {
            let message = format!("{} has {size} bytes", path.display());
            return Err(Error::invalid(message)
                .hint(format!("a pipeline has {PIPELINE_BYTES_MAX} bytes at most")));
        }
        let text = std::fs::read_to_string(path).context(Code::Invalid, named)?;
        let pipeline = Self::parse(&text).map_err(|error| locate::explain(error, path, &text))?;
        Ok((pipeline, text))
    }

    pub fn parse(text: &str) -> Result<Pipeline> {
        let pipeline = toml::from_str(text).map_err(|error| locate::syntax(&error))?;
        values::check(text)?;
        Ok(pipeline)
    }

    /// Adds file, line and the quoted line to an error whose field is a JSON pointer into this
    /// file.
    pub fn explain(error: Error, path: &Path, text: &str) -> Error {
        locate::explain(error, path, text)
    }

    pub fn json_schema() -> Value {
        schemars::schema_for!(Pipeline).to_value()
    }
}
