//! Registries, as commands name them.

use super::super::wrong_option;
use crate::client::oci::{Credentials, Reference, Registry};
use crate::error::Result;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Remote {
    /// REGISTRY/REPOSITORY:TAG or …@sha256:DIGEST, for instance ghcr.io/acme/my-extractor:1.0.0;
    /// who you are there is read from what `docker login` wrote
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// Speak http with a registry that is not on this machine: for laboratories
    #[arg(long)]
    plain_http: bool,
}

impl Remote {
    pub(super) fn open(&self) -> Result<(Reference, Registry)> {
        let reference = Reference::parse(&self.reference)?;
        let mut credentials = None;
        for file in credential_files() {
            credentials = Credentials::find(&file, reference.registry())?;
            if credentials.is_some() {
                break;
            }
        }
        let registry = Registry::open(&reference, credentials, self.plain_http)?;
        Ok((reference, registry))
    }
}

/// In the order in which they count.
fn credential_files() -> Vec<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let below = |name: &str, file: &str| set(name).map(|folder| PathBuf::from(folder).join(file));
    let docker =
        below("DOCKER_CONFIG", "config.json").or_else(|| below("HOME", ".docker/config.json"));
    let all = [
        set("REGISTRY_AUTH_FILE").map(PathBuf::from),
        docker,
        below("XDG_RUNTIME_DIR", "containers/auth.json"),
    ];
    all.into_iter().flatten().collect()
}

/// `KEY=VALUE`
pub(super) fn annotation(text: &str) -> Result<(String, String)> {
    let hint = "write KEY=VALUE, for instance org.opencontainers.image.licenses=Apache-2.0";
    text.split_once('=')
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .ok_or_else(|| wrong_option("--annotation", text, hint))
}
