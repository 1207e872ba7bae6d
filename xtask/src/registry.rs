//! A real OCI registry for the tests: Debian's `docker-registry`, unpacked and not installed, so
//! that no service is started.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::tree::{Tree, files};

const PACKAGE: &str = "docker-registry";

/// The program, if it is installed or can be fetched; the tests say when they go without it.
pub(crate) fn program(tree: &Tree) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join(PACKAGE));
    if let Some(found) = installed.into_iter().find(|program| program.is_file()) {
        return Some(found);
    }
    let folder = tree.target.join(PACKAGE);
    let program = folder.join("usr/bin").join(PACKAGE);
    if !program.is_file()
        && let Err(error) = fetch(&folder)
    {
        eprintln!("no {PACKAGE}, so nothing is tested against it: {error:#}");
        return None;
    }
    program.is_file().then_some(program)
}

fn fetch(folder: &PathBuf) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    run(Command::new("apt-get").args(["download", "-qq", PACKAGE]).current_dir(folder))?;
    let archives = files(folder);
    let archive = archives.iter().find(|path| path.extension().is_some_and(|kind| kind == "deb"));
    let archive = archive.context("apt-get brought no package")?;
    run(Command::new("dpkg").arg("-x").arg(archive).arg(folder))
}

fn run(command: &mut Command) -> Result<()> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}
