//! One request and its answer, bounded in every direction, for callers that block.

use super::chain;
use super::guard::Guard;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use url::{Host, Url};

/// How often a waiting caller looks whether anybody still wants the answer.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Idle connections that are kept for the next request to the same host.
const IDLE_MAX: usize = 2;
const IDLE_TIME_MAX: Duration = Duration::from_secs(15);
/// Of an answer; hyper reads no more than some 400 KiB of them.
const HEADERS_MAX: usize = 128;
const ERROR_BYTES_MAX: usize = 512;

#[derive(Debug, Clone)]
pub struct Fetch {
    pub method: String,
    pub url: Url,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// From looking up the name to the last byte of the answer.
    pub timeout: Duration,
    /// Of the answer's body; one that has more is not taken.
    pub body_bytes_max: usize,
    /// Of the answer's names and values of headers.
    pub header_bytes_max: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Unfetched {
    /// The request can not be sent as it is.
    Invalid(String),
    /// The address is not allowed.
    Denied(String),
    /// It took too long.
    Timeout,
    /// The answer is larger than allowed.
    TooLarge(String),
    /// Nobody wants the answer any more.
    Stopped,
    Failed(String),
}

/// Sends requests to addresses that its guard allows. Follows no redirects, keeps no cookies, asks
/// no proxy and unpacks nothing.
pub struct Fetcher {
    guard: Guard,
    http: OnceLock<Result<reqwest::Client, String>>,
}

/// Drives all connections. Never ends: dropping a runtime is not allowed everywhere.
fn runtime() -> Result<&'static Runtime, Unfetched> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("quarry-fetch")
            .enable_all()
            .build()
            .map_err(|error| error.to_string())
    });
    made.as_ref().map_err(|error| Unfetched::Failed(error.clone()))
}

impl Fetcher {
    pub fn new(guard: Guard) -> Fetcher {
        Fetcher { guard, http: OnceLock::new() }
    }

    /// Waits for the answer, but not longer than until `stop` becomes true.
    pub fn fetch(&self, fetch: Fetch, stop: &AtomicBool) -> Result<Fetched, Unfetched> {
        // Addresses in URLs are not looked up, so the guard does not see them.
        let literal = match fetch.url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            Some(Host::Domain(_)) | None => None,
        };
        if let Some(address) = literal.filter(|address| !self.guard.allows(*address)) {
            return Err(Unfetched::Denied(format!("the address {address} is not public")));
        }
        let until = Instant::now() + fetch.timeout;
        let request = self.request(&fetch)?;
        let (sender, receiver) = sync_channel(1);
        let task = runtime()?.spawn(async move {
            let fetched = tokio::time::timeout(fetch.timeout, receive(request, &fetch)).await;
            // Nobody waits any more: fine.
            let _ = sender.send(fetched.unwrap_or(Err(Unfetched::Timeout)));
        });
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let ended = match receiver.recv_timeout(LOOK_EVERY.min(left)) {
                Ok(fetched) => return fetched,
                Err(RecvTimeoutError::Disconnected) => {
                    Some(Unfetched::Failed("the request was dropped".to_string()))
                }
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => {
                    Some(Unfetched::Stopped)
                }
                Err(RecvTimeoutError::Timeout) => left.is_zero().then_some(Unfetched::Timeout),
            };
            if let Some(error) = ended {
                task.abort();
                return Err(error);
            }
        }
    }

    fn client(&self) -> Result<&reqwest::Client, Unfetched> {
        let made = self.http.get_or_init(|| {
            reqwest::Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .referer(false)
                .http1_max_headers(HEADERS_MAX)
                .pool_max_idle_per_host(IDLE_MAX)
                .pool_idle_timeout(IDLE_TIME_MAX)
                .dns_resolver(self.guard.clone())
                .user_agent(concat!("quarry/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|error| chain(&error, ERROR_BYTES_MAX))
        });
        made.as_ref().map_err(|error| Unfetched::Failed(error.clone()))
    }

    fn request(&self, fetch: &Fetch) -> Result<reqwest::RequestBuilder, Unfetched> {
        let invalid = |what: String| Unfetched::Invalid(what);
        let method = reqwest::Method::from_bytes(fetch.method.as_bytes())
            .map_err(|_| invalid("the method is not one".to_string()))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &fetch.headers {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| invalid("the name of a header is not one".to_string()))?;
            let value = HeaderValue::from_str(value)
                .map_err(|_| invalid(format!("the value of the header {header} is not one")))?;
            headers.append(header, value);
        }
        let request = self.client()?.request(method, fetch.url.clone()).headers(headers);
        Ok(match fetch.body.is_empty() {
            true => request,
            false => request.body(fetch.body.clone()),
        })
    }
}

async fn receive(request: reqwest::RequestBuilder, fetch: &Fetch) -> Result<Fetched, Unfetched> {
    let mut response = request.send().await.map_err(failed)?;
    let mut headers = Vec::new();
    let mut bytes = 0;
    for (name, value) in response.headers() {
        bytes += name.as_str().len() + value.len();
        if bytes > fetch.header_bytes_max {
            let max = fetch.header_bytes_max;
            let message = format!("the answer has more than {max} bytes of headers");
            return Err(Unfetched::TooLarge(message));
        }
        if let Ok(value) = value.to_str() {
            headers.push((name.as_str().to_string(), value.to_string()));
        }
    }
    let max = fetch.body_bytes_max;
    let too_large = || Unfetched::TooLarge(format!("the answer has more than {max} bytes"));
    if response.content_length().is_some_and(|length| length > max as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if chunk.len() > max - body.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { status: response.status().as_u16(), headers, body })
}

fn failed(error: reqwest::Error) -> Unfetched {
    let error = error.without_url();
    let text = chain(&error, ERROR_BYTES_MAX);
    match text.contains("has no public address") {
        true => Unfetched::Denied(text),
        false => Unfetched::Failed(text),
    }
}
