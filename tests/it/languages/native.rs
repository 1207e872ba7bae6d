//! The Python and JavaScript SDKs without WebAssembly: their own tests, and those of new projects.

use crate::support::quarry::root;
use quarry_build::{Language, NewProject};
use std::path::Path;
use std::process::Command;

#[track_caller]
fn passes(folder: &Path, program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {stdout}{stderr}");
    // `python3 -m unittest` and `node --test` succeed, too, when they find nothing.
    let none = ["Ran 0 tests", "# tests 0", "ℹ tests 0"];
    assert!(!none.iter().any(|none| stdout.contains(none) || stderr.contains(none)), "{stderr}");
}

fn new_project(folder: &Path, language: Language) -> std::path::PathBuf {
    let directory = folder.join("letters");
    let project = NewProject { name: "letters".into(), language, directory: directory.clone() };
    quarry_build::new(&project).unwrap();
    directory
}

#[test]
fn the_python_sdk_passes_its_own_tests() {
    let tests = ["-m", "unittest", "discover", "-s", "tests"];
    passes(&root().join("sdk/python"), "python3", &tests);
    passes(&root().join("examples/readability/python"), "python3", &tests);
}

#[test]
fn the_javascript_sdk_passes_its_own_tests() {
    passes(&root().join("sdk/javascript"), "node", &["--test"]);
}

#[test]
fn a_new_python_project_passes_its_own_tests() {
    let folder = tempfile::tempdir().unwrap();
    let project = new_project(folder.path(), Language::Python);
    passes(&project, "python3", &["-m", "unittest"]);
}

#[test]
fn a_new_javascript_project_passes_its_own_tests() {
    let folder = tempfile::tempdir().unwrap();
    let project = new_project(folder.path(), Language::JavaScript);
    // Links the SDK of the project; nothing is fetched.
    let install = ["install", "--offline", "--silent", "--no-audit", "--no-fund"];
    let installed = Command::new("npm").args(install).current_dir(&project).status().unwrap();
    assert!(installed.success());
    passes(&project, "node", &["--test"]);
}
