//! Files that belong to a component: tables of models, lists of words. The component names them in
//! a custom section, each by its digest; they themselves are kept beside it.

use super::inspect::refused;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Custom section with a JSON list of [`AssetEntry`].
pub const ASSETS_SECTION: &str = "quarry:assets";
/// Bytes of one file.
pub const ASSET_BYTES_MAX: u64 = 64 << 20;
const ASSETS_MAX: usize = 64;
const SECTION_BYTES_MAX: usize = 64 << 10;
const NAME_BYTES_MAX: usize = 128;

/// A file, as its component names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetEntry {
    /// Letters, digits, `.`, `_` and `-`; unique in its component.
    pub name: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    pub bytes: u64,
    /// Such as `text/plain`.
    pub media_type: String,
}

impl AssetEntry {
    /// The digest without its algorithm.
    pub fn sha256(&self) -> &str {
        self.digest.strip_prefix("sha256:").unwrap_or(&self.digest)
    }

    fn fault(&self) -> Option<&'static str> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let named = !self.name.is_empty() && self.name.len() <= NAME_BYTES_MAX;
        let digest = self.sha256();
        if !named || !self.name.chars().all(plain) || self.name.starts_with('.') {
            return Some("has a name with other characters than letters, digits, `.`, `_`, `-`");
        }
        if digest.len() != 64 || digest.len() + 7 != self.digest.len() || !digest.chars().all(hex) {
            return Some("has a digest that is none");
        }
        if self.bytes > ASSET_BYTES_MAX {
            return Some("is larger than 64 MiB");
        }
        let kind = |c: char| c.is_ascii_alphanumeric() || "/+.-;= ".contains(c);
        let typed = self.media_type.contains('/') && self.media_type.len() <= NAME_BYTES_MAX;
        (!typed || !self.media_type.chars().all(kind)).then_some("has a media type that is none")
    }
}

/// What the section says, checked.
pub(super) fn parse(json: &[u8]) -> Result<Vec<AssetEntry>> {
    let wrong = |what: String| Err(refused(format!("lists its assets wrongly: {what}")));
    if json.len() > SECTION_BYTES_MAX {
        return wrong(format!("the list has more than {SECTION_BYTES_MAX} bytes"));
    }
    let entries: Vec<AssetEntry> = match serde_json::from_slice(json) {
        Ok(entries) => entries,
        Err(error) => return wrong(super::log::clean(&error.to_string(), 300)),
    };
    if entries.len() > ASSETS_MAX {
        return wrong(format!("there are {} of them, at most {ASSETS_MAX}", entries.len()));
    }
    let mut names = BTreeSet::new();
    for entry in &entries {
        let name = super::log::clean(&entry.name, NAME_BYTES_MAX);
        if let Some(fault) = entry.fault() {
            return wrong(format!("`{name}` {fault}"));
        }
        if !names.insert(&entry.name) {
            return wrong(format!("`{name}` is there twice"));
        }
    }
    Ok(entries)
}

/// The component with a list of its assets at its end.
pub fn with_assets(mut wasm: Vec<u8>, entries: &[AssetEntry]) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(entries)
        .map_err(|error| refused("can not list its assets").source(error))?;
    parse(&json)?;
    let mut section = Vec::new();
    length(&mut section, ASSETS_SECTION.len());
    section.extend_from_slice(ASSETS_SECTION.as_bytes());
    section.extend_from_slice(&json);
    wasm.push(0);
    length(&mut wasm, section.len());
    wasm.extend(section);
    Ok(wasm)
}

/// In LEB128, as in all of WebAssembly.
fn length(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
