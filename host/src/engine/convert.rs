//! Columns of a manifest as fields of a bucket.

use super::plan::{BucketColumn, PlannedBucket, RowKind};
use crate::artifact::{Location, resolve_url};
use crate::config::FieldType;
use crate::error::{Code, Context, Error, Result};
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch, StringArray};
use arrow_cast::CastOptions;
use arrow_schema::{DataType, Schema};
use std::sync::Arc;

/// Refuses a manifest that lacks a column or has one of a type that does not fit.
pub fn check(bucket: &PlannedBucket, schema: &Schema, manifest: &str) -> Result<()> {
    let missing = |column: &str, what: &str| {
        let known: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        Error::invalid(format!("the manifest {manifest} has no column `{column}` ({what})"))
            .field(column)
            .hint(format!("it has {}", known.join(", ")))
    };
    let id = schema.field_with_name(&bucket.id_column).map_err(|_| {
        missing(&bucket.id_column, &format!("the object id of bucket `{}`", bucket.name))
    })?;
    if !is_text(id.data_type()) && !id.data_type().is_integer() {
        let message =
            format!("the id column `{}` of {manifest} holds {}", id.name(), id.data_type());
        return Err(Error::invalid(message).field(id.name()).hint("ids are texts or integers"));
    }
    for column in &bucket.columns {
        let what = format!("field `{}` of bucket `{}`", column.field.name, bucket.name);
        let field =
            schema.field_with_name(&column.column).map_err(|_| missing(&column.column, &what))?;
        if !fits(column, field.data_type()) {
            let message = format!(
                "column `{}` of {manifest} holds {}, but {what} is declared {}",
                column.column,
                field.data_type(),
                type_name(column.kind)
            );
            return Err(Error::invalid(message)
                .field(&column.column)
                .hint("change the type in the bucket's schema, or the manifest"));
        }
    }
    Ok(())
}

fn type_name(kind: FieldType) -> String {
    format!("{kind:?}").to_lowercase()
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn is_binary(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
    )
}

fn is_time(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}

fn fits(column: &BucketColumn, found: &DataType) -> bool {
    match column.field.kind {
        RowKind::Utf8 => match column.kind {
            FieldType::Date | FieldType::Datetime => is_text(found) || is_time(found),
            FieldType::Text => is_text(found) || is_binary(found),
            _ => is_text(found),
        },
        RowKind::Json | RowKind::Reference => is_text(found),
        RowKind::I64 => found.is_integer(),
        RowKind::F64 => found.is_integer() || found.is_floating(),
        RowKind::Bool => *found == DataType::Boolean,
        RowKind::Blob => is_binary(found) || is_text(found),
        RowKind::Dense { .. } | RowKind::Sparse | RowKind::Multi { .. } => false,
    }
}

/// Object ids as text. A null or empty one is an error that names its row.
pub fn ids(bucket: &PlannedBucket, rows: &RecordBatch, first_row: u64) -> Result<StringArray> {
    let column = rows
        .column_by_name(&bucket.id_column)
        .ok_or_else(|| Error::internal("the id column was not read"))?;
    let array = cast(column, &DataType::Utf8, &bucket.id_column)?;
    let ids = super::columns::typed::<StringArray>(&array, &bucket.id_column)?.clone();
    for row in 0..ids.len() {
        let wrong = ids.is_null(row) || ids.value(row).is_empty() || ids.value(row).len() > 512;
        if wrong {
            let message = format!("row {} has no usable object id", first_row + row as u64);
            return Err(Error::invalid(message)
                .field(&bucket.id_column)
                .hint("every object has an id of 1 to 512 bytes"));
        }
    }
    Ok(ids)
}

/// The field's column. Cells that are declared text but are not UTF-8 become null and are noted in
/// `invalid`, by row.
pub fn field(
    column: &BucketColumn,
    rows: &RecordBatch,
    folder: &Location,
    invalid: &mut [Option<String>],
) -> Result<ArrayRef> {
    let array = rows
        .column_by_name(&column.column)
        .ok_or_else(|| Error::internal(format!("column {} was not read", column.column)))?;
    match column.field.kind {
        RowKind::Utf8 if is_binary(array.data_type()) => {
            let bytes = cast(array, &DataType::Binary, &column.column)?;
            Ok(texts(super::columns::typed(&bytes, &column.column)?, &column.column, invalid))
        }
        RowKind::Utf8 | RowKind::Json => cast(array, &DataType::Utf8, &column.column),
        RowKind::I64 => cast(array, &DataType::Int64, &column.column),
        RowKind::F64 => cast(array, &DataType::Float64, &column.column),
        RowKind::Bool => Ok(array.clone()),
        RowKind::Blob => cast(array, &DataType::Binary, &column.column),
        RowKind::Reference => {
            let texts = cast(array, &DataType::Utf8, &column.column)?;
            let texts: &StringArray = super::columns::typed(&texts, &column.column)?;
            let mut urls = Vec::with_capacity(texts.len());
            for text in texts {
                urls.push(text.map(|text| resolve_url(text, folder)).transpose()?);
            }
            Ok(Arc::new(StringArray::from(urls)))
        }
        RowKind::Dense { .. } | RowKind::Sparse | RowKind::Multi { .. } => {
            Err(Error::internal("a bucket has no vectors"))
        }
    }
}

fn texts(bytes: &BinaryArray, name: &str, invalid: &mut [Option<String>]) -> ArrayRef {
    let mut texts: Vec<Option<&str>> = Vec::with_capacity(bytes.len());
    for (row, cell) in bytes.iter().enumerate() {
        texts.push(match cell.map(std::str::from_utf8) {
            None => None,
            Some(Ok(text)) => Some(text),
            Some(Err(error)) => {
                invalid[row] = Some(format!("column `{name}`: {error}"));
                None
            }
        });
    }
    Arc::new(StringArray::from(texts))
}

fn cast(array: &ArrayRef, to: &DataType, name: &str) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(array.clone());
    }
    // Not "safe": a number that does not fit is an error, not a silent null.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    arrow_cast::cast_with_options(array, to, &options)
        .context(Code::Invalid, || format!("column `{name}` holds a value that does not fit"))
        .map_err(|error| error.field(name))
}
