//! Requests with an Idempotency-Key: equal ones are done once, and all of them get the answer.
//!
//! The first one works; equal ones that come meanwhile wait for it without holding a thread, and
//! later ones get the answer that was kept for a day. The record of a request is committed together
//! with the first thing that it changes ([`crate::store::Store::accompanied`]), and again with the
//! answer. So a process that dies between the two leaves a record without an answer: the request
//! was done, and a repetition is told so (409) instead of doing it twice.

use super::{Api, Request, Response};
use crate::control::Caller;
use crate::error::{Code, Context, Error, Result};
use crate::store::catalog::{Replay, ReplayAnswer, ReplayBody, ReplayEnd};
use crate::store::{Op, Store};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{SecondsFormat, TimeDelta};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

const KEPT: TimeDelta = TimeDelta::hours(24);
const KEY_BYTES_MAX: usize = 255;
/// Larger bodies become objects: a record has 64 KiB, and base64 adds a third.
const INLINE_BYTES_MAX: usize = 45 << 10;
/// Old records that are forgotten with each new one.
const FORGOTTEN_AT_ONCE: usize = 32;
/// Headers that belong to an answer and not to its way.
const HEADERS: [&str; 2] = ["content-type", "location"];
const REPLAYED: (&str, &str) = ("idempotency-replayed", "true");

/// Requests that are being worked on, by their place.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<String, Flight>>);

struct Flight {
    fingerprint: String,
    news: watch::Receiver<News>,
}

#[derive(Clone)]
enum News {
    None,
    Answer(Arc<Response>),
}

/// An equal request is being worked on.
pub struct Waiting(watch::Receiver<News>);

impl Waiting {
    /// Its answer; `None` when there is none that counts, and the request has to begin again.
    pub async fn answer(mut self) -> Option<Response> {
        let news = self.0.wait_for(|news| !matches!(news, News::None)).await.ok()?;
        match &*news {
            News::Answer(response) => Some(replayed(response.as_ref().clone())),
            News::None => None,
        }
    }
}

pub(super) enum Claim<'a> {
    /// It is ours to do.
    First(Ticket<'a>),
    Wait(Waiting),
    Answer(Response),
}

/// The right to do a request. Dropped without an answer it lets the next one try.
pub(super) struct Ticket<'a> {
    flights: &'a Flights,
    place: String,
    fingerprint: String,
    at: String,
    tell: watch::Sender<News>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}

impl Ticket<'_> {
    fn tell(&self, response: &Response) {
        self.tell.send_replace(News::Answer(Arc::new(response.clone())));
    }

    fn end(&self) -> String {
        format!("{}/{}", self.at, self.place)
    }

    fn record(&self, answer: Option<ReplayAnswer>) -> Result<Vec<Op>> {
        let (fingerprint, at) = (self.fingerprint.clone(), self.at.clone());
        let end = ReplayEnd { replay: self.place.clone() };
        Ok(vec![
            Store::put(&self.place, &Replay { fingerprint, at, answer })?,
            Store::put(&self.end(), &end)?,
        ])
    }

    /// What is committed with the effect.
    pub(super) fn begun(&self) -> Result<Vec<Op>> {
        self.record(None)
    }

    fn removal(&self) -> Vec<Op> {
        vec![Store::remove::<Replay>(&self.place), Store::remove::<ReplayEnd>(&self.end())]
    }
}

fn replayed(mut response: Response) -> Response {
    response.headers.push((REPLAYED.0, REPLAYED.1.to_string()));
    response
}

/// With or without the quotes of a structured field.
fn key_of(given: &str) -> Result<&str> {
    let quoted = given.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let key = quoted.unwrap_or(given);
    let fits = (1..=KEY_BYTES_MAX).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    match fits {
        true => Ok(key),
        false => Err(Error::invalid("the Idempotency-Key does not fit")
            .field("Idempotency-Key")
            .hint(format!("1 to {KEY_BYTES_MAX} visible characters, such as a UUID"))),
    }
}

fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex().to_string()
}

/// Whether an answer is one that repeating would not change.
fn counts(status: u16) -> bool {
    status < 500 && !matches!(status, 401 | 403 | 429)
}

impl Api {
    pub(super) fn claim(
        &self,
        caller: &Caller,
        request: &Request,
        given: &str,
    ) -> Result<Claim<'_>> {
        let key = key_of(given)?;
        let who = caller.key.as_ref().map_or("", |key| key.as_str());
        let (method, path) = (request.method.as_bytes(), request.path.as_bytes());
        let place = hash(&[who.as_bytes(), method, path, key.as_bytes()]);
        let namespace = request.namespace.as_deref().unwrap_or_default().as_bytes();
        let query = request.query.as_bytes();
        let fingerprint = hash(&[method, path, query, namespace, &request.body]);
        let other = || {
            Error::invalid("the Idempotency-Key was used for another request")
                .field("Idempotency-Key")
                .hint("a new request needs a new key")
        };
        let (tell, news) = watch::channel(News::None);
        {
            let mut flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(flight) = flights.get(&place) {
                return match flight.fingerprint == fingerprint {
                    true => Ok(Claim::Wait(Waiting(flight.news.clone()))),
                    false => Err(other()),
                };
            }
            let flight = Flight { fingerprint: fingerprint.clone(), news };
            flights.insert(place.clone(), flight);
        }
        let env = &self.control.engine.env;
        let (at, flights) = (env.timestamp(), &self.flights);
        // From here on the place is ours: a record that is there now is not about to change.
        let ticket = Ticket { flights, place, fingerprint, at, tell };
        let store = &self.control.engine.store;
        let known: Option<Replay> = store.find(&ticket.place)?;
        let Some(known) = known.filter(|known| known.at > self.forgotten_before()) else {
            return Ok(Claim::First(ticket));
        };
        if known.fingerprint != ticket.fingerprint {
            return Err(other());
        }
        let response = self.stored(known)?;
        ticket.tell(&response);
        Ok(Claim::Answer(replayed(response)))
    }

    fn forgotten_before(&self) -> String {
        let then = self.control.engine.env.now() - KEPT;
        then.to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    fn stored(&self, known: Replay) -> Result<Response> {
        let Some(answer) = known.answer else {
            let message = "this request was done, but the engine stopped before it could answer";
            return Err(Error::new(Code::Conflict, message)
                .hint("look at what is there; to do it once more, send it with another key"));
        };
        let corrupt = || "a kept answer can not be read".to_string();
        let body = match answer.body {
            ReplayBody::Inline(text) => STANDARD.decode(text).context(Code::Corrupt, corrupt)?,
            ReplayBody::Stored(name) => self.control.engine.artifacts.get(&name)?.to_vec(),
            ReplayBody::Withheld => {
                let message = "this request was done, and its answer showed a secret";
                return Err(Error::new(Code::Conflict, message)
                    .hint("a secret is shown once; rotate it to get another"));
            }
        };
        let known = |name: &str| HEADERS.into_iter().find(|known| *known == name);
        let headers = answer.headers.into_iter();
        let headers = headers.filter_map(|(name, value)| Some((known(&name)?, value))).collect();
        Ok(Response { status: answer.status, headers, body })
    }

    /// Keeps the answer and wakes those who wait for it. `began`: the record of the request is
    /// there already.
    pub(super) fn land(&self, ticket: &Ticket, response: &Response, secret: bool, began: bool) {
        if !counts(response.status) {
            // Whoever waits begins again, and one of them does it.
            if began && let Err(error) = self.control.engine.store.commit(ticket.removal()) {
                tracing::warn!("can not forget a request: {}", error.chain());
            }
            return;
        }
        // What was done is done: a lost record must not make it a failure.
        if let Err(error) = self.keep(ticket, response, secret) {
            tracing::warn!("can not keep an answer: {}", error.chain());
        }
        ticket.tell(response);
    }

    fn keep(&self, ticket: &Ticket, response: &Response, secret: bool) -> Result<()> {
        let body = match () {
            () if secret && response.status < 300 => ReplayBody::Withheld,
            () if response.body.len() <= INLINE_BYTES_MAX => {
                ReplayBody::Inline(STANDARD.encode(&response.body))
            }
            () => {
                let name = object_name(&ticket.place);
                let bytes = bytes::Bytes::from(response.body.clone());
                self.control.engine.artifacts.put(&name, bytes)?;
                ReplayBody::Stored(name)
            }
        };
        let kept = |(name, _): &&(&'static str, String)| HEADERS.contains(name);
        let headers = response.headers.iter().filter(kept);
        let headers = headers.map(|(name, value)| (name.to_string(), value.clone())).collect();
        let answer = ReplayAnswer { status: response.status, headers, body };
        let mut ops = ticket.record(Some(answer))?;
        ops.extend(self.forgotten()?);
        self.control.engine.store.commit(ops)
    }

    /// What is old enough to go.
    fn forgotten(&self) -> Result<Vec<Op>> {
        let (store, before) = (&self.control.engine.store, self.forgotten_before());
        let mut ops = Vec::new();
        for entry in store.each::<ReplayEnd>("", None).take(FORGOTTEN_AT_ONCE) {
            let (end, ReplayEnd { replay }) = entry?;
            if end.as_str() >= before.as_str() {
                break;
            }
            ops.push(Store::remove::<ReplayEnd>(&end));
            let Some(known) = store.find::<Replay>(&replay)? else { continue };
            // The key may have been used again since.
            if known.at >= before {
                continue;
            }
            if let Some(ReplayAnswer { body: ReplayBody::Stored(name), .. }) = known.answer {
                self.control.engine.artifacts.delete(&name)?;
            }
            ops.push(Store::remove::<Replay>(&replay));
        }
        Ok(ops)
    }
}

/// No namespace has a name that begins so.
fn object_name(place: &str) -> String {
    format!("_replays/{place}")
}
