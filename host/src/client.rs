//! Requests of commands: to a server that runs, and to registries of packages. All calls block.

pub mod oci;

use crate::error::{Code, Context, Error, Result};
use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::runtime::Runtime;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const READ_TIME_MAX: Duration = Duration::from_secs(300);

pub struct Client {
    http: reqwest::Client,
    base: Url,
    runtime: Runtime,
}

pub struct Sent<'a> {
    pub method: &'a str,
    /// Percent-encoded.
    pub path: &'a str,
    /// Percent-encoded.
    pub query: Option<&'a str>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

#[derive(Debug)]
pub struct Received {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
}

impl Client {
    /// `url` is that of the server, without a path.
    pub fn new(url: &str) -> Result<Client> {
        let base = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
            .ok_or_else(|| {
                Error::invalid(format!("`{url}` is not the address of a server"))
                    .hint("write http://HOST:PORT")
            })?;
        let named = || "can not make an HTTP client".to_string();
        let mut http = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIME_MAX)
            .read_timeout(READ_TIME_MAX);
        if matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) {
            http = http.no_proxy();
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(Code::Unavailable, named)?;
        Ok(Client { http: http.build().context(Code::Unavailable, named)?, base, runtime })
    }

    pub fn send(&self, sent: Sent) -> Result<Received> {
        let mut body = Vec::new();
        let mut received = self.receive(sent, &mut |_, piece| {
            body.extend_from_slice(piece);
            ControlFlow::Continue(())
        })?;
        received.body = body;
        Ok(received)
    }

    /// The answer without its body, whose pieces `each` hears as they come, with the status, until
    /// it has had enough.
    pub fn receive(
        &self,
        sent: Sent,
        each: &mut dyn FnMut(u16, &[u8]) -> ControlFlow<()>,
    ) -> Result<Received> {
        let mut url = self
            .base
            .join(sent.path)
            .context(Code::Invalid, || format!("`{}` is not a path", sent.path))?;
        url.set_query(sent.query);
        let method = Method::from_bytes(sent.method.as_bytes())
            .context(Code::Invalid, || format!("`{}` is not a method", sent.method))?;
        let mut request = self.http.request(method, url).body(sent.body);
        for (name, value) in sent.headers {
            request = request.header(name, value);
        }
        let answered = self.runtime.block_on(async {
            let mut answer = request.send().await?;
            let status = answer.status().as_u16();
            let content_type = answer.headers().get("content-type");
            let content_type = content_type.and_then(|value| value.to_str().ok());
            let content_type = content_type.unwrap_or_default().to_string();
            while let Some(piece) = answer.chunk().await? {
                if each(status, &piece).is_break() {
                    break;
                }
            }
            Ok(Received { status, content_type, body: Vec::new() })
        });
        // The URL is named here, without the query that the error would show.
        answered.map_err(|error: reqwest::Error| {
            let message = format!("{} does not answer", self.base);
            Error::new(Code::Unavailable, message).source(error.without_url())
        })
    }
}
