//! What can be tested without a compiler run; the whole way is gone by every build of the plugins.

mod keys;
mod packages;
mod projects;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::package::Package;
use crate::toolchain::new_enough;
use crate::{cache, component};

/// A folder with the given files.
struct Tree(TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(TempDir::new().unwrap());
        files.iter().for_each(|(path, text)| tree.write(path, text));
        tree
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        fs::write(path, text).unwrap();
    }

    fn package(&self, path: &str) -> Package {
        Package::read(&self.at(path)).unwrap()
    }
}

#[test]
fn only_a_release_at_or_above_the_floor_is_new_enough() {
    let check = |release: &str, expected| {
        let version = format!("rustc {release}\nbinary: rustc\nrelease: {release}\n");
        assert_eq!(new_enough(&version), expected, "{release}");
    };
    check("1.95.1", false);
    check("1.96.0", true);
    check("1.100.0", true);
    check("2.0.0", true);
    check("0.99.0", false);
    check("1.97.0-nightly", false);
    check("1.97.0-beta.3", false);
    assert!(!new_enough(""));
}

#[test]
fn a_module_without_the_extractor_world_is_refused_with_a_hint() {
    let tree = Tree::new(&[("Cargo.toml", "[package]\nname='x'\n[lib]\ncrate-type=['cdylib']")]);
    let error = component::wrap(b"\0asm\x01\0\0\0", tree.package(".").identity()).unwrap_err();
    assert!(error.to_string().contains("is `quarry_extractor::export!` missing?"), "{error:#}");
}

#[test]
fn the_cache_tells_extractors_with_similar_names_apart() {
    let check = |file, name, expected| assert_eq!(cache::belongs(file, name), expected, "{file}");
    check("text-0a1b.wasm", "text", true);
    check("text-chunk-0a1b.wasm", "text", false);
    check("text-chunk-0a1b.wasm", "text-chunk", true);
    check("text-0a1b.wasm.17", "text", false);
}
