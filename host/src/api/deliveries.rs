//! What webhooks were told: the log, tests, replays, secrets.

use super::call::Call;
use super::listing::{Pagination, Paging, Wanted};
use super::operation::{NoQuery, Table};
use super::webhooks::{WebhookOutput, model};
use crate::control::WebhookReplay as Replayed;
use crate::error::{Error, Result};
use crate::model::{EventId, Scope};
use crate::store::catalog::{Attempt, Delivery, DeliveryStatus};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const OLD_VALID_S: i64 = 24 * 3600;

pub(super) fn declare(table: &mut Table) {
    table
        .post(
            "/v1/organizations/webhooks/{identifier}/test",
            "test_webhook",
            "Send one message now and see what comes back",
            test,
        )
        .scope(Scope::Admin);
    table
        .post(
            "/v1/organizations/webhooks/{identifier}/replay",
            "replay_webhook",
            "Tell again what has happened since then",
            replay,
        )
        .scope(Scope::Admin);
    table
        .post(
            "/v1/organizations/webhooks/{identifier}/rotate-secret",
            "rotate_webhook_secret",
            "Sign with a new secret and for a while with the old one, too",
            rotate,
        )
        .scope(Scope::Admin);
    table
        .get(
            "/v1/organizations/webhooks/{identifier}/deliveries",
            "list_webhook_deliveries",
            "List what was sent and what came back, oldest first",
            deliveries,
        )
        .scope(Scope::Admin);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DeliveryState {
    /// Waits for its next attempt.
    Pending,
    Delivered,
    /// Every attempt failed.
    Failed,
    /// The webhook was switched off before.
    Canceled,
}

impl From<DeliveryStatus> for DeliveryState {
    fn from(status: DeliveryStatus) -> DeliveryState {
        match status {
            DeliveryStatus::Pending => DeliveryState::Pending,
            DeliveryStatus::Delivered => DeliveryState::Delivered,
            DeliveryStatus::Failed => DeliveryState::Failed,
            DeliveryStatus::Canceled => DeliveryState::Canceled,
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct DeliveryModel {
    /// The webhook-id header of every attempt.
    event_id: String,
    event_type: String,
    /// What it happened to.
    subject: String,
    /// Its place among all that happened to the subject, from 1 without gaps.
    sequence: u64,
    status: DeliveryState,
    attempt_count: u32,
    /// The last 20.
    attempts: Vec<DeliveryAttempt>,
    next_attempt_at: Option<String>,
    created_at: String,
    ended_at: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct DeliveryAttempt {
    at: String,
    duration_ms: u64,
    /// HTTP status, if there was an answer.
    status: Option<u16>,
    /// The first KiB of the answer's body.
    response: String,
    error: Option<String>,
}

impl From<Attempt> for DeliveryAttempt {
    fn from(attempt: Attempt) -> DeliveryAttempt {
        let Attempt { at, duration_ms, status, response, error } = attempt;
        DeliveryAttempt { at, duration_ms, status, response, error }
    }
}

impl From<Delivery> for DeliveryModel {
    fn from(delivery: Delivery) -> DeliveryModel {
        DeliveryModel {
            event_id: delivery.event.to_string(),
            event_type: delivery.kind,
            subject: delivery.subject,
            sequence: delivery.sequence,
            status: delivery.status.into(),
            attempt_count: delivery.attempts_total,
            attempts: delivery.attempts.into_iter().map(DeliveryAttempt::from).collect(),
            next_attempt_at: delivery.next_at,
            created_at: delivery.created_at,
            ended_at: delivery.ended_at,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct DeliveriesQuery {
    #[serde(flatten)]
    paging: Paging,
    status: Option<DeliveryState>,
    /// Events since then.
    #[schemars(extend("format" = "date-time"))]
    since: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct DeliveryList {
    results: Vec<DeliveryModel>,
    pagination: Pagination,
}

#[derive(Deserialize, JsonSchema)]
struct ReplayWebhook {
    /// Events from then on, this moment included.
    #[schemars(extend("format" = "date-time"))]
    since: String,
    #[schemars(extend("format" = "date-time"))]
    until: Option<String>,
    /// Leave out what was delivered.
    only_failed: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct WebhookReplay {
    /// Deliveries that wait now.
    scheduled: u64,
    /// There are more events than one call replays: call again with a later `since`.
    more: bool,
}

#[derive(Deserialize, JsonSchema)]
struct RotateSecret {
    /// `whsec_` and the base64 of 24 to 64 bytes; one is made if absent.
    #[schemars(length(max = 256))]
    secret: Option<String>,
    /// How long the old one signs, too (a day).
    #[schemars(range(min = 0, max = 2_592_000))]
    old_valid_seconds: Option<i64>,
}

/// What came back from one message.
#[derive(Serialize, JsonSchema)]
struct WebhookTrial {
    event_id: String,
    /// The receiver answered with a status of success.
    delivered: bool,
    attempt: DeliveryAttempt,
}

/// As the engine writes times, so that texts compare.
fn moment(text: &str, field: &str) -> Result<DateTime<Utc>> {
    let read = DateTime::parse_from_rfc3339(text);
    read.map(|at| at.to_utc()).map_err(|error| {
        Error::invalid("it is not a time")
            .field(field)
            .hint("ISO 8601 with an offset")
            .source(error)
    })
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn test(call: &Call, _: NoQuery, (): ()) -> Result<WebhookTrial> {
    let trial = call.control.test_webhook(&call.namespace()?, call.path("identifier"))?;
    Ok(WebhookTrial {
        event_id: trial.event.to_string(),
        delivered: trial.delivered,
        attempt: trial.attempt.into(),
    })
}

fn replay(call: &Call, _: NoQuery, body: ReplayWebhook) -> Result<WebhookReplay> {
    let replay = Replayed {
        since: written(moment(&body.since, "/since")?),
        until: body.until.map(|until| moment(&until, "/until").map(written)).transpose()?,
        only_failed: body.only_failed.unwrap_or(false),
    };
    let replayed = call.control.replay(&call.namespace()?, call.path("identifier"), &replay)?;
    Ok(WebhookReplay { scheduled: replayed.deliveries, more: replayed.more })
}

fn rotate(call: &Call, _: NoQuery, body: Option<RotateSecret>) -> Result<WebhookOutput> {
    let body = body.unwrap_or(RotateSecret { secret: None, old_valid_seconds: None });
    let old_valid = TimeDelta::seconds(body.old_valid_seconds.unwrap_or(OLD_VALID_S));
    let namespace = call.namespace()?;
    let identifier = call.path("identifier");
    let secret = body.secret.as_deref();
    let webhook = call.control.rotate_webhook_secret(&namespace, identifier, secret, old_valid)?;
    model(call, webhook, true)
}

fn deliveries(call: &Call, query: DeliveriesQuery) -> Result<DeliveryList> {
    let wanted = Wanted::new(&query.paging, None)?;
    let webhook = call.control.webhook(&call.namespace()?, call.path("identifier"))?;
    let since = query.since.map(|since| moment(&since, "/since")).transpose()?;
    // Ids begin with the millisecond they were made in.
    let first = since.map(|since| {
        let millisecond = u64::try_from(since.timestamp_millis()).unwrap_or(0);
        format!("{}{millisecond:012x}", EventId::PREFIX)
    });
    let after = wanted.after.clone().max(first);
    let fits = |delivery: &Delivery| {
        query.status.is_none_or(|status| DeliveryState::from(delivery.status) == status)
    };
    let skipped = if wanted.after.is_some() { 0 } else { wanted.offset as usize };
    let mut results: Vec<DeliveryModel> = Vec::new();
    let mut more = false;
    let found = call.control.deliveries(&webhook, after.as_deref());
    let found = found.filter(|entry| entry.as_ref().map_or(true, &fits));
    for delivery in found.skip(skipped) {
        let delivery = delivery?;
        if results.len() as u64 == wanted.limit {
            more = true;
            break;
        }
        results.push(delivery.into());
    }
    let next = results.last().filter(|_| more).map(|last| last.event_id.clone());
    Ok(DeliveryList { pagination: wanted.pagination(None, next.as_deref()), results })
}
