//! The tests: first those of the light crates, which need seconds, then the host's.

use anyhow::Result;

use crate::steps::Steps;
use crate::tree::Tree;
use crate::{cargo, guests, host};

pub(crate) fn run(tree: &Tree, filters: &[String]) -> Result<()> {
    let mut steps = Steps::default();
    let guests = steps.run("extractors", || guests::run(tree));
    steps.run("tests of the SDK, the plugins and the tools", || {
        let mut test = cargo::cargo(tree, "test");
        cargo::check(test.arg("--quiet").args(light(tree)).arg("--").args(filters))
    });
    if guests.is_some()
        && let Some(host) = steps.run("host build", || host::build(tree))
    {
        steps.run("tests of the host", || {
            cargo::check(host.command(tree, &host.tests).args(filters))
        });
    }
    steps.finish()
}

/// `-p NAME` for every crate that does not depend on the host's heavy dependencies. Test guests are
/// left out: they run as components only.
pub(crate) fn light(tree: &Tree) -> Vec<String> {
    let folders = tree.below("sdk").into_iter().chain(tree.below("plugins"));
    let folders = folders.chain([tree.root.join("xtask")]);
    folders.filter_map(|folder| name(&folder)).flat_map(|name| ["-p".into(), name]).collect()
}

fn name(folder: &std::path::Path) -> Option<String> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("name = "))?;
    Some(line.trim().trim_matches('"').to_owned())
}
