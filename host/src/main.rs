//! The `quarry` binary.

use std::process::ExitCode;

// Worker threads allocate and free large buffers across threads; glibc keeps what they free in
// per-thread arenas and the process grows with the batch.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    quarry::memory::keep_small();
    quarry::cli::main()
}
