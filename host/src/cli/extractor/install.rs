//! `quarry extractor install`.

use super::super::options::GlobalOptions;
use super::super::reach::{Ask, Reach, Server};
use super::super::{DONE, Done, printer};
use super::{assets, file};
use crate::error::Result;
use crate::plugin::inspect;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor install my-extractor.wasm")]
/// Registers a component, with its signature and assets if there are some: from then on its name
/// and version mean exactly this component.
pub(in crate::cli) struct Arguments {
    component: PathBuf,
    /// File with the signature; COMPONENT.sig by default
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let wasm = file::component(&arguments.component)?;
    let signature = file::signature(&arguments.component, arguments.signature.as_ref())?;
    let reach = arguments.server.reach(options, true)?;
    for entry in &inspect(&wasm)?.assets {
        let bytes = assets::read(&assets::folder(&arguments.component), entry)?;
        assets::send(&reach, bytes)?;
    }
    let registered = register(&reach, wasm, signature.as_deref())?;
    printer::one(options, &registered, &REGISTERED);
    Ok(DONE)
}

/// Registers here or there; the extractor as the API shows it.
pub(super) fn register(reach: &Reach, wasm: Vec<u8>, signature: Option<&[u8]>) -> Result<Value> {
    let query =
        signature.map(|signature| format!("signature={}", URL_SAFE_NO_PAD.encode(signature)));
    reach.ask(Ask {
        method: "POST".to_string(),
        path: "/v1/extractors".to_string(),
        query: query.unwrap_or_default(),
        content_type: "application/octet-stream",
        body: wasm,
        ..Ask::default()
    })
}

pub(super) const REGISTERED: [printer::Column; 3] =
    [("extractor", "/feature_extractor_id"), ("digest", "/digest"), ("registered", "/created_at")];
