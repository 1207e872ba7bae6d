//! Folders of measured runs. They are deleted together before the first and after the last one:
//! ext4 without a journal passes over each inode that was deleted within the last minutes when it
//! makes a file, so a run right after a deletion pays for it, an eighth of its CPU time.

use anyhow::Result;
use std::path::{Path, PathBuf};

const FOLDER: &str = "runs";

/// A path in `work` that nothing is at yet.
pub(crate) fn next(work: &Path) -> Result<PathBuf> {
    let folder = work.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let taken = |number: &usize| folder.join(number.to_string()).exists();
    let number = (0..).find(|number| !taken(number)).unwrap_or_default();
    let next = folder.join(number.to_string());
    std::fs::create_dir(&next)?;
    Ok(next)
}

pub(crate) fn clear(work: &Path) -> Result<()> {
    let folder = work.join(FOLDER);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}
