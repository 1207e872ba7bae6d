//! Deliveries: what is sent, what became of it, and for how long that is remembered.

use super::Control;
use super::outbox::{URL_PREFIX, written};
use super::webhooks::{live_secrets, lock, place as webhook_place};
use crate::error::Result;
use crate::model::{BatchId, EventId, NamespaceId};
use crate::store::catalog::{
    ATTEMPTS_KEPT, Attempt, Delivery, DeliveryStatus, Due, Occurrence, Webhook, WebhookHealth,
};
use crate::store::{Op, Store};
use crate::webhook::{Message, Outcome, Reach, Secret, pause, retry_after, shared_signature};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::time::Duration;

/// Bytes of a message's body: larger data is left out, and the body says so.
pub const BODY_BYTES_MAX: usize = 20_000;
/// A webhook to which nothing could be delivered for so long is switched off.
const SWITCHED_OFF_AFTER: TimeDelta = TimeDelta::days(5);
const URL_TIMEOUT: Duration = Duration::from_secs(15);
const CHUNK: usize = 256;

/// How messages leave this engine.
#[derive(Default)]
pub struct Outbound {
    pub client: crate::webhook::Client,
    /// Signs what goes to URLs that batches name.
    pub secret: Option<Secret>,
}

/// What came back from a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    pub event: EventId,
    pub delivered: bool,
    pub attempt: Attempt,
}

/// One attempt that is over.
#[derive(Debug)]
pub struct Sent {
    pub endpoint: String,
    pub event: EventId,
    pub namespace: NamespaceId,
    /// When it began.
    pub at: String,
    pub took: Duration,
    pub outcome: Outcome,
}

pub(super) fn place(endpoint: &str, event: &EventId) -> String {
    format!("{endpoint}/{event}")
}

fn due_place(delivery: &Delivery) -> Option<String> {
    let at = delivery.next_at.as_ref()?;
    Some(format!("{}/{at}/{}", delivery.endpoint, delivery.event))
}

/// To be sent at once.
pub(super) fn fresh(
    endpoint: &str,
    namespace: &NamespaceId,
    occurrence: &Occurrence,
    key: &str,
    now: &str,
) -> Delivery {
    Delivery {
        endpoint: endpoint.to_string(),
        namespace: namespace.clone(),
        event: occurrence.id.clone(),
        kind: occurrence.kind.clone(),
        occurrence: key.to_string(),
        subject: occurrence.subject.clone(),
        sequence: occurrence.sequence,
        url: None,
        status: DeliveryStatus::Pending,
        failures: 0,
        attempts_total: 0,
        attempts: Vec::new(),
        next_at: Some(now.to_string()),
        created_at: now.to_string(),
        ended_at: None,
    }
}

/// Writes a delivery and when it is due, which it may have been at another time before.
pub(super) fn make_due(delivery: &Delivery, before: Option<&Delivery>) -> Result<Vec<Op>> {
    let mut ops = Vec::new();
    if let Some(place) = before.and_then(due_place) {
        ops.push(Store::remove::<Due>(&place));
    }
    ops.push(Store::put(&place(&delivery.endpoint, &delivery.event), delivery)?);
    if let Some(place) = due_place(delivery) {
        ops.push(Store::put(&place, &Due {})?);
    }
    Ok(ops)
}

impl Attempt {
    pub(super) fn of(outcome: &Outcome, at: String, took: Duration) -> Attempt {
        let (status, response, error) = match outcome {
            Outcome::Answered(answer) => (Some(answer.status), answer.body.clone(), None),
            Outcome::Failed(error) | Outcome::Refused(error) => {
                (None, String::new(), Some(error.clone()))
            }
        };
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Attempt { at, duration_ms, status, response, error }
    }

    /// Why it was no success, in a few words.
    fn cause(&self) -> String {
        match (&self.error, self.status) {
            (Some(error), _) => error.clone(),
            (None, Some(status)) => format!("the receiver answered {status}"),
            (None, None) => "no answer".to_string(),
        }
    }
}

/// The delivery after an attempt. Pure: `chance` is in [0, 1).
pub fn attempted(
    before: &Delivery,
    attempt: Attempt,
    outcome: &Outcome,
    now: DateTime<Utc>,
    chance: f64,
) -> Delivery {
    let mut delivery = before.clone();
    delivery.attempts_total += 1;
    delivery.attempts.push(attempt);
    let surplus = delivery.attempts.len().saturating_sub(ATTEMPTS_KEPT);
    delivery.attempts.drain(..surplus);
    if outcome.delivered() {
        return ended(delivery, DeliveryStatus::Delivered, now);
    }
    delivery.failures += 1;
    let wanted = match outcome {
        Outcome::Answered(answer) => {
            answer.retry_after.as_deref().and_then(|text| retry_after(text, now))
        }
        Outcome::Failed(_) | Outcome::Refused(_) => None,
    };
    let last = matches!(outcome, Outcome::Refused(_)) || gone(outcome);
    match pause(delivery.failures, chance, wanted).filter(|_| !last) {
        Some(pause) => Delivery { next_at: Some(written(now + pause)), ..delivery },
        None => ended(delivery, DeliveryStatus::Failed, now),
    }
}

pub(super) fn ended(delivery: Delivery, status: DeliveryStatus, now: DateTime<Utc>) -> Delivery {
    Delivery { status, next_at: None, ended_at: Some(written(now)), ..delivery }
}

/// Whether the receiver says that it will never listen again.
fn gone(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answered(answer) if answer.status == 410)
}

/// How a webhook is after an attempt; the reason why it is to be switched off, if it is.
fn judged(
    health: &mut WebhookHealth,
    attempt: &Attempt,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Option<String> {
    let at = written(now);
    if outcome.delivered() {
        *health = WebhookHealth { last_success_at: Some(at), ..WebhookHealth::default() };
        return None;
    }
    health.consecutive_failures += 1;
    health.last_failure_at = Some(at.clone());
    health.last_failure_cause = Some(attempt.cause());
    let first = health.first_failure_at.get_or_insert_with(|| at.clone()).clone();
    let long = first < written(now - SWITCHED_OFF_AFTER);
    let reason = match (gone(outcome), long) {
        (true, _) => "the receiver answered 410: it will not listen again".to_string(),
        (false, true) => format!("nothing could be delivered since {first}"),
        (false, false) => return None,
    };
    health.paused_at = Some(at);
    health.paused_reason = Some(reason.clone());
    Some(reason)
}

impl Control {
    /// How messages leave: set once, before the first one does.
    pub fn set_outbound(&self, reach: Reach, secret: Option<Secret>) {
        let client = crate::webhook::Client::new(reach);
        // A second call changes nothing, as documented.
        let _ = self.outbound.set(Outbound { client, secret });
    }

    pub(super) fn outbound(&self) -> &Outbound {
        self.outbound.get_or_init(Outbound::default)
    }

    /// The signed message that tells of an occurrence.
    pub(super) fn message(
        &self,
        webhook: Option<&Webhook>,
        url: &str,
        occurrence: &Occurrence,
    ) -> Result<Message> {
        let body = body(occurrence);
        let now = self.engine.env.now();
        let timestamp = now.timestamp();
        let secrets = match webhook {
            Some(webhook) => live_secrets(webhook, &written(now))?,
            None => self.outbound().secret.iter().cloned().collect(),
        };
        let id = occurrence.id.as_str();
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut header = |name: &str, value: String| headers.push((name.to_string(), value));
        for (name, value) in webhook.iter().flat_map(|webhook| &webhook.headers) {
            header(name, value.clone());
        }
        header("content-type", "application/json".to_string());
        header("webhook-id", id.to_string());
        header("webhook-timestamp", timestamp.to_string());
        let signatures: Vec<String> =
            secrets.iter().map(|secret| secret.sign(id, timestamp, &body)).collect();
        if !signatures.is_empty() {
            header("webhook-signature", signatures.join(" "));
        }
        if let Some(shared) = webhook.and_then(|webhook| webhook.shared_secret.as_ref()) {
            header("x-mixpeek-signature", shared_signature(shared, timestamp, &body));
        }
        let timeout =
            webhook.map_or(URL_TIMEOUT, |webhook| Duration::from_millis(webhook.timeout_ms));
        Ok(Message { url: url.to_string(), headers, body, timeout })
    }

    /// Remembers what became of an attempt. One that was replayed or deleted meanwhile is left as
    /// it is.
    pub fn settle(&self, sent: &Sent) -> Result<()> {
        let store = &self.engine.store;
        let _lock = self.locks.hold(&lock(&sent.namespace));
        let Some(before) = store.find::<Delivery>(&place(&sent.endpoint, &sent.event))? else {
            return Ok(());
        };
        if before.status != DeliveryStatus::Pending {
            return Ok(());
        }
        let now = self.engine.env.now();
        let attempt = Attempt::of(&sent.outcome, sent.at.clone(), sent.took);
        let chance = self.engine.env.chance();
        let delivery = attempted(&before, attempt.clone(), &sent.outcome, now, chance);
        let mut ops = make_due(&delivery, Some(&before))?;
        let webhook_key = webhook_place(&sent.namespace, &sent.endpoint);
        if let Some(mut webhook) = store.find::<Webhook>(&webhook_key)? {
            let mut health = self.webhook_health(&webhook)?;
            if let Some(reason) = judged(&mut health, &attempt, &sent.outcome, now) {
                tracing::warn!(webhook = %webhook.id, "switched off: {reason}");
                webhook.active = false;
                webhook.updated_at = written(now);
                ops.push(Store::put(&webhook_key, &webhook)?);
            }
            ops.push(Store::put(&sent.endpoint, &health)?);
        }
        store.commit(ops)
    }

    /// Those of an endpoint after the event, oldest first.
    pub fn deliveries(
        &self,
        webhook: &Webhook,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<Delivery>> + use<'_> {
        let prefix = format!("{}/", webhook.id);
        let after = after.map(|event| format!("{prefix}{event}"));
        let found = self.engine.store.each::<Delivery>(&prefix, after.as_deref());
        found.map(|entry| entry.map(|(_, delivery)| delivery))
    }

    /// Ends those that wait: nobody listens any more.
    pub(super) fn cancel_deliveries(&self, endpoint: &str, namespace: &NamespaceId) -> Result<()> {
        let store = &self.engine.store;
        loop {
            let _lock = self.locks.hold(&lock(namespace));
            let due: Vec<String> = store
                .each::<Due>(&format!("{endpoint}/"), None)
                .take(CHUNK)
                .map(|entry| entry.map(|(key, _)| key))
                .collect::<Result<_>>()?;
            if due.is_empty() {
                return Ok(());
            }
            let mut ops = Vec::new();
            for key in due {
                let event = key.rsplit('/').next().unwrap_or_default();
                let place = format!("{endpoint}/{event}");
                if let Some(delivery) = store.find::<Delivery>(&place)? {
                    let now = self.engine.env.now();
                    let canceled = ended(delivery, DeliveryStatus::Canceled, now);
                    ops.push(Store::put(&place, &canceled)?);
                }
                ops.push(Store::remove::<Due>(&key));
            }
            store.commit(ops)?;
        }
    }

    /// Removes all of an endpoint that is gone.
    pub(super) fn forget_deliveries(&self, endpoint: &str) -> Result<()> {
        let store = &self.engine.store;
        let prefix = format!("{endpoint}/");
        loop {
            let mut ops = Vec::new();
            for entry in store.each::<Due>(&prefix, None).take(CHUNK) {
                ops.push(Store::remove::<Due>(&entry?.0));
            }
            for entry in store.each::<Delivery>(&prefix, None).take(CHUNK) {
                ops.push(Store::remove::<Delivery>(&entry?.0));
            }
            if ops.is_empty() {
                return Ok(());
            }
            store.commit(ops)?;
        }
    }
}

/// Whether the endpoint is a webhook, and not a URL that a batch named.
pub(super) fn is_webhook(endpoint: &str) -> bool {
    !endpoint.starts_with(URL_PREFIX)
}

/// The same bytes at every attempt.
fn body(occurrence: &Occurrence) -> Vec<u8> {
    let own = occurrence.subject.starts_with(BatchId::PREFIX);
    let batch = match own {
        true => Value::from(occurrence.subject.as_str()),
        false => occurrence.data.get("batch_id").cloned().unwrap_or(Value::Null),
    };
    let with = |data: &Value| {
        json!({
            "id": occurrence.id,
            "type": occurrence.kind,
            "timestamp": occurrence.at,
            "namespace_id": occurrence.namespace,
            "batch_id": batch,
            "subject": occurrence.subject,
            "sequence": occurrence.sequence,
            "data": data,
        })
        .to_string()
        .into_bytes()
    };
    let whole = with(&occurrence.data);
    match whole.len() < BODY_BYTES_MAX {
        true => whole,
        false => with(&json!({ "left_out": "the data is too large for a message" })),
    }
}
