//! `quarry extractor pull`.

use super::super::options::GlobalOptions;
use super::super::reach::Server;
use super::super::{DONE, Done, printer};
use super::push::{PLACED, shown};
use super::remote::Remote;
use super::{file, install};
use crate::durable;
use crate::error::{Code, Context};
use crate::package;
use crate::plugin::Limits;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor pull ghcr.io/acme/my-extractor:1.0.0")]
/// Fetches a component from an OCI registry and registers it: from then on its name and version
/// mean exactly this component, whatever becomes of the tag.
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    remote: Remote,
    /// Write it to a file, with its signature beside, instead of registering it
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let (reference, registry) = arguments.remote.open()?;
    let (pulled, placed) =
        package::pull(&registry, &reference, Limits::default().component_bytes_max)?;
    let signature = pulled.signature.as_deref();
    match &arguments.out {
        Some(path) => {
            let named = || format!("can not write {}", path.display());
            durable::write(path, &pulled.wasm).context(Code::Unavailable, named)?;
            if let Some(signature) = signature {
                let beside = file::signature_path(path);
                durable::write(&beside, signature).context(Code::Unavailable, named)?;
            }
        }
        None => {
            let reach = arguments.server.reach(options, true)?;
            install::register(&reach, pulled.wasm, signature)?;
        }
    }
    printer::one(options, &shown(&placed), &PLACED);
    Ok(DONE)
}
