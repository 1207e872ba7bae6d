//! `quarry extractor inspect`.

use super::super::options::{GlobalOptions, compiler};
use super::super::{DONE, Done, printer};
use crate::error::{Code, Context};
use crate::plugin::{self, Extractor, Host, Limits};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor inspect extractors/my-extractor.wasm")]
/// Digest, API version, imports, inputs, outputs and parameters of a component.
pub(in crate::cli) struct Arguments {
    component: PathBuf,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let path = &arguments.component;
    let wasm = std::fs::read(path)
        .context(Code::NotFound, || format!("can not read {}", path.display()))?;
    let inspection = plugin::inspect(&wasm)?;
    let compiler = compiler(&options.settled()?);
    let host = Host::with_compiler(None, Limits::default(), compiler)?;
    let component = host.load(&wasm)?;
    let description = component.description();
    let value = json!({
        "name": description.name,
        "version": description.version,
        "summary": description.summary,
        "digest": inspection.digest,
        "bytes": wasm.len(),
        "api": inspection.api,
        "imports": inspection.imports,
        "exports": inspection.exports,
        "inputs": description.inputs,
        "outputs": description.outputs,
        "position": description.position,
        "queries": description.queries,
        "capabilities": description.capabilities,
        "parameters": description.parameters,
    });
    printer::one(options, &value, &INSPECTED);
    Ok(DONE)
}

const INSPECTED: [printer::Column; 12] = [
    ("name", "/name"),
    ("version", "/version"),
    ("summary", "/summary"),
    ("digest", "/digest"),
    ("bytes", "/bytes"),
    ("api", "/api"),
    ("imports", "/imports"),
    ("inputs", "/inputs"),
    ("outputs", "/outputs"),
    ("position", "/position"),
    ("queries", "/queries"),
    ("parameters", "/parameters"),
];
