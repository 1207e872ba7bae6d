//! Free space on the disk of the engine.
//!
//! The engine's files are sparse memory maps: a write to a full disk is not an error but a SIGBUS
//! that ends the process. So nothing is written unless there is far more room than it can need.

use crate::error::{Code, Context, Error, Result};
use std::io;
use std::path::Path;

/// Left free in any case: both open log files (32 MiB each) and the first pages of a new segment.
const RESERVE_BYTES: u64 = 128 << 20;

/// Reads the bytes that are free at a path.
pub type FreeBytes = fn(&Path) -> io::Result<u64>;

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

/// What the file system leaves to this user.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    let mut stats = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `path` is a NUL-terminated string and `stats` has room for one struct.
    if unsafe { libc::statvfs(path.as_ptr(), stats.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: statvfs returned 0, so it has filled the struct; all zeros are valid before that.
    let stats = unsafe { stats.assume_init() };
    Ok(stats.f_bavail.saturating_mul(stats.f_frsize))
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
