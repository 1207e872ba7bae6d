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

    /// Links objects of a local store, (old, new), and syncs each folder once. No, where that can
    /// not be done: whoever asks has to copy them, or learns there what is wrong.
    pub(super) fn link_all(&self, pairs: &[(ObjectPath, ObjectPath)]) -> bool {
        let linked = pairs.iter().try_for_each(|(old, new)| {
            let none = || io::Error::from(io::ErrorKind::Unsupported);
            let (old, new) = (self.place(old).ok_or_else(none)?, self.place(new).ok_or_else(none)?);
            if let Some(folder) = new.parent() {
                std::fs::create_dir_all(folder)?;
            }
            // Staged as the store does it: the name is never without an object.
            let mut staged = new.clone().into_os_string();
            staged.push("#0");
            let _ = std::fs::remove_file(&staged);
            std::fs::hard_link(&old, &staged)?;
            std::fs::rename(&staged, &new)
        });
        let synced = linked.and_then(|()| {
            let folders: HashSet<PathBuf> = pairs
                .iter()
                .filter_map(|(_, new)| self.place(new)?.parent().map(PathBuf::from))
                .collect();
            folders.iter().try_for_each(|folder| durable::sync_directory(folder))?;
            pairs.iter().try_for_each(|(_, new)| self.sync(new))
        });
        synced.is_ok()
    }

    fn place(&self, object: &ObjectPath) -> Option<PathBuf> {
        let (root, base) = self.local.as_ref()?;
        let mut path = root.clone();
        path.extend(object.prefix_match(base)?.map(|name| name.as_ref().to_string()));
        Some(path)
    }

    /// The folder is to be deleted: what was seen to below it need not be remembered, and folders
    /// of that name are seen to anew.
    pub(super) fn forget(&self, folder: &ObjectPath) {
        let Some(folder) = self.place(folder) else { return };
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        durable.retain(|known| !known.starts_with(&folder));
    }

    /// To be called when an object is published and before anybody is told.
    pub(super) fn sync(&self, object: &ObjectPath) -> io::Result<()> {
        let Some((root, _)) = &self.local else { return Ok(()) };
        let Some(mut path) = self.place(object) else { return Ok(()) };
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
