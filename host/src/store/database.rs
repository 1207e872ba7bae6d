//! The open database. Compaction puts another one in its place while others read.

use crate::error::{Code, Context, Result};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// A database, and its file once more: sled does not let others sync it.
pub(super) struct Files {
    pub(super) db: sled::Db,
    pub(super) file: File,
}

impl Files {
    /// Of a database that is open in `directory`.
    pub(super) fn open(db: sled::Db, directory: &Path) -> Result<Files> {
        let path = directory.join("db");
        let file = File::open(&path)
            .context(Code::Unavailable, || format!("can not open {}", path.display()))?;
        Ok(Files { db, file })
    }

    /// Whether these are what `directory` has, and not others of the same name.
    pub(super) fn are_in(&self, directory: &Path) -> bool {
        let place = |found: std::fs::Metadata| (found.dev(), found.ino());
        let there = std::fs::metadata(directory.join("db")).map(place);
        matches!((self.file.metadata().map(place), there), (Ok(ours), Ok(there)) if ours == there)
    }

    pub(super) fn bytes(&self) -> Result<u64> {
        let found = self.file.metadata();
        let named = || "can not read the size of the state".to_string();
        Ok(found.context(Code::Unavailable, named)?.len())
    }
}

#[derive(Clone)]
pub(super) struct Database(Arc<RwLock<Arc<Files>>>);

impl Database {
    pub(super) fn new(files: Files) -> Database {
        Database(Arc::new(RwLock::new(Arc::new(files))))
    }

    /// What is written to now. Whoever goes on reading one that was replaced reads what it held
    /// then.
    pub(super) fn current(&self) -> Arc<Files> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn replace(&self, files: Files) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(files);
    }
}
