//! Parquet files of rows: tier-0 artifacts, parts, dead letters.

use super::pages::Pages;
use super::{Artifacts, Upload, cells, footer, guarded, vectors};
use crate::error::{Code, Error, Result};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, ProjectionMask, add_encoded_arrow_schema_to_metadata};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;
use std::sync::Arc;

/// Writes one file; it appears when [`PartWriter::finish`] returns.
pub struct PartWriter {
    file: SerializedFileWriter<Upload>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    /// Of the open row group; empty between two.
    columns: Vec<Column>,
    groups: usize,
    name: String,
}

enum Column {
    /// Encoded by the library.
    Arrow(Box<ArrowColumnWriter>),
    /// Encoded here, see [`encode`].
    Pages(Pages),
}

impl PartWriter {
    pub fn create(artifacts: &Artifacts, name: &str, schema: SchemaRef) -> Result<PartWriter> {
        let shown = artifacts.name_of(name);
        let wrong = |error| parquet_error(error, "write", &shown);
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::LZ4_RAW)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .build();
        // Readers get the Arrow types back that were written.
        add_encoded_arrow_schema_to_metadata(&schema, &mut properties);
        let parquet = ArrowSchemaConverter::new().convert(&schema).map_err(wrong)?;
        let root = parquet.root_schema_ptr();
        let upload = artifacts.upload(name);
        let file = SerializedFileWriter::new(upload, root, Arc::new(properties)).map_err(wrong)?;
        let factory = ArrowRowGroupWriterFactory::new(&file, schema.clone());
        Ok(PartWriter { file, factory, schema, columns: Vec::new(), groups: 0, name: shown })
    }

    pub fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let written = self.open().and_then(|()| self.append(rows));
        written.map_err(|error| parquet_error(error, "write", &self.name))
    }

    /// Begins a row group where none is open. Every field is one column of the file.
    fn open(&mut self) -> parquet::errors::Result<()> {
        if !self.columns.is_empty() {
            return Ok(());
        }
        let described = self.file.schema_descr().columns();
        let writers = self.factory.create_column_writers(self.groups)?;
        self.columns = self
            .schema
            .fields()
            .iter()
            .zip(described)
            .zip(writers)
            .map(|((field, described), writer)| match field.data_type() {
                DataType::FixedSizeList(..)
                | DataType::FixedSizeBinary(_)
                | DataType::Utf8
                | DataType::Binary => Column::Pages(Pages::new(described.clone())),
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
                Column::Pages(pages) => encode(array, pages)?,
            }
        }
        Ok(())
    }

    /// Ends a row group, which lets the bytes so far leave memory.
    pub fn end_row_group(&mut self) -> Result<()> {
        self.close_columns().map_err(|error| parquet_error(error, "write", &self.name))
    }

    fn close_columns(&mut self) -> parquet::errors::Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for column in self.columns.drain(..) {
            match column {
                Column::Arrow(writer) => writer.close()?.append_to_row_group(&mut group)?,
                Column::Pages(pages) => {
                    let (encoded, close) = pages.close()?;
                    group.append_column(&encoded, close)?;
                }
            }
        }
        group.close()?;
        self.groups += 1;
        Ok(())
    }

    pub fn buffered_bytes(&self) -> usize {
        let bytes = |column: &Column| match column {
            Column::Arrow(writer) => writer.get_estimated_total_bytes(),
            Column::Pages(pages) => pages.bytes(),
        };
        self.columns.iter().map(bytes).sum()
    }

    /// Size in bytes.
    pub fn finish(mut self) -> Result<u64> {
        self.end_row_group()?;
        let upload = self.file.into_inner();
        upload.map_err(|error| parquet_error(error, "write", &self.name))?.finish()
    }
}

fn encode(array: &ArrayRef, pages: &mut Pages) -> parquet::errors::Result<()> {
    match array.data_type() {
        DataType::FixedSizeList(..) => vectors::write(array.as_fixed_size_list(), pages),
        DataType::FixedSizeBinary(_) => cells::write_fixed(array.as_fixed_size_binary(), pages),
        DataType::Utf8 => cells::write(array.as_string::<i32>(), pages),
        DataType::Binary => cells::write(array.as_binary::<i32>(), pages),
        other => Err(ParquetError::NYI(format!("a column of {other}"))),
    }
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
        let bytes = artifacts.get(name)?;
        guarded(|| Self::decode(bytes, &shown, columns, slice)).unwrap_or_else(|| {
            Err(Error::new(Code::Corrupt, format!("{shown} is not a readable Parquet file")))
        })
    }

    fn decode(
        bytes: Bytes,
        shown: &str,
        columns: Option<&[String]>,
        slice: Option<Slice>,
    ) -> Result<Vec<RecordBatch>> {
        let wrong = |error| parquet_error(error, "read", shown);
        footer::check_file(&bytes).map_err(wrong)?;
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
