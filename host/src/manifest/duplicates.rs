//! Finds an id that occurs twice among any number of ids, in memory that does not grow with them.
//!
//! Every id becomes a 128-bit hash that falls into one of 64 partitions by its first bits. A
//! partition fills a small buffer; full buffers go to one spill file that has no name, so that
//! nothing is left behind however the process ends. At the end one partition after the other is
//! sorted. Up to about 21,000 ids nothing is written at all.
//!
//! Rejected: a Bloom filter in front of a set of candidates (needs the input twice, and a size
//! guessed beforehand), and sorted runs (a merge of thousands of runs for billions of ids).

use crate::error::{Code, Context, Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const PARTITIONS: usize = 64;
const ENTRY_BYTES: usize = 24;
const CHUNK_ENTRIES: usize = 341;
const CHUNK_BYTES: usize = CHUNK_ENTRIES * ENTRY_BYTES;
/// Entries sorted at a time: 32 MiB. A larger partition is read several times, a share each time.
const SORTED_ENTRIES_MAX: u64 = 1 << 20;

pub struct DuplicateCheck {
    directory: PathBuf,
    partitions: Vec<Partition>,
    spill: File,
    chunks_spilled: u32,
    sorted_entries_max: u64,
}

#[derive(Default)]
struct Partition {
    /// Entries that are not in the spill file, encoded.
    buffer: Vec<u8>,
    /// Numbers of this partition's chunks in the spill file: 4 bytes for 341 ids.
    chunks: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    hash: u128,
    position: u64,
}

impl DuplicateCheck {
    /// `directory` takes the spill file: up to 24 bytes an id.
    pub fn new(directory: &Path) -> Result<Self> {
        let spill = nameless_file(directory).context(Code::Unavailable, || {
            format!("cannot create a temporary file in {}", directory.display())
        })?;
        Ok(DuplicateCheck {
            directory: directory.to_path_buf(),
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            spill,
            chunks_spilled: 0,
            sorted_entries_max: SORTED_ENTRIES_MAX,
        })
    }

    /// As [`DuplicateCheck::new`], sorting at most `entries` of 32 bytes at a time.
    pub fn sorting_at_most(mut self, entries: u64) -> Self {
        self.sorted_entries_max = entries.max(1);
        self
    }

    /// Remembers `id`; `position` is whatever the caller finds its row by. Fails when the spill
    /// file can't be written.
    pub fn push(&mut self, id: &str, position: u64) -> Result<()> {
        let hash = hash(id);
        let number = (hash >> 122) as usize;
        let buffer = &mut self.partitions[number].buffer;
        buffer.extend_from_slice(&hash.to_le_bytes());
        buffer.extend_from_slice(&position.to_le_bytes());
        if buffer.len() == CHUNK_BYTES {
            self.spill(number)?;
        }
        Ok(())
    }

    fn spill(&mut self, number: usize) -> Result<()> {
        let partition = &mut self.partitions[number];
        self.spill.write_all(&partition.buffer).map_err(|error| {
            let code = match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::StorageFull,
                _ => Code::Unavailable,
            };
            let directory = self.directory.display();
            let message = format!("cannot write a temporary file in {directory}");
            Error::new(code, message).source(error)
        })?;
        partition.buffer.clear();
        partition.chunks.push(self.chunks_spilled);
        self.chunks_spilled += 1;
        Ok(())
    }

    /// The positions of an id that was pushed twice, the lower one first; of several such ids the
    /// one that is repeated earliest.
    pub fn finish(mut self) -> Result<Option<(u64, u64)>> {
        let mut found: Option<(u64, u64)> = None;
        let mut entries = Vec::new();
        for partition in std::mem::take(&mut self.partitions) {
            let spilled = partition.chunks.len() as u64 * CHUNK_ENTRIES as u64;
            let shares = (spilled / self.sorted_entries_max + 1) as u32;
            for share in 0..shares {
                entries.clear();
                self.read_share(&partition, share, shares, &mut entries)?;
                entries.sort_unstable();
                found =
                    found.into_iter().chain(first_duplicate(&entries)).min_by_key(|pair| pair.1);
            }
        }
        Ok(found)
    }

    fn read_share(
        &mut self,
        partition: &Partition,
        share: u32,
        shares: u32,
        entries: &mut Vec<Entry>,
    ) -> Result<()> {
        let mut take = |bytes: &[u8]| {
            let all = bytes.chunks_exact(ENTRY_BYTES).map(decode);
            // The low bits are independent of the high ones that chose the partition.
            entries.extend(all.filter(|entry| entry.hash as u32 % shares == share));
        };
        take(&partition.buffer);
        let mut chunk = [0u8; CHUNK_BYTES];
        for number in &partition.chunks {
            let start = u64::from(*number) * CHUNK_BYTES as u64;
            self.spill
                .seek(SeekFrom::Start(start))
                .and_then(|_| self.spill.read_exact(&mut chunk))
                .context(Code::Unavailable, || {
                    format!("cannot read a temporary file in {}", self.directory.display())
                })?;
            take(&chunk);
        }
        Ok(())
    }
}

fn first_duplicate(sorted: &[Entry]) -> Option<(u64, u64)> {
    sorted
        .windows(2)
        .filter(|pair| pair[0].hash == pair[1].hash)
        .map(|pair| (pair[0].position, pair[1].position))
        .min_by_key(|(_, second)| *second)
}

/// 128 bits: among a billion ids two different ones collide with a chance of 1 in 10^21.
fn hash(id: &str) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..16]);
    u128::from_le_bytes(bytes)
}

fn decode(bytes: &[u8]) -> Entry {
    let (mut hash, mut position) = ([0; 16], [0; 8]);
    hash.copy_from_slice(&bytes[..16]);
    position.copy_from_slice(&bytes[16..]);
    Entry { hash: u128::from_le_bytes(hash), position: u64::from_le_bytes(position) }
}

/// A file that is gone from its directory once it is open.
fn nameless_file(directory: &Path) -> std::io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!(".ids-{}-{number}.tmp", std::process::id()));
        match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
    }
}
