//! From what a compiler made to a stamped component.

use std::path::Path;

use anyhow::{Context, Result, bail};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, metadata};
use wit_parser::{Resolve, WorldItem};

/// Custom section with the version of the contract the extractor was compiled against, as text. The
/// host reads it before it instantiates anything.
const API_SECTION: &str = "quarry:api";
/// Custom section with `{"api", "name", "version"}` as JSON.
const EXTRACTOR_SECTION: &str = "quarry:extractor";

const NO_WORLD: &str =
    "it does not export the extractor world: is `quarry_extractor::export!` missing?";

/// What an extractor is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
}

/// Wraps a module that wit-bindgen's Rust macro wrote the contract into, and stamps the result.
pub(crate) fn wrap(module: &[u8], of: Identity<'_>) -> Result<Vec<u8>> {
    let (_, bindings) = metadata::decode(module).context("the compiler made no valid module")?;
    let Some(api) = version(&bindings.resolve) else {
        bail!(NO_WORLD);
    };
    let mut component = encode(module).context(NO_WORLD)?;
    stamp(&mut component, &api, of);
    Ok(component)
}

/// Wraps a module whose exports and imports are named after the contract in a folder, but which
/// does not say so itself.
pub(crate) fn wrap_with(module: &[u8], contract: &Path, of: Identity<'_>) -> Result<Vec<u8>> {
    if let Some(import) = wasi_import(module)? {
        bail!(
            "it calls `{import}`, and an extractor has no files, clock, randomness or console\n\
             hint: printf and the like need a console; write to the log instead"
        );
    }
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_path(contract)
        .with_context(|| format!("cannot read the contract in `{}`", contract.display()))?;
    // The world with everything that can be asked for; what the module does not call goes.
    // Contracts before there was any have one without.
    let world = resolve
        .select_world(&[package], Some("capable"))
        .or_else(|_| resolve.select_world(&[package], Some("plugin")))?;
    let mut module = module.to_vec();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let mut component = encode(&module).context("it does not export what the contract asks for")?;
    let api = version(&resolve).context("the contract has no version")?;
    stamp(&mut component, &api, of);
    Ok(component)
}

/// Stamps a component that another tool has wrapped.
pub(crate) fn adopt(mut component: Vec<u8>, of: Identity<'_>) -> Result<Vec<u8>> {
    let DecodedWasm::Component(resolve, world) =
        wit_component::decode(&component).context("the compiler made no valid component")?
    else {
        bail!("the compiler made no component");
    };
    let exported = resolve.worlds.get(world).is_some_and(|world| {
        world.exports.values().any(|item| match item {
            WorldItem::Interface { id, .. } => resolve
                .id_of(*id)
                .is_some_and(|name| name.starts_with("quarry:extractor/extractor@")),
            WorldItem::Function(_) | WorldItem::Type { .. } => false,
        })
    });
    let api = version(&resolve).filter(|_| exported);
    let api = api.context("it does not export the extractor world")?;
    stamp(&mut component, &api, of);
    Ok(component)
}

/// A function of the operating system that a module wants.
fn wasi_import(module: &[u8]) -> Result<Option<String>> {
    for part in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(imports) =
            part.context("the compiler made no valid module")?
        {
            for import in imports.into_imports() {
                let import = import?;
                if import.module.starts_with("wasi_") {
                    return Ok(Some(format!("{}.{}", import.module, import.name)));
                }
            }
        }
    }
    Ok(None)
}

/// The contract's version.
fn version(resolve: &Resolve) -> Option<String> {
    let names = resolve.package_names.keys();
    let names = names.filter(|name| name.namespace == "quarry" && name.name == "extractor");
    names.filter_map(|name| name.version.as_ref()).max().map(ToString::to_string)
}

fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default().module(module).and_then(|encoder| encoder.validate(true).encode())
}

fn stamp(component: &mut Vec<u8>, api: &str, of: Identity<'_>) {
    let about = serde_json::json!({ "api": api, "name": of.name, "version": of.version });
    section(component, API_SECTION, api.as_bytes());
    section(component, EXTRACTOR_SECTION, about.to_string().as_bytes());
}

fn section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    CustomSection { name: name.into(), data: data.into() }.append_to_component(component);
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}
