//! What a call takes: measured where an author asks for it, for nothing otherwise.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the last call of an instance took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Linear memory of the instance after the call; it never shrinks, so this is the peak.
    pub memory_bytes: usize,
    /// Calls of the guest into the host.
    pub host_calls: u64,
    /// Time of those: checking, copying and lowering values, reading blobs. The rest of a call is
    /// the guest's own.
    pub crossing: Duration,
}

/// Sums up the host calls of one store.
#[derive(Debug, Default)]
pub(super) struct Meter {
    calls: AtomicU64,
    nanos: AtomicU64,
}

impl Meter {
    pub(super) fn begin(self: &Arc<Self>) -> Span {
        Span { meter: self.clone(), started: Instant::now() }
    }

    /// What was counted since the last call of this.
    pub(super) fn take(&self) -> (u64, Duration) {
        let nanos = self.nanos.swap(0, Ordering::Relaxed);
        (self.calls.swap(0, Ordering::Relaxed), Duration::from_nanos(nanos))
    }
}

/// One host call; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Span {
    meter: Arc<Meter>,
    started: Instant,
}

impl Drop for Span {
    fn drop(&mut self) {
        let nanos = self.started.elapsed().as_nanos() as u64;
        self.meter.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.meter.calls.fetch_add(1, Ordering::Relaxed);
    }
}

/// `bytes` that end `span` when they are dropped: wasmtime does that once it has copied them into
/// the guest, which is most of what a host call with a large answer costs.
pub(super) fn until_copied(bytes: Bytes, span: Option<Span>) -> Bytes {
    match span {
        Some(span) => Bytes::from_owner(Spanned { bytes, _span: span }),
        None => bytes,
    }
}

struct Spanned {
    bytes: Bytes,
    _span: Span,
}

impl AsRef<[u8]> for Spanned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
