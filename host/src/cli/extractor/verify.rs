//! `quarry extractor verify`.

use super::super::options::GlobalOptions;
use super::super::{DONE, Done, printer};
use super::file;
use crate::plugin::{Trust, inspect};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    before_help = "Example: quarry extractor verify my-extractor.wasm --trusted-key ed25519:…"
)]
/// Checks that a trusted key signed a component. Nothing of it is run.
pub(in crate::cli) struct Arguments {
    component: PathBuf,
    /// File with the signature; COMPONENT.sig by default
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let trust = Trust::parse(&options.settled()?.trusted_keys, true)?;
    let inspection = inspect(&file::component(&arguments.component)?)?;
    let signature = file::signature(&arguments.component, arguments.signature.as_ref())?;
    let key = trust.admit(&inspection, signature.as_deref())?;
    let value = json!({
        "name": inspection.name,
        "version": inspection.version,
        "digest": format!("sha256:{}", inspection.digest),
        "key_id": key,
    });
    printer::one(options, &value, &VERIFIED);
    Ok(DONE)
}

const VERIFIED: [printer::Column; 4] =
    [("name", "/name"), ("version", "/version"), ("digest", "/digest"), ("signed by", "/key_id")];
