//! Files that belong to components, on their way in and out.

use super::super::reach::{Ask, Reach};
use super::file;
use crate::durable;
use crate::error::{Code, Context, Error, Result};
use crate::plugin::{ASSET_BYTES_MAX, AssetEntry};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// `X.assets` for `X.wasm`.
pub(super) fn folder(component: &Path) -> PathBuf {
    component.with_extension("assets")
}

/// A file of the folder, if it is what the component says of it.
pub(super) fn read(folder: &Path, entry: &AssetEntry) -> Result<Vec<u8>> {
    let path = folder.join(&entry.name);
    let bytes = file::read(&path, ASSET_BYTES_MAX as usize)?;
    let digest = format!("sha256:{:x}", Sha256::digest(&bytes));
    if digest != entry.digest {
        let message = format!("{} is not the file that the component names", path.display());
        return Err(Error::new(Code::Corrupt, message)
            .source(format!("it has the digest {digest}, not {}", entry.digest))
            .hint("list the files again: quarry extractor pack"));
    }
    Ok(bytes)
}

pub(super) fn write(folder: &Path, entry: &AssetEntry, bytes: &[u8]) -> Result<()> {
    let path = folder.join(&entry.name);
    durable::create_directory(folder)
        .and_then(|()| durable::write(&path, bytes))
        .context(Code::Unavailable, || format!("can not write {}", path.display()))
}

/// Gives a file to the data directory, here or there.
pub(super) fn send(reach: &Reach, bytes: Vec<u8>) -> Result<()> {
    let ask = Ask {
        method: "POST".to_string(),
        path: "/v1/extractor-assets".to_string(),
        content_type: "application/octet-stream",
        body: bytes,
        ..Ask::default()
    };
    reach.ask(ask).map(drop)
}
