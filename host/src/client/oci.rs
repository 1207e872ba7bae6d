//! Registries of the OCI distribution specification (1.1), as far as pushing and pulling small
//! artifacts need it. All calls block.
//!
//! The crates for this bring another feature set of the HTTP client along and read answers of any
//! size; here every answer has a limit. **Invariant:** what [`Registry::blob`] and
//! [`Registry::manifest`] return has the digest that was asked for.

mod challenge;
mod credentials;
mod manifest;
mod reference;

pub use credentials::Credentials;
pub use manifest::{Descriptor, MANIFEST_TYPE, Manifest, sha256};
pub use reference::Reference;

use crate::error::{Code, Context, Error, Result};
use bytes::Bytes;
use challenge::Challenge;
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;

/// As registries take them at most.
pub const MANIFEST_BYTES_MAX: usize = 4 << 20;
const TOKEN_BYTES_MAX: usize = 64 << 10;
/// Of an answer that tells of an error.
const COMPLAINT_BYTES_MAX: usize = 4 << 10;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const READ_TIME_MAX: Duration = Duration::from_secs(60);
const REDIRECTS_MAX: usize = 5;

/// One repository of a registry.
pub struct Registry {
    http: reqwest::Client,
    runtime: Runtime,
    base: Url,
    /// As it was called.
    shown: String,
    repository: String,
    credentials: Option<Credentials>,
    /// Content of the `Authorization` header that the registry wanted.
    authorization: Mutex<Option<String>>,
}

/// A request that can be sent again once it is known how to authorise it.
struct Call {
    method: Method,
    url: Url,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Call {
    fn new(method: Method, url: Url) -> Call {
        Call { method, url, headers: Vec::new(), body: Bytes::new() }
    }
}

impl Registry {
    /// Over http only on this machine, or where `plain_http` says so.
    pub fn open(
        reference: &Reference,
        credentials: Option<Credentials>,
        plain_http: bool,
    ) -> Result<Registry> {
        let named = || "can not make an HTTP client".to_string();
        let host = reference.host();
        let local = is_local(host);
        let scheme = if local || plain_http { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{host}/"))
            .context(Code::Invalid, || format!("`{host}` is no host"))?;
        let mut http = reqwest::Client::builder()
            .redirect(Policy::custom(|attempt| {
                let plain = attempt.url().scheme() != "https";
                let secure = attempt.previous().iter().any(|url| url.scheme() == "https");
                match attempt.previous().len() > REDIRECTS_MAX || (plain && secure) {
                    true => attempt.error("redirected too often, or from https to http"),
                    false => attempt.follow(),
                }
            }))
            .referer(false)
            .connect_timeout(CONNECT_TIME_MAX)
            .read_timeout(READ_TIME_MAX)
            .user_agent(concat!("quarry/", env!("CARGO_PKG_VERSION")));
        if local {
            http = http.no_proxy();
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(Code::Unavailable, named)?;
        Ok(Registry {
            http: http.build().context(Code::Unavailable, named)?,
            runtime,
            base,
            shown: reference.registry().to_string(),
            repository: reference.repository().to_string(),
            credentials,
            authorization: Mutex::default(),
        })
    }

    /// The manifest under a tag or a digest, and its digest; `None` if there is none.
    pub fn manifest(&self, tag_or_digest: &str) -> Result<Option<(Manifest, String)>> {
        let mut call = Call::new(Method::GET, self.url(&format!("manifests/{tag_or_digest}"))?);
        call.headers.push(("accept", MANIFEST_TYPE.to_string()));
        let what = format!("manifest {tag_or_digest}");
        self.runtime.block_on(async {
            let response = self.send(&call).await?;
            if response.status().as_u16() == 404 {
                return Ok(None);
            }
            let response = self.succeeded(response, &what).await?;
            let bytes = self.read(response, MANIFEST_BYTES_MAX, &what).await?;
            let digest = sha256(&bytes);
            if tag_or_digest.contains(':') && tag_or_digest != digest {
                return Err(self.changed(&what, &digest));
            }
            Manifest::parse(&bytes).map(|manifest| Some((manifest, digest)))
        })
    }

    /// The bytes that a descriptor describes, if they are not more than so many.
    pub fn blob(&self, descriptor: &Descriptor, bytes_max: usize) -> Result<Vec<u8>> {
        let Descriptor { digest, size, .. } = descriptor;
        let what = format!("blob {digest}");
        reference::check_digest(digest)?;
        if *size > bytes_max as u64 {
            return Err(self.too_large(&what, bytes_max));
        }
        let call = Call::new(Method::GET, self.url(&format!("blobs/{digest}"))?);
        self.runtime.block_on(async {
            let response = self.succeeded(self.send(&call).await?, &what).await?;
            let bytes = self.read(response, bytes_max, &what).await?;
            match sha256(&bytes) {
                found if found == *digest && bytes.len() as u64 == *size => Ok(bytes),
                found => Err(self.changed(&what, &found)),
            }
        })
    }

    /// Puts bytes there, unless they are there already.
    pub fn push_blob(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor> {
        let descriptor = Descriptor::of(media_type, bytes);
        let what = format!("blob {}", descriptor.digest);
        self.runtime.block_on(async {
            let there = self.url(&format!("blobs/{}", descriptor.digest))?;
            if self.send(&Call::new(Method::HEAD, there)).await?.status().is_success() {
                return Ok(descriptor);
            }
            let begin = Call::new(Method::POST, self.url("blobs/uploads/")?);
            let begun = self.succeeded(self.send(&begin).await?, &what).await?;
            let location = begun.headers().get("location").and_then(|value| value.to_str().ok());
            let location = location.and_then(|location| begun.url().join(location).ok());
            let mut url = location.ok_or_else(|| {
                Error::new(Code::Unavailable, format!("{} names no place to upload to", self.shown))
            })?;
            url.query_pairs_mut().append_pair("digest", &descriptor.digest);
            let mut put = Call::new(Method::PUT, url);
            put.headers.push(("content-type", "application/octet-stream".to_string()));
            put.body = Bytes::copy_from_slice(bytes);
            self.succeeded(self.send(&put).await?, &what).await?;
            Ok(descriptor)
        })
    }

    /// Puts a manifest there, under a tag; its descriptor.
    pub fn push_manifest(&self, tag: &str, manifest: &Manifest) -> Result<Descriptor> {
        let bytes = manifest.to_json()?;
        let mut put = Call::new(Method::PUT, self.url(&format!("manifests/{tag}"))?);
        put.headers.push(("content-type", MANIFEST_TYPE.to_string()));
        let descriptor = Descriptor::of(MANIFEST_TYPE, &bytes);
        put.body = bytes.into();
        self.runtime.block_on(async {
            self.succeeded(self.send(&put).await?, &format!("manifest {tag}")).await?;
            Ok(descriptor)
        })
    }

    fn url(&self, rest: &str) -> Result<Url> {
        let path = format!("v2/{}/{rest}", self.repository);
        self.base.join(&path).context(Code::Invalid, || format!("`{path}` is no path"))
    }

    /// The answer, whatever its status, once the registry knows who is asking.
    async fn send(&self, call: &Call) -> Result<Response> {
        let response = self.send_once(call).await?;
        if response.status().as_u16() != 401 || response.url().origin() != self.base.origin() {
            return Ok(response);
        }
        let header = response.headers().get("www-authenticate");
        let challenge = header.and_then(|value| value.to_str().ok()).and_then(Challenge::parse);
        let Some(challenge) = challenge else { return Ok(response) };
        let Some(answer) = self.answer(challenge).await? else { return Ok(response) };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        self.send_once(call).await
    }

    async fn send_once(&self, call: &Call) -> Result<Response> {
        let mut request = self.http.request(call.method.clone(), call.url.clone());
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        // A place to upload to may be on another host, which is nobody's to know it.
        if call.url.origin() == self.base.origin()
            && let Some(value) = self.authorization()
        {
            request = request.header("authorization", value);
        }
        let sent = request.body(call.body.clone()).send().await;
        sent.map_err(|error| {
            let message = format!("the registry {} does not answer", self.shown);
            Error::new(Code::Unavailable, message).source(error.without_url())
        })
    }

    fn authorization(&self) -> Option<String> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What to authorise requests with; `None` if there is nothing.
    async fn answer(&self, challenge: Challenge) -> Result<Option<String>> {
        let basic = self.credentials.as_ref().map(Credentials::basic);
        let (mut url, scope, service) = match challenge {
            Challenge::Basic => return Ok(basic),
            Challenge::Bearer { realm, scope, service } => (realm, scope, service),
        };
        let named = || format!("the registry {} gives no token", self.shown);
        if self.base.scheme() == "https" && url.scheme() != "https" {
            let why = "it wants to be asked for one without https";
            return Err(Error::new(Code::Forbidden, named()).source(why));
        }
        for (name, value) in [("service", service), ("scope", scope)] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
        let mut request = self.http.get(url);
        if let Some(basic) = basic {
            request = request.header("authorization", basic);
        }
        let response = request.send().await;
        let response =
            response.map_err(|error| error.without_url()).context(Code::Unavailable, named)?;
        if !response.status().is_success() {
            let why = format!("it answered {}", response.status());
            return Err(Error::new(Code::Forbidden, named()).source(why).hint(self.log_in()));
        }
        let bytes = self.read(response, TOKEN_BYTES_MAX, "token").await?;
        let token: serde_json::Value =
            serde_json::from_slice(&bytes).context(Code::Unavailable, named)?;
        let token = token["token"].as_str().or(token["access_token"].as_str());
        Ok(token.map(|token| format!("Bearer {token}")))
    }

    fn log_in(&self) -> String {
        format!("log in first, for instance with `docker login {}`", self.shown)
    }

    /// An answer that is no success becomes the error that it tells of.
    async fn succeeded(&self, response: Response, what: &str) -> Result<Response> {
        let status = response.status().as_u16();
        let code = match status {
            200..300 => return Ok(response),
            401 => Code::Unauthenticated,
            403 => Code::Forbidden,
            404 => Code::NotFound,
            429 | 500.. => Code::Unavailable,
            _ => Code::Invalid,
        };
        let text = self.read(response, COMPLAINT_BYTES_MAX, what).await.unwrap_or_default();
        let body: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        let why = body.pointer("/errors/0/message").and_then(|message| message.as_str());
        let readable = |text: &str| text.chars().filter(|c| !c.is_control()).take(300).collect();
        let why: String = why.map(readable).unwrap_or_default();
        let message = format!("the registry {} answered {status} for {what}", self.shown);
        let error = Error::new(code, message);
        let error = if why.is_empty() { error } else { error.source(why) };
        Err(match code {
            Code::Unauthenticated | Code::Forbidden => error.hint(self.log_in()),
            _ => error,
        })
    }

    async fn read(&self, mut response: Response, bytes_max: usize, what: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let broke_off = || format!("{what} of the registry {} broke off", self.shown);
        while let Some(piece) = response
            .chunk()
            .await
            .map_err(|error| error.without_url())
            .context(Code::Unavailable, broke_off)?
        {
            if bytes.len() + piece.len() > bytes_max {
                return Err(self.too_large(what, bytes_max));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    fn too_large(&self, what: &str, bytes_max: usize) -> Error {
        let message = format!("{what} of {} has more than {bytes_max} bytes", self.shown);
        Error::new(Code::TooLarge, message)
    }

    fn changed(&self, what: &str, digest: &str) -> Error {
        let message = format!("{what} of {} is not what its digest says", self.shown);
        Error::new(Code::Corrupt, message)
            .source(format!("what came has the digest {digest}"))
            .hint("the registry, or somebody on the way, changed it: push it again")
    }
}

/// With a port or without.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}
