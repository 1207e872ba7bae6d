//! `quarry extractor pack`.

use super::super::options::GlobalOptions;
use super::super::{DONE, Done, printer};
use super::{assets, file};
use crate::durable;
use crate::error::{Code, Context, Error, Result};
use crate::plugin::{ASSET_BYTES_MAX, AssetEntry, inspect, with_assets};
use clap::Args;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(before_help = "Example: quarry extractor pack my-extractor.wasm")]
/// Makes the files of a folder the assets of a component: it names each by its digest from then
/// on. Sign it after that.
pub(in crate::cli) struct Arguments {
    component: PathBuf,
    /// Folder with the files; X.assets for X.wasm by default
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let path = &arguments.component;
    let wasm = file::component(path)?;
    let before = inspect(&wasm)?;
    let folder = arguments.assets.clone().unwrap_or_else(|| assets::folder(path));
    let entries = entries(&folder)?;
    let own = assets::folder(path);
    if folder != own {
        for entry in &entries {
            assets::write(&own, entry, &assets::read(&folder, entry)?)?;
        }
    }
    // Once more changes nothing.
    let wasm = match before.assets == entries {
        true => wasm,
        false => with_assets(wasm, &entries)?,
    };
    let packed = inspect(&wasm)?;
    durable::write(path, &wasm)
        .context(Code::Unavailable, || format!("can not write {}", path.display()))?;
    let value = json!({ "digest": packed.digest, "assets": packed.assets, "path": path });
    printer::one(options, &value, &PACKED);
    Ok(DONE)
}

/// The files directly in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<AssetEntry>> {
    let named = || format!("can not read the folder {}", folder.display());
    let mut entries = Vec::new();
    for found in std::fs::read_dir(folder).context(Code::NotFound, named)? {
        let found = found.context(Code::Unavailable, named)?;
        let name = found.file_name().into_string().map_err(|name| {
            Error::invalid(format!("the file {} has a name that is no text", name.display()))
        })?;
        if !found.path().is_file() {
            let message = format!("{} is no file", found.path().display());
            return Err(Error::invalid(message).hint("assets are files, without folders"));
        }
        let bytes = file::read(&found.path(), ASSET_BYTES_MAX as usize)?;
        entries.push(AssetEntry {
            media_type: mime_guess::from_path(&name).first_or_octet_stream().to_string(),
            digest: format!("sha256:{:x}", Sha256::digest(&bytes)),
            bytes: bytes.len() as u64,
            name,
        });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

const PACKED: [printer::Column; 3] =
    [("component", "/path"), ("digest", "/digest"), ("assets", "/assets")];
