//! Reading cargo manifests.

use super::Tree;
use crate::is_extractor;
use crate::package::Package;

const EXTRACTOR: &str = "[package]\nname = 'a'\nversion = '1.2.3'\n[lib]\ncrate-type = ['cdylib']";

#[test]
fn a_directory_counts_when_its_library_is_a_cdylib() {
    let tree = Tree::new(&[
        ("yes/Cargo.toml", EXTRACTOR),
        ("rlib/Cargo.toml", "[package]\nname = 'b'\n[lib]\ncrate-type = ['rlib']"),
        ("bare/Cargo.toml", "[package]\nname = 'c'"),
        ("none/readme.md", ""),
    ]);
    let check = |path, expected| assert_eq!(is_extractor(&tree.at(path)), expected, "{path}");
    check("yes", true);
    check("rlib", false);
    check("bare", false);
    check("none", false);
    check("absent", false);
}

#[test]
fn what_is_wrong_with_a_directory_is_said_in_words() {
    let tree = Tree::new(&[
        ("none/readme.md", ""),
        ("workspace/Cargo.toml", "[workspace]\nmembers = []"),
        ("bare/Cargo.toml", "[package]\nname = 'c'"),
        ("orphan/Cargo.toml", &EXTRACTOR.replace("version = '1.2.3'", "version.workspace = true")),
    ]);
    let check = |path: &str, expected: &str| {
        let error = format!("{:#}", Package::read(&tree.at(path)).unwrap_err());
        assert!(error.contains(expected), "{error}");
    };
    check("absent", "cannot open");
    check("none", "is not a cargo package");
    check("workspace", "its Cargo.toml has no [package]");
    check("bare", "crate-type = [\"cdylib\"]");
    check("orphan", "inherits a version that is not there");
}

#[test]
fn a_package_finds_its_workspace_and_inherits_its_version() {
    let inheriting = EXTRACTOR.replace("version = '1.2.3'", "version.workspace = true");
    let workspace = "[workspace]\nmembers = ['in']\nexclude = ['out']\n\
                     [workspace.package]\nversion = '7.0.0'\n[profile.guest]\ninherits = 'release'";
    let tree = Tree::new(&[
        ("Cargo.toml", workspace),
        ("in/Cargo.toml", &inheriting),
        ("out/Cargo.toml", EXTRACTOR),
        ("own/Cargo.toml", &format!("{EXTRACTOR}\n[workspace]")),
    ]);
    let check = |path: &str, version: &str, alone: bool, guest: bool| {
        let package = tree.package(path);
        assert_eq!(package.version, version, "{path}");
        assert_eq!(package.root == package.directory, alone, "{path}");
        assert_eq!(package.has_guest_profile(), guest, "{path}");
    };
    check("in", "7.0.0", false, true);
    check("out", "1.2.3", true, false);
    check("own", "1.2.3", true, false);
}
