//! What can be said of a component without compiling it, and why one is refused.

use super::Limits;
use super::asset::{self, ASSETS_SECTION, AssetEntry};
use crate::error::{Code, Error, Result};
use crate::model::Capability;
use sha2::{Digest, Sha256};
use wasmparser::{BinaryReaderError, Parser, Payload};

/// Custom section with the version of the contract a component was built for.
pub const API_SECTION: &str = "quarry:api";
/// Custom section with name and version of the extractor, as JSON.
pub const NAME_SECTION: &str = "quarry:extractor";
/// Contract versions this host runs: 0.1.x.
const API: (u64, u64) = (0, 1);
const INTERFACES: [&str; 3] = ["input", "output", "log"];
/// Of a section that is read.
const SECTION_BYTES_MAX: usize = 64 << 10;
/// Names in an error are cut here.
const LISTED: usize = 12;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub bytes: usize,
    /// SHA-256 in hex.
    pub digest: String,
    /// Version of the contract: as stamped, otherwise as the imports and exports say.
    pub api: Option<String>,
    pub name: Option<String>,
    pub version: Option<String>,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// Files that belong to it.
    pub assets: Vec<AssetEntry>,
}

/// Reads the outline of a component. It need not be an extractor of this host's version.
pub fn inspect(wasm: &[u8]) -> Result<Inspection> {
    check_header(wasm)?;
    let mut outline = Outline::default();
    for payload in Parser::new(0).parse_all(wasm) {
        payload.and_then(|payload| outline.add(payload)).map_err(|error| damaged(&error))?;
    }
    if let Some(bytes) = outline.oversized {
        let message = format!(
            "has a section {NAME_SECTION} or {API_SECTION} of {bytes} bytes, at most \
             {SECTION_BYTES_MAX} are read"
        );
        return Err(refused(message).hint("build it with `quarry extractor build`"));
    }
    let label = outline.name.as_deref().and_then(|json| serde_json::from_slice(json).ok());
    let label: serde_json::Value = label.unwrap_or_default();
    let text = |key: &str| label.get(key).and_then(|value| value.as_str()).map(str::to_string);
    let assets = outline.assets.as_deref().map(asset::parse).transpose()?.unwrap_or_default();
    let stamped = outline.api.map(|(_, version)| version);
    let api = stamped.or_else(|| {
        let mut names = outline.exports.iter().chain(&outline.imports);
        names.find_map(|name| split(name)).map(|(_, version)| version.to_string())
    });
    Ok(Inspection {
        bytes: wasm.len(),
        digest: hex(&Sha256::digest(wasm)),
        api,
        name: text("name"),
        version: text("version"),
        imports: outline.imports,
        exports: outline.exports,
        assets,
    })
}

/// Everything that is checked before a component is compiled.
pub(super) fn check(wasm: &[u8], limits: &Limits) -> Result<Inspection> {
    check_size(wasm, limits)?;
    let inspection = inspect(wasm)?;
    check_api(&inspection)?;
    check_world(&inspection)?;
    check_imports(&inspection)?;
    Ok(inspection)
}

pub(super) fn check_size(wasm: &[u8], limits: &Limits) -> Result<()> {
    let (bytes, max) = (wasm.len(), limits.component_bytes_max);
    if bytes > max {
        let hint = "build it with `--release` and strip debug information";
        return Err(refused(format!("has {bytes} bytes, at most {max} are allowed")).hint(hint));
    }
    Ok(())
}

impl Inspection {
    /// Interfaces it imports that are linked only where they were granted.
    pub(super) fn capabilities(&self) -> Vec<Capability> {
        let imported = self.imports.iter().filter_map(|name| split(name));
        imported.filter_map(|(interface, _)| capability(interface)).collect()
    }

    /// Name of the exported `extractor` interface.
    pub(super) fn export(&self) -> Option<&str> {
        let mut exports = self.exports.iter();
        let export = exports.find(|name| split(name).is_some_and(|(name, _)| name == "extractor"));
        export.map(String::as_str)
    }
}

/// What of the sections matters here; component nesting is followed to know whose they are.
#[derive(Default)]
struct Outline {
    depth: usize,
    /// Depth it was found at and version: the component's own stamp wins over its module's.
    api: Option<(usize, String)>,
    name: Option<Vec<u8>>,
    assets: Option<Vec<u8>>,
    /// Bytes of a section that is too large to be looked at.
    oversized: Option<usize>,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Outline {
    fn add(&mut self, payload: Payload<'_>) -> std::result::Result<(), BinaryReaderError> {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.depth += 1,
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if self.depth == 0 => {
                for import in section {
                    self.imports.push(import?.name.name.to_string());
                }
            }
            Payload::ComponentExportSection(section) if self.depth == 0 => {
                for export in section {
                    self.exports.push(export?.name.name.to_string());
                }
            }
            Payload::CustomSection(section)
                if [API_SECTION, NAME_SECTION].contains(&section.name())
                    && section.data().len() > SECTION_BYTES_MAX =>
            {
                self.oversized = Some(section.data().len());
            }
            Payload::CustomSection(section) if section.name() == API_SECTION => {
                let outer = self.api.as_ref().is_none_or(|(depth, _)| self.depth < *depth);
                if outer {
                    let version = String::from_utf8_lossy(section.data()).trim().to_string();
                    self.api = Some((self.depth, version));
                }
            }
            Payload::CustomSection(section)
                if section.name() == NAME_SECTION && (self.name.is_none() || self.depth == 0) =>
            {
                self.name = Some(section.data().to_vec());
            }
            // The last one counts: whoever adds a file lists all of them again.
            Payload::CustomSection(section)
                if section.name() == ASSETS_SECTION && self.depth == 0 =>
            {
                self.assets = Some(section.data().to_vec());
            }
            _ => {}
        }
        Ok(())
    }
}

fn check_header(wasm: &[u8]) -> Result<()> {
    let hint = "build it with `quarry extractor build`";
    if wasm.len() < 8 || !wasm.starts_with(b"\0asm") {
        let what = match wasm.trim_ascii_start().first() {
            None => "is empty",
            Some(b'(') => "is WebAssembly text, not a binary component",
            Some(_) if b"\0asm".starts_with(&wasm[..wasm.len().min(4)]) => "is cut off",
            Some(_) => "is not a WebAssembly component",
        };
        return Err(refused(what).hint(hint));
    }
    if Parser::is_core_wasm(wasm) {
        return Err(refused("is a core module, not a component").hint(hint));
    }
    if !Parser::is_component(wasm) {
        let version = u16::from_le_bytes([wasm[4], wasm[5]]);
        return Err(refused(format!("has the unknown binary version {version}")).hint(hint));
    }
    Ok(())
}

pub(super) fn check_api(inspection: &Inspection) -> Result<()> {
    let Some(api) = &inspection.api else {
        return Err(wrong_world(inspection));
    };
    let Some((major, minor)) = minor(api) else {
        let hint = "build it again with `quarry extractor build`";
        return Err(refused(format!("is stamped with `{api}`, which is no API version")).hint(hint));
    };
    if (major, minor) != API {
        let (ours_major, ours) = API;
        let message =
            format!("is built for extractor API {api}, this host runs {ours_major}.{ours}.x");
        let hint = match (major, minor) > API {
            true => "update quarry, or build the extractor with an SDK for the host's version",
            false => "build the extractor with a newer SDK",
        };
        return Err(refused(message).hint(hint));
    }
    Ok(())
}

pub(super) fn check_world(inspection: &Inspection) -> Result<()> {
    match inspection.export() {
        Some(_) => Ok(()),
        None => Err(wrong_world(inspection)),
    }
}

pub(super) fn check_imports(inspection: &Inspection) -> Result<()> {
    let known = |name: &str| {
        split(name).is_some_and(|(interface, version)| {
            let known = INTERFACES.contains(&interface) || capability(interface).is_some();
            known && minor(version) == Some(API)
        })
    };
    let refused_names: Vec<_> = inspection.imports.iter().filter(|name| !known(name)).collect();
    if refused_names.is_empty() {
        return Ok(());
    }
    let message = format!("imports {}, which no host grants", listed(&refused_names));
    let hint = "build it for wasm32-unknown-unknown with `quarry extractor build`: an extractor \
                gets no file system, and clock, network or environment only through \
                quarry:extractor";
    Err(refused(message).hint(hint))
}

fn wrong_world(inspection: &Inspection) -> Error {
    let exports: Vec<_> = inspection.exports.iter().collect();
    let instead = match exports.is_empty() {
        true => "nothing".to_string(),
        false => listed(&exports),
    };
    let message = "does not export quarry:extractor/extractor: wrong world";
    refused(format!("{message}, it exports {instead}"))
        .hint("implement the world `plugin` of wit/, or use the SDK")
}

fn capability(interface: &str) -> Option<Capability> {
    Capability::ALL.into_iter().find(|one| one.as_str() == interface)
}

/// Interface and version of a name like `quarry:extractor/input@0.1.0`.
fn split(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("quarry:extractor/")?.split_once('@')
}

/// Major and minor of a released version, `None` for anything else.
fn minor(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.splitn(3, '.').map(|part| part.parse::<u64>().ok());
    let (major, minor, _patch) = (parts.next()??, parts.next()??, parts.next()??);
    Some((major, minor))
}

fn listed(names: &[&String]) -> String {
    let more = names.len().saturating_sub(LISTED);
    let shown: Vec<_> =
        names.iter().take(LISTED).map(|name| super::log::clean(name, 120)).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn damaged(error: &BinaryReaderError) -> Error {
    let message = format!("is damaged or cut off at byte {}: {}", error.offset(), error.message());
    refused(message).hint("fetch or build it again")
}

pub(super) fn refused(what: impl std::fmt::Display) -> Error {
    Error::new(Code::Extractor, format!("the extractor {what}"))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
