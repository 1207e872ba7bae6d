//! `quarry extractor sign`.

use super::super::options::GlobalOptions;
use super::super::{DONE, Done, printer};
use super::file;
use crate::durable;
use crate::error::{Code, Context};
use crate::plugin::{SIGNATURE_BYTES_MAX, SigningKey, inspect};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor sign my-extractor.wasm --key release.key")]
/// Signs a component's name, version and digest, and writes COMPONENT.sig beside it.
pub(in crate::cli) struct Arguments {
    component: PathBuf,
    /// File with the private key, see key-gen
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let pem = file::read(&arguments.key, SIGNATURE_BYTES_MAX)?;
    let key = SigningKey::parse(&String::from_utf8_lossy(&pem)).map_err(|e| e.field("--key"))?;
    let signature = key.sign(&inspect(&file::component(&arguments.component)?)?)?;
    let path = file::signature_path(&arguments.component);
    durable::write(&path, &signature.to_json()?)
        .context(Code::Unavailable, || format!("can not write {}", path.display()))?;
    let value = json!({ "signature": signature, "path": path });
    printer::one(options, &value, &SIGNED);
    Ok(DONE)
}

const SIGNED: [printer::Column; 5] = [
    ("name", "/signature/name"),
    ("version", "/signature/version"),
    ("digest", "/signature/digest"),
    ("key", "/signature/key_id"),
    ("signature", "/path"),
];
