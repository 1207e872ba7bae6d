//! What an extractor may use beside its input, output and log: linked into one component only if
//! its description asks for it and the operator granted it.
//!
//! **Invariant:** a component that was not granted an interface has no host function behind it: it
//! is not even instantiated. What a function lets through is the intersection of ask and grant.

mod assets;
mod clock;
mod environment;
mod http;
mod random;

pub use assets::{Asset, AssetSource};
pub(super) use http::Traffic;

use super::Limits;
use super::inspect::refused;
use super::state::State;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::model::{Ask, Capability, Description, Grants};
use crate::net::{Fetcher, Guard, Lookup};
use std::sync::Arc;
use wasmtime::component::Linker;

/// The value of an environment variable.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a host lends to those that were granted it.
#[derive(Clone)]
pub struct World {
    pub env: Env,
    pub variables: Variables,
    pub assets: Option<Arc<dyn AssetSource>>,
    /// Otherwise than the system does, for tests.
    pub lookup: Option<Lookup>,
    pub denials: Option<Arc<dyn Denials>>,
}

impl Default for World {
    fn default() -> Self {
        World {
            env: Env::System,
            variables: Arc::new(|name| std::env::var(name).ok()),
            assets: None,
            lookup: None,
            denials: None,
        }
    }
}

/// Hears of everything that was refused.
pub trait Denials: Send + Sync {
    /// `what`: an ask such as `http:https://example.com`, without anything secret in it.
    fn denied(&self, extractor: &str, digest: &str, what: &str);
}

/// What one component asked for and was granted, shared by its instances.
pub(super) struct Permit {
    /// `name@version`.
    extractor: String,
    digest: String,
    asks: Vec<Ask>,
    grants: Grants,
    pub(super) limits: Arc<Limits>,
    world: World,
    fetcher: Fetcher,
}

impl Permit {
    pub(super) fn new(
        description: &Description,
        digest: &str,
        grants: Grants,
        limits: Arc<Limits>,
        world: World,
    ) -> Permit {
        let networks = grants.networks.iter().map(|network| network.0).collect();
        let guard = Guard { networks, lookup: world.lookup.clone() };
        Permit {
            extractor: format!("{}@{}", description.name, description.version),
            digest: digest.to_string(),
            // What is no ask was refused with the description.
            asks: description.capabilities.iter().filter_map(|ask| ask.parse().ok()).collect(),
            grants,
            limits,
            world,
            fetcher: Fetcher::new(guard),
        }
    }

    /// For a component that has not described itself yet.
    pub(super) fn nothing(limits: Arc<Limits>) -> Permit {
        Permit {
            extractor: String::new(),
            digest: String::new(),
            asks: Vec::new(),
            grants: Grants::default(),
            limits,
            world: World::default(),
            fetcher: Fetcher::new(Guard::default()),
        }
    }

    /// Whether the interface is linked.
    pub(super) fn has(&self, capability: Capability) -> bool {
        let asked = self.asks.iter().any(|ask| ask.capability() == capability);
        asked && self.grants.has(capability)
    }

    /// The error for a component that imports what it was not granted.
    pub(super) fn check(&self, imported: &[Capability]) -> Result<()> {
        let missing: Vec<Capability> =
            imported.iter().copied().filter(|one| !self.has(*one)).collect();
        let Some(first) = missing.first() else { return Ok(()) };
        for capability in &missing {
            self.deny(capability.as_str());
        }
        let unasked: Vec<&str> = missing
            .iter()
            .filter(|one| !self.asks.iter().any(|ask| ask.capability() == **one))
            .map(|one| one.as_str())
            .collect();
        if !unasked.is_empty() {
            let message =
                format!("imports {}, but its description does not ask for it", unasked.join(", "));
            return Err(refused(message).hint(format!(
                "its author adds \"{}\" to the `capabilities` of its description",
                first.as_str()
            )));
        }
        Err(self.ungranted())
    }

    /// Names every ask that is not granted, and the command that grants it.
    fn ungranted(&self) -> Error {
        let missing = || self.asks.iter().filter(|ask| !self.grants.covers(ask));
        let names: Vec<String> = missing().map(Ask::to_string).collect();
        let options: Vec<String> = missing().map(Ask::option).collect();
        let Permit { extractor, digest, .. } = self;
        let message = format!(
            "{extractor} (sha256 {}) asks for {}, which is not granted",
            &digest[..digest.len().min(12)],
            names.join(", ")
        );
        refused(message).hint(format!("quarry extractor grant {extractor} {}", options.join(" ")))
    }

    fn deny(&self, what: &str) {
        let Permit { extractor, digest, .. } = self;
        tracing::warn!(%extractor, %digest, what, "denied to an extractor");
        if let Some(denials) = &self.world.denials {
            denials.denied(extractor, digest, what);
        }
    }
}

/// The interface is there for whoever has the permit, and for nobody else.
pub(super) fn link(linker: &mut Linker<State>, capability: Capability) -> wasmtime::Result<()> {
    match capability {
        Capability::Http => http::link(linker),
        Capability::Clock => clock::link(linker),
        Capability::Random => random::link(linker),
        Capability::Environment => environment::link(linker),
        Capability::Assets => assets::link(linker),
    }
}
