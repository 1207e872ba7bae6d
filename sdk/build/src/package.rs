//! What a cargo manifest says about an extractor, read without starting cargo.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use crate::component::Identity;

/// One extractor crate.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The directory of its `Cargo.toml`, canonical.
    pub(crate) directory: PathBuf,
    /// The directory of its workspace's `Cargo.toml`; its own when it stands alone.
    pub(crate) root: PathBuf,
    /// The workspace's manifest.
    pub(crate) root_manifest: Table,
}

/// Whether the directory holds a cargo package that is built into a WebAssembly module: its library
/// has the crate type `cdylib`.
#[must_use]
pub fn is_extractor(directory: &Path) -> bool {
    manifest(directory).is_ok_and(|manifest| has_cdylib(&manifest))
}

impl Package {
    /// # Errors
    /// When there is no manifest, it has no package, or the library is no `cdylib`.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let directory = directory
            .canonicalize()
            .with_context(|| format!("cannot open `{}`", directory.display()))?;
        let own = manifest(&directory)?;
        let shown = directory.display();
        let Some(package) = own.get("package").and_then(Value::as_table) else {
            bail!("`{shown}` is not a cargo package: its Cargo.toml has no [package]");
        };
        let Some(name) = package.get("name").and_then(Value::as_str) else {
            bail!("the package in `{shown}` has no name");
        };
        if !has_cdylib(&own) {
            bail!(
                "package `{name}` is not built into a WebAssembly module\n\
                 hint: add this to {shown}/Cargo.toml:\n\n[lib]\ncrate-type = [\"cdylib\"]\n"
            );
        }
        let name = name.to_owned();
        let (root, root_manifest) = workspace(&directory, &own)?;
        let version = match package.get("version") {
            Some(Value::String(version)) => version.clone(),
            Some(_) => root_manifest
                .get("workspace")
                .and_then(|workspace| workspace.get("package"))
                .and_then(|package| package.get("version"))
                .and_then(Value::as_str)
                .with_context(|| format!("package `{name}` inherits a version that is not there"))?
                .to_owned(),
            None => "0.0.0".to_owned(),
        };
        Ok(Self { name, version, directory, root, root_manifest })
    }

    pub(crate) fn identity(&self) -> Identity<'_> {
        Identity { name: &self.name, version: &self.version }
    }

    /// The workspace's own profile for extractors, when it has one.
    pub(crate) fn has_guest_profile(&self) -> bool {
        self.root_manifest.get("profile").is_some_and(|profiles| profiles.get("guest").is_some())
    }
}

/// Reads `<directory>/Cargo.toml`.
pub(crate) fn manifest(directory: &Path) -> Result<Table> {
    let path = directory.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| {
        format!("`{}` is not a cargo package: cannot read its Cargo.toml", directory.display())
    })?;
    text.parse().with_context(|| format!("cannot parse `{}`", path.display()))
}

fn has_cdylib(manifest: &Table) -> bool {
    let library = manifest.get("lib").and_then(Value::as_table);
    let kinds = library.and_then(|lib| lib.get("crate-type").or_else(|| lib.get("crate_type")));
    let kinds = kinds.and_then(Value::as_array);
    kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind.as_str() == Some("cdylib")))
}

/// The workspace a package belongs to, by cargo's rule: its own, else the nearest one above that
/// does not exclude it.
pub(crate) fn workspace(directory: &Path, own: &Table) -> Result<(PathBuf, Table)> {
    if !own.contains_key("workspace") {
        for above in directory.ancestors().skip(1).filter(|dir| dir.join("Cargo.toml").is_file()) {
            let manifest = manifest(above)?;
            if let Some(workspace) = manifest.get("workspace") {
                if excludes(workspace, above, directory) {
                    break;
                }
                return Ok((above.to_owned(), manifest));
            }
        }
    }
    Ok((directory.to_owned(), own.clone()))
}

fn excludes(workspace: &Value, root: &Path, directory: &Path) -> bool {
    let excluded = workspace.get("exclude").and_then(Value::as_array);
    let mut excluded = excluded.into_iter().flatten().filter_map(Value::as_str);
    excluded.any(|path| directory.starts_with(root.join(path)))
}
