//! `quarry extractor pull`.

use super::super::options::GlobalOptions;
use super::super::reach::Server;
use super::super::{DONE, Done, printer};
use super::push::{PLACED, shown};
use super::remote::Remote;
use super::{assets, file, install};
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
    /// Write it to a file, with signature and assets beside, instead of registering it
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let (reference, registry) = arguments.remote.open()?;
    let bytes_max = Limits::default().component_bytes_max;
    let placed = match &arguments.out {
        Some(path) => {
            let folder = assets::folder(path);
            let mut keep = |entry: &_, bytes: Vec<u8>| assets::write(&folder, entry, &bytes);
            let (pulled, placed) = package::pull(&registry, &reference, bytes_max, &mut keep)?;
            let named = || format!("can not write {}", path.display());
            if let Some(signature) = &pulled.signature {
                let beside = file::signature_path(path);
                durable::write(&beside, signature).context(Code::Unavailable, named)?;
            }
            durable::write(path, &pulled.wasm).context(Code::Unavailable, named)?;
            placed
        }
        None => {
            let reach = arguments.server.reach(options, true)?;
            let mut keep = |_: &_, bytes| assets::send(&reach, bytes);
            let (pulled, placed) = package::pull(&registry, &reference, bytes_max, &mut keep)?;
            install::register(&reach, pulled.wasm, pulled.signature.as_deref())?;
            placed
        }
    };
    printer::one(options, &shown(&placed), &PLACED);
    Ok(DONE)
}
