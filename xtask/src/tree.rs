//! Where things are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The checkout and the folder for everything built.
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Tree {
    /// The checkout is the one this program was started for (cargo says so at run time), never the
    /// one it was compiled in: clones may share a target directory.
    pub(crate) fn find() -> Result<Self> {
        let own = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let own = own.context("start this through ./x")?;
        let root = own.parent().context("xtask has no parent folder")?.to_owned();
        let target = env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
        let target = if target.is_absolute() { target } else { root.join(target) };
        Ok(Self { root, target })
    }

    /// Components of the extractors that come with Quarry.
    pub(crate) fn extractors(&self) -> PathBuf {
        self.target.join("extractors")
    }

    /// Components of everything else: hostile test guests and the examples' own extractors.
    pub(crate) fn test_guests(&self) -> PathBuf {
        self.target.join("test-guests")
    }

    /// Where extractors are compiled, with the tools for that and the finished ones by content.
    pub(crate) fn guests(&self) -> PathBuf {
        self.target.join("guests")
    }

    /// The extractor of `examples/readability`, in a folder for each language.
    pub(crate) fn readability(&self) -> PathBuf {
        self.target.join("readability")
    }

    /// The Python that [`crate::client::environment`] makes.
    pub(crate) fn python(&self) -> PathBuf {
        self.target.join("python/bin/python")
    }

    /// The folders directly below one of the root's folders, sorted; none when it is not there.
    pub(crate) fn below(&self, folder: &str) -> Vec<PathBuf> {
        folders(&self.root.join(folder))
    }
}

/// The files directly in a folder, sorted; none when it is not there.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    found.sort();
    found
}

/// The folders directly below one, sorted; none when it is not there.
pub(crate) fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}
