//! Browsers. A page of another origin may send requests here without asking, and where no key is
//! needed such a request could do anything: what comes from elsewhere is refused, unless the
//! operator allows its origin.

use crate::error::{Code, Error, Result};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
const HEADERS: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, \
                       last-event-id, x-namespace, x-request-id";
const SHOWN: &str = "etag, idempotency-replayed, location, ratelimit, retry-after, x-request-id";
const PREFLIGHT_SECONDS: &str = "600";

/// Where requests of browsers may come from besides this server's own pages.
#[derive(Debug, Clone, Default)]
pub(super) struct Origins(pub(super) Vec<String>);

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Origins {
    /// The foreign origin that is allowed, if it is one.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>> {
        let Some(given) = headers.get(ORIGIN) else { return Ok(None) };
        let origin = given.to_str().unwrap_or_default();
        let host = text(headers, HOST).unwrap_or_default();
        let own = origin.split_once("://").is_some_and(|(_, authority)| authority == host);
        match own {
            true => Ok(None),
            false if self.0.iter().any(|known| known == origin || known == "*") => {
                Ok(Some(given.clone()))
            }
            false => Err(Error::new(Code::Forbidden, "requests of other origins are not taken")
                .hint("allow this one with --cors-origin")),
        }
    }

    /// What a browser has to be told about an answer for a foreign origin.
    pub(super) fn allow(&self, origin: HeaderValue, method: &Method, headers: &mut HeaderMap) {
        let mut set = |name: &'static str, value: HeaderValue| {
            headers.insert(HeaderName::from_static(name), value);
        };
        set("access-control-allow-origin", origin);
        set("vary", HeaderValue::from_static("origin"));
        set("access-control-expose-headers", HeaderValue::from_static(SHOWN));
        if method == Method::OPTIONS {
            set("access-control-allow-methods", HeaderValue::from_static(METHODS));
            set("access-control-allow-headers", HeaderValue::from_static(HEADERS));
            set("access-control-max-age", HeaderValue::from_static(PREFLIGHT_SECONDS));
        }
    }
}

/// Whether the name that was asked for is this machine's own. A page whose name was made to point
/// here (DNS rebinding) shows its own name.
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    let Some(host) = text(headers, HOST) else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let address: Option<std::net::IpAddr> = name.parse().ok();
    name.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}
