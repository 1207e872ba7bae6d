//! From what wasmtime reports to the reason a call failed for.

use super::state::State;
use super::{Failure, Reason};
use std::fmt;
use wasmtime::{Trap, WasmBacktrace};

/// A broken rule. A host function returns it to end the call at once.
#[derive(Debug)]
pub(super) struct Violation {
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Violation {}

/// The guest broke the contract.
pub(super) fn contract(message: impl Into<String>) -> Violation {
    Violation { reason: Reason::Contract, message: message.into() }
}

/// The guest made more than allowed.
pub(super) fn too_much(message: impl Into<String>) -> Violation {
    Violation { reason: Reason::Output, message: message.into() }
}

/// Frames of a trap that are named in its message.
const FRAMES: usize = 4;
/// Lines of the log that go with a failure.
const LOG_TAIL: usize = 50;
/// wasmtime's error for exhausted hostcall fuel has no public type (48.0.8).
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// Why a call into the guest ended with `error`.
pub(super) fn explain(error: &wasmtime::Error, state: &mut State) -> Violation {
    if let Some(violation) = error.downcast_ref::<Violation>() {
        return Violation { reason: violation.reason, message: violation.message.clone() };
    }
    let trap = error.downcast_ref::<Trap>().copied();
    if trap == Some(Trap::Interrupt) {
        let message = format!("ran longer than {} ms", state.limits.call_ms_max);
        return Violation { reason: Reason::Timeout, message };
    }
    if trap == Some(Trap::OutOfFuel) {
        let message = format!("used more than {} units of fuel", state.limits.fuel_max);
        return Violation { reason: Reason::Timeout, message };
    }
    if let Some(message) = state.read_error.take() {
        return Violation { reason: Reason::Input, message };
    }
    // A guest's allocator answers a denial with `unreachable`, which would hide what happened.
    if let Some(message) = state.limiter.denied.take() {
        return Violation { reason: Reason::Memory, message };
    }
    if error.chain().any(|source| source.to_string().contains(FUEL_EXHAUSTED)) {
        let max = state.host_bytes_max;
        return too_much(format!("passed more than {max} bytes to the host at once"));
    }
    match trap {
        Some(trap) => Violation { reason: Reason::Trap, message: trap_message(trap, error, state) },
        // The canonical ABI was violated: a pointer out of bounds, an unknown or leaked handle.
        None => contract(format!("broke the component ABI: {}", error.root_cause())),
    }
}

fn trap_message(trap: Trap, error: &wasmtime::Error, state: &State) -> String {
    let mut message = trap.to_string();
    // One frame a line, `module!function`; only this form has the names demangled.
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::to_string);
    let frames = frames.unwrap_or_default();
    let names = frames.lines().filter_map(|line| line.split_once('!'));
    for (at, (_, name)) in names.take(FRAMES).enumerate() {
        message.push_str(if at == 0 { " in " } else { " < " });
        message.push_str(&super::log::clean(without_hash(name), 80));
    }
    // A guest compiled with `panic = "abort"` can say why only through its log.
    match state.log.last_error() {
        Some(line) => format!("{line} ({message})"),
        None => message,
    }
}

/// `name` without the `::h0123456789abcdef` that the Rust compiler appends.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 => path,
        _ => name,
    }
}

/// The failure of a call that took `violation` to its end.
pub(super) fn failure(violation: Violation, state: &mut State) -> Failure {
    Failure {
        reason: violation.reason,
        message: violation.message,
        log: state.log.take_tail(LOG_TAIL),
    }
}
