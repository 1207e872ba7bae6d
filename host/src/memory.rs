//! What memory the process takes.

/// No huge pages. The allocator asks for them, and with a heap for every thread most of a huge page
/// is never used: at 100,000 objects they are 90 MB, and clearing them costs more than the page
/// faults they save.
pub fn keep_small() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: this prctl takes plain numbers and changes how later pages are mapped, nothing
        // else. Where it fails, memory is only larger.
        let _ = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    }
}
