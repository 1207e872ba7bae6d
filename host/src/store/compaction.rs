//! Writes the state anew while it is in use. sled 0.34 frees a segment of its file when little in
//! it lives, and gives back only the last ones: records that come and go leave a file that has many
//! times the bytes of what is in it.
//!
//! The committer's thread does this between two groups: nothing is written meanwhile, and whoever
//! reads goes on in the old files, whose space is free once the last reader is done. The steps, and
//! what a crash leaves of them, are those of [`Rewrite`].

use super::committer::RESERVE_BYTES;
use super::database::{Database, Files};
use super::rewrite::Sealed;
use super::{Replaced, Rewrite, entries, rewrite};
use crate::env::free_bytes;
use crate::error::{Code, Context, Error, Result};
use std::path::{Path, PathBuf};

/// Files with more bytes than so many for each live one are written anew.
const RATIO_MAX: u64 = 3;
/// But not before they have grown by a fifth since the last time: new files may be hardly smaller.
const GROWTH_MIN: u64 = 5;
/// Operations between two looks, or a fourth of the number of records: counting them stays a small
/// part of writing them.
const LOOK_OPS_MIN: u64 = 1024;
const LOOK_RECORDS: u64 = 4;
/// Room that the new files may take for each live byte: 2.4 to 3.4 times were seen.
const ROOM_RATIO: u64 = 4;

pub(super) struct Compaction {
    directory: PathBuf,
    /// Smaller files stay as they are.
    from_bytes: u64,
    /// Operations until the next look.
    left: u64,
    /// What the files had after the last compaction.
    compacted_bytes: u64,
}

/// What a database holds.
#[derive(Default)]
pub(super) struct Live {
    records: u64,
    /// Of all keys and values: what the files have to hold.
    pub(super) bytes: u64,
}

impl Compaction {
    pub(super) fn new(directory: &Path, from_bytes: u64) -> Compaction {
        Compaction { directory: directory.to_path_buf(), from_bytes, left: 0, compacted_bytes: 0 }
    }

    /// After so many operations were written: replaces the database where that is worth it. An
    /// error leaves it open which files a crash would find: nothing must be written any more.
    pub(super) fn after(&mut self, ops: usize, database: &Database) -> Result<()> {
        self.left = self.left.saturating_sub(ops as u64);
        if self.left > 0 {
            return Ok(());
        }
        self.left = LOOK_OPS_MIN;
        let files = database.current();
        let sealed = self.wanted(&files).and_then(|wanted| match wanted {
            true => Ok(Some((files.bytes()?, self.write(&files.db)?))),
            false => Ok(None),
        });
        let (bytes_before, sealed) = match sealed {
            Ok(Some(sealed)) => sealed,
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::warn!(reason = error.chain(), "the state is not compacted");
                return Ok(());
            }
        };
        let taken = sealed.take_place(&Replaced::Removed);
        let db = match taken {
            Ok(db) => db,
            // As where it is a mount point, which nobody can rename.
            Err(error) if files.are_in(&self.directory) => {
                let _ = rewrite::settle(&self.directory);
                tracing::warn!(reason = error.chain(), "the state is not compacted");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let files = Files::open(db, &self.directory)?;
        let bytes_after = files.bytes()?;
        self.compacted_bytes = bytes_after;
        database.replace(files);
        metrics::counter!("quarry_state_compactions_total").increment(1);
        tracing::info!(bytes_before, bytes_after, "the state was compacted");
        Ok(())
    }

    fn wanted(&mut self, files: &Files) -> Result<bool> {
        let bytes = files.bytes()?;
        if bytes < self.from_bytes {
            return Ok(false);
        }
        let live = Live::count(&files.db)?;
        self.left = LOOK_OPS_MIN.max(live.records / LOOK_RECORDS);
        let grown = bytes > self.compacted_bytes + self.compacted_bytes / GROWTH_MIN;
        if !grown || bytes <= RATIO_MAX * live.bytes {
            return Ok(false);
        }
        let free = free_bytes(&self.directory).context(Code::Unavailable, || {
            format!("can not read the free space of {}", self.directory.display())
        })?;
        let needed = ROOM_RATIO * (RESERVE_BYTES + live.bytes);
        if free < needed {
            let message = format!("{free} bytes are free on its disk, {needed} are needed");
            return Err(Error::new(Code::StorageFull, message));
        }
        Ok(true)
    }

    /// All of it beside the state, durable and read back.
    fn write(&self, db: &sled::Db) -> Result<Sealed> {
        tracing::trace!(target: "quarry::step", step = "compact");
        let sealed = Rewrite::begin(&self.directory).and_then(|mut rewrite| {
            for entry in db.iter() {
                let (key, bytes) = entries::text_key(entry)?;
                rewrite.add(key, bytes.to_vec())?;
            }
            rewrite.seal()
        });
        if sealed.is_err() {
            // What was written takes room until somebody removes it.
            let _ = rewrite::settle(&self.directory);
        }
        sealed
    }
}

impl Live {
    pub(super) fn count(db: &sled::Db) -> Result<Live> {
        db.iter().try_fold(Live::default(), |live, entry| {
            let (key, value) =
                entry.context(Code::Unavailable, || "can not read the state".to_string())?;
            let bytes = live.bytes + (key.len() + value.len()) as u64;
            Ok(Live { records: live.records + 1, bytes })
        })
    }
}
