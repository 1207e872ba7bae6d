//! Column chunks of dense vectors, encoded here: a Parquet list of f32, which any reader knows.
//!
//! The general writer looks at every float three times to find levels that are the same for every
//! vector, and copies it four times. Here a page is two runs of levels a vector and the vectors'
//! bytes, compressed straight from the array.

use super::lz4;
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, FixedSizeListArray};
use bytes::Bytes;
use parquet::basic::{CompressionCodec, Encoding};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Of a page, before compression.
const PAGE_BYTES: usize = 1 << 20;
/// Pages that stay as they are after one that compression did not shrink.
const PAGES_UNTRIED: u32 = 15;

// A vector's bytes are written as they lie in memory, and Parquet's are little-endian.
const _: () = assert!(cfg!(target_endian = "little"));

pub(super) struct VectorChunk {
    column: ColumnDescPtr,
    pages: TrackedWrite<Vec<u8>>,
    rows: u64,
    values: u64,
    uncompressed: usize,
    /// Pages to write without trying to compress them.
    untried: u32,
}

impl VectorChunk {
    pub(super) fn new(column: ColumnDescPtr) -> VectorChunk {
        VectorChunk {
            column,
            pages: TrackedWrite::new(Vec::new()),
            rows: 0,
            values: 0,
            uncompressed: 0,
            untried: 0,
        }
    }

    /// Encoded so far.
    pub(super) fn bytes(&self) -> usize {
        self.pages.bytes_written()
    }

    pub(super) fn write(&mut self, vectors: &FixedSizeListArray) -> Result<()> {
        let dimension = vectors.value_length() as usize;
        let rows = (PAGE_BYTES / (dimension * 4).max(1)).max(1);
        let mut from = 0;
        while from < vectors.len() {
            let rows = rows.min(vectors.len() - from);
            self.page(&vectors.slice(from, rows), dimension)?;
            from += rows;
        }
        Ok(())
    }

    fn page(&mut self, vectors: &FixedSizeListArray, dimension: usize) -> Result<()> {
        let rows = vectors.len();
        let levels = Levels::of(vectors, dimension, self.column.max_def_level() as u8);
        let (repetition, definition) = (levels.repetition.len(), levels.definition.len());
        let mut page = levels.repetition;
        page.extend_from_slice(&levels.definition);
        let start = page.len();
        let floats = vectors.values().as_primitive::<Float32Type>();
        let all = floats.values().inner().as_slice();
        let raw = match vectors.null_count() {
            0 => self.append(all, &mut page),
            _ => {
                let valid = (0..rows).filter(|row| vectors.is_valid(*row));
                let bytes = valid.map(|row| &all[row * dimension * 4..(row + 1) * dimension * 4]);
                let bytes: Vec<u8> = bytes.flatten().copied().collect();
                self.append(&bytes, &mut page)
            }
        };
        let is_compressed = page.len() - start < raw;
        let nulls = vectors.null_count();
        let page = Page::DataPageV2 {
            buf: Bytes::from(page),
            num_values: ((rows - nulls) * dimension + nulls) as u32,
            encoding: Encoding::PLAIN,
            num_nulls: nulls as u32,
            num_rows: rows as u32,
            def_levels_byte_len: definition as u32,
            rep_levels_byte_len: repetition as u32,
            is_compressed,
            statistics: None,
        };
        let page = CompressedPage::new(page, start + raw);
        let written = SerializedPageWriter::new(&mut self.pages).write_page(page)?;
        self.uncompressed += written.uncompressed_size;
        self.rows += rows as u64;
        self.values += u64::from(written.num_values);
        Ok(())
    }

    /// Appends the bytes, compressed if that is worth it; says how many they are.
    fn append(&mut self, bytes: &[u8], page: &mut Vec<u8>) -> usize {
        if self.untried == 0 {
            if lz4::append(bytes, page) {
                return bytes.len();
            }
            self.untried = PAGES_UNTRIED;
        } else {
            self.untried -= 1;
        }
        page.extend_from_slice(bytes);
        bytes.len()
    }

    /// The pages, and what the file's footer says of them.
    pub(super) fn close(self) -> Result<(Bytes, ColumnCloseResult)> {
        let pages = Bytes::from(self.pages.into_inner()?);
        let metadata = ColumnChunkMetaData::builder(self.column)
            .set_compression_codec(CompressionCodec::LZ4_RAW)
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE])
            .set_total_compressed_size(pages.len() as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(self.values as i64)
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
        Ok((pages, result))
    }
}

/// Runs of the RLE hybrid encoding.
/// Source: <https://parquet.apache.org/docs/file-format/data-pages/encodings/>
struct Levels {
    repetition: Vec<u8>,
    definition: Vec<u8>,
}

impl Levels {
    /// A vector is a new row (0) and then more of the same row (1); a null is a new row without a
    /// value.
    fn of(vectors: &FixedSizeListArray, dimension: usize, defined: u8) -> Levels {
        let rows = vectors.len();
        let mut repetition = Vec::with_capacity(rows * 6);
        let mut definition = Vec::new();
        let mut vector = Vec::new();
        run(1, 0, &mut vector);
        run(dimension - 1, 1, &mut vector);
        if vectors.null_count() == 0 {
            (0..rows).for_each(|_| repetition.extend_from_slice(&vector));
            run(rows * dimension, defined, &mut definition);
        } else {
            for row in 0..rows {
                if vectors.is_valid(row) {
                    repetition.extend_from_slice(&vector);
                    run(dimension, defined, &mut definition);
                } else {
                    run(1, 0, &mut repetition);
                    run(1, 0, &mut definition);
                }
            }
        }
        Levels { repetition, definition }
    }
}

/// One run; levels are below 256, so their value is one byte.
fn run(count: usize, value: u8, into: &mut Vec<u8>) {
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

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn a_run_is_its_length_as_a_varint_and_its_value() {
        let encoded = |count, value| {
            let mut bytes = Vec::new();
            run(count, value, &mut bytes);
            bytes
        };
        assert_eq!(encoded(0, 1), []);
        assert_eq!(encoded(1, 0), [2, 0]);
        assert_eq!(encoded(63, 1), [126, 1]);
        assert_eq!(encoded(64, 1), [0x80, 1, 1]);
        assert_eq!(encoded(383, 1), [0xfe, 5, 1]);
    }
}
