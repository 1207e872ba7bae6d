//! Compiled extractors are found again, and only what was written is run.

use super::components::{component, described};
use quarry::error::Code;
use quarry::plugin::{CACHE_KEY, Extractor, Host, Limits};
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
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
    let written = |wasm| std::fs::metadata(file_of(dir.path(), wasm)).unwrap().ino();
    let before = (written(&one), written(&two));
    assert_eq!((load(dir.path(), &one), load(dir.path(), &two)), ("one".into(), "two".into()));
    // A file that was written again is another one.
    assert_eq!((written(&one), written(&two)), before);
}

#[test]
fn the_code_of_one_component_is_not_taken_for_another_s() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (named("one"), named("two"));
    load(dir.path(), &one);
    load(dir.path(), &two);
    std::fs::copy(file_of(dir.path(), &one), file_of(dir.path(), &two)).unwrap();
    assert_eq!(load(dir.path(), &two), "two");
}

#[test]
fn code_that_was_sealed_with_another_key_is_compiled_again() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let wasm = named("sealed");
    load(ours.path(), &wasm);
    load(theirs.path(), &wasm);
    let (own, foreign) = (file_of(ours.path(), &wasm), file_of(theirs.path(), &wasm));
    assert_eq!(own.file_name(), foreign.file_name());
    std::fs::copy(&foreign, &own).unwrap();
    assert_eq!(load(ours.path(), &wasm), "sealed");
    let again = std::fs::read(&own).unwrap();
    assert!(again != std::fs::read(&foreign).unwrap(), "the foreign file is still there");
    // Without its key, all of a directory's files are foreign.
    std::fs::remove_file(ours.path().join(CACHE_KEY)).unwrap();
    load(ours.path(), &wasm);
    assert!(std::fs::read(&own).unwrap() != again, "sealed by a key that is gone");
}

#[test]
fn a_key_that_others_may_have_read_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    load(dir.path(), &named("keyed"));
    let key = dir.path().join(CACHE_KEY);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&key), std::fs::read(&key).unwrap().len()), (0o600, 32));
    let first = std::fs::read(&key).unwrap();
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    load(dir.path(), &named("keyed"));
    assert_eq!(mode(&key), 0o600);
    assert_ne!(std::fs::read(&key).unwrap(), first);
    std::fs::write(&key, b"short").unwrap();
    load(dir.path(), &named("keyed"));
    assert_eq!(std::fs::read(&key).unwrap().len(), 32);
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o720, 0o702, 0o777] {
        std::fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        let refused = Host::new(Some(dir.path().to_path_buf()), Limits::default());
        let error = refused.map(|_| ()).unwrap_err();
        assert_eq!(error.code(), Code::Forbidden);
        assert!(
            error.to_string().starts_with("others can write to the cache directory"),
            "{error}"
        );
        assert!(error.hint_text().unwrap().contains("chmod 700"), "{error}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Only root can make one that belongs to somebody else.
#[test]
fn a_directory_of_another_user_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let nobody = 65534;
    if std::os::unix::fs::chown(dir.path(), Some(nobody), None).is_err() {
        eprintln!("not checked: only root may give a directory away");
        return;
    }
    let refused = Host::new(Some(dir.path().to_path_buf()), Limits::default());
    let error = refused.map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::Forbidden);
    assert!(error.to_string().ends_with("belongs to another user"), "{error}");
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

#[test]
fn the_directory_belongs_to_the_host_alone() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("deep/cache");
    load(&cache, &named("private"));
    let mode = std::fs::metadata(&cache).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
