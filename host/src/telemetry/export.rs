//! Sends spans to the collector from a thread of its own.

use super::encode;
use super::settings::{Sampler, Settings};
use crate::error::{Code, Context, Result};
use metrics::counter;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// Spans that wait; those beyond are lost and counted.
const QUEUE_MAX: usize = 2_048;
/// Spans of one request.
const BATCH_MAX: usize = 512;
/// Spans wait so long for others to go with.
const GATHER_TIME: Duration = Duration::from_secs(5);
/// For the end of the process.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(5);
const FLUSH_LOOK: Duration = Duration::from_millis(10);
/// Attempts in all where a collector says that the same may work later.
const ATTEMPTS: u32 = 3;

enum Told {
    Span(Value),
    /// Everything before it is to be sent now.
    Flush(SyncSender<()>),
}

pub(super) struct Exporter {
    queue: SyncSender<Told>,
    sampler: Sampler,
}

struct Sender {
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    settings: Settings,
}

impl Exporter {
    pub(super) fn start(settings: Settings) -> Result<Exporter> {
        let named = || "can not prepare the export of traces".to_string();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &settings.headers {
            let wrong = || format!("`{name}` of OTEL_EXPORTER_OTLP_HEADERS is not a header");
            let name = HeaderName::from_bytes(name.as_bytes()).context(Code::Invalid, wrong)?;
            let value = HeaderValue::from_str(value).context(Code::Invalid, wrong)?;
            headers.insert(name, value);
        }
        let mut http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers)
            .timeout(settings.timeout);
        if matches!(settings.endpoint.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) {
            http = http.no_proxy();
        }
        let http = http.build().context(Code::Unavailable, named)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(Code::Unavailable, named)?;
        let (queue, told) = sync_channel(QUEUE_MAX);
        let sampler = settings.sampler;
        let sender = Sender { http, runtime, settings };
        std::thread::Builder::new()
            .name("telemetry".to_string())
            .spawn(move || sender.work(&told))
            .context(Code::Unavailable, named)?;
        Ok(Exporter { queue, sampler })
    }

    pub(super) fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    pub(super) fn tell(&self, span: Value) {
        if self.queue.try_send(Told::Span(span)).is_err() {
            counter!("quarry_trace_spans_lost_total", "reason" => "queue").increment(1);
        }
    }

    pub(super) fn flush(&self) {
        let end = Instant::now() + FLUSH_TIME_MAX;
        let (done, wait) = sync_channel(1);
        let mut told = Told::Flush(done);
        // A queue that is full now is being emptied, unless the collector hangs.
        while let Err(TrySendError::Full(again)) = self.queue.try_send(told) {
            if Instant::now() >= end {
                return;
            }
            told = again;
            std::thread::park_timeout(FLUSH_LOOK);
        }
        let _ = wait.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

impl Sender {
    /// For as long as the process lives.
    fn work(&self, told: &Receiver<Told>) {
        let mut spans = Vec::new();
        let mut first: Option<Instant> = None;
        loop {
            let wait = first.map(|first| GATHER_TIME.saturating_sub(first.elapsed()));
            let next = match wait {
                Some(wait) => told.recv_timeout(wait),
                None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(Told::Span(span)) => {
                    first.get_or_insert_with(Instant::now);
                    spans.push(span);
                    if spans.len() < BATCH_MAX {
                        continue;
                    }
                    self.send(std::mem::take(&mut spans));
                }
                Ok(Told::Flush(done)) => {
                    self.send(std::mem::take(&mut spans));
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => self.send(std::mem::take(&mut spans)),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            first = None;
        }
    }

    fn send(&self, spans: Vec<Value>) {
        if spans.is_empty() {
            return;
        }
        let count = spans.len() as u64;
        let body = encode::request(&self.settings.resource, spans).to_string();
        for attempt in 1..=ATTEMPTS {
            let post = self.http.post(self.settings.endpoint.clone()).body(body.clone());
            let answered = self.runtime.block_on(async { post.send().await });
            let again = match &answered {
                Ok(answer) if answer.status().is_success() => return,
                Ok(answer) => matches!(answer.status().as_u16(), 429 | 502..=504),
                Err(error) => error.is_connect() || error.is_timeout(),
            };
            if !again || attempt == ATTEMPTS {
                let why = match answered {
                    Ok(answer) => answer.status().to_string(),
                    Err(error) => error.without_url().to_string(),
                };
                tracing::warn!("the collector did not take {count} spans: {why}");
                counter!("quarry_trace_spans_lost_total", "reason" => "export").increment(count);
                return;
            }
            let pause = Duration::from_millis(200) * attempt;
            self.runtime.block_on(tokio::time::sleep(pause));
        }
    }
}
