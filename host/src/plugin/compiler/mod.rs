//! Compiles components in a process of their own.
//!
//! Denial of service while compiling is no bug in the compiler's eyes, and a compilation can not be
//! interrupted: so it happens where the kernel bounds its memory and time, and its end ends nothing
//! else. That is all it is for: what the child answers is machine code that runs in this process.

mod child;

pub use child::answer;

use super::Limits;
use super::inspect::Inspection;
use super::trust;
use crate::error::{Code, Context, Error, Result};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Words of the command line that make the program a compiler: see [`answer`].
pub const COMPILE_COMMAND: [&str; 2] = ["internal", "compile"];

/// Of machine code that is taken back from a child.
const CODE_BYTES_MAX: usize = 1 << 30;
/// Of what a child says on stderr.
const COMPLAINT_BYTES_MAX: usize = 16 << 10;
/// How often it is looked whether a child that closed its output has ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// The child's own allocator takes address space in pieces of this many KiB.
const ARENA_KIB: &str = "65536";
/// Address space and memory grow with the threads that compile.
const THREADS_MAX: usize = 4;

/// The program that compiles, and how much it may use.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// A `quarry` of the same build as this library.
    pub program: PathBuf,
    pub limits: CompileLimits,
}

/// What compiling one component may use. Whatever needs more is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Address space of the process (RLIMIT_AS).
    pub memory_bytes_max: u64,
    /// Processor time of all its threads together (RLIMIT_CPU).
    pub cpu_seconds_max: u64,
    /// From its start to its end.
    pub wall_ms_max: u64,
}

impl Default for CompileLimits {
    fn default() -> CompileLimits {
        CompileLimits { memory_bytes_max: 2 << 30, cpu_seconds_max: 120, wall_ms_max: 600_000 }
    }
}

impl Compiler {
    pub fn new(program: PathBuf) -> Compiler {
        Compiler { program, limits: CompileLimits::default() }
    }

    /// Machine code for an engine of [`super::Host`]'s settings.
    pub(super) fn compile(
        &self,
        wasm: &[u8],
        inspection: &Inspection,
        limits: &Limits,
    ) -> Result<Vec<u8>> {
        let ended = self.run(wasm, limits.fuel_max > 0)?;
        let name = trust::shown(inspection);
        let over = |needs: String, setting: &str| {
            let hint = format!("make its functions smaller, or raise {setting}");
            let message = format!("{name} needs more than {needs} to be compiled");
            Err(Error::new(Code::Extractor, message).hint(hint))
        };
        let CompileLimits { memory_bytes_max, cpu_seconds_max, wall_ms_max } = self.limits;
        match ended {
            Ended::Code(code) => Ok(code),
            Ended::Refused(why) => {
                let message = "is damaged or needs WebAssembly features that are switched off";
                Err(super::inspect::refused(message).source(super::log::clean(&why, 1000)))
            }
            Ended::OutOfMemory => {
                over(format!("{} MiB", memory_bytes_max >> 20), "compile_memory_bytes_max")
            }
            Ended::OutOfTime => {
                over(format!("{cpu_seconds_max} s of processor time"), "compile_seconds_max")
            }
            Ended::TooLate => over(format!("{wall_ms_max} ms"), "compile_seconds_max"),
            Ended::TooLarge => {
                let message = format!("{name} makes more than {CODE_BYTES_MAX} bytes of code");
                Err(Error::new(Code::Extractor, message))
            }
            Ended::Crashed(how) => {
                let how = super::log::clean(&how, 1000);
                let message = format!("{name} made the compiler fail");
                Err(Error::new(Code::Extractor, message).source(how))
            }
        }
    }

    fn command(&self, fuel: bool) -> Command {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut command = Command::new(&self.program);
        command
            .arg0("quarry")
            .args(COMPILE_COMMAND)
            .arg(format!("--memory-bytes={}", self.limits.memory_bytes_max))
            .arg(format!("--cpu-seconds={}", self.limits.cpu_seconds_max))
            .args(fuel.then_some("--fuel"))
            .env_clear()
            .env("MIMALLOC_ARENA_RESERVE", ARENA_KIB)
            .env("RAYON_NUM_THREADS", cores.min(THREADS_MAX).to_string())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, wasm: &[u8], fuel: bool) -> Result<Ended> {
        let named = || format!("can not start the compiler {}", self.program.display());
        let deadline = Instant::now() + Duration::from_millis(self.limits.wall_ms_max);
        let mut child = Running(self.command(fuel).spawn().context(Code::Unavailable, named)?);
        let stdin = child.0.stdin.take();
        let stdout = child.0.stdout.take().ok_or_else(|| Error::internal("no stdout"))?;
        let stderr = child.0.stderr.take().ok_or_else(|| Error::internal("no stderr"))?;
        std::thread::scope(|scope| {
            // A child that dies does not read on; how it died is what counts.
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(wasm)));
            let complaint = scope.spawn(move || read(stderr, COMPLAINT_BYTES_MAX));
            let (tell, told) = channel();
            scope.spawn(move || tell.send(read(stdout, CODE_BYTES_MAX + 1)));
            let answer = match told.recv_timeout(deadline - Instant::now()) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    child.kill();
                    return Ok(Ended::TooLate);
                }
            };
            if answer.len() > CODE_BYTES_MAX {
                child.kill();
                return Ok(Ended::TooLarge);
            }
            let Some(status) = child.wait_until(deadline).context(Code::Unavailable, named)? else {
                return Ok(Ended::TooLate);
            };
            let complaint = complaint.join().unwrap_or_default();
            Ok(ended(status, answer, &String::from_utf8_lossy(&complaint)))
        })
    }
}

/// How a compilation ended.
enum Ended {
    Code(Vec<u8>),
    Refused(String),
    OutOfMemory,
    OutOfTime,
    TooLate,
    TooLarge,
    Crashed(String),
}

fn ended(status: ExitStatus, mut answer: Vec<u8>, complaint: &str) -> Ended {
    let short_of_memory = |text: &str| {
        let signs = [
            "memory allocation",
            "Cannot allocate memory",
            "out of memory",
            // No address space for another thread's stack.
            "Resource temporarily unavailable",
        ];
        signs.iter().any(|sign| text.contains(sign))
    };
    match (status.signal(), status.code()) {
        (None, Some(0)) if answer.first() == Some(&child::CODE) => {
            answer.remove(0);
            Ended::Code(answer)
        }
        (None, Some(0)) if answer.first() == Some(&child::REFUSED) => {
            let why = String::from_utf8_lossy(&answer[1..]).into_owned();
            if short_of_memory(&why) { Ended::OutOfMemory } else { Ended::Refused(why) }
        }
        (Some(libc::SIGXCPU), _) => Ended::OutOfTime,
        _ if short_of_memory(complaint) => Ended::OutOfMemory,
        // Nobody here has killed it: the kernel did, for the hard limit or for want of memory.
        (Some(libc::SIGKILL), _) => Ended::OutOfMemory,
        _ => Ended::Crashed(format!("{status}: {complaint}")),
    }
}

/// A child that does not outlive whoever started it.
struct Running(Child);

impl Running {
    fn kill(&mut self) {
        // One that has ended can not be killed, and that is well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// `None` for one that had to be killed.
    fn wait_until(&mut self, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                self.kill();
                return Ok(None);
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Up to so many bytes; the rest is not read. What breaks off is judged by how the child ended.
fn read(from: impl Read, bytes_max: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = from.take(bytes_max as u64).read_to_end(&mut bytes);
    bytes
}

/// The program that is running, as a compiler: even when its file was replaced meanwhile.
pub fn own_program() -> Option<PathBuf> {
    let linked = Path::new("/proc/self/exe");
    match linked.exists() {
        true => Some(linked.to_path_buf()),
        false => std::env::current_exe().ok(),
    }
}
