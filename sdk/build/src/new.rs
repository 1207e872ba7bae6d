//! New projects: a template of the language, the SDK of the language and the contract.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::language::Language;
use crate::project::check_name;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// Files every project gets, then those of its language.
const TEMPLATES: &str = "sdk/build/templates";
/// Stands for the extractor's name in templates.
const NAME: &str = "my-extractor";
/// Names a crate can not have, or not beside the SDK.
const NO_CRATES: [&str; 7] =
    ["alloc", "core", "proc-macro", "quarry-extractor", "std", "test", "wit-bindgen"];

/// A project to lay out.
#[derive(Debug, Clone)]
pub struct NewProject {
    /// The extractor's name: lower-case letters, digits and single dashes.
    pub name: String,
    /// The language it is written in.
    pub language: Language,
    /// The folder to make; it must not be there.
    pub directory: PathBuf,
}

/// Writes a project that builds, tests and runs as it is, and needs nothing of Quarry but the
/// `quarry` binary: its language's SDK is in `sdk/`, the contract in `wit/`. Returns the author's
/// own files, relative to the folder.
///
/// # Errors
/// When the name is none for an extractor, the folder is there already, or it can not be written;
/// nothing is left then.
pub fn new(project: &NewProject) -> Result<Vec<PathBuf>> {
    let NewProject { name, language, directory } = project;
    check_name(name)?;
    if *language == Language::Rust && NO_CRATES.contains(&name.as_str()) {
        bail!("`{name}` is no name for a Rust extractor: a crate can not be called that here");
    }
    if directory.symlink_metadata().is_ok() {
        bail!("`{}` is there already\nhint: name another folder", directory.display());
    }
    let own = own_name(directory)?;
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let staged = parent.join(format!(".{own}.{}", std::process::id()));
    let written = lay_out(name, *language, &staged).and_then(|files| {
        // A folder somebody made meanwhile is not written over: a rename onto one with files fails.
        fs::rename(&staged, directory)?;
        Ok(files)
    });
    if written.is_err() {
        // Best effort: the error that led here is the one to tell.
        let _ = fs::remove_dir_all(&staged);
    }
    written.with_context(|| format!("cannot make the project `{}`", directory.display()))
}

fn own_name(directory: &Path) -> Result<String> {
    match directory.components().next_back() {
        Some(Component::Normal(name)) => Ok(name.to_string_lossy().into_owned()),
        _ => bail!("`{}` does not name a new folder", directory.display()),
    }
}

fn lay_out(name: &str, language: Language, directory: &Path) -> Result<Vec<PathBuf>> {
    let mut own = Vec::new();
    for folder in ["project", language.name()] {
        for (path, bytes) in below(&format!("{TEMPLATES}/{folder}")) {
            // Hidden files are not embedded.
            let path = if path == "gitignore" { ".gitignore" } else { path };
            let text = std::str::from_utf8(bytes).context("a template is no text")?;
            write(&directory.join(path), text.replace(NAME, name).as_bytes())?;
            own.push(PathBuf::from(path));
        }
    }
    let sdk = format!("sdk/{}", language.name());
    for folder in [sdk.as_str(), "wit"] {
        for (path, bytes) in below(folder) {
            let path = format!("{folder}/{path}");
            match path.as_str() {
                "sdk/rust/Cargo.toml" => {
                    let manifest = alone(std::str::from_utf8(bytes)?);
                    write(&directory.join(&path), manifest.as_bytes())?;
                }
                _ => write(&directory.join(&path), bytes)?,
            }
        }
    }
    own.sort();
    Ok(own)
}

/// The embedded files below a folder, by their path in it.
fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let prefix = format!("{folder}/");
    let inside = move |path: &'static str| path.strip_prefix(prefix.as_str());
    embedded::FILES.iter().filter_map(move |(path, bytes)| Some((inside(path)?, *bytes)))
}

/// The manifest of the Rust SDK outside of its workspace.
fn alone(manifest: &str) -> String {
    let mut text = manifest.replace("[lints]\nworkspace = true\n\n", "");
    for (key, value) in [
        ("version", concat!("\"", env!("CARGO_PKG_VERSION"), "\"")),
        ("edition", "\"2024\""),
        ("rust-version", concat!("\"", env!("CARGO_PKG_RUST_VERSION"), "\"")),
        ("license", "\"Apache-2.0\""),
        ("publish", "false"),
    ] {
        let (inherited, own) = (format!("\n{key}.workspace = true"), format!("\n{key} = {value}"));
        text = text.replace(&inherited, &own);
    }
    text
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, bytes))
        .with_context(|| format!("cannot write `{}`", path.display()))
}
