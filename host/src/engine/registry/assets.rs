//! Files that belong to registered components, by their digest: `assets/<sha256>`.

use super::Registry;
use crate::durable;
use crate::error::{Code, Context, Error, Result};
use crate::plugin::{self, ASSET_BYTES_MAX, Asset, AssetEntry, AssetSource, Inspection};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const FOLDER: &str = "assets";

/// Reads assets of registered components, in ranges.
pub struct AssetStore {
    /// That of the registry.
    directory: PathBuf,
    /// Lists by the digest of the component, and files by their own that had it when they were
    /// opened.
    lists: Mutex<HashMap<String, Arc<Vec<AssetEntry>>>>,
    open: Mutex<HashMap<String, Arc<File>>>,
}

impl AssetStore {
    pub(super) fn new(directory: PathBuf) -> AssetStore {
        AssetStore { directory, lists: Mutex::default(), open: Mutex::default() }
    }

    /// Those of the registered component with this digest.
    pub fn entries(&self, component: &str) -> Result<Arc<Vec<AssetEntry>>> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = lists.get(component) {
            return Ok(list.clone());
        }
        let path = self.directory.join(format!("{component}.wasm"));
        let wasm = std::fs::read(path)
            .context(Code::NotFound, || format!("no extractor with the digest {component}"))?;
        let list = Arc::new(plugin::inspect(&wasm)?.assets);
        lists.insert(component.to_string(), list.clone());
        Ok(list)
    }

    fn file(&self, entry: &AssetEntry) -> Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(entry.sha256()) {
            return Ok(file.clone());
        }
        let path = path(&self.directory, entry.sha256());
        let named = || format!("the asset `{}` is not in {}", entry.name, path.display());
        let file = File::open(&path).context(Code::NotFound, named)?;
        check(&file, entry).context(Code::Corrupt, named)?;
        let file = Arc::new(file);
        open.insert(entry.sha256().to_string(), file.clone());
        Ok(file)
    }
}

impl AssetSource for AssetStore {
    fn list(&self, component: &str) -> Result<Vec<Asset>> {
        let entries = self.entries(component)?;
        let asset = |entry: &AssetEntry| Asset { name: entry.name.clone(), bytes: entry.bytes };
        Ok(entries.iter().map(asset).collect())
    }

    fn read(&self, component: &str, name: &str, offset: u64, len: usize) -> Result<Bytes> {
        let entries = self.entries(component)?;
        let entry = entries.iter().find(|entry| entry.name == name).ok_or_else(|| {
            Error::new(Code::NotFound, format!("the extractor has no asset `{name}`"))
        })?;
        let named = || format!("can not read the asset `{name}`");
        let left = usize::try_from(entry.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; len.min(left)];
        self.file(entry)?.read_exact_at(&mut bytes, offset).context(Code::Unavailable, named)?;
        Ok(bytes.into())
    }
}

impl Registry {
    /// Keeps a file that a component will name; its digest, in hex. Durable on return.
    pub fn keep_asset(&self, bytes: &[u8]) -> Result<String> {
        let digest = format!("{:x}", Sha256::digest(bytes));
        let named = || format!("can not keep the asset {digest}");
        if bytes.len() as u64 > ASSET_BYTES_MAX {
            return Err(Error::new(Code::TooLarge, "an asset has 64 MiB at most"));
        }
        let target = path(&self.directory, &digest);
        if !target.is_file() {
            durable::create_directory(&self.directory.join(FOLDER))
                .and_then(|()| durable::write(&target, bytes))
                .context(Code::Unavailable, named)?;
        }
        Ok(digest)
    }

    /// All files of a component are there, or are taken from the folder that lies beside it.
    pub(super) fn check_assets(
        &self,
        inspection: &Inspection,
        beside: Option<&Path>,
    ) -> Result<()> {
        for entry in &inspection.assets {
            if path(&self.directory, entry.sha256()).is_file() {
                continue;
            }
            let missing = || {
                let message = format!("the asset `{}` of the extractor is missing", entry.name);
                Error::new(Code::Extractor, message).hint(
                    "put the files into the folder NAME.assets beside NAME.wasm, and install it \
                     from there",
                )
            };
            let path = beside.ok_or_else(missing)?.with_extension(FOLDER).join(&entry.name);
            let bytes = read(&path, entry).map_err(|why| missing().source(why))?;
            self.keep_asset(&bytes)?;
        }
        Ok(())
    }
}

fn path(directory: &Path, sha256: &str) -> PathBuf {
    directory.join(FOLDER).join(sha256)
}

/// A file that is what its entry says.
fn read(path: &Path, entry: &AssetEntry) -> std::result::Result<Vec<u8>, String> {
    let shown = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(shown)?;
    file.take(ASSET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(shown)?;
    match format!("{:x}", Sha256::digest(&bytes)) {
        digest if digest == entry.sha256() => Ok(bytes),
        digest => Err(format!("{} has the digest sha256:{digest}", path.display())),
    }
}

fn check(mut file: &File, entry: &AssetEntry) -> std::result::Result<(), String> {
    let mut hash = Sha256::new();
    let bytes = std::io::copy(&mut file, &mut hash).map_err(|error| error.to_string())?;
    let digest = format!("{:x}", hash.finalize());
    match bytes == entry.bytes && digest == entry.sha256() {
        true => Ok(()),
        false => Err(format!("it has {bytes} bytes and the digest sha256:{digest}")),
    }
}
