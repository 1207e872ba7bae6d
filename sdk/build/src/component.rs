//! From a core module to a stamped component.

use anyhow::{Context, Result, bail};
use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::{ComponentEncoder, metadata};

use crate::package::Package;

/// Custom section with the version of the contract the extractor was compiled against, as text. The
/// host reads it before it instantiates anything.
const API_SECTION: &str = "quarry:api";
/// Custom section with `{"api", "name", "version"}` as JSON.
const EXTRACTOR_SECTION: &str = "quarry:extractor";

const NO_WORLD: &str =
    "it does not export the extractor world: is `quarry_extractor::export!` missing?";

/// Wraps the module and stamps the result. The contract's version is the one in the module itself:
/// wit-bindgen leaves the world it was generated from in a `component-type` section.
pub(crate) fn wrap(module: &[u8], package: &Package) -> Result<Vec<u8>> {
    let (_, bindings) = metadata::decode(module).context("the compiler made no valid module")?;
    let contract = bindings.resolve.package_names.keys();
    let contract = contract.filter(|name| name.namespace == "quarry" && name.name == "extractor");
    let Some(api) = contract.filter_map(|name| name.version.as_ref()).max() else {
        bail!(NO_WORLD);
    };
    let mut component = ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .context(NO_WORLD)?;
    let about = serde_json::json!({
        "api": api.to_string(),
        "name": package.name,
        "version": package.version,
    });
    stamp(&mut component, API_SECTION, api.to_string().as_bytes());
    stamp(&mut component, EXTRACTOR_SECTION, about.to_string().as_bytes());
    Ok(component)
}

fn stamp(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    CustomSection { name: name.into(), data: data.into() }.append_to_component(component);
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}
