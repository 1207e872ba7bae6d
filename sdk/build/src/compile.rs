//! One cargo run that compiles extractors to core modules.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::package::Package;
use crate::toolchain::{TARGET, Wasm};

/// Beyond the target's defaults, which have bulk memory and saturating conversions since Rust 1.87.
pub(crate) const FLAGS: [&str; 2] = ["-C", "target-feature=+simd128"];

/// The `guest` profile for packages whose workspace does not define one, laid over `release`.
const RELEASE: [(&str, &str); 6] = [
    ("OPT_LEVEL", "3"),
    ("LTO", "fat"),
    ("CODEGEN_UNITS", "1"),
    ("PANIC", "abort"),
    ("STRIP", "debuginfo"),
    ("DEBUG", "false"),
];

/// Compiles packages of one workspace; the modules come in the packages' order.
pub(crate) fn modules(packages: &[&Package], target: &Path, wasm: &Wasm) -> Result<Vec<Vec<u8>>> {
    let Some(first) = packages.first() else {
        return Ok(Vec::new());
    };
    let names = packages.iter().map(|package| package.name.as_str()).collect::<Vec<_>>().join(", ");
    eprintln!("building {names} for {TARGET} with {}", wasm.description);
    let mut cargo = command(first, target, wasm);
    for package in packages {
        cargo.args(["-p", &format!("{}@{}", package.name, package.version)]);
    }
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", wasm.cargo.display()))?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut built: Vec<(PathBuf, PathBuf)> = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let message: Value = serde_json::from_str(&line?).unwrap_or_default();
        built.extend(module_in(&message));
    }
    if !child.wait()?.success() {
        bail!("cannot compile {names}: see cargo's messages above");
    }
    packages
        .iter()
        .map(|package| {
            let manifest = package.directory.join("Cargo.toml");
            let (_, path) = built
                .iter()
                .find(|(built, _)| *built == manifest)
                .with_context(|| format!("cargo made no module for `{}`", package.name))?;
            fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
        })
        .collect()
}

fn command(package: &Package, target: &Path, wasm: &Wasm) -> Command {
    let mut cargo = Command::new(&wasm.cargo);
    cargo
        .current_dir(&package.root)
        .arg("build")
        .args(["--lib", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(package.root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .args(&wasm.arguments)
        .envs(wasm.environment.iter().map(|(name, value)| (name, value)))
        .env("CARGO_ENCODED_RUSTFLAGS", flags(package, wasm).join("\u{1f}"))
        .env_remove("RUSTFLAGS");
    // Under `cargo run` the environment describes another package; some build scripts look there.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    if package.has_guest_profile() {
        cargo.args(["--profile", "guest"]);
    } else {
        cargo.arg("--release");
        for (name, value) in RELEASE {
            cargo.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
        }
    }
    cargo
}

/// Panic messages carry source paths: without the prefixes the same sources give the same component
/// (and so the same identity) wherever they are checked out.
fn flags(package: &Package, wasm: &Wasm) -> Vec<String> {
    let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let cargo = home.map(|home| (home, "cargo"));
    for (path, name) in cargo
        .into_iter()
        .chain([(wasm.sysroot.clone(), "rust"), (package.root.clone(), "workspace")])
    {
        flags.push(format!("--remap-path-prefix={}={name}", path.display()));
    }
    flags
}

/// The manifest and the module of a `compiler-artifact` message about a `cdylib`.
fn module_in(message: &Value) -> Option<(PathBuf, PathBuf)> {
    let manifest = message.get("manifest_path")?.as_str()?;
    let kinds = message.get("target")?.get("crate_types")?.as_array()?;
    let files = message.get("filenames")?.as_array()?;
    let module = files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm"))?;
    let cdylib = kinds.iter().any(|kind| kind.as_str() == Some("cdylib"));
    cdylib.then(|| (manifest.into(), module.into()))
}
