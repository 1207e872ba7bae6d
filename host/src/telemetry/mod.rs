//! Traces for an OpenTelemetry collector, when the standard environment variables name one:
//! spans go as OTLP over HTTP in its JSON form. Without them a span is a look at one variable.
//!
//! Spans are told from where things are done and never waited for: a queue that is full loses
//! spans and counts them.

mod context;
mod encode;
mod export;
mod settings;

pub use context::Context;
pub use settings::{Sampler, Settings};

use export::Exporter;
use serde_json::{Map, Value};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A process tells one collector, whatever it has open.
static EXPORTER: OnceLock<Exporter> = OnceLock::new();

/// What the other side of a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Internal,
    /// Somebody asked this process.
    Server,
    /// This process asks somebody.
    Client,
}

/// From now on spans are told. What can not be understood is logged, and nothing is told then.
pub fn start(settings: Settings) {
    match Exporter::start(settings) {
        // A second call changes nothing.
        Ok(exporter) => drop(EXPORTER.set(exporter)),
        Err(error) => tracing::warn!("no traces: {}", error.chain()),
    }
}

/// Sends what was told so far, for a while at most: the process is about to end.
pub fn flush() {
    if let Some(exporter) = EXPORTER.get() {
        exporter.flush();
    }
}

/// Something that takes a while; it has ended when this is dropped.
#[derive(Debug)]
pub struct Span(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    context: Context,
    parent: Option<[u8; 8]>,
    name: String,
    kind: Kind,
    began_at: Duration,
    began: Instant,
    attributes: Map<String, Value>,
    error: Option<String>,
}

impl Span {
    /// Below `parent`, or the first one of a trace.
    pub fn new(name: &str, kind: Kind, parent: Option<Context>) -> Span {
        let Some(exporter) = EXPORTER.get() else { return Span(None) };
        let context = match parent {
            Some(parent) => parent.below(exporter.sampler().below(&parent)),
            None => Context::root(exporter.sampler()),
        };
        Span(Some(Box::new(Open {
            context,
            parent: parent.map(|parent| parent.span),
            name: name.to_string(),
            kind,
            began_at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            began: Instant::now(),
            attributes: Map::new(),
            error: None,
        })))
    }

    /// For what happens within it; also where it is not told itself.
    pub fn context(&self) -> Option<Context> {
        self.0.as_ref().map(|open| open.context)
    }

    /// Whether it is worth finding out what to say of it.
    pub fn is_told(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.context.sampled)
    }

    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(open) = &mut self.0 {
            open.attributes.insert(name.to_string(), value.into());
        }
    }

    pub fn rename(&mut self, name: &str) {
        if let Some(open) = &mut self.0 {
            open.name = name.to_string();
        }
    }

    /// It failed.
    pub fn fail(&mut self, message: impl Into<String>) {
        if let Some(open) = &mut self.0 {
            open.error = Some(message.into());
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(open) = self.0.take().filter(|open| open.context.sampled)
            && let Some(exporter) = EXPORTER.get()
        {
            exporter.tell(encode::span(&open, open.began.elapsed()));
        }
    }
}
