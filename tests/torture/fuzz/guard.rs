//! Panics as errors.

use anyhow::{Result, anyhow};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

pub(super) const PANICKED: &str = "panicked at ";

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Whether panics of all other threads count, too.
static ALONE: AtomicBool = AtomicBool::new(false);
static ELSEWHERE: Mutex<Option<String>> = Mutex::new(None);

/// In a process that does nothing else: threads of a case may panic as well.
pub(super) fn watch_all_threads() {
    ALONE.store(true, Ordering::Relaxed);
}

/// Runs `work`; a panic becomes an error that says where it was. Other threads go on as they are.
pub(super) fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !note(info) {
                before(info);
            }
        }));
    });
    WATCHED.set(true);
    let ended = catch_unwind(AssertUnwindSafe(work));
    WATCHED.set(false);
    let here = PANIC.take();
    let elsewhere = || ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let panicked = here.or_else(|| ALONE.load(Ordering::Relaxed).then(elsewhere).flatten());
    match (ended, panicked) {
        (Ok(result), None) => result,
        (Ok(result), Some(message)) if !is_own(&message) => result,
        // Caught on the way or not: our own code may not count on that.
        (_, Some(message)) => Err(anyhow!(message)),
        (Err(_), None) => Err(anyhow!("panicked without a message")),
    }
}

/// Whether the panic was in a crate of this workspace: others have absolute paths.
fn is_own(message: &str) -> bool {
    !message.starts_with(&format!("{PANICKED}/"))
}

fn note(info: &PanicHookInfo<'_>) -> bool {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let message = info.payload_as_str().unwrap_or("something that is no text");
    let text = format!("{PANICKED}{place}: {message}");
    if WATCHED.get() {
        PANIC.set(Some(text));
    } else if ALONE.load(Ordering::Relaxed) {
        *ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    } else {
        return false;
    }
    true
}
