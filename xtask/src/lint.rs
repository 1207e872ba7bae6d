//! Format, lints and documentation.
//!
//! Clippy and rustdoc both need the dependencies checked, not built. With the same targets and so
//! the same features they share that work: hence the example among rustdoc's targets, which draws
//! in the dev-dependencies just as clippy's test does.

use std::process::Command;

use anyhow::{Context, Result};

use crate::steps::Steps;
use crate::tree::Tree;
use crate::{cargo, host, test};

pub(crate) fn format(tree: &Tree) -> Result<()> {
    cargo::check(tool(tree, "fmt")?.arg("--all"))
}

pub(crate) fn run(tree: &Tree) -> Result<()> {
    let mut steps = Steps::default();
    steps.run("format", || cargo::check(tool(tree, "fmt")?.args(["--all", "--check"])));
    steps.run("clippy: the SDK, the plugins and the tools", || {
        let mut clippy = tool(tree, "clippy")?;
        clippy.arg("--quiet").args(test::light(tree)).args(["--all-targets", "--", "-Dwarnings"]);
        cargo::check(&mut clippy)
    });
    steps.run("clippy: the host", || {
        let mut clippy = tool(tree, "clippy")?;
        clippy.args(host::selection(tree)?).args(["--lib", "--", "-Dwarnings"]);
        cargo::check(&mut clippy)
    });
    steps.finish()
}

pub(crate) fn docs(tree: &Tree) -> Result<()> {
    let mut steps = Steps::default();
    let doc = || {
        let mut doc = cargo::cargo(tree, "doc");
        doc.arg("--no-deps").env("RUSTDOCFLAGS", "-Dwarnings");
        doc
    };
    steps.run("documentation: the SDK, the plugins and the tools", || {
        cargo::check(doc().arg("--quiet").args(test::light(tree)))
    });
    steps.run("documentation: the host", || {
        let example = host::selection(tree)?.contains(&"--example");
        let example = if example { &["--example", "bench"][..] } else { &[] };
        cargo::check(doc().args(["-p", "quarry", "--lib"]).args(example))
    });
    steps.finish()
}

/// `cargo fmt` or `cargo clippy`, installed when it is missing.
fn tool(tree: &Tree, name: &str) -> Result<Command> {
    let (component, package) = match name {
        "fmt" => ("rustfmt", "rustfmt-web"),
        _ => ("clippy", "rust-web-clippy"),
    };
    if let Some(command) = cargo::companion(tree, name) {
        return Ok(command);
    }
    // rustup sets it for whatever runs under one of its toolchains.
    let mut install = if std::env::var_os("RUSTUP_TOOLCHAIN").is_some() {
        let mut rustup = Command::new("rustup");
        rustup.args(["component", "add", component]);
        rustup
    } else {
        let mut apt = Command::new("apt-get");
        // Best effort: the lists may be new enough without it, and the installation says if not.
        let _ = cargo::check(Command::new("apt-get").args(["update", "-qq"]));
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt.args(["install", "-y", "-qq", "--no-install-recommends", package]);
        apt
    };
    eprintln!("cargo {name} is missing: installing it");
    let installed = cargo::check(install.stdout(std::io::stderr()));
    let hint = format!(
        "cargo {name} is not installed\n\
         hint: rustup component add {component}, or on Debian apt-get install {package}"
    );
    installed.ok().and_then(|()| cargo::companion(tree, name)).context(hint)
}
