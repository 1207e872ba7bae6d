//! Free space on the disk of the engine.
//!
//! The engine's files are sparse memory maps: a write to a full disk is not an error but a SIGBUS
//! that ends the process. So nothing is written unless there is far more room than it can need.

use crate::env::FreeBytes;
use crate::error::{Code, Context, Error, Result};
use std::io;
use std::path::Path;

/// Left free in any case: both open log files (32 MiB each) and the first pages of a new segment.
const RESERVE_BYTES: u64 = 128 << 20;

/// Fails where less than `bytes` and the reserve are free.
pub(super) fn require(free_bytes: FreeBytes, directory: &Path, bytes: u64) -> Result<()> {
    let needed = bytes.saturating_add(RESERVE_BYTES);
    let free = free_bytes(directory).context(Code::Unavailable, || {
        format!("can not read the free space of {}", directory.display())
    })?;
    if free >= needed {
        return Ok(());
    }
    let (directory, missing) = (directory.display(), needed - free);
    let message = format!("no space left for vectors in {directory}: {missing} bytes are missing");
    Err(Error::new(Code::StorageFull, message).hint("free some space and try again"))
}

/// Bytes that the files below `directory` occupy on disk, holes left out.
pub(super) fn used_bytes(directory: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(directory) {
        match entry {
            Ok(entry) => bytes += entry.metadata().map_or(0, |metadata| metadata.blocks() * 512),
            // The optimizer removes segments beside us.
            Err(error) if error.depth() > 0 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}
