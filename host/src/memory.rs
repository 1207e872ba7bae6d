//! What memory the process takes.

use std::ffi::{c_int, c_long};

/// Milliseconds that mimalloc holds freed pages before it gives them back. Its own second makes the
/// peak depend on how long a batch runs (measured without huge pages: 163 MB at 10,000 objects and
/// 200 at 100,000; with 25 ms 124 and 139, for a tenth more CPU time).
const PURGE_DELAY_MS: c_long = 25;

/// `mi_option_purge_delay` of mimalloc.h, the same number in its versions 2 and 3.
const PURGE_DELAY: c_int = 15;

unsafe extern "C" {
    fn mi_option_set_default(option: c_int, value: c_long);
}

/// For binaries whose global allocator is mimalloc: freed memory goes back early (unless
/// `MIMALLOC_PURGE_DELAY` says otherwise), and no huge pages. With a heap for every thread most of
/// a huge page is never used: at 100,000 objects they are 90 MB, and clearing them costs more than
/// the page faults they save.
pub fn keep_small() {
    // SAFETY: the function only stores a number under an option that exists in every mimalloc 2 and
    // 3; the library is linked with the `mimalloc` crate.
    unsafe { mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS) }
    #[cfg(target_os = "linux")]
    {
        // SAFETY: this prctl takes plain numbers and changes how later pages are mapped, nothing
        // else. Where it fails, memory is only larger.
        let _ = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    }
}
