//! Format, lints and documentation.
//!
//! Clippy and rustdoc both need the dependencies checked, not built. With the same targets and so
//! the same features they share that work: hence the example among rustdoc's targets, which draws
//! in the dev-dependencies just as clippy's test does.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::steps::Steps;
use crate::tree::Tree;
use crate::{cargo, host, test};

pub(crate) fn format(tree: &Tree) -> Result<()> {
    require(tree, "fmt")?;
    cargo::check(cargo::cargo(tree, "fmt").arg("--all"))
}

pub(crate) fn run(tree: &Tree) -> Result<()> {
    let mut steps = Steps::default();
    steps.run("format", || {
        require(tree, "fmt")?;
        cargo::check(cargo::cargo(tree, "fmt").args(["--all", "--check"]))
    });
    steps.run("clippy: the SDK, the plugins and the tools", || {
        require(tree, "clippy")?;
        let mut clippy = cargo::cargo(tree, "clippy");
        clippy.arg("--quiet").args(test::light(tree)).args(["--all-targets", "--", "-Dwarnings"]);
        cargo::check(&mut clippy)
    });
    steps.run("clippy: the host", || {
        require(tree, "clippy")?;
        let mut clippy = cargo::cargo(tree, "clippy");
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

/// Makes sure that a part of the toolchain which is not always installed is there.
fn require(tree: &Tree, tool: &str) -> Result<()> {
    let (component, package) = match tool {
        "fmt" => ("rustfmt", "rustfmt-web"),
        _ => ("clippy", "rust-web-clippy"),
    };
    let there = || {
        let mut version = cargo::cargo(tree, tool);
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    };
    if there() {
        return Ok(());
    }
    let mut install = if std::env::var_os("RUSTUP_TOOLCHAIN").is_some() {
        let mut rustup = Command::new("rustup");
        rustup.args(["component", "add", component]);
        rustup
    } else if Path::new("/usr/bin/apt-get").is_file() {
        let mut apt = Command::new("apt-get");
        apt.args(["install", "-y", "-qq", "--no-install-recommends", package]);
        apt
    } else {
        bail!("cargo {tool} is not installed\nhint: rustup component add {component}");
    };
    eprintln!("cargo {tool} is missing: installing it");
    if cargo::check(install.stdout(std::io::stderr())).is_err() || !there() {
        bail!(
            "cargo {tool} is not installed\n\
             hint: rustup component add {component}, or on Debian apt-get install {package}"
        );
    }
    Ok(())
}
