//! Names of the folders above an object in a local store.
//!
//! The store syncs a folder's name when it makes the folder. One that another thread has just made,
//! or a process that was killed, is there and yet not durable: an object in it would be lost by a
//! power cut. So the first object that this process puts into a folder waits for all names above.

use crate::durable;
use object_store::path::Path as ObjectPath;
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone)]
pub(super) struct Folders {
    /// `None` for a store that is not local.
    local: Option<(PathBuf, ObjectPath)>,
    /// Folders that have been seen to.
    durable: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Folders {
    /// Of a store whose root is the directory, by the given path of its own.
    pub(super) fn new(local: Option<(PathBuf, ObjectPath)>) -> Folders {
        Folders { local, durable: Arc::default() }
    }

    /// To be called when an object is published and before anybody is told.
    pub(super) fn sync(&self, object: &ObjectPath) -> io::Result<()> {
        let Some((root, base)) = &self.local else { return Ok(()) };
        let Some(names) = object.prefix_match(base) else { return Ok(()) };
        let mut path = root.clone();
        path.extend(names.map(|name| name.as_ref().to_string()));
        path.pop();
        if self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(&path) {
            return Ok(());
        }
        for above in path.ancestors().skip(1).take_while(|above| above.starts_with(root)) {
            durable::sync_directory(above)?;
        }
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).insert(path);
        Ok(())
    }
}
