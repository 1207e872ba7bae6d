//! `extractor.toml`, and new projects.

use std::fs;

use super::Tree;
use crate::language::Language;
use crate::project::Project;
use crate::{NewProject, new, sources};

const TOML: &str = "name = 'a'\nversion = '1.2.3'\nlanguage = 'c'\n";

fn tree(toml: &str) -> Tree {
    Tree::new(&[
        ("a/extractor.toml", toml),
        ("a/src/a.c", "// one"),
        ("a/sdk/c/include/a.h", "// two"),
        ("a/wit/since-v0.1.0/extractor.wit", "package quarry:extractor@0.1.0;"),
    ])
}

#[test]
fn the_language_of_a_folder_is_the_one_it_names() {
    assert_eq!(Language::of(&tree(TOML).at("a")).unwrap(), Language::C);
    let rust = Tree::new(&[("Cargo.toml", "[package]\nname = 'x'")]);
    assert_eq!(Language::of(&rust.at(".")).unwrap(), Language::Rust);
    let error = Language::of(&Tree::new(&[("readme.md", "")]).at(".")).unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("neither a Cargo.toml nor an extractor.toml"), "{text}");
    assert!(text.contains("quarry extractor new"), "{text}");
}

#[test]
fn what_is_wrong_with_an_extractor_toml_names_the_field() {
    let check = |toml: &str, expected: &str| {
        let error = format!("{:#}", Project::read(&tree(toml).at("a")).unwrap_err());
        assert!(error.contains(expected) && error.contains("extractor.toml"), "{error}");
    };
    check("name = ", "cannot parse");
    check("version = '1.0.0'\nlanguage = 'c'", "`name` is missing");
    check("name = 7\nversion = '1.0.0'\nlanguage = 'c'", "`name` must be a text");
    check("name = 'A b'\nversion = '1.0.0'\nlanguage = 'c'", "`A b` is no name");
    check("name = 'a'\nversion = '1'\nlanguage = 'c'", "such as 1.0.0, not `1`");
    check("name = 'a'\nversion = '1.0.0'\nlanguage = 'cobol'", "one of rust, python");
    check("name = 'a'\nversion = '1.0.0'\nlanguage = 'rust'", "is a cargo package");
    check(&format!("{TOML}quarry = '..'"), "there is no SDK in");
}

#[test]
fn everything_an_extractor_depends_on_changes_its_key() {
    let key = |tree: &Tree| sources::key_of(&Project::read(&tree.at("a")).unwrap()).unwrap();
    let before = key(&tree(TOML));
    assert_eq!(key(&tree(TOML)), before, "the same files elsewhere");
    let check = |path: &str, text: &str, changes: bool| {
        let tree = tree(TOML);
        tree.write(path, text);
        assert_eq!(key(&tree) != before, changes, "{path}");
    };
    check("a/src/a.c", "// 1", true);
    check("a/extractor.toml", &TOML.replace("1.2.3", "1.2.4"), true);
    check("a/sdk/c/include/a.h", "// 2", true);
    check("a/wit/since-v0.1.0/extractor.wit", "package quarry:extractor@0.1.1;", true);
    check("a/__pycache__/a.pyc", "built", false);
    check("a/node_modules/b/index.js", "installed", false);
    // What the documented commands leave there.
    check("a/extractors/a.wasm", "built", false);
    check("a/quarry-data/state/db", "run", false);
    check("a/texts.parquet", "made", false);
    check("a/expected/first.json", "{}", false);
}

#[test]
fn a_new_project_stands_by_itself_and_is_named() {
    for language in Language::ALL {
        let folder = Tree::new(&[]);
        let directory = folder.at("word-count");
        let name = "word-count".to_owned();
        let own = new(&NewProject { name, language, directory: directory.clone() }).unwrap();
        assert!(own.iter().all(|path| directory.join(path).is_file()), "{own:?}");
        assert_eq!(Language::of(&directory).unwrap(), language);
        for path in &own {
            let text = fs::read_to_string(directory.join(path)).unwrap();
            assert!(!text.contains("my-extractor"), "{}", path.display());
        }
        assert!(directory.join(".gitignore").is_file());
        assert!(directory.join("wit/since-v0.1.0/extractor.wit").is_file());
        // Nothing half-made beside it.
        assert_eq!(fs::read_dir(folder.at(".")).unwrap().count(), 1);
        match language {
            Language::Rust => {
                let sdk = fs::read_to_string(directory.join("sdk/rust/Cargo.toml")).unwrap();
                assert!(!sdk.contains("workspace = true"), "{sdk}");
                assert!(sdk.parse::<toml::Table>().is_ok());
            }
            Language::C | Language::Python | Language::JavaScript => {
                let project = Project::read(&directory).unwrap();
                assert_eq!((project.name.as_str(), project.language), ("word-count", language));
            }
        }
    }
}

#[test]
fn a_new_project_never_replaces_what_is_there() {
    let folder = Tree::new(&[("here/file", "mine")]);
    let request = |name: &str, directory: &str| NewProject {
        name: name.to_owned(),
        language: Language::C,
        directory: folder.at(directory),
    };
    let check = |project: NewProject, expected: &str| {
        let error = format!("{:#}", new(&project).unwrap_err());
        assert!(error.contains(expected), "{error}");
    };
    check(request("here", "here"), "is there already");
    check(request("Not a name", "new"), "no name for an extractor");
    check(request("up", ".."), "is there already");
    let reserved = NewProject { language: Language::Rust, ..request("std", "std") };
    check(reserved, "no name for a Rust extractor");
    assert_eq!(fs::read_to_string(folder.at("here/file")).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.at(".")).unwrap().count(), 1);
}
