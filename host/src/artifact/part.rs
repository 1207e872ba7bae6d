//! Parquet files of rows: tier-0 artifacts, parts, dead letters.

use super::vectors::VectorChunk;
use super::{Artifacts, Upload, lz4};
use crate::error::{Code, Error, Result};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, ProjectionMask, add_encoded_arrow_schema_to_metadata};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};
use std::sync::Arc;

/// Of a column's first values, to see whether compressing them is worth it.
const SAMPLE_BYTES: usize = 16 << 10;

/// Writes one file; it appears when [`PartWriter::finish`] returns.
pub struct PartWriter {
    name: String,
    schema: SchemaRef,
    /// Taken by the file, which begins with the first rows.
    upload: Option<Upload>,
    file: Option<File>,
}

struct File {
    writer: SerializedFileWriter<Upload>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    /// Of the open row group; empty between two.
    columns: Vec<Column>,
    groups: usize,
}

enum Column {
    Arrow(Box<ArrowColumnWriter>),
    Vectors(VectorChunk),
}

impl PartWriter {
    pub fn create(artifacts: &Artifacts, name: &str, schema: SchemaRef) -> PartWriter {
        let upload = Some(artifacts.upload(name));
        PartWriter { name: artifacts.name_of(name), schema, upload, file: None }
    }

    pub fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let written = self.file(rows).and_then(|file| {
            file.open()?;
            file.append(rows)
        });
        written.map_err(|error| parquet_error(error, "write", &self.name))
    }

    /// The file; `rows` are its first if there is none yet.
    fn file(&mut self, rows: &RecordBatch) -> parquet::errors::Result<&mut File> {
        if let Some(upload) = self.upload.take() {
            self.file = Some(File::begin(upload, self.schema.clone(), rows)?);
        }
        self.file.as_mut().ok_or_else(|| ParquetError::General("the file did not begin".into()))
    }

    /// Ends a row group, which lets the bytes so far leave memory.
    pub fn end_row_group(&mut self) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.close_columns().map_err(|error| parquet_error(error, "write", &self.name))
    }

    pub fn buffered_bytes(&self) -> usize {
        self.file.as_ref().map_or(0, File::buffered_bytes)
    }

    /// Size in bytes. A file without rows is one, too.
    pub fn finish(mut self) -> Result<u64> {
        let none = RecordBatch::new_empty(self.schema.clone());
        let begun = self.file(&none).map(|_| ());
        begun.map_err(|error| parquet_error(error, "write", &self.name))?;
        self.end_row_group()?;
        let PartWriter { name, file, .. } = self;
        let file = file.ok_or_else(|| Error::internal("a part without a file"))?;
        let upload = file.writer.into_inner();
        upload.map_err(|error| parquet_error(error, "write", &name))?.finish()
    }
}

impl File {
    fn begin(
        upload: Upload,
        schema: SchemaRef,
        rows: &RecordBatch,
    ) -> parquet::errors::Result<File> {
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::LZ4_RAW)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true);
        for (field, array) in schema.fields().iter().zip(rows.columns()) {
            if sample(array).is_some_and(|bytes| !lz4::append(bytes, &mut Vec::new())) {
                let column = ColumnPath::new(vec![field.name().clone()]);
                properties = properties.set_column_compression(column, Compression::UNCOMPRESSED);
            }
        }
        let mut properties = properties.build();
        // Readers get the Arrow types back that were written.
        add_encoded_arrow_schema_to_metadata(&schema, &mut properties);
        let parquet = ArrowSchemaConverter::new().convert(&schema)?;
        let writer =
            SerializedFileWriter::new(upload, parquet.root_schema_ptr(), Arc::new(properties))?;
        let factory = ArrowRowGroupWriterFactory::new(&writer, schema.clone());
        Ok(File { writer, factory, schema, columns: Vec::new(), groups: 0 })
    }

    /// Begins a row group where none is open. Every field is one column of the file.
    fn open(&mut self) -> parquet::errors::Result<()> {
        if !self.columns.is_empty() {
            return Ok(());
        }
        let described = self.writer.schema_descr().columns();
        let writers = self.factory.create_column_writers(self.groups)?;
        self.columns = self
            .schema
            .fields()
            .iter()
            .zip(described)
            .zip(writers)
            .map(|((field, described), writer)| match field.data_type() {
                DataType::FixedSizeList(..) => Column::Vectors(VectorChunk::new(described.clone())),
                _ => Column::Arrow(Box::new(writer)),
            })
            .collect();
        Ok(())
    }

    fn append(&mut self, rows: &RecordBatch) -> parquet::errors::Result<()> {
        let fields = self.schema.fields().iter();
        for ((field, array), column) in fields.zip(rows.columns()).zip(&mut self.columns) {
            match column {
                Column::Arrow(writer) => {
                    for leaf in compute_leaves(field, array)? {
                        writer.write(&leaf)?;
                    }
                }
                Column::Vectors(chunk) => chunk.write(array.as_fixed_size_list())?,
            }
        }
        Ok(())
    }

    fn close_columns(&mut self) -> parquet::errors::Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in self.columns.drain(..) {
            match column {
                Column::Arrow(writer) => writer.close()?.append_to_row_group(&mut group)?,
                Column::Vectors(chunk) => {
                    let (pages, close) = chunk.close()?;
                    group.append_column(&pages, close)?;
                }
            }
        }
        group.close()?;
        self.groups += 1;
        Ok(())
    }

    fn buffered_bytes(&self) -> usize {
        let bytes = |column: &Column| match column {
            Column::Arrow(writer) => writer.get_estimated_total_bytes(),
            Column::Vectors(chunk) => chunk.bytes(),
        };
        self.columns.iter().map(bytes).sum()
    }
}

/// The first bytes of a column, where there are enough to judge by.
fn sample(array: &ArrayRef) -> Option<&[u8]> {
    let any = array.as_any();
    let bytes = if let Some(texts) = any.downcast_ref::<StringArray>() {
        let from = texts.offsets().first() as usize;
        &texts.value_data()[from..]
    } else if let Some(cells) = any.downcast_ref::<BinaryArray>() {
        let from = cells.offsets().first() as usize;
        &cells.value_data()[from..]
    } else {
        any.downcast_ref::<FixedSizeBinaryArray>()?.value_data()
    };
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    (sample.len() >= SAMPLE_BYTES / 8).then_some(sample)
}

/// Rows [from, from + rows).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    pub from: usize,
    pub rows: usize,
}

pub struct PartReader;

impl PartReader {
    /// The given columns (those that exist) of a slice of the file, as batches.
    pub fn read(
        artifacts: &Artifacts,
        name: &str,
        columns: Option<&[String]>,
        slice: Option<Slice>,
    ) -> Result<Vec<RecordBatch>> {
        let shown = artifacts.name_of(name);
        let wrong = |error| parquet_error(error, "read", &shown);
        let bytes = artifacts.get(name)?;
        let mut builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(wrong)?;
        if let Some(columns) = columns {
            let mask = project(builder.parquet_schema(), columns);
            builder = builder.with_projection(mask);
        }
        let mut rows = builder.metadata().file_metadata().num_rows().max(1) as usize;
        if let Some(slice) = slice {
            rows = slice.rows.max(1);
            builder = builder.with_offset(slice.from).with_limit(slice.rows);
        }
        let reader = builder.with_batch_size(rows.min(1 << 16)).build().map_err(wrong)?;
        let batches: std::result::Result<Vec<RecordBatch>, _> = reader.collect();
        batches.map_err(|error| {
            Error::new(Code::Corrupt, format!("can not read {shown}")).source(error)
        })
    }
}

/// The columns of these names. By root, because a name may have a dot in it.
pub(crate) fn project(schema: &SchemaDescriptor, columns: &[String]) -> ProjectionMask {
    let roots = schema.root_schema().get_fields().iter().enumerate();
    let wanted = roots.filter(|(_, field)| columns.iter().any(|name| name == field.name()));
    ProjectionMask::roots(schema, wanted.map(|(index, _)| index).collect::<Vec<_>>())
}

fn parquet_error(error: parquet::errors::ParquetError, verb: &str, name: &str) -> Error {
    let text = error.to_string();
    let (code, message) = if text.contains("no space left") || text.contains("No space left") {
        (Code::StorageFull, format!("can not {verb} {name}: no space left"))
    } else if verb == "read" {
        (Code::Corrupt, format!("{name} is not a readable Parquet file"))
    } else {
        (Code::Unavailable, format!("can not {verb} {name}"))
    };
    Error::new(code, message).source(error)
}
