//! The benchmark: an example of the host, so that it shares the one build.

use anyhow::{Context, Result};

use crate::tree::Tree;
use crate::{cargo, guests, host, languages};

pub(crate) fn run(tree: &Tree, arguments: &[String]) -> Result<()> {
    guests::run(tree)?;
    if arguments.first().is_some_and(|word| word == "languages") {
        languages::build(tree)?;
    }
    let host = host::build(tree)?;
    let bench = host.bench.as_ref().context("the host has no example named `bench`")?;
    cargo::check(host.command(tree, bench).args(arguments))
}
