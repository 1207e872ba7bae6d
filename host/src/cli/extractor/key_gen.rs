//! `quarry extractor key-gen`.

use super::super::options::GlobalOptions;
use super::super::{DONE, Done, printer};
use crate::error::{Code, Context, Error, Result};
use crate::plugin::SigningKey;
use clap::Args;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(before_help = "Example: quarry extractor key-gen release")]
/// Makes a pair of keys to sign extractors with: NAME.key, which nobody else should read, and
/// NAME.pub, which whoever runs them trusts.
pub(in crate::cli) struct Arguments {
    /// Path and name of the two files, without an ending
    name: PathBuf,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let key = SigningKey::generate()?;
    let public = key.public()?;
    let private_file = arguments.name.with_added_extension("key");
    let public_file = arguments.name.with_added_extension("pub");
    write(&private_file, 0o600, &key.to_pem()?)?;
    write(&public_file, 0o644, &format!("{public}\n"))?;
    let value = json!({
        "key_id": public.id(),
        "public_key": public.to_string(),
        "private_file": private_file,
        "public_file": public_file,
    });
    printer::one(options, &value, &MADE);
    Ok(DONE)
}

/// A file that was not there before: a key that is written over is lost.
fn write(path: &Path, mode: u32, text: &str) -> Result<()> {
    let named = || format!("can not write {}", path.display());
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let message = format!("{} is there already", path.display());
            return Err(Error::new(Code::Conflict, message).hint("choose another name"));
        }
        file => file.context(Code::Unavailable, named)?,
    };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).context(Code::Unavailable, named)
}

const MADE: [printer::Column; 4] = [
    ("key", "/key_id"),
    ("public key", "/public_key"),
    ("private file", "/private_file"),
    ("public file", "/public_file"),
];
