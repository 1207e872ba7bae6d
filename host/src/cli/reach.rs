//! How commands reach the API: a server by its URL, the data directory in this process, or the
//! server that holds it.

use super::address::Address;
use super::options::{GlobalOptions, opening};
use crate::api::{Api, Request, Settings};
use crate::app::App;
use crate::client::{Client, Received, Sent};
use crate::control::Control;
use crate::error::{Code, Context, Error, Result};
use crate::store::Store;
use clap::Args;
use serde_json::Value;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file with a key is small.
const KEY_BYTES_MAX: u64 = 4 << 10;

#[derive(Args)]
pub(super) struct Server {
    /// Ask the server at this URL, with the key in QUARRY_API_KEY or a file; otherwise the data
    /// directory itself, or the server that holds it
    #[arg(long, value_name = "URL", env = "QUARRY_SERVER")]
    server: Option<String>,
    /// File with the API key
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// One request.
#[derive(Default)]
pub(super) struct Ask {
    pub(super) method: String,
    /// Percent-encoded.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) namespace: Option<String>,
    pub(super) idempotency_key: Option<String>,
    pub(super) if_match: Option<String>,
    pub(super) last_event_id: Option<String>,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub(super) fn json(method: &str, path: impl Into<String>, body: Option<&Value>) -> Ask {
        Ask {
            method: method.to_string(),
            path: path.into(),
            content_type: "application/json",
            body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
            ..Ask::default()
        }
    }
}

pub(super) enum Reach {
    Here { api: Box<Api>, operator: String, _app: Box<App> },
    There { client: Client, key: Option<String> },
}

/// Nobody can guess it.
pub(super) fn operator_secret() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Server {
    fn key(&self) -> Result<Option<String>> {
        let Some(file) = &self.key_file else {
            return Ok(std::env::var("QUARRY_API_KEY").ok().filter(|key| !key.is_empty()));
        };
        let named = || format!("can not read the key in {}", file.display());
        let size = std::fs::metadata(file).context(Code::NotFound, named)?.len();
        if size > KEY_BYTES_MAX {
            return Err(Error::invalid(named()));
        }
        let text = std::fs::read_to_string(file).context(Code::Invalid, named)?;
        Ok(Some(text.trim().to_string()))
    }

    /// The server that was named.
    pub(super) fn named(&self) -> Result<Option<Reach>> {
        let Some(url) = &self.server else { return Ok(None) };
        Ok(Some(Reach::There { client: Client::new(url)?, key: self.key()? }))
    }

    /// The server that was named, or that holds the data directory.
    pub(super) fn afar(&self, options: &GlobalOptions) -> Result<Reach> {
        if let Some(reach) = self.named()? {
            return Ok(reach);
        }
        let data_dir = options.data_dir()?;
        let message = format!("no server holds the data directory {}", data_dir.display());
        let hint = "start one with `quarry serve`, or name one with --server";
        there(&data_dir, Error::new(Code::Unavailable, message).hint(hint))
    }

    /// `makes`: a data directory that is not there is made.
    pub(super) fn reach(&self, options: &GlobalOptions, makes: bool) -> Result<Reach> {
        if let Some(reach) = self.named()? {
            return Ok(reach);
        }
        let settings = opening(&options.settled()?)?;
        if !makes && !Store::exists(&settings.data_dir.join("state")) {
            let message = format!("there is no data directory {}", settings.data_dir.display());
            return Err(Error::new(Code::NotFound, message)
                .hint("name it with --data-dir, or a server with --server"));
        }
        match App::open(&settings) {
            Ok(app) => here(app),
            Err(error) if error.code() == Code::InUse => there(&settings.data_dir, error),
            Err(error) => Err(error),
        }
    }
}

fn here(app: App) -> Result<Reach> {
    let control = Control::open(app.engine.clone(), app.data_dir.clone())?;
    let operator = operator_secret();
    let settings = Settings { operator: Some(operator.clone()), ..Settings::default() };
    let api = Box::new(Api::new(Arc::new(control), settings));
    Ok(Reach::Here { api, operator, _app: Box::new(app) })
}

/// Whoever may read the directory is its server's operator.
fn there(data_dir: &Path, in_use: Error) -> Result<Reach> {
    let address = Address::find(data_dir).ok_or(in_use)?;
    Ok(Reach::There { client: Client::new(&address.url)?, key: Some(address.operator) })
}

impl Reach {
    /// The answer, whatever its status.
    pub(super) fn send(&self, ask: Ask) -> Result<Received> {
        match self {
            Reach::Here { api, operator, .. } => {
                let response = api.answer(&Request {
                    method: ask.method,
                    path: ask.path,
                    query: ask.query,
                    authorization: Some(format!("Bearer {operator}")),
                    namespace: ask.namespace,
                    if_match: ask.if_match,
                    last_event_id: ask.last_event_id,
                    idempotency_key: ask.idempotency_key,
                    request_id: uuid::Uuid::now_v7().simple().to_string(),
                    body: ask.body,
                    ..Request::default()
                });
                let mut headers = response.headers.into_iter();
                let content_type = headers.find(|(name, _)| *name == "content-type");
                let content_type = content_type.map(|(_, value)| value).unwrap_or_default();
                Ok(Received { status: response.status, content_type, body: response.body })
            }
            Reach::There { client, key } => client.send(sent(&ask, key.as_deref())),
        }
    }

    /// Pieces of an answer that goes on, as they come, until `each` has had enough; `each` hears of
    /// successes only.
    pub(super) fn follow(
        &self,
        ask: Ask,
        each: &mut dyn FnMut(&[u8]) -> Result<bool>,
    ) -> Result<()> {
        let Reach::There { client, key } = self else {
            return Err(Error::internal("only a server is followed"));
        };
        let (mut complaint, mut failed) = (Vec::new(), None);
        let mut received = client.receive(sent(&ask, key.as_deref()), &mut |status, piece| {
            if status != 200 {
                complaint.extend_from_slice(piece);
                return ControlFlow::Continue(());
            }
            match each(piece) {
                Ok(true) => ControlFlow::Continue(()),
                Ok(false) => ControlFlow::Break(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        received.body = complaint;
        succeeded(received)?;
        failed.map_or(Ok(()), Err)
    }

    /// The answer of a request that has to succeed.
    pub(super) fn ask(&self, ask: Ask) -> Result<Value> {
        let received = succeeded(self.send(ask)?)?;
        if received.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&received.body)
            .context(Code::Internal, || "the answer is not JSON".to_string())
    }
}

fn sent<'a>(ask: &'a Ask, key: Option<&str>) -> Sent<'a> {
    let mut headers = vec![("content-type", ask.content_type.to_string())];
    let mut add = |name, value: Option<String>| headers.extend(value.map(|value| (name, value)));
    add("authorization", key.map(|key| format!("Bearer {key}")));
    add("x-namespace", ask.namespace.clone());
    add("idempotency-key", ask.idempotency_key.clone());
    add("if-match", ask.if_match.clone());
    add("last-event-id", ask.last_event_id.clone());
    let query = Some(ask.query.as_str()).filter(|query| !query.is_empty());
    Sent { method: &ask.method, path: &ask.path, query, headers, body: ask.body.clone() }
}

/// An answer that is no success becomes the error that it tells of.
pub(super) fn succeeded(received: Received) -> Result<Received> {
    if (200..300).contains(&received.status) {
        return Ok(received);
    }
    let body: Value = serde_json::from_slice(&received.body).unwrap_or_default();
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let code = text("/error/code").and_then(Code::parse).unwrap_or(match received.status {
        429 | 502..=504 => Code::Unavailable,
        500.. => Code::Internal,
        _ => Code::Invalid,
    });
    let status = received.status;
    let unknown = || format!("the server answered {status}: {body}");
    let field = text("/error/details/field");
    let message = text("/error/message").map_or_else(unknown, str::to_string);
    let mut error = match field {
        // The message names it at its end, as errors print it.
        Some(field) => {
            let message = message.replacen(&format!(" (at {field})"), "", 1);
            Error::new(code, message).field(field)
        }
        None => Error::new(code, message),
    };
    if let Some(hint) = text("/error/details/hint") {
        error = error.hint(hint);
    }
    Err(error)
}

/// As a part of a path or of a query.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            // Writing to a text can not fail.
            _ => write!(encoded, "%{byte:02X}").unwrap_or_default(),
        }
    }
    encoded
}
