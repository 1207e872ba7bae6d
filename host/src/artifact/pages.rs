//! Data pages of one column chunk, for columns that are encoded here: PLAIN values behind levels
//! that are runs, LZ4 where it is worth its time. A part is written every few milliseconds, so
//! buffers are recycled.

use super::{lz4, recycled};
use bytes::Bytes;
use parquet::basic::{CompressionCodec, Encoding};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Of a page's values, before compression.
pub(super) const PAGE_BYTES: usize = 1 << 20;

/// Runs of the RLE hybrid encoding.
/// Source: <https://parquet.apache.org/docs/file-format/data-pages/encodings/>
#[derive(Default)]
pub(super) struct Levels {
    pub(super) repetition: Vec<u8>,
    pub(super) definition: Vec<u8>,
    /// Values and nulls.
    pub(super) count: usize,
    pub(super) rows: usize,
    pub(super) nulls: usize,
}

pub(super) struct Pages {
    column: ColumnDescPtr,
    sink: TrackedWrite<Vec<u8>>,
    rows: u64,
    count: u64,
    uncompressed: usize,
}

impl Pages {
    pub(super) fn new(column: ColumnDescPtr) -> Pages {
        let sink = TrackedWrite::new(recycled::take());
        Pages { column, sink, rows: 0, count: 0, uncompressed: 0 }
    }

    /// The level of a value that is there.
    pub(super) fn defined(&self) -> u8 {
        self.column.max_def_level() as u8
    }

    /// Encoded so far.
    pub(super) fn bytes(&self) -> usize {
        self.sink.bytes_written()
    }

    pub(super) fn push(&mut self, levels: &Levels, values: &[u8]) -> Result<()> {
        let mut page = recycled::take();
        page.extend_from_slice(&levels.repetition);
        page.extend_from_slice(&levels.definition);
        let start = page.len();
        let is_compressed = lz4::append(values, &mut page);
        if !is_compressed {
            page.extend_from_slice(values);
        }
        let buf = Bytes::from(page);
        let page = Page::DataPageV2 {
            buf: buf.clone(),
            num_values: levels.count as u32,
            encoding: Encoding::PLAIN,
            num_nulls: levels.nulls as u32,
            num_rows: levels.rows as u32,
            def_levels_byte_len: levels.definition.len() as u32,
            rep_levels_byte_len: levels.repetition.len() as u32,
            is_compressed,
            statistics: None,
        };
        let page = CompressedPage::new(page, start + values.len());
        let written = SerializedPageWriter::new(&mut self.sink).write_page(page)?;
        if let Ok(buf) = buf.try_into_mut() {
            recycled::give(buf.into());
        }
        self.uncompressed += written.uncompressed_size;
        self.rows += levels.rows as u64;
        self.count += levels.count as u64;
        Ok(())
    }

    /// The pages, and what the file's footer says of them.
    pub(super) fn close(self) -> Result<(Encoded, ColumnCloseResult)> {
        let pages = self.sink.into_inner()?;
        let metadata = ColumnChunkMetaData::builder(self.column)
            .set_compression_codec(CompressionCodec::LZ4_RAW)
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE])
            .set_total_compressed_size(pages.len() as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(self.count as i64)
            .set_data_page_offset(0)
            .build()?;
        let result = ColumnCloseResult {
            bytes_written: pages.len() as u64,
            rows_written: self.rows,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok((Encoded(Bytes::from(pages)), result))
    }
}

/// The bytes of a column chunk; recycled when they have been copied into the file.
pub(super) struct Encoded(Bytes);

impl Length for Encoded {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

impl ChunkReader for Encoded {
    type T = std::io::Cursor<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(std::io::Cursor::new(self.0.slice(start as usize..)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        Ok(self.0.slice(start as usize..start as usize + length))
    }
}

impl Drop for Encoded {
    fn drop(&mut self) {
        if let Ok(bytes) = std::mem::take(&mut self.0).try_into_mut() {
            recycled::give(bytes.into());
        }
    }
}

/// One run; levels are below 256, so their value is one byte.
pub(super) fn run(count: usize, value: u8, into: &mut Vec<u8>) {
    if count == 0 {
        return;
    }
    let mut header = (count as u64) << 1;
    while header >= 0x80 {
        into.push(header as u8 | 0x80);
        header >>= 7;
    }
    into.extend([header as u8, value]);
}
