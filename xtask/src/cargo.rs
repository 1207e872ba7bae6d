//! Running cargo, always the one that started this program.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::tree::Tree;

/// A cargo command in the checkout. Its own target directory is the shared one.
pub(crate) fn cargo(tree: &Tree, subcommand: &str) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg(subcommand);
    prepare(&mut cargo, tree);
    cargo
}

/// A part of the toolchain that is a program of its own (`fmt`, `clippy`): the one beside the cargo
/// in use. Cargo itself would prefer rustup's to Debian's.
pub(crate) fn companion(tree: &Tree, name: &str) -> Option<Command> {
    let cargo = PathBuf::from(env::var_os("CARGO")?);
    let program = cargo.with_file_name(format!("cargo-{name}"));
    let mut command = Command::new(&program);
    command.arg(name);
    prepare(&mut command, tree);
    program.is_file().then_some(command)
}

fn prepare(command: &mut Command, tree: &Tree) {
    command.current_dir(&tree.root).env("CARGO_TARGET_DIR", &tree.target);
    // `cargo run` describes the package it runs in the environment. `ring` looks there: left in, it
    // and all that stands on it would be compiled again after every plain cargo command.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

/// Runs a command to its end.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs a build that prints JSON messages and returns the executables it names.
pub(crate) fn executables(command: &mut Command) -> Result<Vec<PathBuf>> {
    let shown = shown(command);
    let mut child = command
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut found = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let message: Value = serde_json::from_str(&line?).unwrap_or_default();
        found.extend(message.get("executable").and_then(Value::as_str).map(PathBuf::from));
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(found)
}

fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let mut words = vec![program.file_name().unwrap_or_default().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
