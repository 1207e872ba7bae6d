//! A request and its answer, before and after HTTP.

use super::operation::{Operation, Plainly};
use axum::http::Method;

/// A request, whoever brought it. There is no `Debug` for it: it holds secrets.
#[derive(Clone, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// As in the URL, without the question mark.
    pub query: String,
    pub authorization: Option<String>,
    pub namespace: Option<String>,
    /// Scheme and host by which this server was called.
    pub origin: Option<String>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub idempotency_key: Option<String>,
    pub last_event_id: Option<String>,
    pub request_id: String,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// Whether a list of entity tags holds this one, or any.
pub(super) fn matches(wanted: &str, tag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_string();
    wanted.split(',').any(|one| one.trim() == "*" || (!tag.is_empty() && plain(one) == plain(tag)))
}

pub(super) fn encode(operation: &Operation, request: &Request, answer: Plainly) -> Response {
    let mut headers = Vec::new();
    let (content_type, body) = match answer {
        Plainly::Json(_) | Plainly::Tagged(_) if operation.answer.is_none() => {
            return Response { status: operation.status, headers: Vec::new(), body: Vec::new() };
        }
        Plainly::Json(value) => ("application/json".to_string(), value.to_string().into_bytes()),
        Plainly::Otherwise(value) => {
            let headers = vec![("content-type", "application/json".to_string())];
            let status = operation.otherwise.unwrap_or(operation.status);
            return Response { status, headers, body: value.to_string().into_bytes() };
        }
        Plainly::Tagged(value) => {
            if let Some(tag) = value["etag"].as_str() {
                headers.push(("etag", format!("\"{tag}\"")));
            }
            ("application/json".to_string(), value.to_string().into_bytes())
        }
        Plainly::Bytes { content_type, bytes } => (content_type, bytes),
    };
    headers.push(("content-type", content_type));
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
pub(super) fn percent_decode(text: &str) -> Option<String> {
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
