//! Webhooks, and what became of each message to them.

use super::Noun;
use crate::model::{EventId, NamespaceId, WebhookId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Under `namespace/id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    pub id: WebhookId,
    /// The one it belongs to.
    pub namespace: NamespaceId,
    pub name: String,
    /// Where it listens; its own namespace if empty.
    #[serde(default)]
    pub namespaces: Vec<NamespaceId>,
    /// In all of them.
    #[serde(default)]
    pub everywhere: bool,
    /// Kinds of events; `*` for all.
    pub event_types: Vec<String>,
    /// First words of kinds; all if empty.
    #[serde(default)]
    pub resource_types: Vec<String>,
    /// Ids of buckets, collections, batches, …; all if empty.
    #[serde(default)]
    pub resource_ids: Vec<String>,
    pub url: String,
    /// Sent with every message.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub timeout_ms: u64,
    /// The live ones: two while they are being rotated.
    pub secrets: Vec<WebhookSecret>,
    /// What the receiver chose, for a second signature of another form.
    #[serde(default)]
    pub shared_secret: Option<String>,
    pub active: bool,
    pub created_at: String,
    pub updated_at: String,
}

/// Kept as it is: signing needs it. The data directory is only for who runs the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebhookSecret {
    /// `whsec_…`
    pub secret: String,
    pub created_at: String,
    /// ISO 8601; not used for signing from then on.
    #[serde(default)]
    pub expires_at: Option<String>,
}

impl Noun for Webhook {
    const TABLE: &'static str = "webhook";
}

/// How it goes, under the webhook's id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WebhookHealth {
    /// Attempts since the last one that succeeded.
    pub consecutive_failures: u64,
    #[serde(default)]
    pub first_failure_at: Option<String>,
    #[serde(default)]
    pub last_failure_at: Option<String>,
    #[serde(default)]
    pub last_failure_cause: Option<String>,
    #[serde(default)]
    pub last_success_at: Option<String>,
    /// When the engine itself switched the webhook off, and why.
    #[serde(default)]
    pub paused_at: Option<String>,
    #[serde(default)]
    pub paused_reason: Option<String>,
}

impl Noun for WebhookHealth {
    const TABLE: &'static str = "webhook-health";
}

/// One event for one endpoint, under `endpoint/event`. The endpoint is a webhook's id, or stands
/// for a URL that batches named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    pub endpoint: String,
    /// Of the webhook, or of the batch.
    pub namespace: NamespaceId,
    pub event: EventId,
    pub kind: String,
    /// Key of the occurrence.
    pub occurrence: String,
    pub subject: String,
    pub sequence: u64,
    /// Where there is no webhook.
    #[serde(default)]
    pub url: Option<String>,
    pub status: DeliveryStatus,
    /// Of the attempts since it was made or replayed.
    pub failures: u32,
    /// All there were; the last ones are in `attempts`.
    pub attempts_total: u32,
    pub attempts: Vec<Attempt>,
    /// While it is pending; its [`Due`] has the same time in its key.
    #[serde(default)]
    pub next_at: Option<String>,
    pub created_at: String,
    #[serde(default)]
    pub ended_at: Option<String>,
}

/// Attempts of a delivery that are kept.
pub const ATTEMPTS_KEPT: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    Pending,
    Delivered,
    /// Every attempt failed.
    Failed,
    /// The webhook was switched off or deleted before it was delivered.
    Canceled,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub at: String,
    pub duration_ms: u64,
    #[serde(default)]
    pub status: Option<u16>,
    /// Beginning of the answer's body.
    #[serde(default)]
    pub response: String,
    /// Where there was no answer.
    #[serde(default)]
    pub error: Option<String>,
}

impl Noun for Delivery {
    const TABLE: &'static str = "delivery";
}

/// A delivery that waits, under `endpoint/time/event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Due {}

impl Noun for Due {
    const TABLE: &'static str = "due";
}
