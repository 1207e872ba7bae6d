//! `quarry extractor push`.

use super::super::options::GlobalOptions;
use super::super::{DONE, Done, printer};
use super::remote::{Remote, annotation};
use super::{assets, file};
use crate::error::Result;
use crate::package::{self, Package, Placed};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    before_help = "Example: quarry extractor push ghcr.io/acme/my-extractor my-extractor.wasm"
)]
/// Puts a component into an OCI registry, with its signature and assets if there are some. The tag
/// is the version unless another one is named.
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    remote: Remote,
    component: PathBuf,
    /// File with the signature; COMPONENT.sig by default
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Annotation of the package, such as org.opencontainers.image.licenses=MIT; may be repeated
    #[arg(long = "annotation", value_name = "KEY=VALUE")]
    annotations: Vec<String>,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let (reference, registry) = arguments.remote.open()?;
    let annotations = arguments.annotations.iter().map(|text| annotation(text));
    let annotations: BTreeMap<String, String> = annotations.collect::<Result<_>>()?;
    let package = Package {
        wasm: file::component(&arguments.component)?,
        signature: file::signature(&arguments.component, arguments.signature.as_ref())?,
    };
    let folder = assets::folder(&arguments.component);
    let read = |entry: &_| assets::read(&folder, entry);
    let placed = package::push(&registry, &reference, &package, &read, &annotations)?;
    printer::one(options, &shown(&placed), &PLACED);
    Ok(DONE)
}

pub(super) fn shown(placed: &Placed) -> Value {
    json!({
        "extractor": format!("{}@{}", placed.name, placed.version),
        "digest": placed.component,
        "reference": placed.pinned,
        "signed": placed.signed,
    })
}

pub(super) const PLACED: [printer::Column; 4] = [
    ("extractor", "/extractor"),
    ("digest", "/digest"),
    ("reference", "/reference"),
    ("signed", "/signed"),
];
