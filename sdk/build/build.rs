//! Puts the SDKs, the contract and the project templates into this crate, so that a lone `quarry`
//! binary can lay out a project that needs nothing else of this repository.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Folders of the repository that are embedded, by the path they have there.
const FOLDERS: [&str; 6] =
    ["sdk/rust", "sdk/c", "sdk/python", "sdk/javascript", "wit", "sdk/build/templates"];
/// What is no source, and the tests of the SDKs.
const LEFT_OUT: [&str; 4] = ["target", "node_modules", "__pycache__", "tests"];

fn main() -> io::Result<()> {
    let own = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = own.join("../..");
    let mut list = String::from("pub(crate) static FILES: &[(&str, &[u8])] = &[\n");
    for folder in FOLDERS {
        println!("cargo:rerun-if-changed={}", root.join(folder).display());
        let mut files = Vec::new();
        if root.join(folder).is_dir() {
            collect(&root.join(folder), folder, &mut files)?;
        }
        files.sort();
        for (name, path) in files {
            let path = path.canonicalize()?;
            writeln!(list, "    ({name:?}, include_bytes!({:?})),", path.display().to_string())
                .map_err(io::Error::other)?;
        }
    }
    list.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("embedded.rs"), list)
}

fn collect(folder: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let own = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if own.starts_with('.') || LEFT_OUT.contains(&own.as_str()) {
            continue;
        }
        let name = format!("{name}/{own}");
        if path.is_dir() {
            collect(&path, &name, files)?;
        } else {
            files.push((name, path));
        }
    }
    Ok(())
}
