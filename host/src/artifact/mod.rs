//! Objects in object storage: a batch's plan, its Parquet artifacts and parts, blobs. Any URL that
//! `object_store` knows: a local directory by default, `s3:`, `gs:`, `az:`.
//!
//! All calls block; they are made from worker threads. **Invariant:** an object appears whole or
//! not at all (stage, then publish): what a crash leaves behind is never visible under its final
//! name.

mod cells;
mod decode;
mod folders;
pub(crate) mod footer;
mod listing;
mod location;
mod lz4;
mod pages;
mod part;
mod recycled;
mod references;
mod upload;
mod vectors;

pub(crate) use decode::guarded;
pub use location::{Location, resolve_url};
pub(crate) use part::project;
pub use part::{PartReader, PartWriter, Slice};
pub use references::References;
pub use upload::Upload;

use crate::error::{Code, Context, Error, Result};
use bytes::Bytes;
use folders::Folders;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use std::sync::Arc;
use tokio::runtime::Handle;

/// A folder in an object store.
#[derive(Clone)]
pub struct Artifacts {
    store: Arc<dyn ObjectStore>,
    base: ObjectPath,
    url: String,
    runtime: Handle,
    /// Shared by all folders of a store.
    chunks: upload::Chunks,
    folders: Folders,
}

impl Artifacts {
    /// `url` is a path or a URL; `options` override the environment (`aws_endpoint`, …).
    pub fn open(url: &str, options: &[(String, String)], runtime: Handle) -> Result<Artifacts> {
        let location = Location::parse(url)?;
        let (store, base) = location.open(options, true)?;
        let url = location.to_string();
        let local = match &location {
            Location::Local(root) => Some((root.clone(), base.clone())),
            Location::Remote(_) => None,
        };
        let (chunks, folders) = (upload::Chunks::default(), Folders::new(local));
        Ok(Artifacts { store, base, url, runtime, chunks, folders })
    }

    /// Over a store of one's own, such as one in memory that fails now and then.
    pub fn over(store: Arc<dyn ObjectStore>, url: &str, runtime: Handle) -> Artifacts {
        let chunks = upload::Chunks::default();
        let folders = Folders::new(None);
        let (base, url) = (ObjectPath::default(), url.to_string());
        Artifacts { store, base, url, runtime, chunks, folders }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn folder(&self, name: &str) -> Artifacts {
        let base = self.path(name);
        let url = format!("{}/{name}", self.url.trim_end_matches('/'));
        Artifacts { base, url, ..self.clone() }
    }

    fn path(&self, name: &str) -> ObjectPath {
        name.split('/').fold(self.base.clone(), |path, word| path.join(word))
    }

    /// For messages.
    pub fn name_of(&self, name: &str) -> String {
        format!("{}/{name}", self.url.trim_end_matches('/'))
    }

    pub fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        let path = self.path(name);
        let done = self
            .runtime
            .block_on(async { self.store.put(&path, PutPayload::from_bytes(bytes)).await });
        done.map_err(|error| store_error(error, "write", &self.name_of(name)))?;
        self.publish(&path, name)
    }

    fn publish(&self, path: &ObjectPath, name: &str) -> Result<()> {
        let failed = || format!("can not sync the folders of {}", self.name_of(name));
        self.folders.sync(path).context(Code::Unavailable, failed)
    }

    /// Writes an object that must not exist yet; no, when it does.
    pub fn create(&self, name: &str, bytes: Bytes) -> Result<bool> {
        let path = self.path(name);
        let (payload, mode) = (PutPayload::from_bytes(bytes), PutMode::Create.into());
        match self.runtime.block_on(async { self.store.put_opts(&path, payload, mode).await }) {
            Ok(_) => self.publish(&path, name).map(|()| true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(store_error(error, "write", &self.name_of(name))),
        }
    }

    /// Names of everything in a folder and below it, relative to this one, sorted.
    pub fn list(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = self.path(folder);
        let listed = self.runtime.block_on(async {
            let found = self.store.list(Some(&prefix)).map_ok(|meta| meta.location);
            found.try_collect::<Vec<ObjectPath>>().await
        });
        let paths = listed.map_err(|error| store_error(error, "list", &self.name_of(folder)))?;
        let below = |path: &ObjectPath| {
            let parts = path.prefix_match(&self.base)?.map(|part| part.as_ref().to_string());
            Some(parts.collect::<Vec<_>>().join("/"))
        };
        let mut names: Vec<String> = paths.iter().filter_map(below).collect();
        names.sort();
        Ok(names)
    }

    pub fn get(&self, name: &str) -> Result<Bytes> {
        let path = self.path(name);
        let fetched = self.runtime.block_on(async { self.store.get(&path).await?.bytes().await });
        fetched.map_err(|error| store_error(error, "read", &self.name_of(name)))
    }

    pub fn exists(&self, name: &str) -> Result<bool> {
        match self.runtime.block_on(async { self.store.head(&self.path(name)).await }) {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(store_error(error, "look up", &self.name_of(name))),
        }
    }

    /// Streams an object; it appears when [`Upload::finish`] returns.
    pub fn upload(&self, name: &str) -> Upload {
        let shown = self.name_of(name);
        let (store, runtime, chunks) =
            (self.store.clone(), self.runtime.clone(), self.chunks.clone());
        Upload::new(store, self.path(name), shown, runtime, chunks, self.folders.clone())
    }

    /// Deletes everything below this folder.
    pub fn delete_all(&self) -> Result<()> {
        let named = self.url.clone();
        self.folders.forget(&self.base);
        let deleted = self.runtime.block_on(async {
            let found = self.store.list(Some(&self.base)).map_ok(|meta| meta.location);
            let paths: Vec<ObjectPath> = found.try_collect().await?;
            for path in paths {
                self.store.delete(&path).await?;
            }
            Ok(())
        });
        deleted.map_err(|error| store_error(error, "delete", &named))
    }
}

pub(crate) fn store_error(error: object_store::Error, verb: &str, name: &str) -> Error {
    let full = error_chain_has(&error, "No space left") || error_chain_has(&error, "StorageFull");
    let code = match &error {
        object_store::Error::NotFound { .. } => Code::NotFound,
        _ if full => Code::StorageFull,
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. }
        | object_store::Error::InvalidPath { .. }
        | object_store::Error::NotSupported { .. }
        | object_store::Error::NotImplemented { .. }
        | object_store::Error::UnknownConfigurationKey { .. } => Code::Invalid,
        _ => Code::Unavailable,
    };
    let message = match code {
        Code::NotFound => format!("{name} does not exist"),
        Code::StorageFull => format!("can not {verb} {name}: no space left"),
        _ => format!("can not {verb} {name}"),
    };
    Error::new(code, message).source(error)
}

fn error_chain_has(error: &dyn std::error::Error, words: &str) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.to_string().contains(words) {
            return true;
        }
        next = error.source();
    }
    false
}
