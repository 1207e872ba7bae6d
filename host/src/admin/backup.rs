//! `quarry admin backup`: one tar file with the control state, the registered extractors and, when
//! asked, everything else.
//!
//! The state is exported as lines of JSON, key and value, not as sled's files: a backup can be read
//! by people and restored by any later version. `backup.json` comes first and says what follows;
//! `manifest.json` comes last and lists every file with size and SHA-256, so a backup that was cut
//! off has none.

use super::Home;
use super::file::{self, Hashing};
use super::tar::TarWriter;
use crate::error::{Code, Context, Error, Result};
use crate::store::{BatchRecord, Entry, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Of the tar file and what is in it.
pub(super) const FORMAT: u32 = 1;
pub(super) const ABOUT: &str = "backup.json";
pub(super) const STATE: &str = "state.ndjson";
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const EXTRACTORS: &str = "extractors";
/// Folders that `--all` takes along.
pub(super) const DATA: [&str; 2] = ["objects", "vectors"];

/// What to copy, and where to.
#[derive(Debug, Clone)]
pub struct Backup {
    /// A file that is not there yet, or a folder that gets one named after the time.
    pub to: PathBuf,
    /// Objects and vectors as well.
    pub all: bool,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copied {
    pub file: PathBuf,
    pub bytes: u64,
    pub created: String,
    pub records: u64,
    pub batches: u64,
    /// Besides the state itself.
    pub files: u64,
    /// What batches refer to and the file does not hold.
    pub omitted: Vec<String>,
}

/// `backup.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) quarry_backup: u32,
    /// Of the program.
    pub(super) version: String,
    pub(super) state_version: u32,
    pub(super) created: String,
    pub(super) records: u64,
    /// URL of the data directory's own object store, as batches name it.
    pub(super) objects: String,
    /// Folders that were copied whole.
    pub(super) folders: Vec<String>,
    pub(super) omitted: Vec<String>,
}

/// `manifest.json`: all other files, in the order of the tar file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) files: Vec<Listed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Home {
    pub fn back_up(&self, backup: &Backup) -> Result<Copied> {
        let store = self.store()?;
        let created = self.env.timestamp();
        let target = match backup.to.is_dir() {
            true => backup.to.join(format!("quarry-{}.tar", self.stamp())),
            false => backup.to.clone(),
        };
        let target = std::path::absolute(&target)
            .context(Code::Invalid, || format!("{} is not a path", target.display()))?;
        if target.exists() {
            let message = format!("{} exists", target.display());
            return Err(Error::new(Code::Conflict, message)
                .field("-o")
                .hint("name a new file, or a folder: it gets a file named after the time"));
        }
        let partial = target.with_file_name(format!(
            "{}.partial-{}",
            target.file_name().unwrap_or_default().to_string_lossy(),
            std::process::id()
        ));
        let written = self.write(&store, &partial, backup.all, &created);
        let mut copied = match written {
            Ok(copied) => copied,
            Err(error) => {
                // The failure is worth more than one of tidying up after it.
                let _ = std::fs::remove_file(&partial);
                return Err(error);
            }
        };
        file::rename(&partial, &target)?;
        copied.file = target;
        Ok(copied)
    }

    fn write(&self, store: &Store, path: &Path, all: bool, created: &str) -> Result<Copied> {
        let named = || format!("can not write {}", path.display());
        let census = Census::take(store, &self.own_url()?)?;
        let state_bytes = io::copy(&mut Lines::of(store), &mut io::sink())
            .map_err(|error| unpacked(error, "can not read the state".to_string()))?;
        let out = File::create_new(path).context(Code::Unavailable, named)?;
        let mut tar = TarWriter::new(BufWriter::with_capacity(1 << 20, out));
        let mut files = Vec::new();
        let mut add = |name: &str, bytes: u64, from: &mut dyn Read| -> Result<()> {
            let mut from = Hashing::new(from);
            tar.file(name, bytes, &mut from).map_err(|error| unpacked(error, named()))?;
            files.push(Listed { name: name.to_string(), bytes, sha256: from.digest() });
            Ok(())
        };
        let mut folders = vec![EXTRACTORS];
        folders.extend(DATA.iter().filter(|_| all));
        let mut omitted = census.elsewhere;
        if !all {
            omitted.extend(DATA.iter().map(|folder| format!("{folder}/")));
        }
        let about = About {
            quarry_backup: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_string(),
            state_version: Store::version(),
            created: created.to_string(),
            records: census.records,
            objects: self.own_url()?,
            folders: folders.iter().map(ToString::to_string).collect(),
            omitted,
        };
        let text = encode(&about)?;
        add(ABOUT, text.len() as u64, &mut text.as_slice())?;
        add(STATE, state_bytes, &mut Lines::of(store))?;
        for folder in &folders {
            let root = self.data_dir.join(folder);
            for found in file::list(&root)? {
                let source = root.join(&found.name);
                let opened = File::open(&source)
                    .context(Code::Unavailable, || format!("can not read {}", source.display()))?;
                let name = format!("{folder}/{}", found.name);
                add(&name, found.bytes, &mut BufReader::new(opened))?;
            }
        }
        let manifest = Manifest { files };
        let text = encode(&manifest)?;
        let done = tar
            .file(MANIFEST, text.len() as u64, &mut text.as_slice())
            .and_then(|()| tar.finish())
            .and_then(|out| Ok(out.into_inner()?))
            .and_then(|out| out.sync_all().and_then(|()| Ok(out.metadata()?.len())));
        Ok(Copied {
            file: path.to_path_buf(),
            bytes: done.context(Code::Unavailable, named)?,
            created: about.created,
            records: census.records,
            batches: census.batches,
            files: manifest.files.len() as u64 - 2,
            omitted: about.omitted,
        })
    }

    /// As the records of batches name it.
    pub(super) fn own_url(&self) -> Result<String> {
        let own = self.own_objects();
        Ok(crate::artifact::Location::parse(&own.to_string_lossy())?.to_string())
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value)
        .context(Code::Internal, || "can not encode the backup's manifest".to_string())
}

/// An error of this program that travelled through `io`.
fn unpacked(error: io::Error, message: String) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::new(Code::Unavailable, message).source(error),
    }
}

/// How many there are, and which object stores and sinks outside the data directory they name.
struct Census {
    records: u64,
    batches: u64,
    elsewhere: Vec<String>,
}

impl Census {
    /// Every record is decoded: what can not be read is not backed up in silence.
    fn take(store: &Store, own: &str) -> Result<Census> {
        let (mut records, mut batches) = (0, 0);
        let mut elsewhere = BTreeSet::new();
        for entry in store.entries() {
            let (key, bytes) = entry?;
            records += 1;
            let entry = Entry::parse(&key, &bytes).map_err(|error| {
                error.hint(
                    "`quarry admin verify` lists what is damaged; `quarry admin rebuild` \
                            derives the state again",
                )
            })?;
            if let Entry::Batch(batch) = entry {
                batches += 1;
                elsewhere.extend(outside(&batch, own));
            }
        }
        Ok(Census { records, batches, elsewhere: elsewhere.into_iter().collect() })
    }
}

fn outside(batch: &BatchRecord, own: &str) -> Vec<String> {
    let objects = (batch.artifacts != own).then(|| batch.artifacts.clone());
    let sink = (batch.sink.contains("://")).then(|| batch.sink.clone());
    objects.into_iter().chain(sink).collect()
}

/// The state as bytes: one JSON object a line.
struct Lines<I> {
    entries: I,
    line: io::Cursor<Vec<u8>>,
}

impl Lines<()> {
    fn of(store: &Store) -> Lines<impl Iterator<Item = Result<(String, Vec<u8>)>>> {
        Lines { entries: store.entries(), line: io::Cursor::default() }
    }
}

impl<I: Iterator<Item = Result<(String, Vec<u8>)>>> Read for Lines<I> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.line.position() == self.line.get_ref().len() as u64 {
            let Some(entry) = self.entries.next() else { return Ok(0) };
            let line = entry.and_then(|(key, bytes)| {
                let value: Value = Store::value(&key, &bytes)?;
                Ok(json!({ "key": key, "value": value }).to_string())
            });
            let mut line = line.map_err(io::Error::other)?.into_bytes();
            line.write_all(b"\n")?;
            self.line = io::Cursor::new(line);
        }
        self.line.read(into)
    }
}
