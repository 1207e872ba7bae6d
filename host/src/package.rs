//! Extractors as packages in OCI registries, with the media types that WebAssembly components have
//! there (CNCF Wasm OCI artifact layout): the first layer is the component, the others are its
//! assets, and a configuration says what it imports and exports. The signature is an artifact of
//! its own, under a tag that is made from the digest of the package, and names the package as its
//! subject.

use crate::client::oci::{Descriptor, Manifest, Reference, Registry};
use crate::error::{Code, Context, Error, Result};
use crate::plugin::{AssetEntry, Inspection, SIGNATURE_BYTES_MAX, Trust, inspect};
use serde_json::json;
use std::collections::BTreeMap;

const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
const COMPONENT_TYPE: &str = "application/wasm";
const SIGNATURE_TYPE: &str = "application/vnd.quarry.signature.v1+json";
/// The configuration of an artifact that has none.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";
const TITLE: &str = "org.opencontainers.image.title";
const VERSION: &str = "org.opencontainers.image.version";
/// The same component gives the same package, so there is no time in it.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What a package is made of, besides assets.
#[derive(Debug, Clone, PartialEq)]
pub struct Package {
    pub wasm: Vec<u8>,
    /// Content of its `.sig` file.
    pub signature: Option<Vec<u8>>,
}

/// A package in a registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    pub name: String,
    pub version: String,
    /// SHA-256 of the component, in hex.
    pub component: String,
    /// By the digest of its manifest: this name never means anything else.
    pub pinned: String,
    pub signed: bool,
}

/// Puts a package there, with the files that `asset` reads. Without a tag, it is the version; a
/// version that is there already can not become another package.
pub fn push(
    registry: &Registry,
    reference: &Reference,
    package: &Package,
    asset: &dyn Fn(&AssetEntry) -> Result<Vec<u8>>,
    annotations: &BTreeMap<String, String>,
) -> Result<Placed> {
    let inspection = inspect(&package.wasm)?;
    let (name, version) = stamp(&inspection)?;
    if reference.digest.is_some() {
        return Err(Error::invalid("a package that is pushed is named by a tag, not by a digest"));
    }
    let own_tag = tag_of(&version);
    let tag = reference.tag.as_deref().unwrap_or(&own_tag);
    check_tag(tag, &name, &version)?;
    // One that is of another component helps nobody.
    Trust::default().admit(&inspection, package.signature.as_deref())?;
    let mut layer = Descriptor::of(COMPONENT_TYPE, &package.wasm);
    layer.annotations.insert(TITLE.to_string(), format!("{name}.wasm"));
    let config = config(&inspection, &layer)?;
    let layers = [layer].into_iter().chain(inspection.assets.iter().map(described)).collect();
    let mut manifest = Manifest::new(Descriptor::of(CONFIG_TYPE, &config), layers);
    manifest.annotations = annotations.clone();
    manifest.annotations.insert(TITLE.to_string(), name.clone());
    manifest.annotations.insert(VERSION.to_string(), version.clone());
    let there = if tag == own_tag { registry.manifest(tag)? } else { None };
    if let Some((there, digest)) = there
        && there.to_json()? != manifest.to_json()?
    {
        let (registry, repository) = (reference.registry(), reference.repository());
        let message = format!("there is another {registry}/{repository}:{tag} already");
        return Err(Error::new(Code::Conflict, message)
            .source(format!("it is {digest}"))
            .hint("versions are immutable: raise the version and build it again"));
    }
    registry.push_blob(COMPONENT_TYPE, &package.wasm)?;
    for entry in &inspection.assets {
        registry.push_blob(&entry.media_type, &asset(entry)?)?;
    }
    registry.push_blob(CONFIG_TYPE, &config)?;
    let placed = registry.push_manifest(tag, &manifest)?;
    let pinned = placed.digest.clone();
    if let Some(signature) = &package.signature {
        push_signature(registry, placed, signature)?;
    }
    Ok(Placed {
        name,
        version,
        component: inspection.digest,
        pinned: pinned_as(reference, &pinned),
        signed: package.signature.is_some(),
    })
}

/// Fetches a package of which nothing is larger than allowed; `keep` gets its assets, one by one,
/// before anybody has looked at the signature. Every byte has the digest that the manifest says,
/// and the manifest the one that was asked for.
pub fn pull(
    registry: &Registry,
    reference: &Reference,
    component_bytes_max: usize,
    keep: &mut dyn FnMut(&AssetEntry, Vec<u8>) -> Result<()>,
) -> Result<(Package, Placed)> {
    let wanted = reference.wanted().ok_or_else(|| {
        Error::invalid(format!("{reference} names no version"))
            .hint("add one, such as :1.0.0, or @ and the digest of the package")
    })?;
    let (manifest, digest) = registry
        .manifest(wanted)?
        .ok_or_else(|| Error::new(Code::NotFound, format!("there is no {reference}")))?;
    let first = manifest.layers.first();
    let Some(layer) = first.filter(|layer| layer.media_type == COMPONENT_TYPE) else {
        let message = format!("{reference} is no package of a WebAssembly component");
        return Err(Error::new(Code::Extractor, message));
    };
    let wasm = registry.blob(layer, component_bytes_max)?;
    let inspection = inspect(&wasm)?;
    let (name, version) = stamp(&inspection)?;
    if let Some(tag) = &reference.tag {
        check_tag(tag, &name, &version)?;
    }
    let signature = pull_signature(registry, &digest)?;
    for entry in &inspection.assets {
        if !manifest.layers.iter().any(|layer| layer.digest == entry.digest) {
            let message = format!("the asset `{}` is not in the package {reference}", entry.name);
            return Err(Error::new(Code::Extractor, message).hint("push it again"));
        }
        let bytes = usize::try_from(entry.bytes).unwrap_or(usize::MAX);
        keep(entry, registry.blob(&described(entry), bytes)?)?;
    }
    let placed = Placed {
        name,
        version,
        component: inspection.digest,
        pinned: pinned_as(reference, &digest),
        signed: signature.is_some(),
    };
    Ok((Package { wasm, signature }, placed))
}

fn push_signature(registry: &Registry, of: Descriptor, signature: &[u8]) -> Result<()> {
    let config = registry.push_blob(EMPTY_TYPE, EMPTY)?;
    let layer = registry.push_blob(SIGNATURE_TYPE, signature)?;
    let tag = signature_tag(&of.digest);
    let mut manifest = Manifest::new(config, vec![layer]);
    manifest.artifact_type = Some(SIGNATURE_TYPE.to_string());
    manifest.subject = Some(of);
    registry.push_manifest(&tag, &manifest).map(drop)
}

fn pull_signature(registry: &Registry, digest: &str) -> Result<Option<Vec<u8>>> {
    let tag = signature_tag(digest);
    let Some((manifest, _)) = registry.manifest(&tag)? else { return Ok(None) };
    let found = manifest.layers.iter().find(|layer| layer.media_type == SIGNATURE_TYPE);
    let layer = found.ok_or_else(|| {
        Error::new(Code::Extractor, format!("{tag} is no signature of an extractor"))
    })?;
    registry.blob(layer, SIGNATURE_BYTES_MAX).map(Some)
}

/// As the component names it: its digest and size are what counts.
fn described(entry: &AssetEntry) -> Descriptor {
    Descriptor {
        media_type: entry.media_type.clone(),
        digest: entry.digest.clone(),
        size: entry.bytes,
        annotations: BTreeMap::from([(TITLE.to_string(), entry.name.clone())]),
    }
}

/// cosign's own signatures are at `sha256-….sig`: both have room.
fn signature_tag(digest: &str) -> String {
    format!("{}.quarry-sig", digest.replace(':', "-"))
}

fn pinned_as(reference: &Reference, digest: &str) -> String {
    format!("{}/{}@{digest}", reference.registry(), reference.repository())
}

fn stamp(inspection: &Inspection) -> Result<(String, String)> {
    match (&inspection.name, &inspection.version) {
        (Some(name), Some(version)) => Ok((name.clone(), version.clone())),
        _ => {
            let message = "the extractor is not stamped with a name and a version";
            Err(Error::new(Code::Extractor, message).hint("build it with `quarry extractor build`"))
        }
    }
}

/// Tags have no `+`.
fn tag_of(version: &str) -> String {
    version.replace('+', "_")
}

/// A tag that reads as a version is that of the component; any other may move.
fn check_tag(tag: &str, name: &str, version: &str) -> Result<()> {
    let is_version = tag.starts_with(|c: char| c.is_ascii_digit()) && tag.split('.').count() > 2;
    if is_version && tag != tag_of(version) {
        let message = format!("the tag {tag} is not the version of {name}@{version}");
        return Err(Error::new(Code::Conflict, message)
            .hint("a tag that is a version names exactly that version"));
    }
    Ok(())
}

/// As other tools for WebAssembly in registries read it.
fn config(inspection: &Inspection, layer: &Descriptor) -> Result<Vec<u8>> {
    let config = json!({
        "created": CREATED,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [layer.digest],
        "component": {
            "exports": inspection.exports,
            "imports": inspection.imports,
            "target": "quarry:extractor/plugin",
        },
    });
    serde_json::to_vec(&config).context(Code::Internal, || "no configuration".to_string())
}
