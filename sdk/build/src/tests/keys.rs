//! Cache keys: what changes them, and what must not.

use super::Tree;
use crate::sources::Keys;

const LOCK: &str = "version = 4\n\
    [[package]]\nname = 'a'\nversion = '0.0.0'\ndependencies = ['used']\n\
    [[package]]\nname = 'used'\nversion = '1.0.0'\nchecksum = '11'\n\
    [[package]]\nname = 'other'\nversion = '1.0.0'\nchecksum = '22'\n";

fn tree() -> Tree {
    Tree::new(&[
        ("Cargo.toml", "[workspace]\nmembers = ['a', 'sdk']\n[profile.guest]\nopt-level = 3\n"),
        ("Cargo.lock", LOCK),
        (
            "a/Cargo.toml",
            "[package]\nname = 'a'\n[lib]\ncrate-type = ['cdylib']\n\
             [target.'cfg(unix)'.dependencies]\nsdk = { path = '../sdk' }\n",
        ),
        ("a/src/lib.rs", "// one"),
        ("sdk/Cargo.toml", "[package]\nname = 'sdk'\n[dependencies]\na = { path = '../a' }\n"),
        ("sdk/src/lib.rs", "// two"),
        ("wit/extractor.wit", "package quarry:extractor@0.1.0;"),
    ])
}

fn key(tree: &Tree) -> String {
    Keys::new("rustc 1.96.0").of(&tree.package("a")).unwrap()
}

#[test]
fn the_same_sources_elsewhere_have_the_same_key() {
    assert_eq!(key(&tree()), key(&tree()));
}

#[test]
fn everything_a_component_depends_on_changes_its_key() {
    let before = key(&tree());
    let check = |path: &str, text: &str| {
        let tree = tree();
        tree.write(path, text);
        assert_ne!(key(&tree), before, "{path}");
    };
    check("a/src/lib.rs", "// 1");
    check("a/data/words.txt", "new");
    check("sdk/src/lib.rs", "// 2");
    check("wit/extractor.wit", "package quarry:extractor@0.1.1;");
    check("Cargo.toml", "[workspace]\nmembers = ['a', 'sdk']\n[profile.guest]\nopt-level = 2\n");
    check("Cargo.lock", &LOCK.replace("11", "12"));
    let other = Keys::new("rustc 1.97.0").of(&tree().package("a")).unwrap();
    assert_ne!(other, before, "compiler");
}

#[test]
fn what_a_component_does_not_depend_on_leaves_its_key_alone() {
    let before = key(&tree());
    let check = |path: &str, text: &str| {
        let tree = tree();
        tree.write(path, text);
        assert_eq!(key(&tree), before, "{path}");
    };
    check("Cargo.lock", &LOCK.replace("22", "23"));
    check("a/target/debug/a.d", "built");
    check("a/.cache", "hidden");
    check("host/src/lib.rs", "// three");
    let manifest = "[workspace]\nmembers = ['a', 'b', 'sdk']\n[profile.guest]\nopt-level = 3\n";
    check("Cargo.toml", &format!("{manifest}[profile.dev]\nopt-level = 1\n"));
}
