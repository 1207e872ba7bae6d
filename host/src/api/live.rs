//! Answers that go on: server-sent events are asked for again whenever something happened.

use super::batches::{END, EVENT_STREAM};
use super::{Api, Begun, Request, Response};
use axum::body::{Body, Bytes};
use futures::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Streams at once.
const STREAMS_MAX: usize = 512;
/// A running batch is looked at so often; whatever else happens is told at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Proxies close what is silent.
const KEEP_ALIVE_LOOKS: u32 = 15;

pub(super) fn permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(STREAMS_MAX))
}

pub(super) fn is_stream(response: &Response) -> bool {
    let kind = ("content-type", EVENT_STREAM.to_string());
    response.status == 200 && response.headers.contains(&kind)
}

/// The body of the answer that begins with `first`. It is made as fast as it is read: a slow reader
/// misses progress, but no events.
pub(super) fn body(
    api: Arc<Api>,
    request: Request,
    first: Response,
    permit: OwnedSemaphorePermit,
) -> Body {
    let bell = api.control().bell();
    let live =
        Live { api, request, bell, next: Some(first), over: false, silent: 0, _permit: permit };
    Body::from_stream(stream::unfold(live, |mut live| async move {
        let chunk = live.chunk().await?;
        Some((Ok::<Bytes, Infallible>(Bytes::from(chunk)), live))
    }))
}

struct Live {
    api: Arc<Api>,
    request: Request,
    bell: watch::Receiver<u64>,
    /// Not sent yet.
    next: Option<Response>,
    /// The last event was sent.
    over: bool,
    /// Looks since something was sent.
    silent: u32,
    _permit: OwnedSemaphorePermit,
}

impl Live {
    /// What is to be sent next; `None` at the end.
    async fn chunk(&mut self) -> Option<String> {
        loop {
            let response = match self.next.take() {
                Some(response) => response,
                None => self.look().await?,
            };
            let text = String::from_utf8_lossy(&response.body).into_owned();
            if let Some(last) = text.lines().rev().find_map(|line| line.strip_prefix("id: ")) {
                self.request.last_event_id = Some(last.to_string());
            }
            self.over = text.contains(END);
            if !text.is_empty() {
                self.silent = 0;
                return Some(text);
            }
            self.silent += 1;
            if self.silent.is_multiple_of(KEEP_ALIVE_LOOKS) {
                return Some(": still here\n\n".to_string());
            }
        }
    }

    /// Asks again when something happened; `None` when nothing more can.
    async fn look(&mut self) -> Option<Response> {
        if self.over {
            return None;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = self.bell.changed() => {}
        }
        if self.api.control().dispatch.stopping() {
            return None;
        }
        let (api, again) = (self.api.clone(), self.request.clone());
        let begun = tokio::task::spawn_blocking(move || api.begin(&again)).await;
        let Ok(Begun::Answered(response)) = begun else { return None };
        is_stream(&response).then_some(response)
    }
}
