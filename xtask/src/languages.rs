//! `examples/readability`: one extractor in every language. Only the tests build it: the compilers
//! come out of PyPI and npm, and whoever only wants the demo should not wait for them.

use std::path::PathBuf;

use anyhow::Result;
use quarry_build::{Language, Request, build_all};

use crate::tree::Tree;

/// Builds `<target>/readability/<language>/readability.wasm`; what did not change comes from a
/// cache.
pub(crate) fn build(tree: &Tree) -> Result<()> {
    let requests = Language::ALL.map(|language| Request {
        directory: folder(tree).join(language.name()),
        target: tree.guests(),
        out: tree.readability().join(language.name()),
    });
    build_all(&requests)?;
    Ok(())
}

/// The example's folder in the checkout.
pub(crate) fn folder(tree: &Tree) -> PathBuf {
    tree.root.join("examples/readability")
}
