//! What is in a folder, and taking things out of it.

use super::{Artifacts, store_error};
use crate::error::Result;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};

/// Objects that are copied at a time.
const COPIES: usize = 16;

impl Artifacts {
    /// Names, relative to this folder, and sizes of everything in it and below, by name.
    pub fn objects(&self) -> Result<Vec<(String, u64)>> {
        let listed = self.runtime.block_on(async {
            let found = self.store.list(Some(&self.base));
            found.map_ok(|meta| (meta.location, meta.size)).try_collect::<Vec<_>>().await
        });
        let found = listed.map_err(|error| store_error(error, "list", &self.url))?;
        let mut objects: Vec<(String, u64)> =
            found.iter().filter_map(|(path, bytes)| Some((self.relative(path)?, *bytes))).collect();
        objects.sort();
        Ok(objects)
    }

    /// Names of the folders directly in this one, sorted.
    pub fn folders(&self) -> Result<Vec<String>> {
        let listed = self
            .runtime
            .block_on(async { self.store.list_with_delimiter(Some(&self.base)).await })
            .map_err(|error| store_error(error, "list", &self.url))?;
        let mut folders: Vec<String> =
            listed.common_prefixes.iter().filter_map(|path| self.relative(path)).collect();
        folders.sort();
        Ok(folders)
    }

    /// Makes objects of another folder of the same store appear here, as (there, here): links where
    /// the store has such, copies elsewhere. They replace what is there, and are durable on return.
    pub fn link_all(&self, from: &Artifacts, names: &[(String, String)]) -> Result<()> {
        let pairs = names.iter().map(|(old, new)| (from.path(old), self.path(new)));
        let pairs: Vec<(ObjectPath, ObjectPath)> = pairs.collect();
        if self.folders.link_all(&pairs) {
            return Ok(());
        }
        let copied = self.runtime.block_on(async {
            let copies = pairs.iter().map(|(old, new)| self.store.copy(old, new));
            let mut copies = futures::stream::iter(copies).buffered(COPIES);
            while copies.try_next().await?.is_some() {}
            Ok(())
        });
        copied.map_err(|error| store_error(error, "copy to", &self.url))?;
        pairs.iter().zip(names).try_for_each(|((_, path), (_, name))| self.publish(path, name))
    }

    pub fn delete(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        let deleted = self.runtime.block_on(async { self.store.delete(&path).await });
        deleted.map_err(|error| store_error(error, "delete", &self.name_of(name)))
    }

    fn relative(&self, path: &ObjectPath) -> Option<String> {
        let parts = path.prefix_match(&self.base)?;
        let words: Vec<String> = parts.map(|part| part.as_ref().to_string()).collect();
        Some(words.join("/"))
    }
}
