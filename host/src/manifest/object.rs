//! One Parquet file in an object store, read in ranges.

use crate::artifact::footer;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use std::ops::Range;
use std::sync::Arc;

pub(super) struct ObjectFile {
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    /// Known with the footer.
    size: u64,
}

impl ObjectFile {
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: ObjectPath) -> ObjectFile {
        ObjectFile { store, path, size: 0 }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) async fn ranges(&self, ranges: &[Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        self.store.get_ranges(&self.path, ranges).await
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for ObjectFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { self.store.get_range(&self.path, range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            self.size = self.store.head(&self.path).await.map_err(external)?.size;
            let size = self.size;
            let tail = size.saturating_sub(footer::TAIL_BYTES as u64);
            let bytes = footer::metadata_bytes(&self.get_bytes(tail..size).await?, size)?;
            let metadata = self.get_bytes(tail - bytes..tail).await?;
            footer::check(&metadata)?;
            Ok(Arc::new(ParquetMetaDataReader::decode_metadata(&metadata)?))
        }
        .boxed()
    }
}
