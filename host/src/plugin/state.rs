//! What belongs to one store: limits, log, and the batch and sink of the call that is running.

use super::capability::{Permit, Traffic};
use super::failure::{Violation, contract, too_much};
use super::input::Batch;
use super::log::Log;
use super::meter::{Meter, Span};
use super::output::Sink;
use super::{Limits, Reason};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wasmtime::component::WasmStr;
use wasmtime::{AsContextMut, ResourceLimiter, StoreContextMut, UpdateDeadline};

/// How often the engine's epoch advances.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// How often a running guest is looked after: whether its time is over, whether it is to stop.
const LOOK_TICKS: u64 = 10;
/// Reading blobs is not the guest's time, but it ends after this many times `call_ms_max`.
const READ_TIME_FACTOR: u32 = 20;

pub(super) struct State {
    pub(super) permit: Arc<Permit>,
    pub(super) limits: Arc<Limits>,
    pub(super) limiter: Limiter,
    pub(super) log: Log,
    /// Number of the call: the identity of its batch and sink, so that a handle is good for one
    /// call.
    pub(super) call: u32,
    pub(super) batch: Option<Batch>,
    pub(super) sink: Option<Box<Sink>>,
    /// What the host failed to read for the guest in this call.
    pub(super) read_error: Option<String>,
    /// Counts host calls where somebody wants to know.
    pub(super) meter: Option<Arc<Meter>>,
    /// Becomes true when nobody wants the answer any more.
    pub(super) stop: Arc<AtomicBool>,
    pub(super) traffic: Traffic,
    host_calls: u64,
    /// Bytes that may pass to the host at once in this call.
    pub(super) host_bytes_max: usize,
    deadline: Instant,
    read_left: Duration,
}

impl State {
    pub(super) fn new(permit: Arc<Permit>) -> Self {
        let limits = permit.limits.clone();
        State {
            permit,
            limiter: Limiter::new(&limits),
            log: Log::new(&limits),
            call: 0,
            batch: None,
            sink: None,
            read_error: None,
            meter: None,
            stop: Arc::default(),
            traffic: Traffic::default(),
            host_calls: 0,
            host_bytes_max: 0,
            deadline: Instant::now(),
            read_left: Duration::ZERO,
            limits,
        }
    }

    /// Measures a host call until it is dropped.
    pub(super) fn span(&self) -> Option<Span> {
        self.meter.as_ref().map(Meter::begin)
    }

    /// Every function of the host counts its call.
    pub(super) fn count_call(&mut self) -> Result<(), Violation> {
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls_max {
            let max = self.limits.host_calls_max;
            return Err(too_much(format!("called the host more than {max} times")));
        }
        Ok(())
    }

    /// Until the call has to end.
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The batch behind a handle.
    pub(super) fn batch(&mut self, call: u32) -> Result<&mut Batch, Violation> {
        self.count_call()?;
        let current = self.call == call;
        let batch = self.batch.as_mut().filter(|_| current);
        batch.ok_or_else(|| contract("used a batch outside of its call"))
    }
}

/// Begins a call: a full time budget, an empty log, nothing remembered of the call before.
pub(super) fn begin(mut store: impl AsContextMut<Data = State>, host_bytes_max: usize) {
    let mut store = store.as_context_mut();
    let state = store.data_mut();
    let budget = Duration::from_millis(state.limits.call_ms_max);
    state.call = state.call.wrapping_add(1);
    state.deadline = Instant::now() + budget;
    state.read_left = budget * READ_TIME_FACTOR;
    state.read_error = None;
    state.traffic = Traffic::default();
    state.host_calls = 0;
    state.host_bytes_max = host_bytes_max;
    state.limiter.denied = None;
    state.log.clear();
    let fuel = state.limits.fuel_max;
    store.set_epoch_deadline(ticks(budget).min(LOOK_TICKS));
    store.set_hostcall_fuel(host_bytes_max);
    if fuel > 0 {
        // Only an engine that was told to count refuses no fuel.
        let counted = store.set_fuel(fuel);
        debug_assert!(counted.is_ok());
    }
}

/// Whether a running guest may go on, and until when. Only looks: a store must not change in the
/// middle of an instruction.
pub(super) fn look(state: &State) -> Result<UpdateDeadline, Violation> {
    if state.stop.load(Ordering::Relaxed) {
        let message = "was stopped, because its batch is canceled".to_string();
        return Err(Violation { reason: Reason::Timeout, message });
    }
    let left = state.time_left();
    if left.is_zero() {
        let message = format!("ran longer than {} ms", state.limits.call_ms_max);
        return Err(Violation { reason: Reason::Timeout, message });
    }
    Ok(UpdateDeadline::Continue(ticks(left).min(LOOK_TICKS)))
}

/// Gives back to the guest the time the host spent on reading a blob since `started`.
pub(super) fn excuse(
    store: &mut StoreContextMut<'_, State>,
    started: Instant,
) -> Result<(), Violation> {
    let now = Instant::now();
    let spent = now - started;
    let state = store.data_mut();
    state.read_left = state.read_left.saturating_sub(spent);
    state.deadline += spent;
    let left = state.deadline.saturating_duration_since(now);
    if left.is_zero() || state.read_left.is_zero() {
        let max = state.limits.call_ms_max;
        let message = match left.is_zero() {
            true => format!("ran longer than {max} ms"),
            false => format!("read blobs for longer than {READ_TIME_FACTOR} times {max} ms"),
        };
        return Err(Violation { reason: Reason::Timeout, message });
    }
    store.set_epoch_deadline(ticks(left).min(LOOK_TICKS));
    look(store.data()).map(|_| ())
}

/// Ticks that cover `time` wherever in a tick it starts.
fn ticks(time: Duration) -> u64 {
    time.as_millis().div_ceil(TICK.as_millis()) as u64 + 1
}

/// A string the guest passed, read in place.
pub(super) fn text<'a>(
    text: &WasmStr,
    store: &'a StoreContextMut<'_, State>,
) -> Result<Cow<'a, str>, Violation> {
    text.to_str(store).map_err(|_| contract("passed a string that is not UTF-8"))
}

/// Counts linear memory and tables of all instances in a store.
pub(super) struct Limiter {
    memory_max: usize,
    table_max: usize,
    instances: usize,
    tables: usize,
    memories: usize,
    /// Bytes of linear memory in use.
    pub(super) memory: usize,
    table: usize,
    grown: usize,
    /// What was refused in this call.
    pub(super) denied: Option<String>,
}

impl Limiter {
    fn new(limits: &Limits) -> Self {
        Limiter {
            memory_max: limits.memory_bytes_max,
            table_max: limits.table_elements_max,
            instances: limits.core_instances_max,
            tables: limits.tables_max,
            memories: limits.memories_max,
            memory: 0,
            table: 0,
            grown: 0,
            denied: None,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grown = desired - current;
        if self.memory.saturating_add(grown) > self.memory_max {
            let wanted = self.memory.saturating_add(grown);
            let max = self.memory_max;
            self.denied =
                Some(format!("needs {wanted} bytes of memory, at most {max} are allowed"));
            return Ok(false);
        }
        self.memory += grown;
        self.grown = grown;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory -= std::mem::take(&mut self.grown);
        self.denied = Some(format!("memory could not grow: {}", error.root_cause()));
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.table.saturating_add(desired - current);
        if wanted > self.table_max {
            let max = self.table_max;
            self.denied = Some(format!("needs {wanted} table elements, at most {max} are allowed"));
            return Ok(false);
        }
        self.table = wanted;
        Ok(true)
    }

    /// Core instances. A component of Python is 38 of them: its interpreter, the C library and
    /// their shared libraries are modules of their own, each trapping stub of WASI, too.
    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}
