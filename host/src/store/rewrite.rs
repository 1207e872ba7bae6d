//! Puts a state that is written anew in the place of another, whole or not at all.
//!
//! `state.building` is being written, `state.new` is complete and durable, `state.old` was
//! replaced. Two renames swap them; [`settle`] deals with what a crash leaves of that before the
//! next opening: a state without its place moves in, everything else beside `state` is removed.

use super::committer::RESERVE_BYTES;
use super::{Op, entries, record};
use crate::durable;
use crate::env::free_bytes;
use crate::error::{Code, Context, Error, Result};
use serde_json::Value;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Records that are written at once. sled's file comes out densest with some dozens: with a
/// thousand it has 3.4 times the bytes of a history of batches, with these 2.4 times.
const GROUP_MAX: usize = 64;

/// What becomes of the state that is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replaced {
    Removed,
    /// Renamed to this path beside it.
    Kept(PathBuf),
}

/// A state being written. Nothing of it is durable before [`Rewrite::finish`]: what a crash leaves
/// of it is removed.
pub struct Rewrite {
    directory: PathBuf,
    db: sled::Db,
    waiting: sled::Batch,
    waits: usize,
    written: Sum,
}

/// Equal for equal records, whatever their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    records: u64,
    hashes: u64,
}

impl Sum {
    fn add(&mut self, key: &str, bytes: &[u8]) {
        let mut hash = blake3::Hasher::new();
        hash.update(&(key.len() as u64).to_le_bytes());
        hash.update(key.as_bytes());
        hash.update(bytes);
        let first = hash.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
        self.records += 1;
        self.hashes = self.hashes.wrapping_add(u64::from_le_bytes(first));
    }
}

impl Rewrite {
    /// Of the state in `directory`, which stays as it is until [`Rewrite::finish`].
    pub fn begin(directory: &Path) -> Result<Rewrite> {
        let named = || format!("can not write a new state beside {}", directory.display());
        settle(directory).context(Code::Unavailable, named)?;
        let building = beside(directory, "building");
        durable::create_directory(&building).context(Code::Unavailable, named)?;
        let db = super::open_with_patience(&building)?;
        let (directory, waiting) = (directory.to_path_buf(), sled::Batch::default());
        Ok(Rewrite { directory, db, waiting, waits: 0, written: Sum::default() })
    }

    /// A record as [`super::Store::entries`] gives it. Its checksum is checked.
    pub fn add(&mut self, key: String, bytes: Vec<u8>) -> Result<()> {
        record::decode::<Value>(&key, &bytes)?;
        self.put(Op::Put { key, value: bytes })
    }

    /// Each key once.
    pub fn put(&mut self, op: Op) -> Result<()> {
        let Op::Put { key, value } = &op else {
            return Err(Error::internal("nothing is deleted from a state that is written anew"));
        };
        self.written.add(key, value);
        self.waiting.insert(key.as_bytes(), value.as_slice());
        self.waits += 1;
        match self.waits < GROUP_MAX {
            true => Ok(()),
            false => self.write(),
        }
    }

    fn write(&mut self) -> Result<()> {
        let building = beside(&self.directory, "building");
        let named = || format!("can not write {}", building.display());
        let free = free_bytes(&building).context(Code::Unavailable, named)?;
        if free < RESERVE_BYTES {
            let message =
                format!("no space left for {}: {free} bytes are free", building.display());
            return Err(Error::new(Code::StorageFull, message)
                .hint(format!("free {} bytes; nothing changed", RESERVE_BYTES - free)));
        }
        self.waits = 0;
        self.db.apply_batch(std::mem::take(&mut self.waiting)).context(Code::Unavailable, named)?;
        self.db.flush().context(Code::Unavailable, named)?;
        Ok(())
    }

    /// Reads everything back, then swaps. The other state must not be open. Returns the number of
    /// records.
    pub fn finish(self, replaced: &Replaced) -> Result<u64> {
        let sealed = self.seal()?;
        let records = sealed.records;
        sealed.take_place(replaced)?;
        Ok(records)
    }

    /// Everything is read back and durable.
    pub(super) fn seal(mut self) -> Result<Sealed> {
        self.write()?;
        let Rewrite { directory, db, written, .. } = self;
        drop(db);
        let building = beside(&directory, "building");
        let db = super::open_with_patience(&building)?;
        let mut read = Sum::default();
        for entry in db.iter() {
            let (key, bytes) = entries::text_key(entry)?;
            read.add(&key, &bytes);
        }
        if read != written {
            let message = format!("{} does not hold what was written", building.display());
            return Err(Error::new(Code::Corrupt, message).hint("check the disk; nothing changed"));
        }
        durable::sync_all(&building)
            .context(Code::Unavailable, || format!("can not sync {}", building.display()))?;
        Ok(Sealed { directory, records: written.records, db })
    }
}

/// A new state that is complete, beside the one that it replaces. It is open and stays open: sled
/// goes by paths only when it opens.
pub(super) struct Sealed {
    directory: PathBuf,
    records: u64,
    db: sled::Db,
}

impl Sealed {
    /// Nothing may be written to the other state any more; it may be read on.
    pub(super) fn take_place(self, replaced: &Replaced) -> Result<sled::Db> {
        swap(&self.directory, replaced).context(Code::Unavailable, || {
            format!("can not put the new state in the place of {}", self.directory.display())
        })?;
        Ok(self.db)
    }
}

pub(super) fn beside(directory: &Path, suffix: &str) -> PathBuf {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    directory.with_file_name(format!("{name}.{suffix}"))
}

fn swap(directory: &Path, replaced: &Replaced) -> io::Result<()> {
    let new = beside(directory, "new");
    rename(&beside(directory, "building"), &new)?;
    if directory.exists() {
        let aside = match replaced {
            Replaced::Removed => beside(directory, "old"),
            Replaced::Kept(path) => path.clone(),
        };
        rename(directory, &aside)?;
    }
    rename(&new, directory)?;
    settle(directory)
}

/// Where the state is now: a crash may have left it outside its place.
pub(super) fn current(directory: &Path) -> Option<PathBuf> {
    [directory.to_path_buf(), beside(directory, "new")].into_iter().find(|path| path.is_dir())
}

/// Leaves at most `directory` itself, and what was kept on purpose.
pub(super) fn settle(directory: &Path) -> io::Result<()> {
    let [building, new, old] = ["building", "new", "old"].map(|suffix| beside(directory, suffix));
    remove(&building)?;
    match (directory.exists(), new.exists()) {
        (false, true) => rename(&new, directory)?,
        (true, true) => {
            // Under the name of something unfinished: half removed it must never move in.
            rename(&new, &building)?;
            remove(&building)?;
        }
        (_, false) => {}
    }
    match directory.exists() {
        true => remove(&old),
        false => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    match to.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
