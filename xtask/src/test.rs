//! The tests: first those of the light crates, which need seconds, then the host's.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use toml::Table;

use crate::steps::Steps;
use crate::tree::Tree;
use crate::{cargo, client, guests, host, languages, registry};

pub(crate) fn run(tree: &Tree, filters: &[String]) -> Result<()> {
    let mut steps = Steps::default();
    let guests = steps.run("extractors", || guests::run(tree));
    steps.run("tests of the tools", || {
        let mut test = cargo::cargo(tree, "test");
        // In the profile the launcher compiled them with.
        test.args(["--quiet", "--profile", "xtask"]).args(packages(&tools(tree)));
        cargo::check(test.arg("--").args(filters))
    });
    steps.run("tests of the SDK and the plugins", || {
        let mut test = cargo::cargo(tree, "test");
        test.arg("--quiet").args(packages(&guest_crates(tree)));
        cargo::check(test.arg("--").args(filters))
    });
    if guests.is_some()
        && let Some(host) = steps.run("host build", || host::build(tree))
    {
        steps.run("extractors in every language", || languages::build(tree));
        // The examples over REST run in it.
        steps.run("Python environment", || client::environment(tree));
        steps.run("tests of the host", || {
            // Where `cargo test` would start it.
            let folder = tree.root.join("host");
            let mut tests = host.command(tree, &host.tests);
            if let Some(registry) = registry::program(tree) {
                tests.env("QUARRY_DOCKER_REGISTRY", registry);
            }
            cargo::check(tests.current_dir(folder).args(filters))
        });
        let wanted = |name: &str| {
            filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
        };
        if wanted("client-check") {
            steps.run("the public client", || client::check(tree, &host));
        }
        if wanted("fuzz-api") {
            let cases = ["--cases".to_owned(), client::CASES_OF_TESTS.to_owned()];
            steps.run("fuzzing the API", || client::fuzz(tree, &host, &cases));
        }
    }
    steps.finish()
}

/// The crates that build and check the others.
fn tools(tree: &Tree) -> Vec<PathBuf> {
    vec![tree.root.join("sdk/build"), tree.root.join("xtask")]
}

/// The crates that extractors are made of, as ordinary Rust. Test guests are left out: they run as
/// components only.
fn guest_crates(tree: &Tree) -> Vec<PathBuf> {
    let sdk = tree.below("sdk").into_iter().filter(|folder| !folder.ends_with("build"));
    sdk.chain(tree.below("plugins")).collect()
}

/// `-p NAME` for every crate that does without the host's heavy dependencies.
pub(crate) fn light(tree: &Tree) -> Vec<String> {
    let shim = vec![tree.root.join("tests/shim")];
    packages(&[guest_crates(tree), tools(tree), shim].concat())
}

fn packages(folders: &[PathBuf]) -> Vec<String> {
    let names = folders.iter().filter_map(|folder| name(folder));
    names.flat_map(|name| ["-p".to_owned(), name]).collect()
}

fn name(folder: &Path) -> Option<String> {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).ok()?.parse::<Table>().ok()?;
    Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
}
