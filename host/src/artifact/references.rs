//! Reads bytes that a manifest refers to, in ranges, wherever they are.

use super::{Location, store_error};
use crate::error::{Code, Error, Result};
use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Bytes fetched at once when somebody reads a small range: guests read 64 KiB at a time.
const WINDOW_BYTES: u64 = 4 << 20;

/// A window of one object.
struct Window {
    url: String,
    offset: u64,
    bytes: Bytes,
}

/// Opens each store once. One of these serves one worker: its window is the object being read.
pub struct References {
    options: Vec<(String, String)>,
    /// URL of the folder that `blob:SHA256` references are in.
    blobs: String,
    runtime: Handle,
    stores: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
    window: Mutex<Option<Window>>,
    sizes: Mutex<Option<(String, u64)>>,
}

impl References {
    pub fn new(options: Vec<(String, String)>, blobs: String, runtime: Handle) -> References {
        References {
            options,
            blobs,
            runtime,
            stores: Mutex::default(),
            window: Mutex::default(),
            sizes: Mutex::default(),
        }
    }

    /// Size in bytes.
    pub fn len(&self, url: &str) -> Result<u64> {
        let mut last = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, size)) = last.as_ref()
            && known == url
        {
            return Ok(*size);
        }
        let (store, path) = self.open(url)?;
        let meta = self.runtime.block_on(async { store.head(&path).await });
        let size = meta.map_err(|error| store_error(error, "look up", url))?.size;
        *last = Some((url.to_string(), size));
        Ok(size)
    }

    /// Up to `len` bytes from `offset`; fewer only at the end of the object.
    pub fn read(&self, url: &str, offset: u64, len: usize) -> Result<Bytes> {
        let size = self.len(url)?;
        let end = size.min(offset.saturating_add(len as u64));
        if offset >= end {
            return Ok(Bytes::new());
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = window.as_ref() {
            let held_end = held.offset + held.bytes.len() as u64;
            if held.url == url && held.offset <= offset && end <= held_end {
                let from = (offset - held.offset) as usize;
                return Ok(held.bytes.slice(from..from + (end - offset) as usize));
            }
        }
        let (store, path) = self.open(url)?;
        let range = offset..size.min(offset + WINDOW_BYTES.max(end - offset));
        let fetched = self.runtime.block_on(async { store.get_range(&path, range).await });
        let bytes = fetched.map_err(|error| store_error(error, "read", url))?;
        if (bytes.len() as u64) < end - offset {
            return Err(Error::new(Code::Unavailable, format!("{url} became shorter while read")));
        }
        let wanted = bytes.slice(..(end - offset) as usize);
        *window = Some(Window { url: url.to_string(), offset, bytes });
        Ok(wanted)
    }

    fn open(&self, url: &str) -> Result<(Arc<dyn ObjectStore>, ObjectPath)> {
        let location = match url.strip_prefix("blob:") {
            Some(digest) if digest.len() > 2 && digest.is_ascii() => {
                Location::parse(&format!("{}/{}/{digest}", self.blobs, &digest[..2]))?
            }
            _ => Location::parse(url)?,
        };
        let (key, path) = match &location {
            Location::Local(path) => {
                let named = |error: object_store::path::Error| {
                    Error::invalid(format!("{url} can not be an object path")).source(error)
                };
                ("file".to_string(), ObjectPath::from_absolute_path(path).map_err(named)?)
            }
            Location::Remote(remote) => {
                let (_, path) =
                    object_store::ObjectStoreScheme::parse(remote).map_err(|error| {
                        Error::invalid(format!("{url} is not an object")).source(error)
                    })?;
                let host = remote.host_str().unwrap_or("").to_string();
                (format!("{}://{host}:{:?}", remote.scheme(), remote.port()), path)
            }
        };
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(&key) {
            return Ok((store.clone(), path));
        }
        let (store, _) = location.open(&self.options, false)?;
        stores.insert(key, store.clone());
        Ok((store, path))
    }
}
