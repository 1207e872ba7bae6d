//! `quarry extractor build`.

use super::super::options::GlobalOptions;
use super::super::{DONE, Done, printer};
use crate::error::{Code, Error};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor build my-extractor/")]
/// Compiles a crate to a component: needs cargo; gets the wasm target when it is missing.
pub(in crate::cli) struct Arguments {
    /// Folder of the crate
    directory: PathBuf,
    /// Where the component goes
    #[arg(short, long, value_name = "DIR", default_value = "extractors")]
    out: PathBuf,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let request = quarry_build::Request {
        directory: arguments.directory.clone(),
        target: options.data_dir()?.join("build"),
        out: arguments.out.clone(),
    };
    let built = quarry_build::build(&request)
        .map_err(|error| Error::new(Code::Extractor, format!("{error:#}")))?;
    let value = json!({
        "name": built.name,
        "version": built.version,
        "digest": built.sha256,
        "path": built.path,
        "bytes": built.bytes.len(),
    });
    printer::one(options, &value, &BUILT);
    Ok(DONE)
}

const BUILT: [printer::Column; 5] = [
    ("name", "/name"),
    ("version", "/version"),
    ("digest", "/digest"),
    ("component", "/path"),
    ("bytes", "/bytes"),
];
