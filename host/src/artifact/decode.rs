//! Parquet that may be damaged.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a decoder; `None` when it panicked. The library checks most of what a file says of itself,
/// but some of its decoders index by it (60.1: `delta_byte_array.rs`), and a damaged file must not
/// take the process along. Whatever `decode` uses is of no use afterwards.
pub(crate) fn guarded<T>(decode: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(decode)).ok()
}
