//! One row group of a Parquet file, fetched and then decoded page by page.

use super::object::ObjectFile;
use super::pages::{CheckedPages, check_header};
use bytes::{Buf, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::column::page::{PageIterator, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length, SerializedPageReader};
use std::io::{self, Read};
use std::sync::Arc;

/// The columns of a row group that are read.
pub(super) struct Group {
    metadata: Arc<ParquetMetaData>,
    index: usize,
    /// By leaf column.
    chunks: Vec<Option<Arc<Chunk>>>,
}

/// The bytes of a column chunk, at their place in the file.
pub(super) struct Chunk {
    start: u64,
    bytes: Bytes,
}

impl Group {
    /// Nothing where a column is said to be outside the file.
    pub(super) async fn fetch(
        file: &ObjectFile,
        metadata: &Arc<ParquetMetaData>,
        index: usize,
        mask: &ProjectionMask,
    ) -> object_store::Result<Option<Group>> {
        let columns = metadata.row_group(index).columns();
        let wanted = (0..columns.len()).filter(|column| mask.leaf_included(*column));
        let wanted: Vec<(usize, u64, u64)> = wanted
            .map(|column| {
                let (start, length) = columns[column].byte_range();
                (column, start, start.saturating_add(length))
            })
            .collect();
        if wanted.iter().any(|(_, _, end)| *end > file.size()) {
            return Ok(None);
        }
        let ranges: Vec<_> = wanted.iter().map(|(_, start, end)| *start..*end).collect();
        let mut chunks: Vec<Option<Arc<Chunk>>> = columns.iter().map(|_| None).collect();
        for ((column, start, _), bytes) in wanted.into_iter().zip(file.ranges(&ranges).await?) {
            chunks[column] = Some(Arc::new(Chunk { start, bytes }));
        }
        Ok(Some(Group { metadata: metadata.clone(), index, chunks }))
    }
}

impl RowGroups for Group {
    fn num_rows(&self) -> usize {
        usize::try_from(self.metadata.row_group(self.index).num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let chunk = self.chunks.get(column).and_then(Option::as_ref);
        let chunk = chunk.ok_or_else(|| ParquetError::General("no such column".to_string()))?;
        let described = self.metadata.row_group(self.index).column(column);
        let pages = SerializedPageReader::new(chunk.clone(), described, self.num_rows(), None)?;
        let pages: Box<dyn PageReader> = Box::new(CheckedPages::new(pages, described));
        Ok(Box::new(OneChunk(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.metadata.row_group(self.index)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

struct OneChunk(Option<Box<dyn PageReader>>);

impl Iterator for OneChunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for OneChunk {}

impl Chunk {
    fn from(&self, start: u64) -> Result<Bytes> {
        let from = start.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        match from.filter(|from| *from <= self.bytes.len()) {
            Some(from) => Ok(self.bytes.slice(from..)),
            None => Err(ParquetError::EOF("a page is outside its column".to_string())),
        }
    }
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// A page from its header on, which is all that the library reads in this way, and not even that
/// where it has looked at the header before. The end of the bytes is an error: the library passes
/// over what it does not know, and of a header that claims two billion of that it would ask for
/// each (`parquet_thrift.rs` of 60.1).
pub(super) struct Header {
    bytes: Bytes,
    checked: bool,
}

impl Read for Header {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if !self.checked {
            check_header(&self.bytes).map_err(io::Error::other)?;
            self.checked = true;
        }
        if self.bytes.is_empty() && !to.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = to.len().min(self.bytes.len());
        self.bytes.copy_to_slice(&mut to[..bytes]);
        Ok(bytes)
    }
}

impl ChunkReader for Chunk {
    type T = Header;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(Header { bytes: self.from(start)?, checked: false })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.from(start)?;
        match length <= bytes.len() {
            true => Ok(bytes.slice(..length)),
            false => Err(ParquetError::EOF("a page is longer than its column".to_string())),
        }
    }
}
