//! Where the server of a data directory listens, so that commands find it while it holds the
//! directory: `control/server.json`, which only its owner may read.

use crate::durable;
use crate::error::{Code, Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Only its owner may read it.
const MODE: u32 = 0o600;

#[derive(Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) url: String,
    pub(super) process: u32,
    /// Whoever may read this file may do everything; it ends with the process.
    pub(super) operator: String,
}

/// The file, which goes when this is dropped.
pub(super) struct Published(PathBuf);

impl Drop for Published {
    fn drop(&mut self) {
        // One that stays names a process that is gone, and the lock tells.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("control").join("server.json")
}

impl Address {
    pub(super) fn publish(&self, data_dir: &Path) -> Result<Published> {
        let path = file(data_dir);
        let named = || format!("can not write {}", path.display());
        if let Some(folder) = path.parent() {
            durable::create_directory(folder).context(Code::Unavailable, named)?;
        }
        let unfinished = path.with_extension("json.tmp");
        // One of a process that died may have other permissions.
        let _ = std::fs::remove_file(&unfinished);
        let text = serde_json::to_string(self).context(Code::Internal, named)?;
        let mut open = OpenOptions::new();
        let open = open.write(true).create_new(true).mode(MODE).open(&unfinished);
        let mut written = open.context(Code::Unavailable, named)?;
        written.write_all(text.as_bytes()).context(Code::Unavailable, named)?;
        std::fs::rename(&unfinished, &path).context(Code::Unavailable, named)?;
        Ok(Published(path))
    }

    /// Of whoever holds the data directory, if it is a server.
    pub(super) fn find(data_dir: &Path) -> Option<Address> {
        serde_json::from_slice(&std::fs::read(file(data_dir)).ok()?).ok()
    }
}
