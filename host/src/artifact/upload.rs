//! Streams bytes into one object without holding it whole: small objects go out in one put, large
//! ones as a multipart upload. Nothing is visible before [`Upload::finish`].

use super::store_error;
use crate::error::Result;
use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use std::io::Write;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Bytes held before they are sent; S3 wants parts of 5 MiB at least.
const PART_BYTES: usize = 16 << 20;

pub struct Upload {
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    shown: String,
    runtime: Handle,
    buffer: Vec<u8>,
    multipart: Option<Box<dyn MultipartUpload>>,
    bytes: u64,
}

impl Upload {
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        path: ObjectPath,
        shown: String,
        runtime: Handle,
    ) -> Upload {
        Upload { store, path, shown, runtime, buffer: Vec::new(), multipart: None, bytes: 0 }
    }

    fn send(&mut self) -> std::result::Result<(), object_store::Error> {
        let payload = PutPayload::from_bytes(Bytes::from(std::mem::take(&mut self.buffer)));
        let (store, path) = (&self.store, &self.path);
        let open = self.multipart.take();
        let multipart = self.runtime.block_on(async {
            let mut multipart = match open {
                Some(multipart) => multipart,
                None => store.put_multipart(path).await?,
            };
            multipart.put_part(payload).await?;
            Ok::<_, object_store::Error>(multipart)
        })?;
        self.multipart = Some(multipart);
        Ok(())
    }

    /// Publishes the object and returns its size in bytes.
    pub fn finish(mut self) -> Result<u64> {
        let done = match self.multipart.is_some() {
            true => self.send().and_then(|()| {
                let mut multipart = self.multipart.take().expect("send leaves it open");
                self.runtime.block_on(async { multipart.complete().await })
            }),
            false => {
                let bytes = Bytes::from(std::mem::take(&mut self.buffer));
                let (store, path) = (&self.store, &self.path);
                self.runtime
                    .block_on(async { store.put(path, PutPayload::from_bytes(bytes)).await })
            }
        };
        done.map(|_| self.bytes).map_err(|error| store_error(error, "write", &self.shown))
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        self.bytes += bytes.len() as u64;
        if self.buffer.len() >= PART_BYTES {
            self.send()
                .map_err(|error| std::io::Error::other(store_error(error, "write", &self.shown)))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(mut multipart) = self.multipart.take() {
            // Best effort: what stays is garbage without a name.
            let _ = self.runtime.block_on(async { multipart.abort().await });
        }
    }
}
