//! From what happened to deliveries: which webhooks hear of it, and hearing of it again.

use super::deliveries::{fresh, make_due, place};
use super::webhooks::{hears, lock};
use super::{Control, Trial};
use crate::error::{Code, Error, Result};
use crate::model::{BatchId, EventId};
use crate::store::catalog::{
    Attempt, Batch, Delivery, DeliveryStatus, Namespace, Occurrence, Outgoing, Webhook,
};
use crate::store::{Op, Store};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Occurrences that are turned into deliveries by one commit.
const EXPANDED_AT_ONCE: usize = 64;
/// Deliveries that one call makes again at most.
pub const REPLAYED_MAX: usize = 10_000;
/// Deliveries that are made again by one commit.
const REPLAYED_AT_ONCE: usize = 256;
/// What the endpoints of URLs that batches name begin with.
pub(super) const URL_PREFIX: &str = "url_";

/// What is to be told once more.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// ISO 8601 in UTC, as the engine writes it.
    pub since: String,
    pub until: Option<String>,
    /// Not what was delivered.
    pub only_failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    pub deliveries: u64,
    /// There are more: call again with a later `since`.
    pub more: bool,
}

/// The endpoint that stands for a URL: all batches that name it share its limits.
fn endpoint_of(url: &str) -> String {
    let digest = Sha256::digest(url.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{URL_PREFIX}{hex}")
}

impl Control {
    /// Makes deliveries of everything that has happened, oldest first. One caller at a time.
    pub fn expand(&self) -> Result<u64> {
        let mut expanded = 0;
        loop {
            let waiting: Vec<(String, Outgoing)> = self
                .engine
                .store
                .each::<Outgoing>("", None)
                .take(EXPANDED_AT_ONCE)
                .collect::<Result<_>>()?;
            if waiting.is_empty() {
                return Ok(expanded);
            }
            let webhooks: Vec<Webhook> = self.engine.store.all("")?;
            let mut ops = Vec::new();
            for (id, outgoing) in &waiting {
                let occurrence = self.engine.store.find::<Occurrence>(&outgoing.occurrence)?;
                if let Some(occurrence) = occurrence {
                    ops.extend(self.deliveries_of(&occurrence, &outgoing.occurrence, &webhooks)?);
                }
                ops.push(Store::remove::<Outgoing>(id));
            }
            self.engine.store.commit(ops)?;
            expanded += waiting.len() as u64;
        }
    }

    fn deliveries_of(
        &self,
        occurrence: &Occurrence,
        key: &str,
        webhooks: &[Webhook],
    ) -> Result<Vec<Op>> {
        let now = self.now();
        let mut ops = Vec::new();
        for webhook in webhooks.iter().filter(|one| one.active && hears(one, occurrence)) {
            let delivery = fresh(webhook.id.as_str(), &webhook.namespace, occurrence, key, &now);
            ops.extend(make_due(&delivery, None)?);
        }
        if let Some(url) = self.url_of_batch(occurrence)? {
            let endpoint = endpoint_of(&url);
            let delivery = fresh(&endpoint, &occurrence.namespace, occurrence, key, &now);
            ops.extend(make_due(&Delivery { url: Some(url), ..delivery }, None)?);
        }
        Ok(ops)
    }

    /// The URL that the batch itself wants told what becomes of it.
    fn url_of_batch(&self, occurrence: &Occurrence) -> Result<Option<String>> {
        if !occurrence.subject.starts_with(BatchId::PREFIX) {
            return Ok(None);
        }
        let batch: Option<Batch> = self.engine.store.find(&occurrence.subject)?;
        Ok(batch.and_then(|batch| batch.webhook_url))
    }

    /// Tells the webhook again what has happened since then, under the same ids: also what
    /// happened before it was made or while it was switched off.
    pub fn replay(
        &self,
        namespace: &Namespace,
        identifier: &str,
        replay: &Replay,
    ) -> Result<Replayed> {
        let webhook = self.webhook(namespace, identifier)?;
        if !webhook.active {
            return Err(Error::new(Code::Conflict, "the webhook is switched off")
                .hint("set is_active first"));
        }
        let store = &self.engine.store;
        let since = replay.since.as_str();
        let until = replay.until.as_deref();
        let mut chunk = Vec::new();
        let mut replayed = Replayed { deliveries: 0, more: false };
        // By subject: with a limit the oldest have to be found first.
        let mut found: BTreeSet<(String, String)> = BTreeSet::new();
        for entry in store.each::<Occurrence>("", None) {
            let (key, occurrence) = entry?;
            let within = occurrence.at.as_str() >= since
                && until.is_none_or(|until| occurrence.at.as_str() < until);
            if !within || !hears(&webhook, &occurrence) {
                continue;
            }
            found.insert((occurrence.id.to_string(), key));
            if found.len() > REPLAYED_MAX {
                found.pop_last();
                replayed.more = true;
            }
        }
        for (_, key) in found {
            chunk.push(key);
            if chunk.len() == REPLAYED_AT_ONCE {
                replayed.deliveries += self.deliver_again(&webhook, replay, &chunk)?;
                chunk.clear();
            }
        }
        replayed.deliveries += self.deliver_again(&webhook, replay, &chunk)?;
        self.rang();
        Ok(replayed)
    }

    fn deliver_again(&self, webhook: &Webhook, replay: &Replay, keys: &[String]) -> Result<u64> {
        let store = &self.engine.store;
        let _lock = self.locks.hold(&lock(&webhook.namespace));
        let now = self.now();
        let mut ops = Vec::new();
        let mut made = 0;
        for key in keys {
            let Some(occurrence) = store.find::<Occurrence>(key)? else { continue };
            let endpoint = webhook.id.as_str();
            let known = store.find::<Delivery>(&place(endpoint, &occurrence.id))?;
            let delivery = match known {
                None => fresh(endpoint, &webhook.namespace, &occurrence, key, &now),
                Some(known) if known.status == DeliveryStatus::Pending => continue,
                Some(known) if known.status == DeliveryStatus::Delivered && replay.only_failed => {
                    continue;
                }
                Some(known) => Delivery {
                    status: DeliveryStatus::Pending,
                    failures: 0,
                    next_at: Some(now.clone()),
                    ended_at: None,
                    ..known
                },
            };
            ops.extend(make_due(&delivery, None)?);
            made += 1;
        }
        store.commit(ops)?;
        Ok(made)
    }

    /// Sends one event that says `webhook.test` right now, once, and answers what came back.
    pub fn test_webhook(&self, namespace: &Namespace, identifier: &str) -> Result<Trial> {
        let webhook = self.webhook(namespace, identifier)?;
        let now = self.now();
        let occurrence = Occurrence {
            id: EventId::from_uuid(self.engine.env.uuid()),
            kind: "webhook.test".to_string(),
            namespace: namespace.id.clone(),
            subject: webhook.id.to_string(),
            sequence: 0,
            at: now.clone(),
            data: json!({ "webhook_id": webhook.id, "webhook_name": webhook.name }),
        };
        let message = self.message(Some(&webhook), &webhook.url, &occurrence)?;
        let began = self.engine.env.uptime();
        let outcome = self.engine.runtime.block_on(self.outbound().client.send(message));
        let took = self.engine.env.uptime().saturating_sub(began);
        let attempt = Attempt::of(&outcome, now, took);
        Ok(Trial { event: occurrence.id, delivered: outcome.delivered(), attempt })
    }
}

/// As the engine writes times.
pub(super) fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
