//! An OCI registry in this process: the part of the distribution specification that pushing and
//! pulling need, as strict as a real one, and open to tests that want to lie.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use quarry::client::oci::{MANIFEST_TYPE, Manifest, sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;

const TOKEN: &str = "the-token-that-the-realm-gave";

/// What it holds, to be looked at and changed.
#[derive(Default)]
pub(crate) struct Content {
    /// By digest.
    pub(crate) blobs: HashMap<String, Vec<u8>>,
    /// By tag and by digest.
    pub(crate) manifests: HashMap<String, Vec<u8>>,
    /// User and password of who may come in; everybody if absent.
    pub(crate) user: Option<(String, String)>,
    pub(crate) uploads: usize,
}

pub(crate) struct OciRegistry {
    /// `127.0.0.1:PORT`
    pub(crate) host: String,
    pub(crate) content: Arc<Mutex<Content>>,
    _runtime: Runtime,
}

#[derive(Clone)]
struct Shared {
    host: String,
    content: Arc<Mutex<Content>>,
}

impl OciRegistry {
    pub(crate) fn start() -> OciRegistry {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let content = Arc::new(Mutex::new(Content::default()));
        let shared = Shared { host: host.clone(), content: content.clone() };
        let router = Router::new().fallback(answer).with_state(shared);
        runtime.spawn(async move { axum::serve(listener, router).await });
        OciRegistry { host, content, _runtime: runtime }
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Content) -> T) -> T {
        change(&mut self.content.lock().unwrap())
    }

    /// Flips a bit in the middle of a blob of this media type, in the package under a tag.
    pub(crate) fn flip(&self, tag: &str, media_type: &str) {
        self.change(|content| {
            let manifest: Manifest = serde_json::from_slice(&content.manifests[tag]).unwrap();
            let layer = manifest.layers.iter().find(|layer| layer.media_type == media_type);
            let blob = content.blobs.get_mut(&layer.unwrap().digest).unwrap();
            let middle = blob.len() / 2;
            blob[middle] ^= 1;
        });
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header = |name: header::HeaderName| {
        parts.headers.get(name).map(|value| value.to_str().unwrap().to_string())
    };
    let authorization = header(header::AUTHORIZATION).unwrap_or_default();
    let body = axum::body::to_bytes(body, 128 << 20).await.unwrap();
    let content = &mut *shared.content.lock().unwrap();
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    if let Some((user, password)) = &content.user {
        let basic = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
        if path == "/token" {
            let scoped = query.contains("service=tests") && query.contains("scope=repository");
            return match authorization == basic && scoped {
                true => format!("{{\"token\": \"{TOKEN}\"}}").into_response(),
                false => StatusCode::UNAUTHORIZED.into_response(),
            };
        }
        if authorization != format!("Bearer {TOKEN}") {
            let host = &shared.host;
            let challenge = format!(
                "Bearer realm=\"http://{host}/token\",service=\"tests\",\
                 scope=\"repository:acme/it:pull,push\""
            );
            let body = "{\"errors\": [{\"code\": \"UNAUTHORIZED\", \"message\": \"who is it\"}]}";
            let head = [(header::WWW_AUTHENTICATE, challenge)];
            return (StatusCode::UNAUTHORIZED, head, body).into_response();
        }
    }
    let Some(rest) = path.strip_prefix("/v2/acme/it/") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match rest.split_once('/') {
        Some(("blobs", rest)) => blobs(content, &parts.method, rest, query, body),
        Some(("manifests", name)) => {
            let kind = header(header::CONTENT_TYPE).unwrap_or_default();
            manifests(content, &parts.method, name, &kind, body)
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn blobs(content: &mut Content, method: &Method, rest: &str, query: &str, body: Bytes) -> Response {
    match (method.as_str(), rest) {
        ("POST", "uploads/") => {
            content.uploads += 1;
            // As some registries do it: relative, and with a query of its own.
            let location = format!("/v2/acme/it/blobs/uploads/{}?state=x", content.uploads);
            (StatusCode::ACCEPTED, [(header::LOCATION, location)]).into_response()
        }
        ("PUT", rest) if rest.starts_with("uploads/") => {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            let digest = pairs.find(|(name, _)| name == "digest").unwrap().1.into_owned();
            if !query.starts_with("state=x&") || sha256(&body) != digest {
                return StatusCode::BAD_REQUEST.into_response();
            }
            content.blobs.insert(digest, body.to_vec());
            StatusCode::CREATED.into_response()
        }
        ("HEAD" | "GET", digest) => found(content.blobs.get(digest), method),
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn manifests(
    content: &mut Content,
    method: &Method,
    name: &str,
    kind: &str,
    body: Bytes,
) -> Response {
    if method != Method::PUT {
        return found(content.manifests.get(name), method);
    }
    let manifest: Manifest = serde_json::from_slice(&body).unwrap();
    let mut needed = manifest.layers.iter().chain([&manifest.config]);
    let complete = needed.all(|needed| content.blobs.contains_key(&needed.digest));
    if !complete || kind != MANIFEST_TYPE {
        return StatusCode::BAD_REQUEST.into_response();
    }
    content.manifests.insert(sha256(&body), body.to_vec());
    content.manifests.insert(name.to_string(), body.to_vec());
    StatusCode::CREATED.into_response()
}

fn found(bytes: Option<&Vec<u8>>, method: &Method) -> Response {
    match bytes {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(_) if method == Method::HEAD => StatusCode::OK.into_response(),
        Some(bytes) => Body::from(bytes.clone()).into_response(),
    }
}
