//! Extractors in every language: the same task gives the same bytes, and the guide's commands lead
//! from nothing to documents in a search.

mod c;
mod golden;
mod guide;
mod interpreters;
mod native;

use quarry_build::Language;
use std::path::PathBuf;

/// The component of `examples/readability` in a language, as `./x test` built it.
fn readability(language: Language) -> Vec<u8> {
    let folder = crate::support::quarry::root().join("target/readability");
    let folder = std::env::var_os("QUARRY_READABILITY").map_or(folder, PathBuf::from);
    let path = folder.join(language.name()).join("readability.wasm");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{} is not there ({error}); `./x test languages` builds it", path.display())
    })
}
