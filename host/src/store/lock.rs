//! One process a data directory.

use crate::durable;
use crate::error::{Code, Context, Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// Held as long as this value lives; the kernel gives it back when the process dies.
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Creates the directory when it is missing.
    pub fn acquire(directory: &Path) -> Result<DirectoryLock> {
        let named = || format!("can not lock the data directory {}", directory.display());
        durable::create_directory(directory).context(Code::Unavailable, named)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join("lock"))
            .context(Code::Unavailable, named)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(directory, &mut file)),
            Err(TryLockError::Error(error)) => {
                return Err(Error::new(Code::Unavailable, named()).source(error));
            }
        }
        let note = |file: &mut File| -> std::io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        note(&mut file).context(Code::Unavailable, named)?;
        Ok(DirectoryLock { _file: file })
    }
}

fn in_use(directory: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    // The process id is only a courtesy.
    let _ = file.read_to_string(&mut holder);
    let who = match holder.trim() {
        "" => "another process".to_string(),
        pid => format!("process {pid}"),
    };
    Error::new(
        Code::InUse,
        format!("the data directory {} is in use by {who}", directory.display()),
    )
    .hint("wait for it, or name another directory with --data-dir")
}
