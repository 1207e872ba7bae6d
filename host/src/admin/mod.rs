//! Care for a data directory while nothing runs in it: back up, restore, verify, compact, rebuild,
//! collect garbage. What `quarry admin` does.
//!
//! **Invariant:** everything here holds the directory's lock, so no batch runs meanwhile; a state
//! that is replaced changes hands by rename, whole or not at all.

mod backup;
mod compact;
mod file;
mod garbage;
mod rebuild;
mod restore;
mod tar;
mod verify;

pub use backup::{Backup, Copied};
pub use compact::Compacted;
pub use garbage::{Collected, Kept, Orphan, Sweep};
pub use rebuild::{Rebuild, Rebuilt, Skipped};
pub use restore::{Restore, Restored};
pub use verify::{Finding, Verified};

use crate::app::Settings;
use crate::artifact::{Artifacts, Location};
use crate::env::Env;
use crate::error::{Code, Context, Error, Result};
use crate::sink::{self, SinkSpec, VectorSink};
use crate::store::{DirectoryLock, Store};
use std::path::{Path, PathBuf};
use tokio::runtime::Runtime;

/// A data directory that nobody else uses meanwhile.
pub struct Home {
    /// Absolute.
    data_dir: PathBuf,
    env: Env,
    storage_options: Vec<(String, String)>,
    runtime: Runtime,
    _lock: DirectoryLock,
}

impl Home {
    /// A data directory that exists.
    pub fn open(settings: &Settings) -> Result<Home> {
        if !settings.data_dir.is_dir() {
            let message = format!("there is no data directory {}", settings.data_dir.display());
            return Err(Error::new(Code::NotFound, message).hint("name it with --data-dir"));
        }
        Self::create(settings)
    }

    /// Creates it where there is none.
    pub fn create(settings: &Settings) -> Result<Home> {
        let data_dir = std::path::absolute(&settings.data_dir)
            .context(Code::Invalid, || format!("{} is not a path", settings.data_dir.display()))?;
        let lock = DirectoryLock::acquire(&data_dir)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context(Code::Unavailable, || "can not start the runtime".to_string())?;
        let storage_options = settings.storage_options.clone();
        Ok(Home { data_dir, env: Env::System, storage_options, runtime, _lock: lock })
    }

    fn state(&self) -> PathBuf {
        self.data_dir.join("state")
    }

    /// The state, which must be there: what looks after it does not begin a new one.
    fn store(&self) -> Result<Store> {
        self.existing_state()?;
        Store::open(&self.state())
    }

    fn existing_state(&self) -> Result<()> {
        if !Store::exists(&self.state()) {
            let message = format!("there is no state in {}", self.data_dir.display());
            return Err(Error::new(Code::NotFound, message)
                .hint("`quarry admin rebuild` derives it from the object store"));
        }
        Ok(())
    }

    /// Where a registered extractor is.
    fn component(&self, digest: &str) -> PathBuf {
        self.data_dir.join("extractors").join(format!("{digest}.wasm"))
    }

    /// The object store of the data directory itself.
    fn own_objects(&self) -> PathBuf {
        self.data_dir.join("objects")
    }

    /// An object store that is there.
    fn artifacts(&self, url: &str) -> Result<Artifacts> {
        if let Location::Local(path) = Location::parse(url)?
            && !path.is_dir()
        {
            let message = format!("there is no folder {}", path.display());
            return Err(Error::new(Code::NotFound, message));
        }
        Artifacts::open(url, &self.storage_options, self.runtime.handle().clone())
    }

    fn sink(&self, name: &str) -> Result<Option<Box<dyn VectorSink>>> {
        let spec: SinkSpec = name.parse()?;
        sink::open(&spec, &self.data_dir, self.runtime.handle())
    }

    /// Beside `path`, where nothing is: for what is set aside.
    fn aside(&self, path: &Path) -> PathBuf {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stamp = self.stamp();
        let mut found = path.with_file_name(format!("{name}.replaced-{stamp}"));
        let mut again = 1;
        while found.exists() {
            again += 1;
            found = path.with_file_name(format!("{name}.replaced-{stamp}-{again}"));
        }
        found
    }

    /// What [`Home::aside`] named for `name` in the data directory.
    fn set_aside(&self, name: &str) -> Result<Vec<String>> {
        let named = || format!("can not list {}", self.data_dir.display());
        let prefix = format!("{name}.replaced-");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.data_dir).context(Code::Unavailable, named)? {
            let entry = entry.context(Code::Unavailable, named)?;
            found.extend(entry.file_name().to_str().map(str::to_string));
        }
        found.retain(|file| file.starts_with(&prefix));
        found.sort();
        Ok(found)
    }

    /// The time as it may stand in a file's name.
    fn stamp(&self) -> String {
        self.env.now().format("%Y%m%dT%H%M%SZ").to_string()
    }
}
