//! Sends one message and looks at the answer.

use super::target::{Reach, check};
use crate::net::Guard;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::sync::OnceLock;
use std::time::Duration;

/// Of an answer that are kept.
pub const RESPONSE_BYTES_MAX: usize = 1 << 10;
const ERROR_BYTES_MAX: usize = 512;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Idle connections that are kept for the next message to the same host.
const IDLE_MAX: usize = 4;

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// From connecting to the end of the answer.
    pub timeout: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Answered(Answer),
    /// It may or may not have arrived.
    Failed(String),
    /// The target is not allowed: it was not sent, and another attempt is of no use.
    Refused(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    /// Its beginning, as text without control characters.
    pub body: String,
}

impl Outcome {
    pub fn delivered(&self) -> bool {
        matches!(self, Outcome::Answered(answer) if (200..300).contains(&answer.status))
    }
}

pub struct Client {
    reach: Reach,
    /// Made when the first message is sent: reading the system's certificates takes a while.
    http: OnceLock<Result<reqwest::Client, String>>,
}

impl Default for Client {
    fn default() -> Client {
        Client::new(Reach::default())
    }
}

impl Client {
    pub fn new(reach: Reach) -> Client {
        Client { reach, http: OnceLock::new() }
    }

    pub fn reach(&self) -> Reach {
        self.reach
    }

    fn http(&self) -> Result<&reqwest::Client, String> {
        let made = self.http.get_or_init(|| {
            let builder = reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .connect_timeout(CONNECT_TIME_MAX)
                .pool_max_idle_per_host(IDLE_MAX)
                .user_agent(concat!("quarry/", env!("CARGO_PKG_VERSION")));
            let builder = match self.reach {
                Reach::Public => builder.dns_resolver(Guard::default()).https_only(true),
                Reach::Private => builder,
            };
            builder.build().map_err(|error| chain(&error))
        });
        made.as_ref().map_err(Clone::clone)
    }

    pub async fn send(&self, message: Message) -> Outcome {
        // Addresses in URLs are not looked up, so the guard does not see them.
        let url = match check(&message.url, self.reach) {
            Ok(url) => url,
            Err(error) => return Outcome::Refused(error.chain()),
        };
        let http = match self.http() {
            Ok(http) => http,
            Err(error) => return Outcome::Failed(error),
        };
        let sent = http
            .post(url)
            .headers(headers(&message.headers))
            .timeout(message.timeout)
            .body(message.body)
            .send()
            .await;
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => return Outcome::Failed(chain(&error.without_url())),
        };
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after");
        let retry_after = header.and_then(|value| value.to_str().ok()).map(str::to_string);
        let mut body = Vec::new();
        // The status counts; a body that breaks off does not change it.
        while body.len() < RESPONSE_BYTES_MAX
            && let Ok(Some(chunk)) = response.chunk().await
        {
            let room = RESPONSE_BYTES_MAX - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        Outcome::Answered(Answer {
            status,
            retry_after,
            body: readable(&String::from_utf8_lossy(&body), RESPONSE_BYTES_MAX),
        })
    }
}

fn headers(given: &[(String, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        // Those that can not be sent were refused when they were given.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            headers.insert(name, value);
        }
    }
    headers
}

/// Without control characters, so that it can be stored, logged and shown; so many bytes at most.
fn readable(text: &str, bytes_max: usize) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

fn chain(error: &reqwest::Error) -> String {
    readable(&crate::net::chain(error, ERROR_BYTES_MAX), ERROR_BYTES_MAX)
}
