//! What extractors were granted. A change is one commit with the event that tells of it.

use super::{Control, KnownExtractor};
use crate::error::{Error, Result};
use crate::model::{Ask, Grants};
use crate::store::Store;
use crate::store::catalog::{Grant, GrantEvent, GrantEventKind};

/// An extractor with what it asks for and has.
#[derive(Debug, Clone)]
pub struct Granted {
    pub extractor: KnownExtractor,
    pub grants: Grants,
    pub granted_at: Option<String>,
}

impl Granted {
    /// Asks that no grant covers.
    pub fn missing(&self) -> Vec<String> {
        let asks = self.extractor.description.capabilities.iter();
        asks.filter(|ask| ask.parse::<Ask>().is_ok_and(|ask| !self.grants.covers(&ask)))
            .cloned()
            .collect()
    }
}

impl Control {
    pub fn granted(&self, identifier: &str) -> Result<Granted> {
        let extractor = self.extractor(identifier)?;
        let record = self.engine.store.find::<Grant>(&extractor.digest)?;
        let granted_at = record.as_ref().map(|record| record.granted_at.clone());
        let grants = record.map(|record| record.grants).unwrap_or_default();
        Ok(Granted { extractor, grants, granted_at })
    }

    /// All that were granted anything, by digest.
    pub fn grants(&self) -> Result<Vec<Grant>> {
        self.engine.store.all::<Grant>("")
    }

    /// What was granted, revoked and denied, oldest first.
    pub fn grant_events(&self) -> Result<Vec<GrantEvent>> {
        self.engine.store.settle()?;
        self.engine.store.all::<GrantEvent>("")
    }

    /// In place of what it had; nothing at all revokes everything.
    pub fn grant(&self, identifier: &str, grants: Grants) -> Result<Granted> {
        let _lock = self.locks.hold("grants");
        let had = self.granted(identifier)?;
        self.check_grants(&had.extractor, &grants)?;
        let KnownExtractor { digest, description, .. } = &had.extractor;
        let now = self.now();
        let record = Grant {
            digest: digest.clone(),
            name: description.name.clone(),
            version: description.version.clone(),
            grants: grants.clone(),
            granted_at: now.clone(),
        };
        let kind = match grants.keeps(&had.grants) {
            true => GrantEventKind::Granted,
            false => GrantEventKind::Revoked,
        };
        let event = GrantEvent {
            at: now,
            kind,
            digest: digest.clone(),
            extractor: had.extractor.id(),
            grants: Some(grants.clone()),
            denied: None,
        };
        let id = self.engine.env.uuid().to_string();
        let change = match grants.is_empty() {
            true => Store::remove::<Grant>(digest),
            false => Store::put(digest, &record)?,
        };
        self.engine.store.commit(vec![change, Store::put(&id, &event)?])?;
        self.engine.registry.grant(digest, &grants);
        let (extractor, kind) = (had.extractor.id(), kind.as_str());
        tracing::info!(%extractor, %digest, kind, "what an extractor may use has changed");
        self.granted(digest)
    }

    fn check_grants(&self, extractor: &KnownExtractor, grants: &Grants) -> Result<()> {
        for name in &grants.environment {
            crate::model::variable(name).map_err(|error| error.field("/environment"))?;
        }
        for (at, credential) in grants.credentials.iter().enumerate() {
            let field = format!("/credentials/{at}");
            crate::model::variable(&credential.variable).map_err(|e| e.field(field.clone()))?;
            let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if credential.header.is_empty() || !credential.header.bytes().all(fits) {
                let message = format!("`{}` is not the name of a header", credential.header);
                return Err(Error::invalid(message).field(field));
            }
            if !grants.http.iter().any(|hosts| hosts.covers(&credential.hosts)) {
                let message = format!("a credential is for {}", credential.hosts);
                return Err(Error::invalid(format!("{message}, which is not granted"))
                    .field(field)
                    .hint("grant the hosts, too"));
            }
        }
        if let Some(limits) = self.engine.registry.limits() {
            limits.check_given(&grants.limits).map_err(|error| error.field("/limits"))?;
        }
        let asks: Vec<Ask> =
            extractor.description.capabilities.iter().filter_map(|ask| ask.parse().ok()).collect();
        let asked = |ask: &Ask| asks.iter().any(|one| one.capability() == ask.capability());
        let given = [Ask::Http(None), Ask::Clock, Ask::Random, Ask::Assets];
        let variable = grants.environment.iter().cloned().map(Ask::Environment);
        let unasked = given.into_iter().filter(|one| grants.has(one.capability()));
        if let Some(ask) = unasked.chain(variable).find(|ask| !asked(ask)) {
            let asks = extractor.description.capabilities.join(", ");
            let asks = if asks.is_empty() { "nothing".to_string() } else { asks };
            let what = ask.capability().as_str();
            return Err(Error::invalid(format!("{} does not ask for {what}", extractor.id()))
                .hint(format!("it asks for {asks}")));
        }
        Ok(())
    }
}
