//! Answers that go on: server-sent events are asked for again whenever something happened.

use super::batches::{END, EVENT_STREAM};
use super::{Api, Begun, Request, Response};
use axum::body::{Body, Bytes};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

/// Streams at once.
pub(super) const STREAMS_MAX: usize = 512;
/// A running batch is looked at so often; whatever else happens is told at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Proxies close what is silent.
const KEEP_ALIVE_LOOKS: u32 = 15;
/// Chunks that wait for a slow reader, who then misses progress but no events.
const CHUNKS_MAX: usize = 4;

pub(super) fn is_stream(response: &Response) -> bool {
    let kind = ("content-type", EVENT_STREAM.to_string());
    response.status == 200 && response.headers.contains(&kind)
}

/// The body of the answer that begins with `response`.
pub(super) fn body(
    api: Arc<Api>,
    request: Request,
    response: Response,
    permit: OwnedSemaphorePermit,
) -> Body {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    tokio::spawn(async move {
        let _permit = permit;
        go_on(api, request, response, &sender).await;
    });
    Body::from_stream(ReceiverStream::new(receiver))
}

type Chunk = Result<Bytes, Infallible>;

async fn go_on(api: Arc<Api>, mut request: Request, first: Response, sender: &Sender<Chunk>) {
    let mut bell = api.control().bell();
    let (mut response, mut silent) = (first, 0);
    loop {
        let text = String::from_utf8_lossy(&response.body).into_owned();
        if let Some(last) = text.lines().rev().find_map(|line| line.strip_prefix("id: ")) {
            request.last_event_id = Some(last.to_string());
        }
        let over = text.contains(END);
        silent = if text.is_empty() { silent + 1 } else { 0 };
        let chunk = match silent {
            0 => Some(text),
            looks if looks % KEEP_ALIVE_LOOKS == 0 => Some(": still here\n\n".to_string()),
            _ => None,
        };
        if let Some(chunk) = chunk
            && sender.send(Ok(Bytes::from(chunk))).await.is_err()
        {
            return;
        }
        if over || !is_stream(&response) {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = bell.changed() => {}
            () = sender.closed() => return,
        }
        let (api, again) = (api.clone(), request.clone());
        let Ok(next) = tokio::task::spawn_blocking(move || api.begin(&again)).await else {
            return;
        };
        let Begun::Answered(next) = next else { return };
        response = next;
    }
}

pub(super) fn permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(STREAMS_MAX))
}
