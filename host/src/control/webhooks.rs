//! Webhooks: made, changed, deleted, their secrets rotated.
//!
//! Everything about the webhooks of a namespace, and what became of their deliveries, changes under
//! one lock, [`lock`].

use super::{Control, not_found, taken};
use crate::error::{Code, Error, Result};
use crate::model::{EVERY_EVENT, NamespaceId, WebhookId};
use crate::store::catalog::{Namespace, Occurrence, Webhook, WebhookHealth, WebhookSecret};
use crate::store::{Op, Store};
use crate::webhook::{Secret, check};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Webhooks of a namespace at most.
pub const WEBHOOKS_MAX: usize = 100;
/// Secrets that sign at the same time at most.
const SECRETS_MAX: usize = 2;

/// What a webhook is made from.
#[derive(Debug, Clone, Default)]
pub struct WebhookDraft {
    pub name: String,
    /// Where it listens; its own namespace if empty. Whoever fills it in has checked that the
    /// caller may know of them.
    pub namespaces: Vec<NamespaceId>,
    /// It listens in all namespaces.
    pub everywhere: bool,
    pub event_types: Vec<String>,
    pub resource_types: Vec<String>,
    pub resource_ids: Vec<String>,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub timeout_ms: u64,
    /// `None` keeps what there is, or makes a new one.
    pub secret: Option<String>,
    /// `None` keeps what there is, an empty one removes it.
    pub shared_secret: Option<String>,
    pub active: bool,
}

pub(super) fn place(namespace: &NamespaceId, id: &str) -> String {
    format!("{namespace}/{id}")
}

/// Name of the lock of all webhooks of a namespace.
pub(super) fn lock(namespace: &NamespaceId) -> String {
    format!("webhooks/{namespace}")
}

/// Whether the webhook wants to know of it.
pub(super) fn hears(webhook: &Webhook, occurrence: &Occurrence) -> bool {
    let listens = match webhook.namespaces.is_empty() {
        _ if webhook.everywhere => true,
        true => webhook.namespace == occurrence.namespace,
        false => webhook.namespaces.contains(&occurrence.namespace),
    };
    let kind = occurrence.kind.as_str();
    let word = kind.split('.').next().unwrap_or(kind);
    let wanted = |word: &str| webhook.event_types.iter().any(|known| known == word);
    let of_type = webhook.resource_types.is_empty()
        || webhook.resource_types.iter().any(|known| known == word);
    listens && (wanted(kind) || wanted(EVERY_EVENT)) && of_type && concerns(webhook, occurrence)
}

/// Whether subject or data name one of the things that the webhook is about.
fn concerns(webhook: &Webhook, occurrence: &Occurrence) -> bool {
    let named = |id: &str| webhook.resource_ids.iter().any(|known| known == id);
    webhook.resource_ids.is_empty()
        || named(&occurrence.subject)
        || occurrence
            .data
            .as_object()
            .into_iter()
            .flatten()
            .any(|(name, value)| name.ends_with("_id") && value.as_str().is_some_and(named))
}

/// Those that sign now.
pub(super) fn live_secrets(webhook: &Webhook, now: &str) -> Result<Vec<Secret>> {
    let live = |secret: &&WebhookSecret| {
        secret.expires_at.as_ref().is_none_or(|expires_at| expires_at.as_str() > now)
    };
    webhook.secrets.iter().filter(live).map(|secret| Secret::parse(&secret.secret)).collect()
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Control {
    /// Oldest first.
    pub fn webhooks(&self, namespace: &Namespace) -> Result<Vec<Webhook>> {
        self.engine.store.all(&format!("{}/", namespace.id))
    }

    /// By id or name.
    pub fn webhook(&self, namespace: &Namespace, identifier: &str) -> Result<Webhook> {
        let found = self.engine.store.find::<Webhook>(&place(&namespace.id, identifier))?;
        if let Some(found) = found {
            return Ok(found);
        }
        let named = self.webhooks(namespace)?.into_iter().find(|found| found.name == identifier);
        named.ok_or_else(|| not_found("webhook", identifier))
    }

    pub fn webhook_health(&self, webhook: &Webhook) -> Result<WebhookHealth> {
        Ok(self.engine.store.find(webhook.id.as_str())?.unwrap_or_default())
    }

    pub fn create_webhook(&self, namespace: &Namespace, draft: WebhookDraft) -> Result<Webhook> {
        self.check_target(&draft.url)?;
        let _lock = self.locks.hold(&lock(&namespace.id));
        let all = self.webhooks(namespace)?;
        if all.iter().any(|other| other.name == draft.name) {
            return Err(taken("webhook", &draft.name).field("/webhook_name"));
        }
        if all.len() >= WEBHOOKS_MAX {
            let message = format!("the namespace has {WEBHOOKS_MAX} webhooks already");
            return Err(Error::new(Code::Conflict, message).hint("delete one first"));
        }
        let now = self.now();
        let secret = match &draft.secret {
            Some(given) => Secret::parse(given)?,
            None => Secret::generate(),
        };
        let mut webhook = Webhook {
            id: self.webhook_id()?,
            namespace: namespace.id.clone(),
            name: String::new(),
            namespaces: Vec::new(),
            everywhere: false,
            event_types: Vec::new(),
            resource_types: Vec::new(),
            resource_ids: Vec::new(),
            url: String::new(),
            headers: BTreeMap::new(),
            timeout_ms: 0,
            secrets: vec![WebhookSecret {
                secret: secret.text(),
                created_at: now.clone(),
                expires_at: None,
            }],
            shared_secret: None,
            active: true,
            created_at: now.clone(),
            updated_at: now,
        };
        fill(&mut webhook, WebhookDraft { secret: None, ..draft });
        let key = place(&namespace.id, webhook.id.as_str());
        self.engine.store.commit(vec![Store::put(&key, &webhook)?])?;
        Ok(webhook)
    }

    /// Switching it on makes it healthy again.
    pub fn change_webhook(
        &self,
        namespace: &Namespace,
        identifier: &str,
        draft: WebhookDraft,
    ) -> Result<Webhook> {
        self.check_target(&draft.url)?;
        let _lock = self.locks.hold(&lock(&namespace.id));
        let mut webhook = self.webhook(namespace, identifier)?;
        if draft.name != webhook.name
            && self.webhooks(namespace)?.iter().any(|other| other.name == draft.name)
        {
            return Err(taken("webhook", &draft.name).field("/webhook_name"));
        }
        let now = self.now();
        if let Some(given) = &draft.secret {
            let secret = Secret::parse(given)?.text();
            if webhook.secrets.iter().all(|known| known.secret != secret) {
                let created_at = now.clone();
                webhook.secrets = vec![WebhookSecret { secret, created_at, expires_at: None }];
            }
        }
        fill(&mut webhook, draft);
        webhook.updated_at = now;
        let key = place(&namespace.id, webhook.id.as_str());
        let mut ops = vec![Store::put(&key, &webhook)?];
        if webhook.active {
            let mut health = self.webhook_health(&webhook)?;
            if health.paused_at.take().is_some() {
                let last_success_at = health.last_success_at.take();
                let health = WebhookHealth { last_success_at, ..WebhookHealth::default() };
                ops.push(Store::put(webhook.id.as_str(), &health)?);
            }
        }
        self.engine.store.commit(ops)?;
        self.rang();
        Ok(webhook)
    }

    /// With what was still to be delivered.
    pub fn delete_webhook(&self, namespace: &Namespace, identifier: &str) -> Result<Webhook> {
        let webhook = {
            let _lock = self.locks.hold(&lock(&namespace.id));
            let webhook = self.webhook(namespace, identifier)?;
            self.engine.store.commit(webhook_removal(&webhook))?;
            webhook
        };
        // It is gone from here on; what a crash leaves of its deliveries is swept later.
        self.forget_deliveries(webhook.id.as_str())?;
        Ok(webhook)
    }

    /// What has to be removed with a namespace.
    pub(super) fn webhook_removals(&self, namespace: &Namespace) -> Result<Vec<Op>> {
        Ok(self.webhooks(namespace)?.iter().flat_map(webhook_removal).collect())
    }

    /// A new secret beside the one there is, which signs for so long still.
    pub fn rotate_webhook_secret(
        &self,
        namespace: &Namespace,
        identifier: &str,
        given: Option<&str>,
        old_valid: TimeDelta,
    ) -> Result<Webhook> {
        let secret = match given {
            Some(given) => Secret::parse(given).map_err(|error| error.field("/secret"))?,
            None => Secret::generate(),
        };
        let _lock = self.locks.hold(&lock(&namespace.id));
        let mut webhook = self.webhook(namespace, identifier)?;
        let now = self.engine.env.now();
        let secret = secret.text();
        if webhook.secrets.iter().any(|known| known.secret == secret) {
            let message = "the webhook has this secret already";
            return Err(Error::new(Code::Conflict, message).field("/secret"));
        }
        let expires_at = text(now + old_valid);
        for old in &mut webhook.secrets {
            let sooner = old.expires_at.as_ref().is_some_and(|at| *at < expires_at);
            if !sooner {
                old.expires_at = Some(expires_at.clone());
            }
        }
        webhook.secrets.push(WebhookSecret { secret, created_at: text(now), expires_at: None });
        let surplus = webhook.secrets.len().saturating_sub(SECRETS_MAX);
        webhook.secrets.drain(..surplus);
        webhook.updated_at = text(now);
        let key = place(&namespace.id, webhook.id.as_str());
        self.engine.store.commit(vec![Store::put(&key, &webhook)?])?;
        Ok(webhook)
    }

    fn check_target(&self, url: &str) -> Result<()> {
        let field = "/channels/0/configs/url";
        check(url, self.outbound().client.reach()).map(|_| ()).map_err(|error| error.field(field))
    }

    /// `wh_` and 16 hex digits, which is the form that clients check: the time of a UUIDv7 and what
    /// chance gave at its end.
    fn webhook_id(&self) -> Result<WebhookId> {
        let hex = self.engine.env.uuid().simple().to_string();
        WebhookId::parse(&format!("{}{}{}", WebhookId::PREFIX, &hex[..10], &hex[26..]))
    }
}

fn fill(webhook: &mut Webhook, draft: WebhookDraft) {
    webhook.name = draft.name;
    webhook.namespaces = draft.namespaces;
    webhook.everywhere = draft.everywhere;
    webhook.event_types = draft.event_types;
    webhook.resource_types = draft.resource_types;
    webhook.resource_ids = draft.resource_ids;
    webhook.url = draft.url;
    webhook.headers = draft.headers;
    webhook.timeout_ms = draft.timeout_ms;
    webhook.active = draft.active;
    if let Some(shared) = draft.shared_secret {
        webhook.shared_secret = (!shared.is_empty()).then_some(shared);
    }
}

fn webhook_removal(webhook: &Webhook) -> Vec<Op> {
    let id = webhook.id.as_str();
    vec![
        Store::remove::<Webhook>(&place(&webhook.namespace, id)),
        Store::remove::<WebhookHealth>(id),
    ]
}
