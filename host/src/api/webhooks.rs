//! `/v1/organizations/webhooks`.

use super::call::Call;
use super::listing::{Pagination, Paging, Wanted};
use super::operation::{NoQuery, Table};
use crate::control::WebhookDraft;
use crate::error::{Code, Error, Result};
use crate::model::{EVENT_KINDS, EVERY_EVENT, FOREIGN_EVENT_KINDS, NamespaceId, Scope};
use crate::store::catalog::{Webhook, WebhookHealth};
use crate::webhook::SECRET_PREFIX;
use axum::http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is said instead of a secret, and may be sent back.
const REDACTED: &str = "redacted";
const TIMEOUT_S: f64 = 10.0;

pub(super) fn declare(table: &mut Table) {
    table.tag("webhooks");
    let all = "/v1/organizations/webhooks";
    let one = "/v1/organizations/webhooks/{identifier}";
    table.post(all, "create_webhook_organizations", "Create a webhook", create).scope(Scope::Admin);
    table
        .post(
            "/v1/organizations/webhooks/list",
            "list_webhooks_organizations",
            "List webhooks",
            list,
        )
        .scope(Scope::Admin);
    table.get(one, "get_webhook_organizations", "Read a webhook", get).scope(Scope::Admin);
    table
        .put(one, "update_webhook_organizations", "Replace a webhook's settings", update)
        .scope(Scope::Admin);
    table
        .delete(one, "delete_webhook_organizations", "Delete a webhook", delete)
        .scope(Scope::Admin);
    super::deliveries::declare(table);
}

/// A kind of event, or `*` for all. Some are those of other engines: they never happen here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct WebhookEventType(String);

impl JsonSchema for WebhookEventType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WebhookEventType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let kinds: Vec<&str> = [EVENT_KINDS, FOREIGN_EVENT_KINDS, &[EVERY_EVENT]].concat();
        schemars::json_schema!({ "type": "string", "enum": kinds })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum NotificationChannel {
    Webhook,
    /// Not in this engine.
    Email,
    /// Not in this engine.
    Slack,
}

/// Where messages go.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend(
    "if" = { "properties": { "channel": { "const": "webhook" } } },
    "then" = { "properties": { "configs": { "$ref": "#/components/schemas/WebhookConfig" } } }
))]
struct WebhookChannel {
    channel: NotificationChannel,
    configs: ChannelConfigs,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum ChannelConfigs {
    Webhook(WebhookConfig),
    #[allow(dead_code, reason = "no other channel is there")]
    Other(Map<String, Value>),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct WebhookConfig {
    /// https, and an address of the internet, unless whoever runs the server allowed others.
    #[schemars(length(min = 1, max = 2_048), extend("pattern" = "^[hH][tT][tT][pP][sS]?://[^/]"))]
    url: String,
    /// Sent with every message.
    #[schemars(extend("maxProperties" = 16))]
    headers: Option<BTreeMap<String, String>>,
    /// Seconds from connecting to the end of the answer (10).
    #[schemars(range(min = 0.1, max = 30))]
    timeout: Option<f64>,
    /// `whsec_…` replaces the secret of the webhook-signature header. Any other text adds the
    /// header X-Mixpeek-Signature: `t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.` and the body;
    /// an empty one removes it. `redacted` changes nothing.
    #[schemars(length(max = 256))]
    signing_secret: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct WebhookInput {
    /// As a read gave it: ids are not chosen.
    webhook_id: Option<String>,
    /// Unique in the namespace.
    #[schemars(length(min = 1, max = 200))]
    webhook_name: String,
    #[schemars(length(min = 1, max = 100))]
    event_types: Vec<WebhookEventType>,
    /// Only events whose kind begins with one of these words.
    #[schemars(length(max = 50), inner(regex(pattern = "^[a-z_]{1,64}$")))]
    resource_types: Option<Vec<String>>,
    /// Only events about these buckets, collections, batches, …
    #[schemars(length(max = 100), inner(regex(pattern = "^[A-Za-z0-9_-]{1,128}$")))]
    resource_ids: Option<Vec<String>>,
    /// Ids or names: listen there, not only where the webhook is.
    #[schemars(length(max = 100))]
    namespaces: Option<Vec<String>>,
    /// One; make a webhook for each URL.
    #[schemars(length(min = 1, max = 10))]
    channels: Vec<WebhookChannel>,
    is_active: Option<bool>,
    /// What a read gave may be sent back; it changes nothing.
    #[allow(dead_code, reason = "read-only part of the API")]
    delivery_health: Option<Map<String, Value>>,
    #[allow(dead_code, reason = "read-only part of the API")]
    created_at: Option<String>,
    #[allow(dead_code, reason = "read-only part of the API")]
    updated_at: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct WebhookOutput {
    webhook_id: String,
    webhook_name: String,
    event_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_ids: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    namespaces: Vec<String>,
    channels: Vec<WebhookChannelOutput>,
    is_active: bool,
    delivery_health: DeliveryHealth,
    created_at: String,
    updated_at: String,
    /// Of Standard Webhooks; only in the answers that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct WebhookChannelOutput {
    channel: NotificationChannel,
    configs: WebhookConfigOutput,
}

#[derive(Serialize, JsonSchema)]
struct WebhookConfigOutput {
    url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    timeout: f64,
    signing_secret: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct DeliveryHealth {
    /// `healthy`, `failing` since the last attempt, or `paused` by the engine.
    status: &'static str,
    /// Attempts since the last one that succeeded.
    consecutive_failures: u64,
    first_failure_at: Option<String>,
    last_failure_at: Option<String>,
    last_failure_cause: Option<String>,
    last_success_at: Option<String>,
    paused_at: Option<String>,
    paused_reason: Option<String>,
}

impl From<WebhookHealth> for DeliveryHealth {
    fn from(health: WebhookHealth) -> DeliveryHealth {
        let status = match (&health.paused_at, health.consecutive_failures) {
            (Some(_), _) => "paused",
            (None, 0) => "healthy",
            (None, _) => "failing",
        };
        DeliveryHealth {
            status,
            consecutive_failures: health.consecutive_failures,
            first_failure_at: health.first_failure_at,
            last_failure_at: health.last_failure_at,
            last_failure_cause: health.last_failure_cause,
            last_success_at: health.last_success_at,
            paused_at: health.paused_at,
            paused_reason: health.paused_reason,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct ListWebhooksRequest {
    /// Those that ask for this kind of event.
    event_type: Option<String>,
    is_active: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct WebhookList {
    results: Vec<WebhookOutput>,
    pagination: Pagination,
    total: u64,
}

pub(super) fn model(call: &Call, webhook: Webhook, with_secret: bool) -> Result<WebhookOutput> {
    let health = call.control.webhook_health(&webhook)?;
    let newest = webhook.secrets.last().filter(|_| with_secret);
    let secret = newest.map(|secret| secret.secret.clone());
    Ok(WebhookOutput {
        webhook_id: webhook.id.to_string(),
        webhook_name: webhook.name,
        event_types: webhook.event_types,
        resource_types: Some(webhook.resource_types).filter(|types| !types.is_empty()),
        resource_ids: webhook.resource_ids,
        namespaces: webhook.namespaces.iter().map(NamespaceId::to_string).collect(),
        channels: vec![WebhookChannelOutput {
            channel: NotificationChannel::Webhook,
            configs: WebhookConfigOutput {
                url: webhook.url,
                headers: webhook.headers,
                timeout: webhook.timeout_ms as f64 / 1_000.0,
                signing_secret: REDACTED,
            },
        }],
        is_active: webhook.active,
        delivery_health: health.into(),
        created_at: webhook.created_at,
        updated_at: webhook.updated_at,
        secret,
    })
}

/// The one channel that this engine has.
fn config(channels: Vec<WebhookChannel>) -> Result<WebhookConfig> {
    let unsupported =
        |message: &str, field: String| Error::new(Code::Unsupported, message).field(field);
    let hint = "name a URL in a channel `webhook`: what listens there can pass messages on";
    let mut found = None;
    for (at, channel) in channels.into_iter().enumerate() {
        let field = format!("/channels/{at}");
        match (channel.channel, channel.configs) {
            (NotificationChannel::Webhook, ChannelConfigs::Webhook(_)) if found.is_some() => {
                return Err(unsupported("a webhook has one channel", field)
                    .hint("make one webhook for each URL"));
            }
            (NotificationChannel::Webhook, ChannelConfigs::Webhook(config)) => {
                found = Some(config);
            }
            (NotificationChannel::Webhook, ChannelConfigs::Other(_)) => {
                return Err(Error::invalid("a webhook needs a URL").field(field + "/configs"));
            }
            (NotificationChannel::Email | NotificationChannel::Slack, _) => {
                let message = "this engine has no such channel";
                return Err(unsupported(message, field + "/channel").hint(hint));
            }
        }
    }
    found.ok_or_else(|| Error::invalid("a webhook needs a channel").field("/channels"))
}

fn check_headers(headers: &BTreeMap<String, String>) -> Result<()> {
    const OWN: [&str; 9] = [
        "host",
        "connection",
        "content-length",
        "content-type",
        "transfer-encoding",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "x-mixpeek-signature",
    ];
    for (name, value) in headers {
        let fits = HeaderName::from_bytes(name.as_bytes()).is_ok()
            && HeaderValue::from_str(value).is_ok()
            && name.len() <= 128
            && value.len() <= 512;
        if !fits || OWN.contains(&name.to_ascii_lowercase().as_str()) {
            let message = format!("`{name}` can not be sent as a header");
            return Err(Error::invalid(message)
                .field("/channels/0/configs/headers")
                .hint("visible ASCII, and not one that every message has"));
        }
    }
    Ok(())
}

fn draft(call: &Call, body: WebhookInput) -> Result<WebhookDraft> {
    let config = config(body.channels)?;
    let headers = config.headers.unwrap_or_default();
    check_headers(&headers)?;
    let (mut secret, mut shared_secret) = (None, None);
    match config.signing_secret {
        Some(given) if given == REDACTED => {}
        Some(given) if given.starts_with(SECRET_PREFIX) => {
            let field = "/channels/0/configs/signing_secret";
            crate::webhook::Secret::parse(&given).map_err(|error| error.field(field))?;
            secret = Some(given);
        }
        other => shared_secret = other,
    }
    let mut namespaces = Vec::new();
    for (at, identifier) in body.namespaces.unwrap_or_default().iter().enumerate() {
        let found = call.namespace_named(identifier);
        namespaces.push(found.map_err(|error| error.field(format!("/namespaces/{at}")))?.id);
    }
    Ok(WebhookDraft {
        name: body.webhook_name,
        namespaces,
        event_types: body.event_types.into_iter().map(|kind| kind.0).collect(),
        resource_types: body.resource_types.unwrap_or_default(),
        resource_ids: body.resource_ids.unwrap_or_default(),
        url: config.url,
        headers,
        timeout_ms: (config.timeout.unwrap_or(TIMEOUT_S) * 1_000.0) as u64,
        secret,
        shared_secret,
        active: body.is_active.unwrap_or(true),
    })
}

fn create(call: &Call, _: NoQuery, body: WebhookInput) -> Result<WebhookOutput> {
    if body.webhook_id.is_some() {
        return Err(Error::new(Code::Unsupported, "the id of a webhook is not chosen")
            .field("/webhook_id")
            .hint("leave it out"));
    }
    let webhook = call.control.create_webhook(&call.namespace()?, draft(call, body)?)?;
    model(call, webhook, true)
}

fn get(call: &Call, _: NoQuery) -> Result<WebhookOutput> {
    let webhook = call.control.webhook(&call.namespace()?, call.path("identifier"))?;
    model(call, webhook, false)
}

fn update(call: &Call, _: NoQuery, body: WebhookInput) -> Result<WebhookOutput> {
    let namespace = call.namespace()?;
    let known = call.control.webhook(&namespace, call.path("identifier"))?;
    if body.webhook_id.as_deref().is_some_and(|id| id != known.id.as_str()) {
        return Err(Error::invalid("the body is about another webhook").field("/webhook_id"));
    }
    let draft = draft(call, body)?;
    let webhook = call.control.change_webhook(&namespace, known.id.as_str(), draft)?;
    model(call, webhook, false)
}

fn delete(call: &Call, _: NoQuery, (): ()) -> Result<()> {
    call.control.delete_webhook(&call.namespace()?, call.path("identifier")).map(|_| ())
}

fn list(call: &Call, query: Paging, body: Option<ListWebhooksRequest>) -> Result<WebhookList> {
    let wanted = Wanted::new(&query, None)?;
    let mut all = call.control.webhooks(&call.namespace()?)?;
    if let Some(ListWebhooksRequest { event_type, is_active }) = body {
        all.retain(|webhook| {
            is_active.is_none_or(|active| webhook.active == active)
                && event_type.as_ref().is_none_or(|kind| webhook.event_types.contains(kind))
        });
    }
    let all: Vec<WebhookOutput> =
        all.into_iter().map(|webhook| model(call, webhook, false)).collect::<Result<_>>()?;
    let listed = wanted.page(all, |webhook| &webhook.webhook_id)?;
    Ok(WebhookList { results: listed.items, pagination: listed.pagination, total: listed.total })
}
