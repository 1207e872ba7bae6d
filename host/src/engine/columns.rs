//! How rows lie in parts and artifacts: names and Arrow types of the columns.

use super::plan::{PlannedCollection, RowField, RowKind};
use crate::error::{Code, Error, Result};
use crate::plugin::vector_type;
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

pub const DOCUMENT_ID: &str = "_document_id";
pub const OBJECT_ID: &str = "_object_id";
pub const PARENT_ID: &str = "_parent_id";
pub const POSITION: &str = "_position";
/// In artifacts: why a row of the manifest can not be used; null for a good one.
pub const INVALID: &str = "_invalid";

const UUID_BYTES: i32 = 16;

/// Columns of the indices and values of a sparse vector.
pub fn sparse_columns(name: &str) -> (String, String) {
    (format!("{name}#indices"), format!("{name}#values"))
}

/// The columns that hold a field.
pub fn columns_of(field: &RowField) -> Vec<Field> {
    let one = |kind| vec![Field::new(&field.name, kind, true)];
    match field.kind {
        RowKind::Utf8 | RowKind::Json | RowKind::Reference => one(DataType::Utf8),
        RowKind::I64 => one(DataType::Int64),
        RowKind::F64 => one(DataType::Float64),
        RowKind::Bool => one(DataType::Boolean),
        RowKind::Blob | RowKind::Multi { .. } => one(DataType::Binary),
        RowKind::Dense { dimension } => one(vector_type(dimension)),
        RowKind::Sparse => {
            let (indices, values) = sparse_columns(&field.name);
            vec![
                Field::new(indices, DataType::Binary, true),
                Field::new(values, DataType::Binary, true),
            ]
        }
    }
}

/// Schema of the parts that a collection writes.
pub fn part_schema(collection: &PlannedCollection) -> SchemaRef {
    let mut fields = vec![
        Field::new(DOCUMENT_ID, DataType::FixedSizeBinary(UUID_BYTES), false),
        Field::new(OBJECT_ID, DataType::Utf8, false),
        Field::new(PARENT_ID, DataType::FixedSizeBinary(UUID_BYTES), true),
        Field::new(POSITION, DataType::Int64, false),
    ];
    fields.extend(collection.fields().iter().flat_map(columns_of));
    Arc::new(Schema::new(fields))
}

/// Schema of a tier-0 artifact: the id and the bucket fields that the collection needs.
pub fn artifact_schema(fields: &[RowField]) -> SchemaRef {
    let mut columns = vec![
        Field::new(OBJECT_ID, DataType::Utf8, false),
        Field::new(INVALID, DataType::Utf8, true),
    ];
    columns.extend(fields.iter().flat_map(columns_of));
    Arc::new(Schema::new(columns))
}

/// Columns to read for a collection that needs these root fields.
pub fn needed_columns(roots: &[String]) -> Vec<String> {
    let mut columns = vec![OBJECT_ID.to_string(), DOCUMENT_ID.to_string(), INVALID.to_string()];
    for root in roots {
        let (indices, values) = sparse_columns(root);
        columns.extend([root.clone(), indices, values]);
    }
    columns
}

pub fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Error::new(Code::Corrupt, format!("a part lacks the column `{name}`")))
}

pub fn typed<'a, T: Array + 'static>(array: &'a ArrayRef, name: &str) -> Result<&'a T> {
    array.as_any().downcast_ref::<T>().ok_or_else(|| {
        let found = array.data_type();
        Error::new(Code::Corrupt, format!("column `{name}` has the unexpected type {found}"))
    })
}

pub fn strings<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    typed(column(batch, name)?, name)
}

pub fn uuids<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a FixedSizeBinaryArray> {
    typed(column(batch, name)?, name)
}
