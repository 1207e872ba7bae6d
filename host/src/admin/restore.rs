//! `quarry admin restore`: everything in a backup is read and checked before anything of the data
//! directory is touched, and the state moves in last.

use super::Home;
use super::backup::{ABOUT, About, DATA, EXTRACTORS, FORMAT, Listed, MANIFEST, Manifest, STATE};
use super::file::{self, Hashing};
use super::tar::{TarFile, TarReader};
use crate::error::{Code, Context, Error, Result};
use crate::store::{BatchRecord, Entry, Op, Replaced, Rewrite, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A line of the state is a record of 64 KiB at most and its key.
const LINE_BYTES_MAX: u64 = 1 << 20;
const MANIFEST_BYTES_MAX: u64 = 1 << 30;

#[derive(Debug, Clone)]
pub struct Restore {
    pub from: PathBuf,
    /// Although there is a state: it is kept beside the new one.
    pub force: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    pub created: String,
    /// Of the program that wrote the backup.
    pub version: String,
    pub records: u64,
    pub files: u64,
    /// What was there before and is kept.
    pub kept: Vec<PathBuf>,
    /// What batches refer to and the backup did not hold.
    pub omitted: Vec<String>,
}

/// A line of the state.
#[derive(Deserialize)]
struct Line {
    key: String,
    value: Value,
}

impl Home {
    pub fn restore(&self, restore: &Restore) -> Result<Restored> {
        let named = || format!("can not read {}", restore.from.display());
        let file = File::open(&restore.from).map_err(|error| {
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            let code = if missing { Code::NotFound } else { Code::Unavailable };
            Error::new(code, named()).source(error)
        })?;
        self.refuse_what_is_there(restore, &[])?;
        let stage = self.data_dir.join("restore.building");
        file::remove_folder(&stage)?;
        std::fs::create_dir_all(&stage)
            .context(Code::Unavailable, || format!("can not create {}", stage.display()))?;
        let state = Rewrite::begin(&self.state())?;
        let mut unpacking =
            Unpacking { home: self, stage: &stage, state, records: 0, files: Vec::new() };
        let unpacked = unpacking.unpack(BufReader::with_capacity(1 << 20, file));
        let about = unpacked.map_err(|error| {
            // Best effort: the next restore removes it, too.
            let _ = std::fs::remove_dir_all(&stage);
            let message = format!("{} is no backup that can be restored", restore.from.display());
            Error::new(error.code(), message)
                .hint(error.hint_text().unwrap_or("nothing was changed; try another copy of it"))
                .source(error)
        })?;
        let files = unpacking.files.len() as u64 - 2;
        let state = unpacking.state;
        self.refuse_what_is_there(restore, &about.folders)?;
        let mut kept = Vec::new();
        self.take_extractors(&stage)?;
        for folder in DATA.iter().filter(|data| about.folders.iter().any(|f| f == *data)) {
            kept.extend(self.take_folder(&stage, folder)?);
        }
        let aside = self.aside(&self.state());
        if self.state().exists() {
            kept.push(aside.clone());
        }
        state.finish(&Replaced::Kept(aside))?;
        file::remove_folder(&stage)?;
        Ok(Restored {
            created: about.created,
            version: about.version,
            records: about.records,
            files,
            kept,
            omitted: about.omitted,
        })
    }

    /// A state with records, or data where the backup has some; --force sets them aside.
    fn refuse_what_is_there(&self, restore: &Restore, folders: &[String]) -> Result<()> {
        if restore.force {
            return Ok(());
        }
        let refused = |what: String| {
            Err(Error::new(Code::Conflict, what)
                .hint("name an empty --data-dir, or set what is there aside with --force"))
        };
        if Store::exists(&self.state()) && !Store::open_unversioned(&self.state())?.is_empty()? {
            return refused(format!("there is a state in {}", self.data_dir.display()));
        }
        for folder in DATA.iter().filter(|data| folders.iter().any(|f| f == *data)) {
            let path = self.data_dir.join(folder);
            if !file::is_empty_folder(&path)? {
                return refused(format!("{} is not empty", path.display()));
            }
        }
        Ok(())
    }

    /// Named by their content: what is there already is the same.
    fn take_extractors(&self, stage: &Path) -> Result<()> {
        let (from, to) = (stage.join(EXTRACTORS), self.data_dir.join(EXTRACTORS));
        let found = file::list(&from)?;
        std::fs::create_dir_all(&to)
            .context(Code::Unavailable, || format!("can not create {}", to.display()))?;
        for component in found {
            let target = to.join(&component.name);
            // Their assets are one folder deeper.
            let folder = target.parent().unwrap_or(&to);
            std::fs::create_dir_all(folder)
                .context(Code::Unavailable, || format!("can not create {}", folder.display()))?;
            file::rename(&from.join(&component.name), &target)?;
        }
        Ok(())
    }

    fn take_folder(&self, stage: &Path, folder: &str) -> Result<Option<PathBuf>> {
        let (from, to) = (stage.join(folder), self.data_dir.join(folder));
        let mut kept = None;
        if to.exists() {
            match file::is_empty_folder(&to)? {
                true => file::remove_folder(&to)?,
                false => {
                    let aside = self.aside(&to);
                    file::rename(&to, &aside)?;
                    kept = Some(aside);
                }
            }
        }
        if from.exists() {
            file::rename(&from, &to)?;
        }
        Ok(kept)
    }
}

struct Unpacking<'a> {
    home: &'a Home,
    stage: &'a Path,
    state: Rewrite,
    records: u64,
    files: Vec<Listed>,
}

impl Unpacking<'_> {
    /// Everything goes to the stage and the new state; the manifest at the end has to agree.
    fn unpack(&mut self, file: impl Read) -> Result<About> {
        let broken = || "its tar structure is broken".to_string();
        let mut tar = TarReader::new(file);
        let mut about: Option<About> = None;
        let mut manifest: Option<Manifest> = None;
        while let Some(entry) = tar.next().context(Code::Corrupt, broken)? {
            let mut from = Hashing::new(&mut tar);
            match (entry.name.as_str(), &about, &manifest) {
                (_, _, Some(_)) => return Err(corrupt("something follows its manifest")),
                (ABOUT, None, None) => about = Some(parse_about(&all(&mut from)?)?),
                (_, None, None) => return Err(corrupt("it does not begin with backup.json")),
                (MANIFEST, Some(_), None) => {
                    let parsed = serde_json::from_slice(&all(&mut from)?);
                    manifest =
                        Some(parsed.context(Code::Corrupt, || {
                            "its manifest can not be read".to_string()
                        })?);
                    continue;
                }
                (STATE, Some(about), None) => self.unpack_state(about, &mut from)?,
                (_, Some(_), None) => self.unpack_file(&entry, &mut from)?,
            }
            let TarFile { name, bytes } = entry;
            self.files.push(Listed { name, bytes, sha256: from.digest() });
        }
        match (about, manifest) {
            (Some(about), Some(manifest)) => {
                self.compare(&about, &manifest)?;
                Ok(about)
            }
            _ => Err(corrupt("it has no manifest: it was cut off")),
        }
    }

    fn unpack_state(&mut self, about: &About, from: &mut dyn Read) -> Result<()> {
        let broken = || format!("{STATE} can not be read");
        let mut lines = BufReader::new(from);
        let mut versioned = false;
        loop {
            let mut line = Vec::new();
            let read = (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
            if read.context(Code::Corrupt, broken)? == 0 {
                break;
            }
            let Line { key, value } =
                serde_json::from_slice(&line).context(Code::Corrupt, broken)?;
            let op = Store::put_value(&key, &value)?;
            let Op::Put { value: bytes, .. } = &op else { continue };
            let moved = match Entry::parse(&key, bytes)? {
                Entry::Version(version) => {
                    check_version(version)?;
                    versioned = true;
                    None
                }
                Entry::Batch(batch) => self.moved(about, *batch)?,
                Entry::Namespace(..) | Entry::Extractor(_) | Entry::Partition(..) => None,
                Entry::Event(..) | Entry::Catalog(_) => None,
            };
            self.records += 1;
            self.state.put(moved.unwrap_or(op))?;
        }
        match versioned {
            true => Ok(()),
            false => Err(corrupt("its state has no version")),
        }
    }

    /// A batch whose objects come along is where they are now.
    fn moved(&self, about: &About, mut batch: BatchRecord) -> Result<Option<Op>> {
        let along = about.folders.iter().any(|folder| folder == "objects");
        if !along || batch.artifacts != about.objects {
            return Ok(None);
        }
        batch.artifacts = self.home.own_url()?;
        Store::put_batch(&batch).map(Some)
    }

    fn unpack_file(&mut self, entry: &TarFile, from: &mut dyn Read) -> Result<()> {
        let known =
            entry.name.split('/').next().is_some_and(|f| f == EXTRACTORS || DATA.contains(&f));
        let path = file::inside(self.stage, &entry.name).filter(|_| known);
        let path = path.ok_or_else(|| corrupt(&format!("it has a file named `{}`", entry.name)))?;
        let mut write = || -> std::io::Result<()> {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = File::create_new(&path)?;
            std::io::copy(from, &mut file)?;
            file.sync_all()?;
            file::sync_parent(&path)
        };
        write().map_err(|error| {
            let cut = matches!(
                error.kind(),
                std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData
            );
            let code = if cut { Code::Corrupt } else { Code::Unavailable };
            Error::new(code, format!("{} can not be unpacked", entry.name)).source(error)
        })
    }

    fn compare(&self, about: &About, manifest: &Manifest) -> Result<()> {
        if about.records != self.records {
            let (listed, found) = (about.records, self.records);
            return Err(corrupt(&format!("it lists {listed} records and has {found}")));
        }
        let mut found = self.files.iter();
        for listed in &manifest.files {
            match found.next() {
                Some(file) if file == listed => {}
                Some(file) if file.name == listed.name => {
                    return Err(corrupt(&format!("{} does not match its checksum", file.name)));
                }
                _ => return Err(corrupt(&format!("{} is missing", listed.name))),
            }
        }
        match found.next() {
            None => Ok(()),
            Some(file) => Err(corrupt(&format!("its manifest does not list {}", file.name))),
        }
    }
}

fn all(from: &mut dyn Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes);
    read.context(Code::Corrupt, || "it was cut off".to_string())?;
    Ok(bytes)
}

fn parse_about(text: &[u8]) -> Result<About> {
    let unreadable = || format!("its {ABOUT} can not be read");
    let value: Value = serde_json::from_slice(text).context(Code::Corrupt, unreadable)?;
    match value["quarry_backup"].as_u64() {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) => {
            let message = format!("it has the format {format}, this binary reads {FORMAT}");
            return Err(Error::new(Code::Corrupt, message).hint("use the version that wrote it"));
        }
        None => return Err(corrupt(&format!("its {ABOUT} is not one of a backup"))),
    }
    let about: About = serde_json::from_value(value).context(Code::Corrupt, unreadable)?;
    check_version(about.state_version)?;
    Ok(about)
}

fn check_version(version: u32) -> Result<()> {
    if (1..=Store::version()).contains(&version) {
        return Ok(());
    }
    let newest = Store::version();
    let message = format!("its state has version {version}, this binary reads up to {newest}");
    Err(Error::new(Code::Corrupt, message).hint("use the version that wrote it"))
}

fn corrupt(what: &str) -> Error {
    Error::new(Code::Corrupt, what)
}
