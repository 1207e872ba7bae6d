//! Compilers out of package registries, each in its one pinned version, installed when they are
//! first needed into `<target>/tools/<name>-<version>`, or below `QUARRY_TOOLS`.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::install;

const PYTHON_MISSING: &str = "there is no python3 with venv and pip\n\
    hint: on Debian apt-get install python3 python3-venv";
const NODE_MISSING: &str = "there is no node with npm\n\
    hint: on Debian apt-get install nodejs npm";
/// The oldest Node that the bundler runs on (major, minor).
const NODE_FLOOR: (u32, u32) = (20, 19);

/// Packages of npm with all that they depend on, in the versions of a lock file.
pub(crate) struct Npm {
    /// The package it is about, and its version: for people, and the name of the folder.
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// `package.json`.
    pub(crate) manifest: &'static str,
    /// `package-lock.json`.
    pub(crate) lock: &'static str,
}

/// The folder of the installed tools.
pub(crate) struct Tools(PathBuf);

impl Tools {
    pub(crate) fn below(target: &Path) -> Self {
        Self::at(env::var_os("QUARRY_TOOLS").map_or_else(|| target.join("tools"), PathBuf::from))
    }

    pub(crate) fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder in which a tool keeps what it wants to find again.
    pub(crate) fn cache(&self, tool: &str) -> PathBuf {
        self.0.join(format!("{tool}-cache"))
    }

    /// The Python of an environment that has one package of PyPI in one version; with the
    /// package's scripts beside it.
    pub(crate) fn python(&self, package: &str, version: &str) -> Result<PathBuf> {
        let folder = self.installed(package, version, |folder| {
            let mut venv = Command::new("python3");
            venv.args(["-m", "venv"]).arg(folder);
            if !install::run(&mut venv, install::TOOL_LIMIT) {
                install::debian(&["python3", "python3-venv"]);
                if !install::run(&mut venv, install::TOOL_LIMIT) {
                    bail!(PYTHON_MISSING);
                }
            }
            let mut pip = Command::new(folder.join("bin/python"));
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            if !install::run(pip.arg(format!("{package}=={version}")), install::TOOL_LIMIT) {
                bail!("pip cannot install {package} {version}: see its messages above");
            }
            Ok(())
        })?;
        Ok(folder.join("bin/python"))
    }

    /// The folder whose `node_modules` has what a lock file says.
    pub(crate) fn node(&self, packages: &Npm) -> Result<PathBuf> {
        check_node()?;
        let (package, version) = (packages.package, packages.version);
        self.installed(package, version, |folder| {
            fs::write(folder.join("package.json"), packages.manifest)?;
            fs::write(folder.join("package-lock.json"), packages.lock)?;
            let mut npm = Command::new("npm");
            // Not `npm ci`: it fails where a package for another platform was never published.
            npm.args(["install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]);
            if !install::run(npm.arg("--prefix").arg(folder), install::TOOL_LIMIT) {
                bail!("npm cannot install {package} {version}: see its messages above");
            }
            Ok(())
        })
    }

    /// Makes the folder unless it is there. Its stamp is written last: a folder without one was
    /// not finished. One process installs, others that want the same wait for it.
    pub(crate) fn installed(
        &self,
        package: &str,
        version: &str,
        install: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let label = package.trim_start_matches('@').replace('/', "-");
        let folder = std::path::absolute(self.0.join(format!("{label}-{version}")))?;
        let stamp = folder.join("installed");
        if stamp.is_file() {
            return Ok(folder);
        }
        let lock = folder.with_file_name(format!("{label}-{version}.lock"));
        let context = || format!("cannot install {package} {version} in `{}`", folder.display());
        fs::create_dir_all(&self.0).with_context(context)?;
        let lock = File::create(lock).with_context(context)?;
        lock.lock().with_context(context)?;
        if !stamp.is_file() {
            if folder.exists() {
                fs::remove_dir_all(&folder).with_context(context)?;
            }
            fs::create_dir_all(&folder).with_context(context)?;
            eprintln!("installing {package} {version}");
            install(&folder).with_context(context)?;
            fs::write(&stamp, "").with_context(context)?;
        }
        Ok(folder)
    }
}

/// Looks for Node and npm, and whether Node is new enough.
fn check_node() -> Result<()> {
    let version = |program: &str| {
        let output = Command::new(program).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        output.status.success().then_some(text)
    };
    let mut found = version("node").zip(version("npm"));
    if found.is_none() && install::debian(&["nodejs", "npm"]) {
        found = version("node").zip(version("npm"));
    }
    let Some((node, _)) = found else { bail!(NODE_MISSING) };
    let numbers = node.trim_start_matches('v').split('.');
    let mut numbers = numbers.map_while(|number| number.parse::<u32>().ok());
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < NODE_FLOOR {
        let (major, minor) = NODE_FLOOR;
        bail!(
            "node is {node}, {major}.{minor} or later is needed\n\
             hint: Debian 13 has it as nodejs; older ones need a newer Node first in PATH"
        );
    }
    Ok(())
}
