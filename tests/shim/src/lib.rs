//! Loaded into a process with `LD_PRELOAD`: keeps in a shadow what would survive a power cut of one
//! folder. `fsync`, `fdatasync` and `syncfs` keep a file, or what a directory lists; `msync` keeps
//! the pages it names. Nothing else makes anything durable: not `sync_file_range`, not a rename.
//!
//! Inside the folder these calls only keep and do not wait for the disk: what a process wrote is in
//! the page cache however it dies, so a real flush would cost time and show nothing.

mod mapping;
#[allow(dead_code, reason = "the torture run reads what this writes")]
mod shadow;

use libc::{c_int, c_long, c_void, size_t};
use shadow::{EVENTS, Shadow};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The folder that is watched.
const DATA: &str = "QUARRY_SHIM_DATA";
/// Where its shadow is.
const SHADOW: &str = "QUARRY_SHIM_SHADOW";
/// The moment of the cut: before (odd) or after (even) a call has kept what it names.
const CUT: &str = "QUARRY_SHIM_CUT";

struct Watch {
    data: PathBuf,
    shadow: Shadow,
    cut: Option<u64>,
    /// One byte for each moment, for whoever wants to know how many there are.
    events: File,
    moments: u64,
}

static WATCH: OnceLock<Option<Mutex<Watch>>> = OnceLock::new();

fn watch() -> Option<&'static Mutex<Watch>> {
    let open = || {
        let data = PathBuf::from(std::env::var_os(DATA)?);
        let folder = PathBuf::from(std::env::var_os(SHADOW)?);
        let cut = std::env::var(CUT).ok().and_then(|moment| moment.parse().ok());
        let events = OpenOptions::new().append(true).create(true).open(folder.join(EVENTS));
        let events = events.unwrap_or_else(|error| fail(&error));
        let shadow = Shadow::new(&folder);
        Some(Mutex::new(Watch { data, shadow, cut, events, moments: 0 }))
    };
    WATCH.get_or_init(open).as_ref()
}

impl Watch {
    /// Keeps something between two moments at which the power may go.
    fn keep(&mut self, keep: impl FnOnce(&Shadow) -> io::Result<()>) -> io::Result<()> {
        self.moment()?;
        keep(&self.shadow)?;
        self.moment()
    }

    fn moment(&mut self) -> io::Result<()> {
        self.moments += 1;
        self.events.write_all(&[1])?;
        if self.cut == Some(self.moments) {
            // SAFETY: takes numbers only. SIGKILL ends the process, its other threads too.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
        Ok(())
    }
}

/// A shadow with holes would accuse the program that is tested.
fn fail(error: &dyn std::fmt::Display) -> ! {
    eprintln!("power shim: {error}");
    std::process::abort()
}

/// `None` when the descriptor is outside of the watched folder, and the real call has to be made.
fn sync(descriptor: c_int, all: bool) -> Option<c_int> {
    let watch = watch()?;
    let link = PathBuf::from(format!("/proc/self/fd/{descriptor}"));
    let path = std::fs::read_link(&link).ok()?;
    let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    if !path.starts_with(&watch.data) {
        return None;
    }
    let data = watch.data.clone();
    let kept = watch.keep(|shadow| match (all, path.is_dir()) {
        (true, _) => shadow.keep_all(&data),
        (false, true) => shadow.keep_directory(&path),
        // By its descriptor: the name may be another file's by now, or nobody's.
        (false, false) => shadow.keep_file(&File::open(&link)?),
    });
    match kept {
        Ok(()) => Some(0),
        // A temporary directory that is removed beside us needs no keeping.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => Some(0),
        Err(error) => fail(&format!("{}: {error}", path.display())),
    }
}

fn real(number: c_long, descriptor: c_int) -> c_int {
    // SAFETY: these system calls take a descriptor and nothing else, and check it.
    unsafe { libc::syscall(number, descriptor) as c_int }
}

#[unsafe(no_mangle)]
pub extern "C" fn fsync(descriptor: c_int) -> c_int {
    sync(descriptor, false).unwrap_or_else(|| real(libc::SYS_fsync, descriptor))
}

#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    sync(descriptor, false).unwrap_or_else(|| real(libc::SYS_fdatasync, descriptor))
}

#[unsafe(no_mangle)]
pub extern "C" fn syncfs(descriptor: c_int) -> c_int {
    sync(descriptor, true).unwrap_or_else(|| real(libc::SYS_syncfs, descriptor))
}

/// # Safety
/// As with msync(2) any range will do: what is not mapped is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msync(address: *mut c_void, bytes: size_t, flags: c_int) -> c_int {
    if flags & libc::MS_SYNC != 0
        && let Some(watch) = watch()
    {
        let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
        match keep_pages(&mut watch, address as usize, bytes) {
            Ok(true) => return 0,
            Ok(false) => {}
            Err(error) => fail(&error),
        }
    }
    // SAFETY: msync(2) checks the range and fails with ENOMEM where nothing is mapped.
    unsafe { libc::syscall(libc::SYS_msync, address, bytes, flags) as c_int }
}

/// Whether the pages belong to files of the watched folder.
fn keep_pages(watch: &mut Watch, address: usize, bytes: usize) -> io::Result<bool> {
    let pages = mapping::find(address, bytes)?;
    let inside = |path: &Path| path.starts_with(&watch.data);
    if pages.is_empty() || !pages.iter().all(|pages| inside(&pages.path)) {
        return Ok(false);
    }
    watch.keep(|shadow| {
        for pages in &pages {
            // Nobody can name a deleted file after a power cut.
            let Some(file) = pages.open()? else { continue };
            shadow.keep_pages(&file, pages.from, pages.bytes)?;
        }
        Ok(())
    })?;
    Ok(true)
}
