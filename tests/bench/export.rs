//! The documents of the benchmark as anybody's Parquet: doc_id, object_id, chunk_index, text,
//! metadata, vector (a list of 384 f32).

use crate::digest::Digest;
use anyhow::{Context, Result};
use arrow_array::types::Float32Type;
use arrow_array::{
    Array, ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Int32Array, Int64Array,
    PrimitiveArray, RecordBatch, StringArray,
};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// The columns of a part of the collection `embed`.
struct Part<'a> {
    objects: &'a StringArray,
    indexes: &'a Int64Array,
    texts: &'a StringArray,
    metadata: &'a StringArray,
    vectors: &'a FixedSizeBinaryArray,
}

impl<'a> Part<'a> {
    fn of(rows: &'a RecordBatch) -> Result<Part<'a>> {
        fn column<'a, T: 'static>(rows: &'a RecordBatch, name: &str) -> Result<&'a T> {
            let column = rows.column_by_name(name).with_context(|| format!("no column {name}"))?;
            column.as_any().downcast_ref().with_context(|| format!("{name} has another type"))
        }
        Ok(Part {
            objects: column(rows, quarry::engine::OBJECT_ID)?,
            indexes: column(rows, "chunk_index")?,
            texts: column(rows, "text")?,
            metadata: column(rows, "metadata")?,
            vectors: column(rows, "embedding")?,
        })
    }
}

pub(crate) fn digest(rows: &RecordBatch, digest: &mut Digest) -> Result<()> {
    let part = Part::of(rows)?;
    for row in 0..rows.num_rows() {
        digest.add(
            part.objects.value(row),
            i32::try_from(part.indexes.value(row))?,
            part.texts.value(row),
            part.metadata.value(row),
            part.vectors.value(row),
        );
    }
    Ok(())
}

/// Snappy; floats neither in a dictionary nor compressed, which costs more than it saves.
pub(crate) fn write(batches: &[RecordBatch], path: &Path) -> Result<()> {
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let schema = Arc::new(Schema::new(vec![
        text("doc_id"),
        text("object_id"),
        Field::new("chunk_index", DataType::Int32, false),
        text("text"),
        text("metadata"),
        Field::new("vector", DataType::FixedSizeList(item.clone(), 384), false),
    ]));
    let vector = ColumnPath::new(vec!["vector".into(), "list".into(), "item".into()]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_column_dictionary_enabled(vector.clone(), false)
        .set_column_compression(vector, Compression::UNCOMPRESSED)
        .build();
    let mut writer = ArrowWriter::try_new(File::create(path)?, schema.clone(), Some(properties))?;
    for rows in batches {
        let part = Part::of(rows)?;
        let ids = (0..rows.num_rows())
            .map(|row| Some(format!("{}:{}", part.objects.value(row), part.indexes.value(row))));
        let indexes: Vec<i32> = part.indexes.values().iter().map(|index| *index as i32).collect();
        let from = part.vectors.offset() * 384;
        let floats =
            ScalarBuffer::<f32>::new(part.vectors.values().clone(), from, rows.num_rows() * 384);
        let floats = Arc::new(PrimitiveArray::<Float32Type>::new(floats, None));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ids.collect::<StringArray>()),
            Arc::new(part.objects.clone()),
            Arc::new(Int32Array::from(indexes)),
            Arc::new(part.texts.clone()),
            Arc::new(part.metadata.clone()),
            Arc::new(FixedSizeListArray::new(item.clone(), 384, floats, None)),
        ];
        writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?;
    }
    writer.close()?;
    Ok(())
}
