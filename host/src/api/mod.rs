//! REST: every operation is declared once, and router, checks, description (`/openapi.json`) and
//! command line are made from that.
//!
//! A request goes through [`Api::answer`]: find the operation, who asks, parse and check query and
//! body against the schema, call it, encode. Operations block and run on threads of their own;
//! only `server` is asynchronous.

mod buckets;
mod call;
mod deliveries;
mod failure;
mod filters;
mod listing;
mod namespaces;
mod openapi;
mod operation;
mod schedules;
mod schema;
mod server;
mod webhooks;

pub use server::{Server, ServerSettings};

use crate::control::{Caller, Control};
use crate::error::{Code, Error, Result};
use crate::model::Scope;
use axum::http::Method;
use call::Call;
use operation::{Handler, Operation, Plainly, Table};
use schema::Definitions;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The whole API over one engine.
pub struct Api {
    control: Arc<Control>,
    operations: Vec<Operation>,
    definitions: Definitions,
    /// Path templates to the operations of their methods.
    router: matchit::Router<BTreeMap<String, usize>>,
    settings: Settings,
}

/// What answers depend on besides the engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Ask for a key even while there is none.
    pub keys_required: bool,
}

/// A request, whoever brought it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// As in the URL, without the question mark.
    pub query: String,
    pub authorization: Option<String>,
    pub namespace: Option<String>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub request_id: String,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
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

fn declare(table: &mut Table) {
    namespaces::declare(table);
    buckets::declare(table);
    webhooks::declare(table);
    schedules::declare(table);
}

impl Api {
    pub fn new(control: Arc<Control>, settings: Settings) -> Api {
        let mut table = Table::new();
        declare(&mut table);
        let Table { operations, schemas, .. } = table;
        let mut paths: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
        for (at, operation) in operations.iter().enumerate() {
            let methods = paths.entry(operation.path).or_default();
            methods.insert(operation.method.to_string(), at);
        }
        let mut router = matchit::Router::new();
        for (path, methods) in paths {
            router.insert(path, methods).expect("paths of operations do not clash");
        }
        Api { control, operations, definitions: schemas.finish(), router, settings }
    }

    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// The description of the API, OpenAPI 3.1.
    pub fn description(&self) -> Value {
        openapi::describe(&self.operations, &self.definitions)
    }

    /// Never fails: errors are answers.
    pub fn answer(&self, request: &Request) -> Response {
        match self.serve(request) {
            Ok(response) => response,
            Err(failed) => self.refuse(request, failed),
        }
    }

    fn refuse(&self, request: &Request, failed: Failed) -> Response {
        let mut body = failure::body(&failed.error, &failed.errors, &request.request_id);
        let status = failed.status.unwrap_or(failure::status(failed.error.code()));
        body["status"] = status.into();
        let mut headers = failed.headers;
        headers.push(("content-type", "application/json".to_string()));
        match status {
            401 => headers.push(("www-authenticate", "Bearer".to_string())),
            429 | 503 => headers.push(("retry-after", "1".to_string())),
            _ => {}
        }
        Response { status, headers, body: body.to_string().into_bytes() }
    }

    fn serve(&self, request: &Request) -> std::result::Result<Response, Failed> {
        let (operation, path) = self.find(request)?;
        let caller = self.caller(request)?;
        if !caller.may(operation.scope) {
            let scope = format!("{:?}", operation.scope).to_lowercase();
            let message = format!("the key may not do this: it needs the scope `{scope}`");
            return Err(Error::new(Code::Forbidden, message).into());
        }
        let call = Call {
            control: &self.control,
            caller: &caller,
            request_id: &request.request_id,
            namespace: request.namespace.as_deref(),
            path,
        };
        if let Some(wanted) = &request.if_match
            && operation.method != Method::GET
        {
            self.check_unchanged(request, wanted)?;
        }
        let answer = self.call(operation, &call, request)?;
        Ok(encode(operation, request, answer))
    }

    fn find(
        &self,
        request: &Request,
    ) -> std::result::Result<(&Operation, Vec<(String, String)>), Failed> {
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
            if !self.settings.keys_required && !self.control.has_keys()? {
                return Ok(Caller::operator());
            }
            return Err(Error::new(Code::Unauthenticated, "an API key is needed")
                .hint("send `Authorization: Bearer qk_…`; `quarry key create` makes one"));
        };
        let bearer =
            authorization.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let secret = bearer.map_or(authorization.as_str(), |(_, secret)| secret);
        if !self.settings.keys_required && !self.control.has_keys()? {
            return Ok(Caller::operator());
        }
        self.control.caller(secret.trim())
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
        let response = self.serve(&read)?;
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

/// Whether a list of entity tags holds this one, or any.
fn matches(wanted: &str, tag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_string();
    wanted.split(',').any(|one| one.trim() == "*" || (!tag.is_empty() && plain(one) == plain(tag)))
}

fn encode(operation: &Operation, request: &Request, answer: Plainly) -> Response {
    let (content_type, body) = match answer {
        Plainly::Json(_) if operation.answer.is_none() => {
            return Response { status: operation.status, headers: Vec::new(), body: Vec::new() };
        }
        Plainly::Json(value) => ("application/json".to_string(), value.to_string().into_bytes()),
        Plainly::Bytes { content_type, bytes } => (content_type, bytes),
    };
    let mut headers = vec![("content-type", content_type)];
    if operation.method == Method::GET {
        let tag = format!("\"{}\"", &blake3::hash(&body).to_hex()[..32]);
        let known = request.if_none_match.as_ref().is_some_and(|wanted| matches(wanted, &tag));
        headers.push(("etag", tag));
        if known {
            return Response { status: 304, headers, body: Vec::new() };
        }
    }
    Response { status: operation.status, headers, body }
}

/// `None` for what is not UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |digits: &[u8]| {
            std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
        };
        match (first, tail.get(..2).and_then(hex)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether an operation changes nothing.
fn reads(operation: &Operation) -> bool {
    operation.scope == Scope::Read
}
