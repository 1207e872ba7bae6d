//! The one build of the host. wasmtime, arrow and qdrant-edge take minutes to compile, and cargo
//! compiles them again for every other set of features: dev-dependencies join in as soon as a test
//! or an example is selected. So demo, test and bench all ask for exactly this selection and then
//! start the executables themselves.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo;
use crate::tree::Tree;

/// What the build made.
pub(crate) struct Host {
    pub(crate) quarry: PathBuf,
    pub(crate) tests: PathBuf,
    /// Absent as long as the host has no such example.
    pub(crate) bench: Option<PathBuf>,
}

/// The targets of package `quarry` that are built, always together.
pub(crate) fn selection(tree: &Tree) -> Result<Vec<&'static str>> {
    let manifest = tree.root.join("host/Cargo.toml");
    let text = fs::read_to_string(&manifest).context("cannot read host/Cargo.toml")?;
    let mut words = vec!["-p", "quarry", "--bin", "quarry", "--test", "it"];
    if text.contains("[[example]]") {
        words.extend(["--example", "bench"]);
    }
    Ok(words)
}

pub(crate) fn build(tree: &Tree) -> Result<Host> {
    // By itself: beside the host it would have a say in the features of what both depend on. The
    // torture runs look for it beside the binary.
    cargo::check(cargo::cargo(tree, "build").args(["--quiet", "-p", "power-shim"]))?;
    let mut build = cargo::cargo(tree, "build");
    let built = cargo::executables(build.args(selection(tree)?))?;
    let find = |folder: &str, name: &str| {
        built.iter().find(|path| {
            let parent = path.parent().and_then(|parent| parent.file_name());
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let hashed = stem.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
            let named = stem == name || (folder == "deps" && hashed.is_some());
            parent.is_some_and(|parent| parent == folder) && named
        })
    };
    Ok(Host {
        quarry: find("debug", "quarry").context("the build made no `quarry`")?.clone(),
        tests: find("deps", "it").context("the build made no test binary")?.clone(),
        bench: find("examples", "bench").cloned(),
    })
}

impl Host {
    /// A command in the checkout that knows where the components and the binary are.
    pub(crate) fn command(&self, tree: &Tree, program: &PathBuf) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&tree.root)
            .env("QUARRY_BIN", &self.quarry)
            .env("QUARRY_EXTRACTORS", tree.extractors())
            .env("QUARRY_TEST_GUESTS", tree.test_guests())
            .env("QUARRY_PYTHON", tree.python())
            .env("QUARRY_READABILITY", tree.readability())
            // Projects that tests lay out are compiled with the tools that are here already.
            .env("QUARRY_TOOLS", tree.guests().join("tools"))
            // Snapshot and property tests find their files through it, as under `cargo test`.
            .env("CARGO_MANIFEST_DIR", tree.root.join("host"));
        command
    }
}
