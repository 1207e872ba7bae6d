//! HTTP around the API: reads requests, lets so many in, and shows everybody else out.

use super::connections::{Busy, Connections};
use super::origin::{Origins, is_local};
use super::{Api, Begun, Request, Response, failure, live, metrics};
use crate::error::{Code, Context as _, Error, Result};
use crate::telemetry::{Context, Kind, Span};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::IntoResponse;
use futures::{Stream, StreamExt};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// Longer than proxies keep a connection that they may use again.
const IDLE_TIME_MAX: Duration = Duration::from_secs(75);
/// How long the body of a request may take to come.
const BODY_TIME_MAX: Duration = Duration::from_secs(60);
/// Of a body that is refused already: somewhat more than the largest that is taken.
const DISCARDED_BYTES_MAX: usize = 96 << 20;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(5);
/// KiB of bodies in memory at once; one that does not fit waits.
const BODIES_KIB_MAX: u32 = 512 << 10;
/// Even a full server says that it is alive.
const ALIVE: &str = "/healthz";
const TIDY_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct ServerSettings {
    pub listen: SocketAddr,
    /// Requests that are worked on at once; the others wait.
    pub requests_max: usize,
    /// Requests that are here at once, with those that wait; those beyond are refused.
    pub waiting_max: usize,
    /// Connections at once; those beyond wait.
    pub connections_max: usize,
    /// How long the head of a request may take to come, and a connection may be kept for the next
    /// one.
    pub idle_max: Duration,
    /// How long requests may take to end once the server stops.
    pub drain: Duration,
    /// Origins whose pages may send requests, `*` for all.
    pub origins: Vec<String>,
    /// Whoever can reach the port may do all, by whatever name they found it.
    pub insecure: bool,
}

impl ServerSettings {
    pub fn new(listen: SocketAddr) -> ServerSettings {
        ServerSettings {
            listen,
            requests_max: 64,
            waiting_max: 4096,
            connections_max: 16 << 10,
            idle_max: IDLE_TIME_MAX,
            drain: Duration::from_secs(10),
            origins: Vec::new(),
            insecure: false,
        }
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every request was answered.
    Drained,
    /// Some took longer than they were given.
    CutOff,
}

/// A server that listens.
pub struct Server {
    shared: Shared,
    listener: Connections,
    address: SocketAddr,
    drain: Duration,
}

#[derive(Clone)]
struct Shared {
    api: Arc<Api>,
    requests: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    waiting_max: usize,
    origins: Arc<Origins>,
    insecure: bool,
}

impl Server {
    pub async fn bind(api: Arc<Api>, settings: &ServerSettings) -> Result<Server> {
        let named = || format!("can not listen on {}", settings.listen);
        let listener =
            TcpListener::bind(settings.listen).await.context(Code::Unavailable, named)?;
        let address = listener.local_addr().context(Code::Unavailable, named)?;
        let shared = Shared {
            api,
            requests: Arc::new(Semaphore::new(settings.requests_max.max(1))),
            bodies: Arc::new(Semaphore::new(BODIES_KIB_MAX as usize)),
            streams: live::permits(),
            waiting: Arc::default(),
            waiting_max: settings.waiting_max,
            origins: Arc::new(Origins(settings.origins.clone())),
            insecure: settings.insecure,
        };
        let listener =
            Connections::new(listener, settings.connections_max.max(1), settings.idle_max);
        Ok(Server { shared, listener, address, drain: settings.drain })
    }

    /// With the port that the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Until `stop` is done. From then on nobody is let in, and those who are have a while to end.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<Ended> {
        let router = Router::new().fallback(handle).with_state(self.shared);
        let (tell, mut told) = watch::channel(false);
        let stopping = async move {
            // An error means that nobody can tell any more: stop as well.
            let _ = told.wait_for(|stopping| *stopping).await;
        };
        let service = router.into_make_service_with_connect_info::<Busy>();
        let serve = axum::serve(self.listener, service).with_graceful_shutdown(stopping);
        let bounded = async {
            stop.await;
            tell.send_replace(true);
            tokio::time::sleep(self.drain).await;
        };
        let tidy = async {
            loop {
                tokio::time::sleep(TIDY_EVERY).await;
                metrics::tidy();
            }
        };
        tokio::select! {
            ended = serve => ended
                .map(|()| Ended::Drained)
                .context(Code::Unavailable, || "the server failed".to_string()),
            () = bounded => Ok(Ended::CutOff),
            () = tidy => Ok(Ended::CutOff),
        }
    }
}

async fn handle(
    State(shared): State<Shared>,
    ConnectInfo(busy): ConnectInfo<Busy>,
    request: axum::extract::Request,
) -> axum::response::Response {
    let _working = busy.begin();
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let request_id = header(&parts.headers, "x-request-id")
        .filter(|id| id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .unwrap_or_else(|| uuid::Uuid::now_v7().simple().to_string());
    let mut span = traced(&shared.api, &parts, &request_id);
    let origin = match shared.origins.check(&parts.headers) {
        Ok(origin) => origin,
        Err(error) => return encode(failed(&error, &request_id), &request_id),
    };
    let (response, stream) = match parts.method == Method::OPTIONS && origin.is_some() {
        true => (Response { status: 204, headers: Vec::new(), body: Vec::new() }, None),
        false => match shared.serve(&parts, body, &request_id).await {
            Ok(answered) => answered,
            Err(error) => (failed(&error, &request_id), None),
        },
    };
    span.set("http.response.status_code", response.status);
    if response.status >= 500 {
        span.fail("the log has the request id");
    }
    // Neither the query nor headers: they may hold secrets.
    tracing::info!(
        request_id,
        method = parts.method.as_str(),
        path = parts.uri.path(),
        status = response.status,
        milliseconds = started.elapsed().as_millis() as u64,
        "answered"
    );
    let mut answer = encode(response, &request_id);
    if let Some(stream) = stream {
        *answer.body_mut() = stream;
        answer.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
        answer.headers_mut().remove("etag");
    }
    if let Some(origin) = origin {
        shared.origins.allow(origin, &parts.method, answer.headers_mut());
    }
    answer
}

/// Below the span that whoever asks names.
fn traced(api: &Api, parts: &Parts, request_id: &str) -> Span {
    let parent = header(&parts.headers, "traceparent").and_then(|text| Context::parse(&text));
    let method = parts.method.as_str();
    let mut span = Span::new(method, Kind::Server, parent);
    if span.is_told() {
        span.set("http.request.method", method);
        span.set("quarry.request_id", request_id);
        if let Some((operation, path)) = api.operation_of(method, parts.uri.path()) {
            span.rename(&format!("{method} {path}"));
            span.set("http.route", path);
            span.set("quarry.operation", operation);
        }
    }
    span
}

/// Counts somebody who waits, as long as they do.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// An answer, and its body where that goes on.
    async fn serve(
        &self,
        parts: &Parts,
        body: Body,
        request_id: &str,
    ) -> Result<(Response, Option<Body>)> {
        if !self.insecure && !is_local(&parts.headers) && self.api.is_open()? {
            let message = "without keys this server is only for this machine, by its own name";
            return Err(Error::new(Code::Forbidden, message)
                .hint("use 127.0.0.1 or localhost, or make a key: quarry key create"));
        }
        let alive = parts.uri.path() == ALIVE;
        let _waits = match alive {
            true => None,
            false => Some(self.queue()?),
        };
        let mut request = request(parts, request_id);
        let bytes_max = self.api.body_bytes_max(&request.method, &request.path);
        let _room = match self.room(&parts.headers, bytes_max).await {
            Ok(room) => room,
            Err(error) => {
                discard(body.into_data_stream()).await;
                return Err(error);
            }
        };
        request.body = read(body, bytes_max).await?;
        loop {
            match self.work(&request, alive).await? {
                Begun::Answered(response) if live::is_stream(&response) => {
                    let Ok(permit) = self.streams.clone().try_acquire_owned() else {
                        let message = "too many are watching already";
                        return Err(Error::new(Code::TooMany, message));
                    };
                    let (api, first) = (self.api.clone(), response.clone());
                    return Ok((response, Some(live::body(api, request, first, permit))));
                }
                Begun::Answered(response) => return Ok((response, None)),
                Begun::Elsewhere(waiting) => {
                    if let Some(response) = waiting.answer().await {
                        return Ok((response, None));
                    }
                }
            }
        }
    }

    /// In this thread: while batches take all processors, another one would have to wait for its
    /// turn, and this one again for the answer. The runtime goes on with threads that it has left.
    async fn work(&self, request: &Request, alive: bool) -> Result<Begun> {
        let _permit = match alive {
            true => None,
            false => Some(self.requests.acquire().await),
        };
        let begin = AssertUnwindSafe(|| self.api.begin(request));
        tokio::task::block_in_place(|| catch_unwind(begin))
            // The panic itself was printed where it happened.
            .map_err(|_| Error::internal("an operation panicked"))
    }

    fn queue(&self) -> Result<Waits<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waits = Waits(&self.waiting);
        if before < self.waiting_max {
            return Ok(waits);
        }
        metrics::shed();
        Err(Error::new(Code::TooMany, format!("{before} requests are waiting already"))
            .hint("try again in a moment"))
    }

    /// Room in memory for a body of the length that was announced, or the largest that there is.
    async fn room(
        &self,
        headers: &HeaderMap,
        bytes_max: usize,
    ) -> Result<Option<tokio::sync::OwnedSemaphorePermit>> {
        let length = header(headers, "content-length").and_then(|text| text.parse::<u64>().ok());
        let chunked = headers.contains_key("transfer-encoding");
        let bytes = match length {
            Some(length) if length > bytes_max as u64 => return Err(too_large(bytes_max)),
            Some(length) => length as usize,
            None if chunked => bytes_max,
            None => 0,
        };
        let kib = (bytes.div_ceil(1024) as u32).min(BODIES_KIB_MAX);
        if kib == 0 {
            return Ok(None);
        }
        let room = self.bodies.clone().acquire_many_owned(kib).await;
        room.map(Some).context(Code::Unavailable, || "the server is stopping".to_string())
    }
}

fn too_large(bytes_max: usize) -> Error {
    Error::new(Code::TooLarge, format!("the body has more than {bytes_max} bytes"))
}

async fn read(body: Body, bytes_max: usize) -> Result<Vec<u8>> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let read = async {
        while let Some(piece) = stream.next().await {
            let piece = piece.context(Code::Invalid, || "the body broke off".to_string())?;
            if bytes.len() + piece.len() > bytes_max {
                discard(&mut stream).await;
                return Err(too_large(bytes_max));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(())
    };
    match tokio::time::timeout(BODY_TIME_MAX, read).await {
        Ok(done) => done.map(|()| bytes),
        Err(_) => Err(Error::new(Code::Unavailable, "the body did not come in time")),
    }
}

/// Reads on for a while: whoever is still writing when the connection is closed sees that it broke,
/// and not the answer.
async fn discard(mut stream: impl Stream<Item = std::result::Result<Bytes, axum::Error>> + Unpin) {
    let mut left = DISCARDED_BYTES_MAX;
    let rest = async {
        while let Some(Ok(piece)) = stream.next().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    // Whoever is slower has lost the answer, and nothing else.
    let _ = tokio::time::timeout(DISCARD_TIME_MAX, rest).await;
}

fn request(parts: &Parts, request_id: &str) -> Request {
    Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_string(),
        query: parts.uri.query().unwrap_or_default().to_string(),
        authorization: header(&parts.headers, "authorization"),
        namespace: header(&parts.headers, "x-namespace"),
        origin: origin(&parts.headers),
        if_match: header(&parts.headers, "if-match"),
        if_none_match: header(&parts.headers, "if-none-match"),
        idempotency_key: header(&parts.headers, "idempotency-key"),
        last_event_id: header(&parts.headers, "last-event-id"),
        request_id: request_id.to_string(),
        body: Vec::new(),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_string)
}

/// What links to this server begin with, as whoever asks has called it.
fn origin(headers: &HeaderMap) -> Option<String> {
    let host = header(headers, "x-forwarded-host").or_else(|| header(headers, "host"))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    let secure = header(headers, "x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    let scheme = if secure { "https" } else { "http" };
    host.bytes().all(plain).then(|| format!("{scheme}://{host}"))
}

fn failed(error: &Error, request_id: &str) -> Response {
    let status = failure::status(error.code());
    let body = failure::body(error, &[], request_id).to_string().into_bytes();
    let mut headers = vec![("content-type", "application/json".to_string())];
    if matches!(status, 429 | 503) {
        headers.push(("retry-after", "1".to_string()));
    }
    Response { status, headers, body }
}

fn encode(response: Response, request_id: &str) -> axum::response::Response {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = (status, Body::from(Bytes::from(response.body))).into_response();
    let headers = answer.headers_mut();
    headers.remove("content-type");
    for (name, value) in response.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    answer
}
