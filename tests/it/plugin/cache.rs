//! Compiled extractors are found again, and only what was written is run.

use super::components::{component, described};
use quarry::plugin::{Extractor, Host, Limits};
use std::path::{Path, PathBuf};

fn named(name: &str) -> Vec<u8> {
    component(&described(name).to_string())
}

/// Loads in a host of its own, as after a restart.
fn load(dir: &Path, wasm: &[u8]) -> String {
    let host = Host::new(Some(dir.to_path_buf()), Limits::default()).unwrap();
    host.load(wasm).unwrap().description().name.clone()
}

fn file_of(dir: &Path, wasm: &[u8]) -> PathBuf {
    let digest = quarry::plugin::inspect(wasm).unwrap().digest;
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let mut files =
        files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(&digest));
    let file = files.next().unwrap();
    assert_eq!(files.next(), None);
    file
}

#[test]
fn a_second_load_uses_the_compiled_file() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (named("one"), named("two"));
    assert_eq!(load(dir.path(), &one), "one");
    assert_eq!(load(dir.path(), &two), "two");
    // Whatever stands under its name is what runs: the file is used.
    std::fs::copy(file_of(dir.path(), &one), file_of(dir.path(), &two)).unwrap();
    assert_eq!(load(dir.path(), &two), "one");
}

#[test]
fn a_damaged_file_is_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    let wasm = named("whole");
    load(dir.path(), &wasm);
    let path = file_of(dir.path(), &wasm);
    let intact = std::fs::read(&path).unwrap();
    let mut flipped = intact.clone();
    flipped[intact.len() / 2] ^= 1;
    for damaged in [&flipped[..], &intact[..intact.len() - 1], &intact[..10], b""] {
        std::fs::write(&path, damaged).unwrap();
        assert_eq!(load(dir.path(), &wasm), "whole");
        let written = std::fs::read(&path).unwrap();
        assert!(written != damaged, "the damaged file is still there");
        assert_eq!(written.len(), intact.len());
    }
}

#[cfg(unix)]
#[test]
fn the_directory_belongs_to_the_host_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("deep/cache");
    load(&cache, &named("private"));
    let mode = std::fs::metadata(&cache).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
