//! Turns an extractor crate into a component that Quarry can install: finds a Rust that can compile
//! WebAssembly, compiles the crate for `wasm32-unknown-unknown`, wraps the module into a component
//! and stamps it with the contract version and the extractor's name and version.
//!
//! Results are cached by content: a crate that did not change is not compiled
//! again, and cargo is not even started. What is being done goes to stderr, cargo's own output too.

mod cache;
mod compile;
mod component;
mod install;
mod lock;
mod package;
mod sources;
#[cfg(test)]
mod tests;
mod toolchain;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::package::Package;
pub use crate::package::is_extractor;
use crate::sources::Keys;
use crate::toolchain::Toolchains;

/// One extractor to build.
#[derive(Debug, Clone)]
pub struct Request {
    /// The directory with the extractor's `Cargo.toml`.
    pub directory: PathBuf,
    /// Where cargo's intermediate files and the cache of finished components live; shared between
    /// requests so that dependencies are compiled once.
    pub target: PathBuf,
    /// The folder that receives `<name>.wasm`.
    pub out: PathBuf,
}

/// A finished component.
#[derive(Debug, Clone)]
pub struct Component {
    /// The package's name, which is the extractor's name.
    pub name: String,
    /// The package's version.
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
/// When the directory is no cargo package with a `cdylib` library, when no Rust can compile
/// WebAssembly and none can be installed, when the crate does not compile (cargo has then said why
/// on stderr), or when it does not export the extractor world.
pub fn build(request: &Request) -> Result<Component> {
    let mut components = build_all(std::slice::from_ref(request))?;
    components.pop().context("the build gave no component")
}

/// Builds several extractors, in the order given; those of one workspace in a single cargo run.
///
/// # Errors
/// As [`build`]; nothing is published for a workspace of which one member fails to compile.
pub fn build_all(requests: &[Request]) -> Result<Vec<Component>> {
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

/// A request on its way to a component.
struct Job<'a> {
    request: &'a Request,
    package: Package,
    component: Option<Component>,
}

impl<'a> Job<'a> {
    fn new(request: &'a Request, keys: &mut Keys<'_>) -> Result<Self> {
        let package = Package::read(&request.directory)?;
        let key = keys.of(&package)?;
        let component = Cache::of(request).get(&package, &key)?;
        Ok(Self { request, package, component })
    }

    fn finish(&mut self, module: &[u8], keys: &mut Keys<'_>) -> Result<()> {
        let name = &self.package.name;
        let bytes = component::wrap(module, &self.package)
            .with_context(|| format!("cannot make a component of `{name}`"))?;
        let key = keys.of(&self.package)?;
        self.component = Some(Cache::of(self.request).put(&self.package, &key, bytes)?);
        Ok(())
    }
}
