//! The side that compiles: a process that reads a component and writes machine code.

use crate::plugin::{Limits, host};
use std::io::{Read, Write};
use wasmtime::Engine;

/// What an answer begins with: machine code follows, or the reason why there is none.
pub(super) const CODE: u8 = b'+';
pub(super) const REFUSED: u8 = b'-';

/// Reads a component from stdin and writes what became of it to stdout, within these limits, which
/// the kernel watches over. The process is to end after that. `fuel`: for an engine that counts it.
pub fn answer(memory_bytes_max: u64, cpu_seconds_max: u64, fuel: bool) -> std::io::Result<()> {
    bound(memory_bytes_max, cpu_seconds_max)?;
    let limits = Limits { fuel_max: u64::from(fuel), ..Limits::default() };
    let mut wasm = Vec::new();
    std::io::stdin().lock().read_to_end(&mut wasm)?;
    let compiled = Engine::new(&host::config(&limits)).and_then(|e| e.precompile_component(&wasm));
    let mut out = std::io::stdout().lock();
    match compiled {
        Ok(code) => out.write_all(&[CODE]).and_then(|()| out.write_all(&code))?,
        Err(why) => write!(out, "{}{why:#}", char::from(REFUSED))?,
    }
    out.flush()
}

fn bound(memory_bytes_max: u64, cpu_seconds_max: u64) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: this prctl takes plain numbers: whoever started this process takes it along.
        let _ = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) };
    }
    limit(libc::RLIMIT_CORE, 0, 0)?;
    limit(libc::RLIMIT_AS, memory_bytes_max, memory_bytes_max)?;
    // At the soft limit comes SIGXCPU, by which the parent knows.
    limit(libc::RLIMIT_CPU, cpu_seconds_max, cpu_seconds_max.saturating_add(5))
}

#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

fn limit(resource: Resource, soft: u64, hard: u64) -> std::io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: `limit` is a struct of the kind that the call reads.
    match unsafe { libc::setrlimit(resource, &raw const limit) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
