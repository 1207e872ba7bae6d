//! Fields of a row between two collections.

use crate::config::FieldType;
use crate::error::{Error, Result};
use crate::model::{Field, FieldKind, LINEAGE_FIELD};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowField {
    pub name: String,
    pub kind: RowKind,
}

/// What a column holds, in parts and artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    Utf8,
    /// Utf8 column of JSON texts.
    Json,
    I64,
    F64,
    Bool,
    Blob,
    /// Utf8 column of URLs; the bytes are read when an extractor asks.
    Reference,
    Dense {
        dimension: u32,
    },
    Sparse,
    Multi {
        dimension: u32,
    },
}

impl RowField {
    pub fn of_output(field: &Field) -> RowField {
        let dimension = field.dimension.unwrap_or(0);
        let kind = match field.kind {
            FieldKind::Utf8 => RowKind::Utf8,
            FieldKind::Json => RowKind::Json,
            FieldKind::I64 => RowKind::I64,
            FieldKind::F64 => RowKind::F64,
            FieldKind::Bool => RowKind::Bool,
            // Blobs leave the part for the object store; what remains is where they are.
            FieldKind::Blob => RowKind::Reference,
            FieldKind::Dense => RowKind::Dense { dimension },
            FieldKind::Sparse => RowKind::Sparse,
            FieldKind::Multi => RowKind::Multi { dimension },
        };
        RowField { name: field.name.clone(), kind }
    }
}

impl RowKind {
    pub fn as_str(self) -> &'static str {
        match self {
            RowKind::Utf8 => "text",
            RowKind::Json => "json",
            RowKind::I64 => "integer",
            RowKind::F64 => "number",
            RowKind::Bool => "boolean",
            RowKind::Blob => "bytes",
            RowKind::Reference => "a reference to bytes",
            RowKind::Dense { .. } => "a dense vector",
            RowKind::Sparse => "a sparse vector",
            RowKind::Multi { .. } => "a multi-vector",
        }
    }

    pub fn is_vector(self) -> bool {
        matches!(self, RowKind::Dense { .. } | RowKind::Sparse | RowKind::Multi { .. })
    }

    /// Whether a row column of this kind can feed an extractor input of `input` kind.
    pub fn feeds(self, input: FieldKind) -> bool {
        match input {
            FieldKind::Utf8 => {
                matches!(self, RowKind::Utf8 | RowKind::Json | RowKind::Reference | RowKind::Blob)
            }
            FieldKind::Json => matches!(self, RowKind::Json),
            FieldKind::I64 => matches!(self, RowKind::I64),
            FieldKind::F64 => matches!(self, RowKind::F64 | RowKind::I64),
            FieldKind::Bool => matches!(self, RowKind::Bool),
            FieldKind::Blob => {
                matches!(self, RowKind::Blob | RowKind::Reference | RowKind::Utf8)
            }
            FieldKind::Dense => matches!(self, RowKind::Dense { .. }),
            FieldKind::Sparse => matches!(self, RowKind::Sparse),
            FieldKind::Multi => matches!(self, RowKind::Multi { .. }),
        }
    }
}

/// A field of the source, or something inside a JSON field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRef {
    pub root: String,
    /// Keys below the root; only where the root is JSON.
    #[serde(default)]
    pub path: Vec<String>,
    /// Of the root column.
    pub root_kind: RowKind,
}

impl FieldRef {
    /// Kind of what the reference leads to.
    pub fn kind(&self) -> RowKind {
        if self.path.is_empty() { self.root_kind } else { RowKind::Json }
    }

    pub fn resolve(text: &str, fields: &[RowField]) -> Result<FieldRef> {
        let mut words = text.split('.').map(str::to_string);
        let root = words.next().unwrap_or_default();
        let path: Vec<String> = words.collect();
        let Some(field) = fields.iter().find(|field| field.name == root) else {
            let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            return Err(Error::invalid(format!("the source has no field `{root}`"))
                .hint(format!("it has {}", known.join(", "))));
        };
        if !path.is_empty() && field.kind != RowKind::Json {
            let message = format!("`{text}` looks into `{root}`, which is {}", field.kind.as_str());
            return Err(
                Error::invalid(message).hint("only json and object fields have inner fields")
            );
        }
        Ok(FieldRef { root, path, root_kind: field.kind })
    }
}

/// Field names are column names and payload keys.
pub(super) fn check_name(name: &str) -> Result<()> {
    let fits = !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('_')
        && !name.contains(['.', '/', '#', '\0'])
        && name != LINEAGE_FIELD;
    if fits {
        return Ok(());
    }
    Err(Error::invalid(format!("`{name}` can not be a field name"))
        .hint("1 to 128 characters without `.`, `/` and `#`, not starting with `_`"))
}

pub(super) fn of_type(kind: FieldType, reference: bool) -> Result<RowKind> {
    let blob = if reference { RowKind::Reference } else { RowKind::Blob };
    let inline = match kind {
        FieldType::String | FieldType::Date | FieldType::Datetime => RowKind::Utf8,
        FieldType::Number | FieldType::Float => RowKind::F64,
        FieldType::Integer => RowKind::I64,
        FieldType::Boolean => RowKind::Bool,
        FieldType::Object | FieldType::Array | FieldType::Json => RowKind::Json,
        FieldType::Text => {
            return Ok(if reference { RowKind::Reference } else { RowKind::Utf8 });
        }
        FieldType::Image
        | FieldType::Audio
        | FieldType::Video
        | FieldType::Pdf
        | FieldType::Excel
        | FieldType::Binary => return Ok(blob),
    };
    if reference {
        return Err(Error::invalid("only blob types (text, image, binary, …) can have a uri"));
    }
    Ok(inline)
}
