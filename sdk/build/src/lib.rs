//! Turns an extractor's sources into a component that Quarry can install: finds or installs the
//! compiler of its language, compiles, wraps the module into a component and stamps it with the
//! contract version and the extractor's name and version.
//!
//! Rust is compiled by the Rust that is installed; C, Python and JavaScript by tools in one pinned
//! version that come out of PyPI and npm when they are first needed.
//!
//! [`new()`] lays out a project, with the SDK of its language in it.
//!
//! Results are cached by content: sources that did not change are not compiled again, and no
//! compiler is even started. What is being done goes to stderr, the compilers' own output too.

mod c;
mod cache;
mod compile;
mod component;
mod install;
mod javascript;
mod language;
mod lock;
mod new;
mod package;
mod project;
mod python;
mod sources;
#[cfg(test)]
mod tests;
mod toolchain;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache::Cache;
pub use crate::language::Language;
use crate::language::Made;
pub use crate::new::{NewProject, new};
use crate::package::Package;
pub use crate::package::is_extractor;
use crate::project::Project;
use crate::sources::Keys;
use crate::toolchain::Toolchains;
use crate::tools::Tools;

/// One extractor to build.
#[derive(Debug, Clone)]
pub struct Request {
    /// The directory with the extractor's `Cargo.toml` or `extractor.toml`.
    pub directory: PathBuf,
    /// Where cargo's intermediate files, installed tools and the cache of finished components
    /// live; shared between requests so that dependencies are compiled once.
    pub target: PathBuf,
    /// The folder that receives `<name>.wasm`.
    pub out: PathBuf,
}

/// A finished component.
#[derive(Debug, Clone)]
pub struct Component {
    /// The extractor's name.
    pub name: String,
    /// The extractor's version.
    pub version: String,
    /// SHA-256 of `bytes`, lower-case hex.
    pub sha256: String,
    /// Where it was published: `<out>/<name>.wasm`.
    pub path: PathBuf,
    /// The component itself.
    pub bytes: Vec<u8>,
    /// Whether it came out of the cache, without a compiler run.
    pub cached: bool,
}

/// Builds one extractor.
///
/// # Errors
/// When the directory holds neither a cargo package with a `cdylib` library nor an
/// `extractor.toml`, when the compiler is missing and can not be installed, when the sources do not
/// compile (the compiler has then said why on stderr), or when the result does not export the
/// extractor world.
pub fn build(request: &Request) -> Result<Component> {
    let mut components = build_all(std::slice::from_ref(request))?;
    components.pop().context("the build gave no component")
}

/// Builds several extractors, in the order given; those of one cargo workspace in a single run.
///
/// # Errors
/// As [`build`]; nothing is published for a workspace of which one member fails to compile.
pub fn build_all(requests: &[Request]) -> Result<Vec<Component>> {
    let mut languages = Vec::new();
    for request in requests {
        languages.push(Language::of(&request.directory)?);
    }
    let crates = requests.iter().zip(&languages).filter(|(_, one)| **one == Language::Rust);
    let crates: Vec<&Request> = crates.map(|(request, _)| request).collect();
    let mut crates = build_crates(&crates)?.into_iter();
    let mut components = Vec::new();
    for (request, language) in requests.iter().zip(languages) {
        components.push(match language {
            Language::Rust => crates.next().context("the build gave no component")?,
            Language::C | Language::Python | Language::JavaScript => build_project(request)?,
        });
    }
    Ok(components)
}

/// Builds an extractor that is no cargo package.
fn build_project(request: &Request) -> Result<Component> {
    let project = Project::read(&request.directory)?;
    let key = sources::key_of(&project)?;
    let cache = Cache::of(request);
    if let Some(component) = cache.get(project.identity(), &key)? {
        return Ok(component);
    }
    let target = std::path::absolute(&request.target)?;
    let work = target.join(format!("work-{}-{}", project.name, std::process::id()));
    let made =
        in_folder(&work, |work| project.language.compile(&project, &Tools::below(&target), work))?;
    let bytes = match made {
        Made::Module(module) => {
            component::wrap_with(&module, &project.contract, project.identity())
        }
        Made::Component(component) => component::adopt(component, project.identity()),
    };
    let bytes = bytes.with_context(|| format!("cannot make a component of `{}`", project.name))?;
    cache.put(project.identity(), &key, bytes)
}

/// Runs something in an empty folder that is gone afterwards.
fn in_folder<T>(folder: &Path, run: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let outcome = run(folder);
    // Best effort: what can not be removed costs disk space, nothing else.
    let _ = fs::remove_dir_all(folder);
    outcome
}

fn build_crates(requests: &[&Request]) -> Result<Vec<Component>> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let toolchains = Toolchains::find()?;
    let mut keys = Keys::new(toolchains.identity());
    let jobs = requests.iter().map(|request| Job::new(request, &mut keys));
    let mut jobs = jobs.collect::<Result<Vec<_>>>()?;
    while let Some(first) = jobs.iter().find(|job| job.component.is_none()) {
        let (root, target) = (first.package.root.clone(), first.request.target.clone());
        let group: Vec<&mut Job<'_>> = jobs
            .iter_mut()
            .filter(|job| job.component.is_none())
            .filter(|job| job.package.root == root && job.request.target == target)
            .collect();
        // Cargo runs in the package's folder; a relative target is relative to ours.
        let target = std::path::absolute(&target)?;
        let wasm = toolchains.for_wasm(&target)?;
        let packages: Vec<&Package> = group.iter().map(|job| &job.package).collect();
        let modules = compile::modules(&packages, &target, &wasm)?;
        // Read again: the compiler run may have written the first Cargo.lock.
        let mut keys = Keys::new(toolchains.identity());
        for (job, module) in group.into_iter().zip(modules) {
            job.finish(&module, &mut keys)?;
        }
    }
    Ok(jobs.into_iter().filter_map(|job| job.component).collect())
}

/// A request for a crate on its way to a component.
struct Job<'a> {
    request: &'a Request,
    package: Package,
    component: Option<Component>,
}

impl<'a> Job<'a> {
    fn new(request: &'a Request, keys: &mut Keys<'_>) -> Result<Self> {
        let package = Package::read(&request.directory)?;
        let key = keys.of(&package)?;
        let component = Cache::of(request).get(package.identity(), &key)?;
        Ok(Self { request, package, component })
    }

    fn finish(&mut self, module: &[u8], keys: &mut Keys<'_>) -> Result<()> {
        let name = &self.package.name;
        let bytes = component::wrap(module, self.package.identity())
            .with_context(|| format!("cannot make a component of `{name}`"))?;
        let key = keys.of(&self.package)?;
        let cache = Cache::of(self.request);
        self.component = Some(cache.put(self.package.identity(), &key, bytes)?);
        Ok(())
    }
}
