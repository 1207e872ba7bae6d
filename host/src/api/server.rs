//! HTTP around the API.

use super::{Api, Request, Response, failure};
use crate::error::{Code, Context, Error, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Bytes of any body at most; operations have smaller limits of their own.
const BODY_BYTES_MAX: usize = 128 << 20;
/// How long the body of a request may take to come.
const BODY_TIME_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub struct ServerSettings {
    pub listen: SocketAddr,
    /// Requests that are worked on at once; the others wait.
    pub requests_max: usize,
}

/// A server that listens.
pub struct Server {
    api: Arc<Api>,
    listener: TcpListener,
    address: SocketAddr,
    requests: Arc<Semaphore>,
}

#[derive(Clone)]
struct Shared {
    api: Arc<Api>,
    requests: Arc<Semaphore>,
}

impl Server {
    pub async fn bind(api: Arc<Api>, settings: &ServerSettings) -> Result<Server> {
        let named = || format!("can not listen on {}", settings.listen);
        let listener =
            TcpListener::bind(settings.listen).await.context(Code::Unavailable, named)?;
        let address = listener.local_addr().context(Code::Unavailable, named)?;
        let requests = Arc::new(Semaphore::new(settings.requests_max));
        Ok(Server { api, listener, address, requests })
    }

    /// With the port that the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Until `stop` is done; requests that are being worked on are answered.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let shared = Shared { api: self.api, requests: self.requests };
        let router = Router::new().fallback(handle).with_state(shared);
        axum::serve(self.listener, router)
            .with_graceful_shutdown(stop)
            .await
            .context(Code::Unavailable, || "the server failed".to_string())
    }
}

async fn handle(
    State(shared): State<Shared>,
    request: axum::extract::Request,
) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let request_id = header(&parts.headers, "x-request-id")
        .filter(|id| id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .unwrap_or_else(|| uuid::Uuid::now_v7().simple().to_string());
    let read = axum::body::to_bytes(body, BODY_BYTES_MAX);
    let body = match tokio::time::timeout(BODY_TIME_MAX, read).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let message =
                format!("the body can not be read, or has more than {BODY_BYTES_MAX} bytes");
            return failed(&Error::new(Code::TooLarge, message), &request_id);
        }
        Err(_) => {
            let error = Error::new(Code::Unavailable, "the body did not come in time");
            return failed(&error, &request_id);
        }
    };
    let request = Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_string(),
        query: parts.uri.query().unwrap_or_default().to_string(),
        authorization: header(&parts.headers, "authorization"),
        namespace: header(&parts.headers, "x-namespace"),
        origin: origin(&parts.headers),
        if_match: header(&parts.headers, "if-match"),
        if_none_match: header(&parts.headers, "if-none-match"),
        request_id: request_id.clone(),
        body: body.to_vec(),
    };
    let Ok(_permit) = shared.requests.acquire().await else {
        return failed(&Error::new(Code::Unavailable, "the server is stopping"), &request_id);
    };
    let api = shared.api.clone();
    let answered = tokio::task::spawn_blocking(move || api.answer(&request)).await;
    match answered {
        Ok(response) => encode(response, &request_id),
        // The panic itself was printed where it happened.
        Err(_) => failed(&Error::internal("an operation panicked"), &request_id),
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

fn failed(error: &Error, request_id: &str) -> axum::response::Response {
    let status = failure::status(error.code());
    let body = failure::body(error, &[], request_id).to_string().into_bytes();
    let headers = vec![("content-type", "application/json".to_string())];
    encode(Response { status, headers, body }, request_id)
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
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    answer
}
