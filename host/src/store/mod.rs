//! Control state in sled: batches, partitions, namespaces, extractors. Never rows.
//!
//! One committer thread is the only writer. It groups what waits, applies it as one atomic batch,
//! flushes, and fsyncs the file itself (sled's own flush does not survive a power cut), and only
//! then answers. **Invariant:** an answer from [`Store::commit`] means that it is on the disk.
//! A store whose flush failed is poisoned: it refuses everything from then on instead of lying.

mod batches;
pub mod catalog;
mod committer;
mod compaction;
mod companion;
mod database;
mod entries;
mod events;
mod extractors;
mod lock;
mod namespaces;
mod partitions;
mod record;
mod rewrite;
mod upgrade;

pub use batches::{BatchRecord, CollectionSummary, Parked};
pub use catalog::{CatalogEntry, Noun};
pub use committer::{Hook, Moment, Op};
pub use entries::Entry;
pub use events::Event;
pub use extractors::ExtractorRecord;
pub use lock::DirectoryLock;
pub use namespaces::{CollectionState, NamespaceRecord};
pub use partitions::{
    Kept, PartitionId, PartitionKey, PartitionRecord, PartitionState, Timing, Watch,
};
pub use rewrite::{Replaced, Rewrite};
pub use upgrade::{UPGRADES, Upgrade};

use crate::durable;
use crate::env::FreeBytes;
use crate::error::{Code, Context, Error, Result};
use committer::Committer;
use compaction::{Compaction, Live};
use database::{Database, Files};
use record::Record;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What the state's version is written under.
const VERSION_KEY: &str = "meta/version";
const CACHE_BYTES: u64 = 4 << 20;
const OPEN_ATTEMPTS: u32 = 20;
const OPEN_PAUSE: Duration = Duration::from_millis(50);

pub struct Store {
    database: Database,
    committer: Committer,
}

impl Store {
    /// Opens or creates the store in `directory`. The caller holds the [`DirectoryLock`] of the
    /// data directory, so nobody else has it open.
    pub fn open(directory: &Path) -> Result<Store> {
        Self::open_upgraded(directory, UPGRADES)
    }

    /// Writes it anew by itself, while it is in use, when its files have `from_bytes` and most of
    /// that is no longer needed.
    pub fn open_compacting(directory: &Path, from_bytes: u64) -> Result<Store> {
        let compaction = Compaction::new(directory, from_bytes);
        let store = Self::start(directory, None, Some(compaction))?;
        upgrade::run(&store, directory, UPGRADES)?;
        Ok(store)
    }

    /// With other upgrades than those that were released.
    pub fn open_upgraded(directory: &Path, upgrades: &[Upgrade]) -> Result<Store> {
        let store = Self::start(directory, None, None)?;
        upgrade::run(&store, directory, upgrades)?;
        Ok(store)
    }

    /// Without a look at the version, which is neither checked nor written: for those who look
    /// after the state itself.
    pub fn open_unversioned(directory: &Path) -> Result<Store> {
        Self::start(directory, None, None)
    }

    /// Writes in the thread that asks and tells `hook` before and after each write: for tests that
    /// count effects and let them fail.
    pub fn open_hooked(directory: &Path, hook: Arc<Hook>) -> Result<Store> {
        let store = Self::start(directory, Some(hook), None)?;
        upgrade::run(&store, directory, UPGRADES)?;
        Ok(store)
    }

    /// Reads free space otherwise, for tests.
    pub fn with_free_bytes(self, free_bytes: FreeBytes) -> Store {
        Store { committer: self.committer.with_free_bytes(free_bytes), ..self }
    }

    fn start(
        directory: &Path,
        hook: Option<Arc<Hook>>,
        compaction: Option<Compaction>,
    ) -> Result<Store> {
        let named = || format!("can not open the state in {}", directory.display());
        rewrite::settle(directory).context(Code::Unavailable, named)?;
        if !directory.exists() {
            create(directory)?;
        }
        remove_half_snapshots(directory).context(Code::Unavailable, named)?;
        let db = open_with_patience(directory)?;
        // sled syncs neither its settings nor the name of the snapshot that opening has made.
        durable::sync_all(directory).context(Code::Unavailable, named)?;
        let database = Database::new(Files::open(db, directory)?);
        let committer = Committer::start(database.clone(), directory, hook, compaction)?;
        Ok(Store { database, committer })
    }

    /// Applies all operations or none and returns when they are durable.
    pub fn commit(&self, mut ops: Vec<Op>) -> Result<()> {
        if !ops.is_empty() {
            ops.extend(companion::take());
        }
        self.committer.commit(ops)
    }

    /// Applies the operations after all earlier ones, without waiting: they are readable and
    /// durable after the next [`Store::commit`], and within moments in any case. For what can be
    /// found out again after a crash.
    pub fn post(&self, ops: Vec<Op>) -> Result<()> {
        self.committer.post(ops)
    }

    /// Waits until everything posted is readable and durable.
    pub fn settle(&self) -> Result<()> {
        self.commit(Vec::new())
    }

    /// Why nothing is written any more.
    pub fn poison(&self) -> Option<&str> {
        self.committer.poison()
    }

    /// Bytes of all keys and values: what the files have to hold.
    pub fn live_bytes(&self) -> Result<u64> {
        Ok(Live::count(&self.db())?.bytes)
    }

    /// Of the file that holds them.
    pub fn file_bytes(&self) -> Result<u64> {
        self.database.current().bytes()
    }

    fn db(&self) -> sled::Db {
        self.database.current().db.clone()
    }

    fn get<T: Record>(&self, key: &str) -> Result<Option<T>> {
        let found = self.db().get(key);
        let bytes = found.context(Code::Unavailable, || format!("can not read {key}"))?;
        bytes.map(|bytes| record::decode(key, &bytes)).transpose()
    }

    fn scan<'a, T: Record + 'a>(
        &'a self,
        prefix: &str,
    ) -> impl Iterator<Item = Result<(String, T)>> + use<'a, T> {
        self.scan_from(prefix, None)
    }

    /// The last entry under `prefix`.
    fn scan_last<T: Record>(&self, prefix: &str) -> Result<Option<(String, T)>> {
        let end = [prefix.as_bytes(), &[0xff]].concat();
        let mut range = self.db().range(prefix.as_bytes()..&end);
        range.next_back().map(|entry| entry_of(entry, prefix.len())).transpose()
    }

    /// Entries under `prefix` whose keys come after `after`.
    fn scan_from<'a, T: Record + 'a>(
        &'a self,
        prefix: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<(String, T)>> + use<'a, T> {
        let prefix_bytes = prefix.len();
        let start = match after {
            Some(key) => Bound::Excluded(key.as_bytes().to_vec()),
            None => Bound::Included(prefix.as_bytes().to_vec()),
        };
        // All keys are ASCII, so 0xff is above every key with this prefix.
        let end = [prefix.as_bytes(), &[0xff]].concat();
        self.db()
            .range((start, Bound::Excluded(end)))
            .map(move |entry| entry_of(entry, prefix_bytes))
    }

    /// Entries under `prefix` from the last to the first, those whose keys come before `before`.
    fn scan_back<'a, T: Record + 'a>(
        &'a self,
        prefix: &str,
        before: Option<&str>,
    ) -> impl Iterator<Item = Result<(String, T)>> + use<'a, T> {
        let prefix_bytes = prefix.len();
        let end = match before {
            Some(key) if key.starts_with(prefix) => key.as_bytes().to_vec(),
            _ => [prefix.as_bytes(), &[0xff]].concat(),
        };
        self.db()
            .range(prefix.as_bytes().to_vec()..end)
            .rev()
            .map(move |entry| entry_of(entry, prefix_bytes))
    }
}

/// What is behind the prefix of a key, and the record.
fn entry_of<T: Record>(
    entry: sled::Result<(sled::IVec, sled::IVec)>,
    prefix_bytes: usize,
) -> Result<(String, T)> {
    let (key, bytes) = entries::text_key(entry)?;
    let record = record::decode(&key, &bytes)?;
    Ok((key[prefix_bytes..].to_string(), record))
}

/// Makes the directory whole beside its place: sled refuses to open over a settings file that a
/// power cut has left half written.
fn create(directory: &Path) -> Result<()> {
    let named = || format!("can not create the state in {}", directory.display());
    let parent = directory.parent().unwrap_or(Path::new("."));
    // Not `.new`: that one is taken for complete and moves in.
    let unfinished = rewrite::beside(directory, "building");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).context(Code::Unavailable, named)?;
    }
    durable::create_directory(&unfinished).context(Code::Unavailable, named)?;
    drop(open_with_patience(&unfinished)?);
    durable::sync_all(&unfinished).context(Code::Unavailable, named)?;
    std::fs::rename(&unfinished, directory).context(Code::Unavailable, named)?;
    durable::sync_directory(parent).context(Code::Unavailable, named)
}

/// sled leaves `snap.*.generating` behind when it dies while snapshotting and then refuses to open.
fn remove_half_snapshots(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if name.starts_with("snap.") && name.ends_with(".generating") {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Opening right after another handle was dropped can answer WouldBlock for a moment.
fn open_with_patience(directory: &Path) -> Result<sled::Db> {
    let config = sled::Config::new()
        .path(directory)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None)
        .mode(sled::Mode::LowSpace);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let error = match config.open() {
            Ok(db) => return Ok(db),
            Err(error) => error,
        };
        let busy = matches!(&error, sled::Error::Io(io)
            if io.kind() == std::io::ErrorKind::WouldBlock || io.to_string().contains("lock"));
        if !busy || attempt == OPEN_ATTEMPTS {
            let message = format!("can not open the state in {}", directory.display());
            let code = if busy { Code::InUse } else { Code::Corrupt };
            return Err(Error::new(code, message).source(error));
        }
        std::thread::park_timeout(OPEN_PAUSE);
    }
}
