//! Streams bytes into one object without holding it whole: small objects go out in one put, large
//! ones as a multipart upload. Nothing is visible before [`Upload::finish`].

use super::folders::Folders;
use super::store_error;
use crate::error::{Code, Context, Result};
use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Bytes held before they are sent; S3 wants parts of 5 MiB at least.
const PART_BYTES: usize = 16 << 20;
/// Bytes are collected in chunks of this size: what was written is never moved again.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks kept for the next uploads; more than these go back to the allocator.
const CHUNKS_KEPT: usize = 64;

pub struct Upload {
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    shown: String,
    runtime: Handle,
    chunks: Chunks,
    folders: Folders,
    /// Full ones.
    held: Vec<Bytes>,
    open: Option<Chunk>,
    held_bytes: usize,
    multipart: Option<Box<dyn MultipartUpload>>,
    bytes: u64,
}

impl Upload {
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        path: ObjectPath,
        shown: String,
        runtime: Handle,
        chunks: Chunks,
        folders: Folders,
    ) -> Upload {
        Upload {
            store,
            path,
            shown,
            runtime,
            chunks,
            folders,
            held: Vec::new(),
            open: None,
            held_bytes: 0,
            multipart: None,
            bytes: 0,
        }
    }

    /// Everything that was not sent yet.
    fn payload(&mut self) -> PutPayload {
        self.held.extend(self.open.take().map(Bytes::from_owner));
        self.held_bytes = 0;
        self.held.drain(..).collect()
    }

    fn send(&mut self) -> std::result::Result<(), object_store::Error> {
        let payload = self.payload();
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
                let payload = self.payload();
                let (store, path) = (&self.store, &self.path);
                self.runtime.block_on(async { store.put(path, payload).await })
            }
        };
        done.map_err(|error| store_error(error, "write", &self.shown))?;
        let failed = || format!("can not sync the folders of {}", self.shown);
        self.folders.sync(&self.path).context(Code::Unavailable, failed)?;
        Ok(self.bytes)
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let chunk = self.open.get_or_insert_with(|| self.chunks.take());
        let taken = bytes.len().min(CHUNK_BYTES - chunk.bytes.len());
        chunk.bytes.extend_from_slice(&bytes[..taken]);
        if chunk.bytes.len() == CHUNK_BYTES {
            self.held.extend(self.open.take().map(Bytes::from_owner));
        }
        self.bytes += taken as u64;
        self.held_bytes += taken;
        if self.held_bytes >= PART_BYTES {
            self.send()
                .map_err(|error| std::io::Error::other(store_error(error, "write", &self.shown)))?;
        }
        Ok(taken)
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

/// Chunks that were sent, for the next upload: touching fresh memory for every part costs as much
/// as writing it.
#[derive(Clone, Default)]
pub(super) struct Chunks(Arc<Mutex<Vec<Vec<u8>>>>);

impl Chunks {
    fn take(&self) -> Chunk {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = kept.unwrap_or_else(|| Vec::with_capacity(CHUNK_BYTES));
        Chunk { bytes, home: self.clone() }
    }
}

/// Goes home when nothing refers to it any more.
struct Chunk {
    bytes: Vec<u8>,
    home: Chunks,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut kept = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < CHUNKS_KEPT {
            kept.push(bytes);
        }
    }
}
