//! The objects of a batch as a Parquet manifest in the object store: from there on a batch of the
//! API is like any other.

use super::Control;
use crate::artifact::{PartWriter, References};
use crate::config::{Bucket as PipelineBucket, FieldType};
use crate::error::{Code, Context, Error, Result};
use crate::store::catalog::{Batch, BatchObjects, Bucket, Content, Input, Namespace, Object};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use serde_json::Value;
use std::sync::Arc;

/// Bytes of a text that is referred to: it becomes a cell of the manifest.
const TEXT_BYTES_MAX: usize = 16 << 20;
/// Rows that are held before they are written.
const ROWS_MAX: usize = 256;

impl Control {
    /// URL of the manifest, written where the batch has objects. Writing it twice is harmless.
    pub(super) fn manifest_of(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        fields: &PipelineBucket,
        batch: &Batch,
    ) -> Result<String> {
        if let Input::Manifest(url) = &batch.input {
            return Ok(url.clone());
        }
        let folder = format!("{}/inputs/{}", namespace.key, batch.id);
        let folder = self.engine.artifacts.folder(&folder);
        let columns: Vec<(String, FieldType)> =
            fields.schema.iter().map(|(name, field)| (name.clone(), field.kind())).collect();
        let schema = Arc::new(schema(&columns));
        let name = "objects.parquet";
        let mut writer = PartWriter::create(&folder, name, schema.clone())?;
        let blobs = self.engine.artifacts.name_of(&format!("{}/blobs", namespace.key));
        let options = self.engine.storage_options.clone();
        let references = References::new(options, blobs, self.engine.runtime.clone());
        let mut rows: Vec<Object> = Vec::with_capacity(ROWS_MAX);
        let mut written = 0;
        let mut write = |rows: &mut Vec<Object>| -> Result<()> {
            if !rows.is_empty() {
                writer.write(&batch_of(&schema, &columns, rows, &references)?)?;
                written += rows.len();
                rows.clear();
            }
            Ok(())
        };
        for entry in self.engine.store.each::<BatchObjects>(&format!("{}/", batch.id), None) {
            let BatchObjects(ids) = entry?.1;
            for id in ids {
                // One that was deleted meanwhile is no longer part of it.
                match self.object(bucket, &id) {
                    Ok(object) => rows.push(object),
                    Err(error) if error.code() == Code::NotFound => {}
                    Err(error) => return Err(error),
                }
                if rows.len() >= ROWS_MAX {
                    write(&mut rows)?;
                }
            }
        }
        write(&mut rows)?;
        if written == 0 {
            return Err(Error::invalid("not one object of the batch is left"));
        }
        writer.finish()?;
        Ok(folder.name_of(name))
    }
}

/// What a field's cells are in the manifest.
fn kind_of(kind: FieldType) -> DataType {
    match kind {
        FieldType::Integer => DataType::Int64,
        FieldType::Number | FieldType::Float => DataType::Float64,
        FieldType::Boolean => DataType::Boolean,
        FieldType::String
        | FieldType::Object
        | FieldType::Array
        | FieldType::Date
        | FieldType::Datetime
        | FieldType::Json
        | FieldType::Text
        | FieldType::Image
        | FieldType::Audio
        | FieldType::Video
        | FieldType::Pdf
        | FieldType::Excel
        | FieldType::Binary => DataType::Utf8,
    }
}

fn schema(columns: &[(String, FieldType)]) -> Schema {
    let id = Field::new("object_id", DataType::Utf8, false);
    let fields = columns.iter().map(|(name, kind)| Field::new(name, kind_of(*kind), true));
    Schema::new(std::iter::once(id).chain(fields).collect::<Vec<_>>())
}

fn batch_of(
    schema: &Arc<Schema>,
    columns: &[(String, FieldType)],
    objects: &[Object],
    references: &References,
) -> Result<RecordBatch> {
    let ids: StringArray = objects.iter().map(|object| Some(object.id.as_str())).collect();
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(ids)];
    for (name, kind) in columns {
        let cells: Vec<Option<&Content>> = objects
            .iter()
            .map(|object| {
                let blob = object.blobs.iter().find(|blob| blob.property == *name);
                blob.map(|blob| &blob.content)
            })
            .collect();
        arrays.push(column(*kind, &cells, references)?);
    }
    RecordBatch::try_new(schema.clone(), arrays)
        .context(Code::Internal, || "can not lay out the objects of a batch".to_string())
}

fn column(
    kind: FieldType,
    cells: &[Option<&Content>],
    references: &References,
) -> Result<ArrayRef> {
    let values = || {
        cells.iter().map(|cell| match cell {
            Some(Content::Value(value)) => Some(value),
            Some(Content::Reference(_)) | None => None,
        })
    };
    Ok(match kind_of(kind) {
        DataType::Int64 => Arc::new(values().map(|value| value?.as_i64()).collect::<Int64Array>()),
        DataType::Float64 => {
            Arc::new(values().map(|value| value?.as_f64()).collect::<Float64Array>())
        }
        DataType::Boolean => {
            Arc::new(values().map(|value| value?.as_bool()).collect::<BooleanArray>())
        }
        _ => {
            let texts = cells.iter().map(|cell| text(kind, *cell, references));
            Arc::new(StringArray::from(texts.collect::<Vec<_>>()))
        }
    })
}

/// Text itself, JSON as text, and where bytes are. A text that is somewhere else is fetched; one
/// that can not be is missing, which the batch counts.
fn text(kind: FieldType, cell: Option<&Content>, references: &References) -> Option<String> {
    match cell? {
        Content::Value(Value::Null) => None,
        Content::Value(Value::String(text)) => Some(match kind {
            FieldType::Json | FieldType::Object | FieldType::Array => {
                Value::from(text.as_str()).to_string()
            }
            _ => text.clone(),
        }),
        Content::Value(value) => Some(value.to_string()),
        Content::Reference(url) if kind == FieldType::Text => {
            let bytes = references.read(url, 0, TEXT_BYTES_MAX).ok()?;
            String::from_utf8(bytes.to_vec()).ok()
        }
        Content::Reference(url) => Some(url.clone()),
    }
}
