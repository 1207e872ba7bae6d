//! Buffers of a worker's last part, for its next one: touching fresh memory for every part costs as
//! much as writing it.

use std::cell::RefCell;

/// Buffers that a thread keeps.
const BUFFERS_KEPT: usize = 8;
/// Larger ones go back to the allocator.
const BUFFER_BYTES_MAX: usize = 4 << 20;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer.
pub(super) fn take() -> Vec<u8> {
    KEPT.with_borrow_mut(Vec::pop).unwrap_or_default()
}

pub(super) fn give(mut buffer: Vec<u8>) {
    buffer.clear();
    KEPT.with_borrow_mut(|kept| {
        if kept.len() < BUFFERS_KEPT && buffer.capacity() <= BUFFER_BYTES_MAX {
            kept.push(buffer);
        }
    });
}
