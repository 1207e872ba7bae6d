//! What is in a folder, and taking things out of it.

use super::{Artifacts, store_error};
use crate::error::Result;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};

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
