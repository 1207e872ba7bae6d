//! The thread that sends: takes what is due, a few messages to each endpoint at once, and
//! remembers what became of them.
//!
//! A process that dies with messages on their way finds them due again: each is delivered at least
//! once, under the same id.

use super::Control;
use super::deliveries::{Sent, is_webhook, place as delivery_place};
use super::outbox::written;
use super::webhooks::place as webhook_place;
use crate::error::Result;
use crate::model::{EventId, NamespaceId};
use crate::store::Store;
use crate::store::catalog::{Delivery, Due, Occurrence, Webhook};
use crate::telemetry::{Kind, Span};
use crate::webhook::{Message, Outcome, retry_after, slows_down};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Messages on their way to one endpoint at most.
const IN_FLIGHT_EACH: usize = 4;
/// To one that has too much to do.
const IN_FLIGHT_SLOW: usize = 1;
const IN_FLIGHT_ALL: usize = 64;
/// An endpoint that has too much to do is left alone for so long, if it does not say how long.
const QUIET: TimeDelta = TimeDelta::seconds(1);
const QUIET_MAX: TimeDelta = TimeDelta::hours(1);
/// The clock on the wall may be set, and somebody may have forgotten to ring.
const LOOK_AGAIN: Duration = Duration::from_secs(20);
const AFTER_AN_ERROR: Duration = Duration::from_secs(5);
/// Messages on their way may still be answered when the engine stops.
const STOP_TIME_MAX: Duration = Duration::from_secs(3);
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// What is on its way, and who is slow.
#[derive(Default)]
struct Flight {
    going: BTreeSet<(String, EventId)>,
    /// Those that had too much to do, until something was delivered again.
    slow: HashMap<String, DateTime<Utc>>,
}

impl Flight {
    fn count(&self, endpoint: &str) -> usize {
        self.going.iter().filter(|(one, _)| one == endpoint).count()
    }

    fn landed(&mut self, sent: &Sent, now: DateTime<Utc>) {
        self.going.remove(&(sent.endpoint.clone(), sent.event.clone()));
        let Outcome::Answered(answer) = &sent.outcome else { return };
        if sent.outcome.delivered() {
            self.slow.remove(&sent.endpoint);
        } else if slows_down(answer.status) {
            let wanted = answer.retry_after.as_deref().and_then(|text| retry_after(text, now));
            let wanted = wanted.and_then(|wanted| TimeDelta::from_std(wanted).ok());
            let until = now + wanted.unwrap_or(QUIET).min(QUIET_MAX);
            self.slow.insert(sent.endpoint.clone(), until);
        }
    }
}

struct Job {
    endpoint: String,
    event: EventId,
    namespace: NamespaceId,
    message: Message,
}

/// Until `stop` says so.
pub(super) async fn work(control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    let mut bell = control.bell();
    let mut flight = Flight::default();
    let mut sends: JoinSet<Sent> = JoinSet::new();
    let mut swept: Option<Duration> = None;
    while !*stop.borrow_and_update() {
        // Before looking, so that nothing that happens meanwhile is missed.
        bell.borrow_and_update();
        let wait = match look(&control, &mut flight, &mut sends, &mut swept) {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!("webhooks: {}", error.chain());
                AFTER_AN_ERROR
            }
        };
        tokio::select! {
            _ = stop.changed() => {}
            _ = bell.changed() => {}
            Some(landed) = sends.join_next(), if !sends.is_empty() => {
                let landed = landed.map_err(|_| ());
                if keep(&control, &mut flight, landed).is_err() {
                    pause(&mut stop, AFTER_AN_ERROR).await;
                }
                while let Some(landed) = sends.try_join_next() {
                    let _ = keep(&control, &mut flight, landed.map_err(|_| ()));
                }
            }
            () = tokio::time::sleep(wait) => {}
        }
    }
    let rest = async {
        while let Some(landed) = sends.join_next().await {
            let _ = keep(&control, &mut flight, landed.map_err(|_| ()));
        }
    };
    // What is not answered by then is sent again by the next process.
    let _ = tokio::time::timeout(STOP_TIME_MAX, rest).await;
}

async fn pause(stop: &mut watch::Receiver<bool>, time: Duration) {
    let _ = tokio::time::timeout(time, stop.changed()).await;
}

/// A send that panicked has told so itself; the process goes on, and it stays due.
fn keep(
    control: &Control,
    flight: &mut Flight,
    landed: std::result::Result<Sent, ()>,
) -> std::result::Result<(), ()> {
    let sent = landed?;
    flight.landed(&sent, control.engine.env.now());
    let result = match &sent.outcome {
        outcome if outcome.delivered() => "delivered",
        Outcome::Answered(_) | Outcome::Failed(_) => "failed",
        Outcome::Refused(_) => "refused",
    };
    metrics::counter!("quarry_webhook_attempts_total", "result" => result).increment(1);
    control.settle(&sent).map_err(|error| {
        tracing::error!("what became of a webhook's message is not kept: {}", error.chain());
    })
}

/// Starts what is due and answers how long there is nothing else to do.
fn look(
    control: &Arc<Control>,
    flight: &mut Flight,
    sends: &mut JoinSet<Sent>,
    swept: &mut Option<Duration>,
) -> Result<Duration> {
    control.expand()?;
    let uptime = control.engine.env.uptime();
    if swept.is_none_or(|at| uptime.saturating_sub(at) >= SWEEP_EVERY) {
        *swept = Some(uptime);
        let long_ago = control.engine.env.now() - QUIET_MAX;
        flight.slow.retain(|_, until| *until > long_ago);
        control.sweep()?;
    }
    let (jobs, wait) = pick(control, flight)?;
    for job in jobs {
        let control = control.clone();
        sends.spawn(send(control, job));
    }
    Ok(wait)
}

async fn send(control: Arc<Control>, job: Job) -> Sent {
    let mut span = Span::new("webhook delivery", Kind::Client, None);
    let at = control.now();
    let began = control.engine.env.uptime();
    let outcome = control.outbound().client.send(job.message).await;
    let took = control.engine.env.uptime().saturating_sub(began);
    let Job { endpoint, event, namespace, .. } = job;
    if span.is_told() {
        span.set("quarry.webhook", endpoint.as_str());
        span.set("quarry.event.id", event.as_str());
        match &outcome {
            Outcome::Answered(answer) => span.set("http.response.status_code", answer.status),
            Outcome::Failed(_) => span.set("error.type", "failed"),
            Outcome::Refused(_) => span.set("error.type", "refused"),
        }
        match &outcome {
            outcome if outcome.delivered() => {}
            Outcome::Answered(answer) => span.fail(format!("answered {}", answer.status)),
            Outcome::Failed(why) | Outcome::Refused(why) => span.fail(why.as_str()),
        }
    }
    Sent { endpoint, event, namespace, at, took, outcome }
}

fn pick(control: &Control, flight: &mut Flight) -> Result<(Vec<Job>, Duration)> {
    let store = &control.engine.store;
    let now = control.engine.env.now();
    let now_text = written(now);
    let mut wait = LOOK_AGAIN;
    let mut sooner = |at: DateTime<Utc>| {
        wait = wait.min((at - now).to_std().unwrap_or_default());
    };
    let mut jobs = Vec::new();
    let mut after: Option<String> = None;
    // One endpoint after the other: the first of each, then all that is before the next one.
    while let Some((first, _)) = store.each::<Due>("", after.as_deref()).next().transpose()? {
        let endpoint = first.split('/').next().unwrap_or(&first).to_string();
        after = Some(format!("{endpoint}/~"));
        let quiet_until = flight.slow.get(&endpoint).copied();
        if let Some(until) = quiet_until.filter(|until| *until > now) {
            sooner(until);
            continue;
        }
        let each = if quiet_until.is_some() { IN_FLIGHT_SLOW } else { IN_FLIGHT_EACH };
        let mut room = each.saturating_sub(flight.count(&endpoint));
        for entry in store.each::<Due>(&format!("{endpoint}/"), None) {
            let (key, _) = entry?;
            let mut parts = key.split('/').skip(1);
            let (Some(at), Some(event)) = (parts.next(), parts.next()) else { continue };
            let event = EventId::parse(event)?;
            if flight.going.contains(&(endpoint.clone(), event.clone())) {
                continue;
            }
            if at > now_text.as_str() {
                if let Ok(at) = DateTime::parse_from_rfc3339(at) {
                    sooner(at.to_utc());
                }
                break;
            }
            if room == 0 || flight.going.len() >= IN_FLIGHT_ALL {
                break;
            }
            match prepare(control, &endpoint, &event, &key)? {
                Prepared::Send(job) => {
                    flight.going.insert((endpoint.clone(), event));
                    jobs.push(*job);
                    room -= 1;
                }
                Prepared::Nothing => {}
                Prepared::NobodyListens(namespace) => {
                    control.cancel_deliveries(&endpoint, &namespace)?;
                    break;
                }
            }
        }
    }
    Ok((jobs, wait))
}

enum Prepared {
    Send(Box<Job>),
    /// It is gone meanwhile.
    Nothing,
    NobodyListens(NamespaceId),
}

fn prepare(control: &Control, endpoint: &str, event: &EventId, key: &str) -> Result<Prepared> {
    let store = &control.engine.store;
    let delivery = store.find::<Delivery>(&delivery_place(endpoint, event))?;
    let Some(delivery) = delivery else {
        store.commit(vec![Store::remove::<Due>(key)])?;
        return Ok(Prepared::Nothing);
    };
    let webhook = match is_webhook(endpoint) {
        true => store.find::<Webhook>(&webhook_place(&delivery.namespace, endpoint))?,
        false => None,
    };
    let url = match (&webhook, &delivery.url) {
        (Some(webhook), _) if webhook.active => webhook.url.clone(),
        (None, Some(url)) => url.clone(),
        _ => return Ok(Prepared::NobodyListens(delivery.namespace)),
    };
    let Some(occurrence) = store.find::<Occurrence>(&delivery.occurrence)? else {
        // Forgotten: there is nothing left to tell.
        let gone = Outcome::Refused("what happened is not remembered any more".to_string());
        control.settle(&Sent {
            endpoint: endpoint.to_string(),
            event: event.clone(),
            namespace: delivery.namespace,
            at: control.now(),
            took: Duration::ZERO,
            outcome: gone,
        })?;
        return Ok(Prepared::Nothing);
    };
    let message = control.message(webhook.as_ref(), &url, &occurrence)?;
    Ok(Prepared::Send(Box::new(Job {
        endpoint: endpoint.to_string(),
        event: event.clone(),
        namespace: delivery.namespace,
        message,
    })))
}
