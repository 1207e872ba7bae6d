//! Finished components by content: `<target>/cache/<name>-<key>.wasm`, and the copy handed out as
//! `<out>/<name>.wasm`. Both are written beside their place and renamed: nobody reads half a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::component::Identity;
use crate::{Component, Request, component};

/// Components kept per extractor; the oldest ones beyond go.
const KEPT: usize = 8;

pub(crate) struct Cache<'a> {
    folder: PathBuf,
    out: &'a Path,
}

impl<'a> Cache<'a> {
    pub(crate) fn of(request: &'a Request) -> Self {
        Self { folder: request.target.join("cache"), out: &request.out }
    }

    /// Hands out the component of this key if it is there.
    pub(crate) fn get(&self, of: Identity<'_>, key: &str) -> Result<Option<Component>> {
        match fs::read(self.place(of, key)) {
            Ok(bytes) => self.publish(of, bytes, true).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Keeps a component under its key and hands it out.
    pub(crate) fn put(&self, of: Identity<'_>, key: &str, bytes: Vec<u8>) -> Result<Component> {
        write(&self.place(of, key), &bytes)?;
        self.trim(of.name);
        self.publish(of, bytes, false)
    }

    fn place(&self, of: Identity<'_>, key: &str) -> PathBuf {
        self.folder.join(format!("{}-{key}.wasm", of.name))
    }

    fn publish(&self, of: Identity<'_>, bytes: Vec<u8>, cached: bool) -> Result<Component> {
        let path = self.out.join(format!("{}.wasm", of.name));
        if fs::read(&path).ok().as_deref() != Some(&bytes[..]) {
            write(&path, &bytes)?;
        }
        Ok(Component {
            name: of.name.to_owned(),
            version: of.version.to_owned(),
            sha256: component::hex(&Sha256::digest(&bytes)),
            path,
            bytes,
            cached,
        })
    }

    /// Best effort: a file that cannot be removed costs disk space, nothing else.
    fn trim(&self, name: &str) {
        let mut kept: Vec<(SystemTime, PathBuf)> = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok())
            .filter(|entry| belongs(&entry.file_name().to_string_lossy(), name))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        kept.sort();
        let surplus = kept.len().saturating_sub(KEPT);
        for (_, path) in kept.drain(..surplus) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether a cache file is one of this extractor's (`a-b-<key>` is not one of `a`'s).
pub(crate) fn belongs(file: &str, name: &str) -> bool {
    let key = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    key.and_then(|rest| rest.strip_suffix(".wasm")).is_some_and(|key| !key.contains('-'))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let beside = path.with_extension(format!("wasm.{}", std::process::id()));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&beside, bytes))
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("cannot write `{}`", path.display()))
}
