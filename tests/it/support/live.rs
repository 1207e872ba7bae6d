//! A server on a port of its own, over a bed.

use super::api::Bed;
use quarry::api::{Server, ServerSettings};
use serde_json::Value;
use std::net::SocketAddr;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

pub(crate) struct Live {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    /// Of the client.
    pub(crate) runtime: Runtime,
    _stop: oneshot::Sender<()>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, body: answer.bytes().await.unwrap().to_vec() }
}

impl Live {
    pub(crate) fn start(bed: &Bed) -> Live {
        Live::start_with(bed, |_| ())
    }

    pub(crate) fn start_with(bed: &Bed, change: impl FnOnce(&mut ServerSettings)) -> Live {
        let mut settings = ServerSettings::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        change(&mut settings);
        let server = bed.app.runtime().block_on(Server::bind(bed.api.clone(), &settings)).unwrap();
        let url = format!("http://{}", server.address());
        let (stop, stopped) = oneshot::channel::<()>();
        bed.app.runtime().spawn(server.run(async move {
            let _ = stopped.await;
        }));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Live { url, http, runtime, _stop: stop }
    }

    pub(crate) fn request(&self, method: &str, target: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, format!("{}{target}", self.url))
    }

    pub(crate) fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.runtime.block_on(send(request))
    }
}
