//! The cache key of an extractor: a digest over everything its component depends on.
//!
//! That is every file of the package and of the packages it takes by path, the part of the lock
//! file it reaches, the workspace's settings that matter, the contract's WIT folder, the compiler
//! and this builder. Paths go in relative to their package, so that a clone elsewhere has the same
//! keys. Not seen: files a crate includes from outside those folders.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::lock::Lock;
use crate::package::{self, Package};
use crate::project::Project;
use crate::{compile, component};

/// Changes whenever this builder makes something else out of the same sources.
const BUILDER: &str = concat!("quarry-build ", env!("CARGO_PKG_VERSION"), " recipe 1");

/// What compilers, package managers and `quarry` itself leave beside sources.
const BUILT: [&str; 5] = ["target", "node_modules", "__pycache__", "extractors", "quarry-data"];
/// Beside an `extractor.toml`: rows and documents of its tests, which are no part of a component.
const TESTED: [&str; 2] = ["fixtures", "expected"];

/// Makes keys; reads the lock file of a workspace once.
pub(crate) struct Keys<'a> {
    compiler: &'a str,
    locks: BTreeMap<PathBuf, Lock>,
}

impl<'a> Keys<'a> {
    /// `compiler` is what tells one compiler from another.
    pub(crate) fn new(compiler: &'a str) -> Self {
        Self { compiler, locks: BTreeMap::new() }
    }

    pub(crate) fn of(&mut self, package: &Package) -> Result<String> {
        if !self.locks.contains_key(&package.root) {
            self.locks.insert(package.root.clone(), Lock::read(&package.root)?);
        }
        let lock = self.locks.get(&package.root).map(|lock| lock.reached_from(package));
        key(package, self.compiler, &lock.unwrap_or_default())
    }
}

/// The key of an extractor that is no cargo package: every file of its folder, the SDK of its
/// language, the contract and the versions of the tools.
pub(crate) fn key_of(project: &Project) -> Result<String> {
    let mut digest = Labelled::default();
    digest.add("builder", BUILDER.as_bytes());
    digest.add("tools", project.language.tools().as_bytes());
    let tested = TESTED.map(|name| project.directory.join(name));
    for file in files(&project.directory)? {
        if !tested.iter().any(|folder| file.starts_with(folder)) {
            digest.add_file("project", &project.directory, &file)?;
        }
    }
    digest.add_files("sdk", &project.sdk)?;
    digest.add_files("wit", &project.contract)?;
    Ok(digest.hex())
}

/// A digest over labelled bytes.
#[derive(Default)]
struct Labelled(Sha256);

impl Labelled {
    fn add(&mut self, label: &str, bytes: &[u8]) {
        self.0.update((label.len() as u64).to_le_bytes());
        self.0.update(label);
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds every file of a folder, labelled with the path inside it.
    fn add_files(&mut self, label: &str, folder: &Path) -> Result<()> {
        for file in files(folder)? {
            self.add_file(label, folder, &file)?;
        }
        Ok(())
    }

    fn add_file(&mut self, label: &str, folder: &Path, file: &Path) -> Result<()> {
        let name = file.strip_prefix(folder).unwrap_or(file).to_string_lossy().into_owned();
        let bytes = fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        self.add(&format!("{label}/{name}"), &bytes);
        Ok(())
    }

    fn hex(self) -> String {
        component::hex(&self.0.finalize())
    }
}

fn key(package: &Package, compiler: &str, locked: &str) -> Result<String> {
    let mut digest = Labelled::default();
    let mut add = |label: &str, bytes: &[u8]| digest.add(label, bytes);
    add("builder", BUILDER.as_bytes());
    add("compiler", compiler.as_bytes());
    add("flags", compile::FLAGS.join(" ").as_bytes());
    add("package", format!("{}@{}", package.name, package.version).as_bytes());
    let root = &package.root_manifest;
    for part in [&["profile", "guest"][..], &["profile", "release"], &["patch"], &["replace"]] {
        add(&part.join("."), setting(root, part).as_bytes());
    }
    for part in ["package", "dependencies", "lints"] {
        add(part, setting(root, &["workspace", part]).as_bytes());
    }
    add("lock", locked.as_bytes());
    for (label, directory) in folders(package)? {
        digest.add_files(&label, &directory)?;
    }
    Ok(digest.hex())
}

/// One setting of a manifest as text; empty when it is not there.
fn setting(manifest: &Table, path: &[&str]) -> String {
    let mut keys = path.iter();
    let mut value = keys.next().and_then(|key| manifest.get(*key));
    for key in keys {
        value = value.and_then(|value| value.get(*key));
    }
    value.map(Value::to_string).unwrap_or_default()
}

/// The folders whose files count, by a label that does not depend on where the clone is: the
/// package, the packages it takes by path (theirs too), and the `wit` folder of each of their
/// workspaces.
fn folders(package: &Package) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![package.directory.clone()];
    while let Some(directory) = open.pop() {
        if !seen.insert(directory.clone()) {
            continue;
        }
        let manifest = package::manifest(&directory)?;
        let (root, root_manifest) = package::workspace(&directory, &manifest)?;
        let contract = root.join("wit");
        if contract.is_dir() && root != directory {
            found.insert(format!("wit of {}", label(&root, package)), contract);
        }
        for relative in path_dependencies(&manifest) {
            open.extend(directory.join(relative).canonicalize());
        }
        let shared = root_manifest.get("workspace").and_then(|table| table.get("dependencies"));
        for name in inherited(&manifest) {
            let path = shared.and_then(|all| all.get(&name)).and_then(|one| one.get("path"));
            if let Some(relative) = path.and_then(Value::as_str) {
                open.extend(root.join(relative).canonicalize());
            }
        }
        found.insert(label(&directory, package), directory);
    }
    Ok(found)
}

fn label(directory: &Path, package: &Package) -> String {
    let inside = directory.strip_prefix(&package.root).ok();
    let name = inside.or_else(|| directory.file_name().map(Path::new));
    name.unwrap_or(directory).to_string_lossy().into_owned()
}

fn dependency_tables(manifest: &Table) -> impl Iterator<Item = &Table> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let scopes = targets.into_iter().flat_map(|targets| targets.values());
    let scopes = scopes.filter_map(Value::as_table).chain([manifest]);
    scopes.flat_map(|scope| {
        ["dependencies", "build-dependencies"]
            .into_iter()
            .filter_map(|key| scope.get(key).and_then(Value::as_table))
    })
}

fn path_dependencies(manifest: &Table) -> impl Iterator<Item = &str> {
    let all = dependency_tables(manifest).flat_map(|table| table.values());
    all.filter_map(|value| value.get("path").and_then(Value::as_str))
}

/// Names of the dependencies declared as `{ workspace = true }`.
fn inherited(manifest: &Table) -> impl Iterator<Item = String> {
    let all = dependency_tables(manifest).flatten();
    all.filter(|(_, value)| value.get("workspace").is_some()).map(|(name, _)| name.clone())
}

/// Every file below a folder in a fixed order, without hidden ones and build products.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(folder) = open.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot list `{}`", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // A lone package's lock file is counted by what it says, not by its bytes.
            let ours = !name.starts_with('.')
                && !BUILT.contains(&name.as_str())
                && !name.ends_with(".parquet")
                && name != "Cargo.lock";
            if ours && path.is_dir() {
                open.push(path);
            } else if ours && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
