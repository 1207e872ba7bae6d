//! Image manifests (OCI image specification 1.1).

use super::reference::check_digest;
use crate::error::{Code, Context, Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
    /// What it says something about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What some bytes are, and how many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
        Manifest {
            schema_version: 2,
            media_type: MANIFEST_TYPE.to_string(),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    pub(super) fn parse(json: &[u8]) -> Result<Manifest> {
        let named = || "this is no manifest of a package".to_string();
        let manifest: Manifest = serde_json::from_slice(json).context(Code::Invalid, named)?;
        // It may be left out.
        let fits = ["", MANIFEST_TYPE].contains(&manifest.media_type.as_str());
        if manifest.schema_version != 2 || !fits {
            let what = format!("it is a {}", manifest.media_type);
            return Err(Error::invalid(named()).source(what));
        }
        manifest.layers.iter().try_for_each(|layer| check_digest(&layer.digest))?;
        Ok(manifest)
    }

    /// The same bytes for the same content, as its digest is its name.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).context(Code::Internal, || "a manifest can not be encoded".into())
    }
}

impl Descriptor {
    pub fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor {
            media_type: media_type.to_string(),
            digest: sha256(bytes),
            size: bytes.len() as u64,
            annotations: BTreeMap::new(),
        }
    }
}

/// As registries write it: `sha256:` and 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}
