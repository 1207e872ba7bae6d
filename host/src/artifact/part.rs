//! Parquet files of rows: tier-0 artifacts, parts, dead letters.

use super::{Artifacts, Upload};
use crate::error::{Code, Error, Result};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::Compression as ParquetCompression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

/// Writes one file; it appears when [`PartWriter::finish`] returns.
pub struct PartWriter {
    writer: ArrowWriter<Upload>,
    name: String,
}

impl PartWriter {
    /// Fixed-size binary columns (vectors) are written plain: neither dictionary nor compression
    /// finds anything in them, and both cost more than everything else together.
    pub fn create(artifacts: &Artifacts, name: &str, schema: SchemaRef) -> Result<PartWriter> {
        let mut properties = WriterProperties::builder()
            .set_compression(ParquetCompression::LZ4_RAW)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(1 << 20));
        for field in schema.fields() {
            if matches!(field.data_type(), DataType::FixedSizeBinary(_)) {
                let column = ColumnPath::new(vec![field.name().clone()]);
                properties =
                    properties.set_column_compression(column, ParquetCompression::UNCOMPRESSED);
            }
        }
        let shown = artifacts.name_of(name);
        let writer = ArrowWriter::try_new(artifacts.upload(name), schema, Some(properties.build()))
            .map_err(|error| parquet_error(error, "write", &shown))?;
        Ok(PartWriter { writer, name: shown })
    }

    pub fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.writer.write(rows).map_err(|error| parquet_error(error, "write", &self.name))
    }

    /// Ends a row group, which lets the bytes so far leave memory.
    pub fn end_row_group(&mut self) -> Result<()> {
        self.writer.flush().map_err(|error| parquet_error(error, "write", &self.name))
    }

    pub fn buffered_bytes(&self) -> usize {
        self.writer.in_progress_size()
    }

    /// Size in bytes.
    pub fn finish(self) -> Result<u64> {
        let upload =
            self.writer.into_inner().map_err(|error| parquet_error(error, "write", &self.name))?;
        upload.finish()
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
