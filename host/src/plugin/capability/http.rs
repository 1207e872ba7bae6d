//! `http`: requests to the hosts that description and grant name.

use super::Permit;
use crate::model::Ask;
use crate::net::{Fetch, Fetched, Unfetched};
use crate::plugin::failure::Violation;
use crate::plugin::log::clean;
use crate::plugin::state::{self, State};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

const URL_BYTES_MAX: usize = 8 << 10;
const HEADERS_MAX: usize = 64;
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// Headers that say how a message is framed or where it goes: the host's business.
const OWN_HEADERS: [&str; 11] = [
    "host",
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[derive(ComponentType, Lift)]
#[component(record)]
struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    #[component(name = "timeout-ms")]
    timeout_ms: u32,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Response {
    status: u32,
    headers: Vec<(String, String)>,
    body: Bytes,
}

#[derive(ComponentType, Lower, Debug)]
#[component(record)]
struct Refusal {
    code: String,
    message: String,
}

/// What a call has used.
#[derive(Default)]
pub(in crate::plugin) struct Traffic {
    requests: u64,
    bytes: usize,
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut http = linker.instance("quarry:extractor/http@0.1.0")?;
    http.func_wrap("send", |mut store: StoreContextMut<'_, State>, (request,): (Request,)| {
        let state = store.data_mut();
        state.count_call()?;
        let answer = send(state, request);
        // The time of the call passed while the guest waited, and epochs do not end a host call.
        state::look(store.data())?;
        Ok((answer?,))
    })
}

type Answer = Result<Response, Refusal>;

fn send(state: &mut State, request: Request) -> Result<Answer, Violation> {
    let permit = state.permit.clone();
    let limits = permit.limits.clone();
    let fetch = match prepare(&permit, request) {
        Ok(fetch) => fetch,
        Err(refusal) => return Ok(Err(refusal)),
    };
    state.traffic.requests += 1;
    if state.traffic.requests > limits.http_requests_max {
        let max = limits.http_requests_max;
        return Ok(Err(refusal("limit", format!("more than {max} requests in one call"))));
    }
    let used = state.traffic.bytes.saturating_add(fetch.body.len());
    let Some(left) = limits.http_bytes_max.checked_sub(used) else {
        let max = limits.http_bytes_max;
        return Ok(Err(refusal("limit", format!("more than {max} bytes in one call"))));
    };
    let fetch = Fetch {
        timeout: fetch.timeout.min(state.time_left()),
        body_bytes_max: limits.http_response_bytes_max.min(left),
        ..fetch
    };
    let url = fetch.url.clone();
    let fetched = permit.fetcher.fetch(fetch, &state.stop);
    state.traffic.bytes = used + fetched.as_ref().map_or(0, |fetched| fetched.body.len());
    Ok(match fetched {
        Ok(Fetched { status, headers, body }) => {
            Ok(Response { status: u32::from(status), headers, body: body.into() })
        }
        Err(error) => Err(unfetched(&permit, &url, error)),
    })
}

fn unfetched(permit: &Permit, url: &Url, error: Unfetched) -> Refusal {
    match error {
        Unfetched::Denied(why) => {
            permit.deny(&format!("http:{}", url.origin().ascii_serialization()));
            refusal("denied", why)
        }
        Unfetched::Invalid(what) => refusal("invalid", what),
        Unfetched::Timeout => refusal("timeout", "the answer took too long"),
        Unfetched::TooLarge(what) => refusal("limit", what),
        Unfetched::Stopped => refusal("timeout", "nobody waits for the answer any more"),
        Unfetched::Failed(why) => refusal("failed", why),
    }
}

/// Checks what the guest wants to send, and adds what the host sends along.
fn prepare(permit: &Arc<Permit>, request: Request) -> Result<Fetch, Refusal> {
    let Request { method, url, headers, body, timeout_ms } = request;
    let limits = &permit.limits;
    let invalid = |what: &str| refusal("invalid", what);
    if !METHODS.contains(&method.as_str()) {
        return Err(invalid("the method is none of GET, HEAD, POST, PUT, PATCH and DELETE"));
    }
    if url.len() > URL_BYTES_MAX {
        return Err(invalid("the URL has more than 8192 bytes"));
    }
    let parsed = Url::parse(&url).map_err(|error| invalid(&format!("not a URL: {error}")))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(invalid("the URL has a user or password"));
    }
    let asked = permit.asks.iter().any(|ask| match ask {
        Ask::Http(pattern) => pattern.as_ref().is_none_or(|pattern| pattern.matches(&parsed)),
        Ask::Clock | Ask::Random | Ask::Environment(_) | Ask::Assets => false,
    });
    let granted = permit.grants.http.iter().any(|pattern| pattern.matches(&parsed));
    if !asked || !granted {
        let origin = clean(&parsed.origin().ascii_serialization(), 300);
        permit.deny(&format!("http:{origin}"));
        let why = if asked { "it is not granted" } else { "the description does not ask for it" };
        return Err(refusal("denied", format!("{origin} may not be reached: {why}")));
    }
    if headers.len() > HEADERS_MAX {
        return Err(invalid("more than 64 headers"));
    }
    let size = headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if size.saturating_add(body.len()) > limits.http_request_bytes_max {
        let max = limits.http_request_bytes_max;
        return Err(refusal("limit", format!("the request has more than {max} bytes")));
    }
    let mut headers: Vec<(String, String)> =
        headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let credentials = permit.grants.credentials.iter();
    let credentials: Vec<_> = credentials.filter(|one| one.hosts.matches(&parsed)).collect();
    let own = |name: &str| {
        OWN_HEADERS.contains(&name)
            || credentials.iter().any(|one| one.header.eq_ignore_ascii_case(name))
    };
    if let Some((name, _)) = headers.iter().find(|(name, _)| own(name)) {
        let name = clean(name, 64);
        return Err(invalid(&format!("the header {name} is set by the host")));
    }
    for credential in credentials {
        let value = (permit.world.variables)(&credential.variable).ok_or_else(|| {
            refusal("failed", format!("the host has no value for the header {}", credential.header))
        })?;
        headers.push((credential.header.to_ascii_lowercase(), value));
    }
    let most = limits.http_ms_max;
    let timeout_ms = match u64::from(timeout_ms) {
        0 => most,
        wanted => wanted.min(most),
    };
    Ok(Fetch {
        method,
        url: parsed,
        headers,
        body,
        timeout: Duration::from_millis(timeout_ms),
        body_bytes_max: limits.http_response_bytes_max,
        header_bytes_max: limits.http_header_bytes_max,
    })
}

fn refusal(code: &str, message: impl Into<String>) -> Refusal {
    Refusal { code: code.to_string(), message: message.into() }
}
