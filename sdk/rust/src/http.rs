//! Requests to hosts, for extractors whose description asks for them and that were granted them.
//!
//! Ask with `description.capability("http:https://api.example.com")`, or with `http` for whichever
//! hosts the operator names. What a request takes is time of the call. Natively every request is
//! refused.

use std::fmt;
use std::time::Duration;

/// A request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// GET, HEAD, POST, PUT, PATCH or DELETE.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Those of framing and those that the operator adds are the host's.
    pub headers: Vec<(String, String)>,
    /// At most what the host's limits say, 1 MiB by default.
    pub body: Vec<u8>,
    /// Until the whole answer is here; as long as the host allows if absent.
    pub timeout: Option<Duration>,
}

/// An answer, whatever its status. Redirects are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpError {
    /// `denied`, `limit`, `timeout`, `invalid` or `failed`; more may come.
    pub code: String,
    /// For people.
    pub message: String,
}

impl HttpError {
    /// Whether the same request may work later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.code.as_str(), "timeout" | "failed")
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for HttpError {}

impl Request {
    /// A GET.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self { method: "GET".to_owned(), url: url.into(), ..Self::default() }
    }

    /// A POST.
    #[must_use]
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST".to_owned(), url: url.into(), body: body.into(), ..Self::default() }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends it and waits.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(self) -> Result<Response, HttpError> {
        #[cfg(target_family = "wasm")]
        return send(self);
        #[cfg(not(target_family = "wasm"))]
        Err(HttpError {
            code: "denied".to_owned(),
            message: format!("natively nothing is sent to {}", self.url),
        })
    }
}

#[cfg(target_family = "wasm")]
fn send(request: Request) -> Result<Response, HttpError> {
    use crate::wasm::bindings::quarry::extractor::http;
    let timeout_ms = request
        .timeout
        .map_or(0, |timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).max(1));
    let Request { method, url, headers, body, .. } = request;
    let sent = http::send(&http::Request { method, url, headers, body, timeout_ms });
    match sent {
        Ok(http::Response { status, headers, body }) => {
            Ok(Response { status: status as u16, headers, body })
        }
        Err(http::Error { code, message }) => Err(HttpError { code, message }),
    }
}
