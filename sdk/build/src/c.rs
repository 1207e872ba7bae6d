//! Extractors in C, compiled with the C compiler in Zig, which PyPI has for every platform and
//! which brings the C library for WebAssembly along.
//!
//! Settings in `extractor.toml`: `sources` (C files; default: every `.c` in `src`) and `flags` (for
//! the compiler, after our own).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::language::Made;
use crate::project::Project;
use crate::tools::Tools;

const ZIG: &str = "0.15.2";
/// The pinned compiler and the flags.
pub(crate) const TOOLS: &str = "ziglang 0.15.2, recipe 1";

/// A reactor is a library: the host calls what it exports, there is no `main`. Zig lays the stack
/// first in memory, so that what overflows it traps instead of writing over data.
const FLAGS: [&str; 12] = [
    "-target",
    "wasm32-wasi",
    "-mexec-model=reactor",
    "-mcpu=generic+simd128+bulk_memory+nontrapping_fptoint+sign_ext",
    "-std=c11",
    "-O3",
    "-s",
    "-Wall",
    "-Wextra",
    // Fields that are left out are 0: the definition is written like that.
    "-Wno-missing-field-initializers",
    "-Wl,-z,stack-size=65536",
    "-fno-sanitize=all",
];

pub(crate) fn compile(project: &Project, tools: &Tools, work: &Path) -> Result<Made> {
    let python = tools.python("ziglang", ZIG)?;
    let module = work.join("module.wasm");
    let mut compiler = Command::new(python);
    compiler
        .args(["-m", "ziglang", "cc"])
        .args(FLAGS)
        .arg(format!("-DQUARRY_NAME=\"{}\"", project.name))
        .arg(format!("-DQUARRY_VERSION=\"{}\"", project.version))
        .args(project.texts("flags")?)
        .arg("-I")
        .arg(project.sdk.join("include"))
        .args(sources(project)?)
        .args(c_files(&project.sdk.join("src"))?)
        .arg("-o")
        .arg(&module)
        .current_dir(&project.directory)
        .env("ZIG_GLOBAL_CACHE_DIR", tools.cache("zig"))
        .env("ZIG_LOCAL_CACHE_DIR", tools.cache("zig"));
    eprintln!("building {} for wasm32-wasi with Zig {ZIG}'s C compiler", project.name);
    let status = compiler.status().context("cannot start the C compiler")?;
    if !status.success() {
        bail!("cannot compile `{}`: see the compiler's messages above", project.name);
    }
    let module = fs::read(&module).context("the C compiler made no module")?;
    Ok(Made::Module(module))
}

fn sources(project: &Project) -> Result<Vec<PathBuf>> {
    let named = project.texts("sources")?;
    if !named.is_empty() {
        return Ok(named.into_iter().map(PathBuf::from).collect());
    }
    let found = c_files(&project.directory.join("src"))?;
    if found.is_empty() {
        bail!("there is no C file in `{}/src`", project.directory.display());
    }
    Ok(found)
}

/// The C files directly in a folder, in a fixed order.
fn c_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
