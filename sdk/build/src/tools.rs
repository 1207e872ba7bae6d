//! Compilers out of package registries, each in its one pinned version, installed when they are
//! first needed into `<target>/tools/<name>-<version>`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::install;

const PYTHON_MISSING: &str = "there is no python3 with venv and pip\n\
    hint: on Debian apt-get install python3 python3-venv";
const NPM_MISSING: &str = "there is no node with npm\n\
    hint: on Debian apt-get install nodejs npm";

/// The folder of the installed tools.
pub(crate) struct Tools(PathBuf);

impl Tools {
    pub(crate) fn below(target: &Path) -> Self {
        Self(target.join("tools"))
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

    /// The folder whose `node_modules` has one package of npm in one version.
    pub(crate) fn node(&self, package: &str, version: &str) -> Result<PathBuf> {
        self.installed(package, version, |folder| {
            fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(folder);
            if Command::new("npm").arg("--version").output().is_err() {
                bail!(NPM_MISSING);
            }
            if !install::run(npm.arg(format!("{package}@{version}")), install::TOOL_LIMIT) {
                bail!("npm cannot install {package} {version}: see its messages above");
            }
            Ok(())
        })
    }

    /// Makes the folder unless it is there. Its stamp is written last: a folder without one was
    /// not finished. One process installs, others that want the same wait for it.
    fn installed(
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
        let lock = folder.with_extension("lock");
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
