//! Extractors in Python, packed together with the interpreter by componentize-py.
//!
//! Settings in `extractor.toml`: `module` (what holds the extractor's class; default: the name with
//! `_` for `-`) and `paths` (folders with more modules; default: `vendor`, when it is there).
//!
//! The project's modules are imported here, at build time; a component begins with what the
//! interpreter has in memory after that. So whatever fails on import fails the build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::install;
use crate::language::Made;
use crate::project::Project;
use crate::tools::Tools;

const COMPONENTIZE: &str = "0.25.1";
/// The pinned tool and how it is called.
pub(crate) const TOOLS: &str = "componentize-py 0.25.1, recipe 1";
/// The module that componentize-py is told to pack.
const ENTRY: &str = "quarry_entry";
/// Folder of pure Python packages beside the extractor.
const VENDOR: &str = "vendor";

pub(crate) fn compile(project: &Project, tools: &Tools, work: &Path) -> Result<Made> {
    let module = module(project)?;
    let python = tools.python("componentize-py", COMPONENTIZE)?;
    let entry = work.join("entry");
    let component = work.join("component.wasm");
    fs::create_dir_all(&entry)
        .and_then(|()| fs::write(entry.join(format!("{ENTRY}.py")), source(project, &module)))
        .with_context(|| format!("cannot write into `{}`", work.display()))?;
    let mut packer = Command::new(python.with_file_name("componentize-py"));
    packer.arg("--quiet").arg("--wit-path").arg(&project.contract);
    packer.args(["--world", "plugin", "componentize", ENTRY, "--stub-wasi"]);
    packer.arg("--output").arg(&component).arg("--python-path").arg(&entry);
    for path in paths(project)? {
        packer.arg("--python-path").arg(path);
    }
    packer
        // The tool looks for installed packages. An empty environment keeps those of this machine
        // out of the component.
        .env("VIRTUAL_ENV", empty_environment(work)?)
        .env_remove("PYTHONPATH")
        .env_remove("PYTHONHOME")
        // Its own stack is of no use to the author of the extractor.
        .env("RUST_BACKTRACE", "0")
        .current_dir(&project.directory);
    eprintln!("packing {} with componentize-py {COMPONENTIZE}", project.name);
    if !install::run(&mut packer, install::TOOL_LIMIT) {
        bail!("cannot build `{}`: see the messages above", project.name);
    }
    let component = fs::read(&component).context("componentize-py made no component")?;
    Ok(Made::Component(component))
}

/// The module with the extractor's class; its file must be there.
fn module(project: &Project) -> Result<String> {
    let default = project.name.replace('-', "_");
    let module = project.text("module")?.unwrap_or(&default).to_owned();
    let plain = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !part.is_empty()
    };
    if !module.split('.').all(plain) {
        bail!("`module` in extractor.toml must be the dotted name of a module, not `{module}`");
    }
    let path = module.replace('.', "/");
    let file = project.directory.join(format!("{path}.py"));
    if !file.is_file() && !project.directory.join(&path).join("__init__.py").is_file() {
        bail!(
            "there is no `{}`\nhint: `module` in extractor.toml names another one",
            file.display()
        );
    }
    Ok(module)
}

/// Where modules are looked for, in this order.
fn paths(project: &Project) -> Result<Vec<PathBuf>> {
    let mut paths = vec![project.directory.clone(), project.sdk.clone()];
    let named = project.texts("paths")?;
    let vendor = project.directory.join(VENDOR);
    if named.is_empty() && vendor.is_dir() {
        paths.push(vendor);
    }
    for path in named {
        let path = project.directory.join(path);
        if !path.is_dir() {
            bail!("`paths` in extractor.toml: there is no folder `{}`", path.display());
        }
        paths.push(path);
    }
    Ok(paths)
}

/// The module that is packed: the SDK finds the class and makes the exports of it. Name and version
/// have a form that needs no escapes. The interpreter would leave compiled files in the project.
fn source(project: &Project, module: &str) -> String {
    let Project { name, version, .. } = project;
    format!(
        "import importlib\n\
         import sys\n\
         sys.dont_write_bytecode = True\n\
         from quarry_extractor.guest import exports\n\
         Extractor = exports(importlib.import_module({module:?}), {name:?}, {version:?})\n"
    )
}

fn empty_environment(work: &Path) -> Result<PathBuf> {
    let environment = work.join("environment");
    fs::create_dir_all(environment.join("lib/python3/site-packages"))
        .with_context(|| format!("cannot write into `{}`", work.display()))?;
    Ok(environment)
}
