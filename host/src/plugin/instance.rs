//! A configured extractor that one worker thread calls, renewed when its state can not be trusted.

use super::component::{Component, failed};
use super::failure::{Violation, explain, failure};
use super::input::{Batch, BatchHandle};
use super::meter::{Meter, Usage};
use super::output::{Sink, SinkHandle};
use super::state::{self, State};
use super::{Failure, Input, Instance, Output, Reason, query};
use crate::error::{Code, Error, Result};
use crate::model::{Description, Vector};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use wasmtime::Store;
use wasmtime::component::{Resource, TypedFunc};

/// Linear memory never shrinks: an instance that has more than this after a call is not kept.
const KEPT_MEMORY_BYTES: usize = 64 << 20;
/// Calls an instance lives for: drawn from this range, so that nobody can rely on kept state.
const CALLS: std::ops::Range<u64> = 256..768;
/// Bytes of an embedded query, as JSON.
const QUERY_BYTES_MAX: usize = 4 << 20;

type Run =
    TypedFunc<(Resource<BatchHandle>, Resource<SinkHandle>), (std::result::Result<(), String>,)>;
type EmbedQuery = TypedFunc<(String,), (std::result::Result<String, String>,)>;

/// An instance that can be called.
pub(super) struct Live {
    pub(super) store: Store<State>,
    pub(super) run: Run,
    pub(super) embed_query: EmbedQuery,
}

/// Holds the live instance, or the means to make another one.
pub(super) struct Slot {
    component: Component,
    parameters: String,
    description: Description,
    live: Option<Live>,
    /// Number of the grants that the live instance was made with.
    granted: u64,
    calls_left: u64,
    /// Instances made so far.
    generation: u64,
    made: Made,
    meter: Option<Arc<Meter>>,
    usage: Usage,
    stop: Arc<AtomicBool>,
}

/// What the call before made: buffers of the next one are as large from the start.
#[derive(Default)]
struct Made {
    rows: usize,
    /// Bytes of each output column.
    bytes: Vec<usize>,
}

impl Made {
    fn scaled_to(&self, rows: usize) -> Vec<usize> {
        self.bytes.iter().map(|bytes| bytes * rows / self.rows.max(1)).collect()
    }
}

impl Slot {
    /// `parameters` have been checked against the schema.
    pub(super) fn new(component: Component, parameters: String) -> Result<Self> {
        let granted = component.granted();
        let (live, description) = component.open(&parameters)?;
        let calls_left = calls(0);
        Ok(Slot {
            component,
            parameters,
            description,
            live: Some(live),
            granted,
            calls_left,
            generation: 0,
            made: Made::default(),
            meter: None,
            usage: Usage::default(),
            stop: Arc::default(),
        })
    }

    /// Takes the live instance out; whoever used it without harm puts it back.
    fn take(&mut self) -> Result<Live> {
        self.calls_left = self.calls_left.saturating_sub(1);
        let worn = self.calls_left == 0;
        let granted = self.component.granted();
        let outdated = std::mem::replace(&mut self.granted, granted) != granted;
        if let Some(live) = self.live.take().filter(|_| !worn && !outdated) {
            return Ok(live);
        }
        let (live, description) = self.component.open(&self.parameters)?;
        if description != self.description {
            return Err(super::inspect::refused("describes itself differently each time"));
        }
        self.generation += 1;
        self.calls_left = calls(self.generation);
        Ok(live)
    }

    fn keep(&mut self, live: Live) {
        if live.store.data().limiter.memory <= KEPT_MEMORY_BYTES {
            self.live = Some(live);
        }
    }

    fn extract(
        &mut self,
        live: &mut Live,
        input: &Input,
    ) -> std::result::Result<Output, Violation> {
        let limits = live.store.data().limits.clone();
        let batch = Batch::new(input, &self.description.inputs, &limits)?;
        state::begin(&mut live.store, limits.hostcall_bytes_max);
        let expected = self.made.scaled_to(input.rows);
        let sink = Sink::new(input.rows, &self.description, limits, &expected);
        let state = live.store.data_mut();
        state.stop = self.stop.clone();
        state.meter.clone_from(&self.meter);
        state.batch = Some(batch);
        state.sink = Some(Box::new(sink));
        let call = state.call;
        let handles = (Resource::new_borrow(call), Resource::new_borrow(call));
        let returned = live.run.call(&mut live.store, handles);
        let state = live.store.data_mut();
        let (host_calls, crossing) = self.meter.as_ref().map(|m| m.take()).unwrap_or_default();
        self.usage = Usage { memory_bytes: state.limiter.memory, host_calls, crossing };
        state.batch = None;
        let sink = state.sink.take();
        match returned.map_err(|error| explain(&error, state))?.0 {
            Ok(()) => {}
            Err(message) => return Err(returned_error(&message, state)),
        }
        let sink = sink.ok_or_else(|| super::failure::contract("the sink is lost"))?;
        self.made = Made { rows: input.rows, bytes: sink.sizes() };
        sink.finish(state.log.take())
    }
}

impl Instance for Slot {
    fn description(&self) -> &Description {
        &self.description
    }

    fn run(&mut self, input: &Input) -> std::result::Result<Output, Failure> {
        let mut live = self.take().map_err(|error| Failure {
            reason: Reason::Trap,
            message: error.chain(),
            log: Vec::new(),
        })?;
        match self.extract(&mut live, input) {
            Ok(output) => {
                self.keep(live);
                Ok(output)
            }
            // The store is dropped: after a trap it is unusable, after an error it may be odd.
            Err(violation) => Err(failure(violation, live.store.data_mut())),
        }
    }

    fn stop_with(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }

    fn meter(&mut self) {
        self.meter = Some(Arc::default());
    }

    fn usage(&self) -> Usage {
        self.usage
    }

    fn embed_query(&mut self, text: &str) -> Result<Vec<(String, Vector)>> {
        if !self.description.queries {
            let name = &self.description.name;
            return Err(Error::invalid(format!("the extractor {name} does not embed queries")));
        }
        let mut live = self.take()?;
        state::begin(&mut live.store, QUERY_BYTES_MAX);
        let returned = live.embed_query.call(&mut live.store, (text.to_string(),));
        let (answer,) =
            returned.map_err(|error| failed("embed-query", &error, live.store.data_mut()))?;
        let json = answer.map_err(|message| {
            let message = super::log::clean(&message, 1000);
            Error::new(Code::Extractor, format!("the extractor can not embed the query: {message}"))
        })?;
        let vectors = query::parse(&json, &self.description)?;
        self.keep(live);
        Ok(vectors)
    }
}

/// The guest returned an error; if it did so because the host could not read, that is the reason.
fn returned_error(message: &str, state: &mut State) -> Violation {
    match state.read_error.take() {
        Some(message) => Violation { reason: Reason::Input, message },
        None => {
            let message = super::log::clean(message, 4 << 10);
            Violation { reason: Reason::Guest, message }
        }
    }
}

/// Calls the instance number `generation` lives for: spread evenly, the same in every run.
fn calls(generation: u64) -> u64 {
    // The golden ratio in 64 bits: multiples of it spread evenly over the range.
    let spread = generation.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    CALLS.start + (spread >> 32) % (CALLS.end - CALLS.start)
}
