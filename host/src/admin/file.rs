//! Files below the data directory: listing them, durable names, bytes with their digest.

use crate::error::{Code, Context, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A regular file below a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// Relative, with `/`.
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// The regular files below `folder`, sorted; none when there is no folder.
pub(super) fn list(folder: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    let named = || format!("can not list {}", folder.display());
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.context(Code::Unavailable, named)?;
        if entry.file_type().is_file() {
            let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let words: Vec<_> = relative.iter().map(|word| word.to_string_lossy()).collect();
            let bytes = entry.metadata().context(Code::Unavailable, named)?.len();
            found.push(Found { name: words.join("/"), bytes });
        }
    }
    Ok(found)
}

/// Bytes of all files below `folder`.
pub(super) fn size(folder: &Path) -> Result<u64> {
    Ok(list(folder)?.iter().map(|file| file.bytes).sum())
}

pub(super) fn is_empty_folder(folder: &Path) -> Result<bool> {
    Ok(list(folder)?.is_empty())
}

/// Durable under its new name.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    let moved = std::fs::rename(from, to).and_then(|()| sync_parent(to));
    moved.context(Code::Unavailable, || {
        format!("can not rename {} to {}", from.display(), to.display())
    })
}

pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Fine when there is none.
pub(super) fn remove_folder(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.context(Code::Unavailable, || format!("can not remove {}", folder.display())),
    }
}

/// A name relative to a folder, or `None` when it would lead out of it.
pub(super) fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let fits = |word: &str| !word.is_empty() && word != "." && word != ".." && !word.contains('\0');
    name.split('/').all(fits).then(|| folder.join(name))
}

/// Passes bytes on and knows their SHA-256.
pub(super) struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl<T> Hashing<T> {
    pub(super) fn new(inner: T) -> Self {
        Hashing { inner, hash: Sha256::new() }
    }

    /// In hex.
    pub(super) fn digest(self) -> String {
        format!("{:x}", self.hash.finalize())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.hash.update(&into[..read]);
        Ok(read)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
