//! What survives a power cut: bytes of a file that was synced, under a name whose directory was
//! synced too. Creating or renaming syncs nothing.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Makes durable what a directory lists.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// A directory and those above it that are missing; they are durable on return.
pub fn create_directory(path: &Path) -> io::Result<()> {
    let missing = path.ancestors().take_while(|above| !above.exists());
    let missing: Vec<&Path> = missing.filter(|above| !above.as_os_str().is_empty()).collect();
    fs::create_dir_all(path)?;
    for made in missing {
        match made.parent() {
            Some(above) if !above.as_os_str().is_empty() => sync_directory(above)?,
            _ => sync_directory(Path::new("."))?,
        }
    }
    Ok(())
}

/// A file with these bytes, whole or not at all: temporary name, fsync, rename, fsync of the
/// folder.
pub fn write(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = target.with_added_extension(format!("tmp-{}", std::process::id()));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, target)?;
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => sync_directory(folder),
        _ => sync_directory(Path::new(".")),
    }
}

/// Everything in a directory and below.
pub fn sync_all(directory: &Path) -> io::Result<()> {
    sync(directory, true)
}

/// The names in a directory and below, not the bytes of the files.
pub fn sync_names(directory: &Path) -> io::Result<()> {
    sync(directory, false)
}

fn sync(directory: &Path, files: bool) -> io::Result<()> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let synced = match entry.file_type()?.is_dir() {
            true => sync(&entry.path(), files),
            false if files => File::open(entry.path()).and_then(|file| file.sync_all()),
            false => Ok(()),
        };
        // Engines remove temporary files and old segments beside us.
        match synced {
            Err(error) if gone(&error) && !entry.path().exists() => {}
            synced => synced?,
        }
    }
    sync_directory(directory)
}
