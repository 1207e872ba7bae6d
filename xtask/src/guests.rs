//! Everything that runs inside the sandbox, built to components.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use quarry_build::{Request, build_all, is_extractor};

use crate::languages;
use crate::tree::{Tree, folders};

/// Builds every extractor crate of the repository; those that did not change come from a cache.
pub(crate) fn run(tree: &Tree) -> Result<()> {
    let started = Instant::now();
    let request =
        |directory: PathBuf, out: PathBuf| Request { directory, target: tree.guests(), out };
    let plugins = tree.below("plugins").into_iter().map(|path| request(path, tree.extractors()));
    let others = test_guests(tree).into_iter().map(|path| request(path, tree.test_guests()));
    let requests: Vec<Request> =
        plugins.chain(others).filter(|request| is_extractor(&request.directory)).collect();
    let components = build_all(&requests)?;
    let built = components.iter().filter(|component| !component.cached).count();
    eprintln!(
        "{} extractors ready, {built} compiled, in {:.1} s",
        components.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The hostile guests, and extractor crates inside an example, one or two folders deep.
fn test_guests(tree: &Tree) -> Vec<PathBuf> {
    let mut examples = tree.below("examples");
    examples.retain(|example| *example != languages::folder(tree));
    let nested = examples.iter().flat_map(|example| folders(example));
    tree.below("tests/guests").into_iter().chain(examples.clone()).chain(nested).collect()
}
