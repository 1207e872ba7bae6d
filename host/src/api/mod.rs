//! REST: every operation is declared once, and router, checks, description (`/openapi.json`) and
//! command line are made from that.
//!
//! A request goes through [`Api::begin`]: find the operation, who asks, how often; an equal request
//! with the same Idempotency-Key that is known or being worked on; parse and check query and body
//! against the schema, call it, encode. Operations block and run on threads of their own; only
//! `server` is asynchronous.

mod batches;
mod buckets;
mod call;
mod collections;
mod connections;
mod deliveries;
mod documents;
mod exchange;
mod extractors;
mod failure;
mod filters;
mod idempotency;
mod keys;
mod listing;
mod live;
mod metrics;
mod namespaces;
mod objects;
mod openapi;
mod operation;
mod origin;
mod pipelines;
mod rate;
mod schedules;
mod schema;
mod search;
mod server;
mod stream;
mod system;
mod tasks;
mod uploads;
mod webhooks;

pub use exchange::{Request, Response};
pub use idempotency::Waiting;
pub use openapi::{Shape, description, operations};
pub use rate::Rate;
pub use server::{Ended, Server, ServerSettings};

use crate::control::{Caller, Control};
use crate::error::{Code, Error, Result};
use crate::model::Scope;
use axum::http::Method;
use call::Call;
use exchange::{encode, matches, percent_decode};
use idempotency::{Claim, Flights};
use operation::{Handler, Operation, Plainly, Table};
use schema::Definitions;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use subtle::ConstantTimeEq;

/// The whole API over one engine.
pub struct Api {
    control: Arc<Control>,
    operations: Vec<Operation>,
    definitions: Definitions,
    /// Path templates to the operations of their methods.
    router: matchit::Router<BTreeMap<String, usize>>,
    settings: Settings,
    rates: rate::Rates,
    flights: Flights,
    probes: system::Probes,
    description: OnceLock<Value>,
}

/// What answers depend on besides the engine.
#[derive(Clone, Default)]
pub struct Settings {
    /// Ask for a key even while there is none.
    pub keys_required: bool,
    /// Whoever shows this is the operator, who needs no key: commands that may read the data
    /// directory anyway.
    pub operator: Option<String>,
    /// Of each key; no limit if absent.
    pub rate: Option<Rate>,
}

/// What became of a request.
pub enum Begun {
    Answered(Response),
    /// An equal one is being worked on, and its answer is the answer to this one.
    Elsewhere(Waiting),
}

/// An operation, and the parts of the path by their names.
type Route<'a> = (&'a Operation, Vec<(String, String)>);

/// An operation that somebody may call.
struct Admitted<'a> {
    operation: &'a Operation,
    path: Vec<(String, String)>,
    caller: Caller,
}

/// What goes wrong with a request, with all places where it does.
struct Failed {
    error: Error,
    errors: Vec<Value>,
    headers: Vec<(&'static str, String)>,
    /// Where it is not the one of the error's code.
    status: Option<u16>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed { error, errors: Vec::new(), headers: Vec::new(), status: None }
    }
}

impl From<(Error, Vec<Value>)> for Failed {
    fn from((error, errors): (Error, Vec<Value>)) -> Failed {
        Failed { errors, ..Failed::from(error) }
    }
}

/// Of a body that no operation takes: it is read to say so.
const OTHER_BODY_BYTES_MAX: usize = 64 << 10;

fn declare(table: &mut Table) {
    namespaces::declare(table);
    buckets::declare(table);
    batches::declare(table);
    documents::declare(table);
    tasks::declare(table);
    objects::declare(table);
    uploads::declare(table);
    collections::declare(table);
    extractors::declare(table);
    pipelines::declare(table);
    search::declare(table);
    keys::declare(table);
    webhooks::declare(table);
    schedules::declare(table);
    system::declare(table);
}

fn declared() -> (Vec<Operation>, Definitions) {
    let mut table = Table::new();
    declare(&mut table);
    let Table { operations, schemas, .. } = table;
    (operations, schemas.finish())
}

impl Api {
    pub fn new(control: Arc<Control>, settings: Settings) -> Api {
        metrics::start();
        let (operations, definitions) = declared();
        let mut paths: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
        for (at, operation) in operations.iter().enumerate() {
            let methods = paths.entry(operation.path).or_default();
            methods.insert(operation.method.to_string(), at);
        }
        let mut router = matchit::Router::new();
        for (path, methods) in paths {
            router.insert(path, methods).expect("paths of operations do not clash");
        }
        let rates = rate::Rates::new(settings.rate);
        let (flights, probes) = (Flights::default(), system::Probes::default());
        let description = OnceLock::new();
        Api {
            control,
            operations,
            definitions,
            router,
            settings,
            rates,
            flights,
            probes,
            description,
        }
    }

    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// The description of the API, OpenAPI 3.1.
    pub fn description(&self) -> Value {
        let describe = || openapi::describe(&self.operations, &self.definitions);
        self.description.get_or_init(describe).clone()
    }

    /// Whether somebody without a key may do everything.
    pub fn is_open(&self) -> Result<bool> {
        Ok(!self.settings.keys_required && !self.control.has_keys()?)
    }

    /// Never fails: errors are answers. Waits for an equal request that is being worked on.
    pub fn answer(&self, request: &Request) -> Response {
        loop {
            match self.begin(request) {
                Begun::Answered(response) => return response,
                Begun::Elsewhere(waiting) => {
                    if let Some(response) = futures::executor::block_on(waiting.answer()) {
                        return response;
                    }
                }
            }
        }
    }

    /// As [`Api::answer`], but leaves the waiting to the caller.
    pub fn begin(&self, request: &Request) -> Begun {
        let started = Instant::now();
        let (operation, begun) = match self.admit(request) {
            Ok(admitted) => (admitted.operation.id, self.work(&admitted, request)),
            Err(failed) => ("none", Begun::Answered(self.refuse(request, failed))),
        };
        if let Begun::Answered(response) = &begun {
            metrics::answered(operation, response.status, started.elapsed());
        }
        begun
    }

    fn work(&self, admitted: &Admitted, request: &Request) -> Begun {
        let rate = match self.rates.count(&admitted.caller) {
            Ok(rate) => rate,
            Err(failed) => return Begun::Answered(self.refuse(request, failed)),
        };
        let perform = || {
            let done = self.perform(admitted, request);
            done.unwrap_or_else(|failed| self.refuse(request, failed))
        };
        let operation = admitted.operation;
        let key = request.idempotency_key.as_ref();
        let key = key.filter(|_| operation.method == Method::POST && !reads(operation));
        let mut response = match key.map(|key| self.claim(&admitted.caller, request, key)) {
            None => perform(),
            Some(Ok(Claim::Answer(response))) => response,
            Some(Ok(Claim::Wait(waiting))) => return Begun::Elsewhere(waiting),
            Some(Ok(Claim::First(ticket))) => {
                let begun = match ticket.begun() {
                    Ok(begun) => begun,
                    Err(error) => return Begun::Answered(self.refuse(request, error.into())),
                };
                let (response, wrote) = self.control.engine.store.accompanied(begun, perform);
                self.land(&ticket, &response, operation.secret, wrote);
                response
            }
            Some(Err(error)) => self.refuse(request, error.into()),
        };
        response.headers.extend(rate);
        Begun::Answered(response)
    }

    fn refuse(&self, request: &Request, failed: Failed) -> Response {
        let mut body = failure::body(&failed.error, &failed.errors, &request.request_id);
        let status = failed.status.unwrap_or(failure::status(failed.error.code()));
        body["status"] = status.into();
        let mut headers = failed.headers;
        headers.push(("content-type", "application/json".to_string()));
        match status {
            401 => headers.push(("www-authenticate", "Bearer".to_string())),
            429 | 503 if !headers.iter().any(|(name, _)| *name == "retry-after") => {
                headers.push(("retry-after", "1".to_string()))
            }
            _ => {}
        }
        Response { status, headers, body: body.to_string().into_bytes() }
    }

    fn admit(&self, request: &Request) -> std::result::Result<Admitted<'_>, Failed> {
        let (operation, path) = self.find(request)?;
        if operation.public {
            return Ok(Admitted { operation, path, caller: Caller::anybody() });
        }
        let caller = self.caller(request)?;
        if !caller.may(operation.scope) {
            let scope = format!("{:?}", operation.scope).to_lowercase();
            let message = format!("the key may not do this: it needs the scope `{scope}`");
            return Err(Error::new(Code::Forbidden, message).into());
        }
        Ok(Admitted { operation, path, caller })
    }

    fn perform(
        &self,
        admitted: &Admitted,
        request: &Request,
    ) -> std::result::Result<Response, Failed> {
        let operation = admitted.operation;
        let call = Call {
            api: self,
            control: &self.control,
            caller: &admitted.caller,
            request_id: &request.request_id,
            namespace: request.namespace.as_deref(),
            last_event_id: request.last_event_id.as_deref(),
            origin: request.origin.as_deref(),
            path: admitted.path.clone(),
        };
        if let Some(wanted) = &request.if_match
            && operation.method != Method::GET
        {
            self.check_unchanged(request, wanted)?;
        }
        let answer = self.call(operation, &call, request)?;
        Ok(encode(operation, request, answer))
    }

    /// Bytes that the body of such a request may have, whoever sends it.
    pub fn body_bytes_max(&self, method: &str, path: &str) -> usize {
        let found = self.router.at(path).ok().and_then(|found| found.value.get(method));
        let body = found.and_then(|at| self.operations[*at].body.as_ref());
        body.map_or(OTHER_BODY_BYTES_MAX, |body| body.bytes_max)
    }

    /// Id and path template of the operation that such a request means.
    pub fn operation_of(&self, method: &str, path: &str) -> Option<(&'static str, &'static str)> {
        let found = self.router.at(path).ok()?;
        let operation = &self.operations[*found.value.get(method)?];
        Some((operation.id, operation.path))
    }

    fn find(&self, request: &Request) -> std::result::Result<Route<'_>, Failed> {
        let missing = || {
            let message = format!("there is nothing at {}", request.path);
            Error::new(Code::NotFound, message).hint("`/openapi.json` lists all operations")
        };
        let found = self.router.at(&request.path).map_err(|_| missing())?;
        let Some(at) = found.value.get(&request.method) else {
            let allowed: Vec<&str> = found.value.keys().map(String::as_str).collect();
            let allowed = allowed.join(", ");
            let message = format!("{} is not a method of {}", request.method, request.path);
            let error = Error::invalid(message).hint(format!("allowed: {allowed}"));
            let headers = vec![("allow", allowed)];
            return Err(Failed { headers, status: Some(405), ..Failed::from(error) });
        };
        let mut path = Vec::new();
        for (name, value) in found.params.iter() {
            let value = percent_decode(value).ok_or_else(missing)?;
            path.push((name.to_string(), value));
        }
        Ok((&self.operations[*at], path))
    }

    /// On a fresh installation nobody has a key yet, and everybody on this machine is the operator.
    fn caller(&self, request: &Request) -> Result<Caller> {
        let Some(authorization) = &request.authorization else {
            if self.is_open()? {
                return Ok(Caller::operator());
            }
            return Err(Error::new(Code::Unauthenticated, "an API key is needed")
                .hint("send `Authorization: Bearer qk_…`; `quarry key create` makes one"));
        };
        let bearer =
            authorization.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let secret = bearer.map_or(authorization.as_str(), |(_, secret)| secret);
        let secret = secret.trim();
        let operator = self.settings.operator.as_ref();
        if operator.is_some_and(|known| known.as_bytes().ct_eq(secret.as_bytes()).into())
            || self.is_open()?
        {
            return Ok(Caller::operator());
        }
        self.control.caller(secret)
    }

    fn call(
        &self,
        operation: &Operation,
        call: &Call,
        request: &Request,
    ) -> std::result::Result<Plainly, Failed> {
        if let Some(body) = &operation.body
            && request.body.len() > body.bytes_max
        {
            let message = format!("the body has more than {} bytes", body.bytes_max);
            return Err(Error::new(Code::TooLarge, message).into());
        }
        let query = operation.query(&request.query, &self.definitions)?;
        Ok(match &operation.handler {
            Handler::Json(handler) => {
                let body = operation.body(&request.body, &self.definitions)?;
                Plainly::Json(handler(call, query, body)?)
            }
            Handler::Plain(handler) => handler(call, query, &request.body)?,
        })
    }

    /// `If-Match` names what a read of the same path has answered.
    fn check_unchanged(&self, request: &Request, wanted: &str) -> std::result::Result<(), Failed> {
        let read = Request {
            method: "GET".to_string(),
            query: String::new(),
            if_match: None,
            if_none_match: None,
            body: Vec::new(),
            ..request.clone()
        };
        let readable = self.router.at(&read.path).is_ok_and(|at| at.value.contains_key("GET"));
        if !readable {
            // Nothing that is there has any tag.
            return Err(Error::new(Code::PreconditionFailed, "there is no reading of this path")
                .hint("leave If-Match out")
                .into());
        }
        let response = self.perform(&self.admit(&read)?, &read)?;
        let tag = response.headers.iter().find(|(name, _)| *name == "etag");
        let tag = tag.map(|(_, tag)| tag.as_str()).unwrap_or_default();
        if matches(wanted, tag) {
            return Ok(());
        }
        Err(Error::new(Code::PreconditionFailed, "it was changed since it was read")
            .hint("read it again and decide anew")
            .into())
    }
}

/// Whether an operation changes nothing.
fn reads(operation: &Operation) -> bool {
    operation.scope == Scope::Read
}
