//! One cell as JSON: for payloads, filters and paths into JSON fields.

use super::columns::{column, typed};
use super::plan::{FieldRef, RowKind};
use crate::error::Result;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use serde_json::Value;
use std::sync::Arc;

/// A scalar column that can be asked for JSON values.
pub enum Cells<'a> {
    Text(&'a StringArray),
    Json(&'a StringArray),
    I64(&'a Int64Array),
    F64(&'a Float64Array),
    Bool(&'a BooleanArray),
    /// Bytes and vectors have no JSON form here.
    Opaque,
}

impl<'a> Cells<'a> {
    pub fn of(kind: RowKind, array: &'a ArrayRef, name: &str) -> Result<Cells<'a>> {
        Ok(match kind {
            RowKind::Utf8 | RowKind::Reference => Cells::Text(typed(array, name)?),
            RowKind::Json => Cells::Json(typed(array, name)?),
            RowKind::I64 => Cells::I64(typed(array, name)?),
            RowKind::F64 => Cells::F64(typed(array, name)?),
            RowKind::Bool => Cells::Bool(typed(array, name)?),
            RowKind::Blob | RowKind::Dense { .. } | RowKind::Sparse | RowKind::Multi { .. } => {
                Cells::Opaque
            }
        })
    }

    /// `Null` where the cell is null. A text that is no JSON in a JSON column is its own string.
    pub fn get(&self, row: usize) -> Value {
        match self {
            Cells::Text(array) if array.is_valid(row) => Value::from(array.value(row)),
            Cells::Json(array) if array.is_valid(row) => {
                let text = array.value(row);
                serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
            }
            Cells::I64(array) if array.is_valid(row) => Value::from(array.value(row)),
            Cells::F64(array) if array.is_valid(row) => Value::from(array.value(row)),
            Cells::Bool(array) if array.is_valid(row) => Value::from(array.value(row)),
            Cells::Text(_)
            | Cells::Json(_)
            | Cells::I64(_)
            | Cells::F64(_)
            | Cells::Bool(_)
            | Cells::Opaque => Value::Null,
        }
    }
}

/// What `path` leads to below `root`; `Null` when something on the way is missing.
pub fn walk<'a>(root: &'a Value, path: &[String]) -> &'a Value {
    path.iter().fold(root, |value, key| match value {
        Value::Object(map) => map.get(key).unwrap_or(&Value::Null),
        Value::Array(items) => {
            key.parse().ok().and_then(|at: usize| items.get(at)).unwrap_or(&Value::Null)
        }
        _ => &Value::Null,
    })
}

/// The column that a reference leads to: the root itself, or the JSON found below it.
pub fn resolve(batch: &RecordBatch, field: &FieldRef) -> Result<ArrayRef> {
    let root = column(batch, &field.root)?;
    if field.path.is_empty() {
        return Ok(root.clone());
    }
    let cells = Cells::of(field.root_kind, root, &field.root)?;
    let values = (0..batch.num_rows()).map(|row| match walk(&cells.get(row), &field.path) {
        Value::Null => None,
        found => Some(found.to_string()),
    });
    Ok(Arc::new(values.collect::<StringArray>()))
}
