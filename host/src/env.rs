//! Time, chance and identities come in here, so that tests can fix them.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use uuid::Uuid;

#[derive(Clone)]
pub enum Env {
    System,
    /// The clock moves only when somebody pauses; ids count up; chance follows them.
    Fixed(Arc<Fixed>),
}

pub struct Fixed {
    start: DateTime<Utc>,
    elapsed_ms: AtomicI64,
    /// By how much the clock on the wall is wrong.
    shift_ms: AtomicI64,
    counter: AtomicU64,
}

impl Env {
    pub fn fixed(now: DateTime<Utc>) -> Self {
        Env::Fixed(Arc::new(Fixed {
            start: now,
            elapsed_ms: AtomicI64::new(0),
            shift_ms: AtomicI64::new(0),
            counter: AtomicU64::new(1),
        }))
    }

    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Env::System => Utc::now(),
            Env::Fixed(fixed) => {
                let elapsed = fixed.elapsed_ms.load(Ordering::Relaxed);
                let shift = fixed.shift_ms.load(Ordering::Relaxed);
                fixed.start + TimeDelta::milliseconds(elapsed.saturating_add(shift))
            }
        }
    }

    /// Since some moment before; never goes back, whatever becomes of the clock.
    pub fn uptime(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        match self {
            Env::System => START.get_or_init(Instant::now).elapsed(),
            Env::Fixed(fixed) => {
                Duration::from_millis(fixed.elapsed_ms.load(Ordering::Relaxed).unsigned_abs())
            }
        }
    }

    /// Sets a fixed clock forward or back, as somebody sets the clock on the wall.
    pub fn shift_clock(&self, by_ms: i64) {
        if let Env::Fixed(fixed) = self {
            fixed.shift_ms.fetch_add(by_ms, Ordering::Relaxed);
        }
    }

    /// ISO 8601 with milliseconds, in UTC.
    pub fn timestamp(&self) -> String {
        self.now().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Version 7: ids sort by the time they were made.
    pub fn uuid(&self) -> Uuid {
        match self {
            Env::System => Uuid::now_v7(),
            Env::Fixed(fixed) => {
                Uuid::from_u128(u128::from(fixed.counter.fetch_add(1, Ordering::Relaxed)))
            }
        }
    }

    /// Evenly spread in [0, 1).
    pub fn chance(&self) -> f64 {
        match self {
            Env::System => rand::random(),
            Env::Fixed(fixed) => {
                let number = fixed.counter.fetch_add(1, Ordering::Relaxed);
                // Multiples of the golden ratio spread evenly.
                let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                (spread >> 11) as f64 / (1_u64 << 53) as f64
            }
        }
    }

    /// Lets `wait` wait that long, or moves the fixed clock on.
    pub fn pause(&self, duration: Duration, wait: impl FnOnce(Duration)) {
        match self {
            Env::System => wait(duration),
            Env::Fixed(fixed) => {
                let elapsed = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4);
                fixed.elapsed_ms.fetch_add(elapsed, Ordering::Relaxed);
            }
        }
    }
}

/// Reads the bytes that are free on the disk of a path.
pub type FreeBytes = fn(&std::path::Path) -> std::io::Result<u64>;

/// What the file system leaves to this user.
pub fn free_bytes(path: &std::path::Path) -> std::io::Result<u64> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    let mut stats = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `path` is a NUL-terminated string and `stats` has room for one struct.
    if unsafe { libc::statvfs(path.as_ptr(), stats.as_mut_ptr()) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: statvfs returned 0, so it has filled the struct; all zeros are valid before that.
    let stats = unsafe { stats.assume_init() };
    Ok(stats.f_bavail.saturating_mul(stats.f_frsize))
}

/// Files and connections that this process may have open, after asking the system for as many as
/// it allows: `most` at most.
pub fn open_files_max(most: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a struct of the kind that the call fills.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 0;
    }
    let wanted = limit.rlim_max.min(most);
    if limit.rlim_cur < wanted {
        let raised = libc::rlimit { rlim_cur: wanted, ..limit };
        // SAFETY: `raised` is a struct of the kind that the call reads.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
            return wanted;
        }
    }
    limit.rlim_cur
}

/// How much later than others this thread's work comes, 0 to 19.
const STANDS_BACK: libc::c_int = 10;

/// From here on this thread, and those that it starts, leave the processor to others that want it:
/// whoever asks a server something does not wait for the batches that it runs.
pub fn stand_back() {
    // SAFETY: no pointers are passed; 0 means the calling thread, as Linux counts priorities by
    // thread. It can only fail for threads of others.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, STANDS_BACK) };
}
