//! What time it is, for extractors whose description asks for `clock` and that were granted it.
//!
//! Ask with `description.capability("clock")`. An extractor that calls this and was not granted it
//! is not started. Natively it is the system's clock.

use std::time::Duration;

/// Since 1970-01-01T00:00:00Z.
#[must_use]
pub fn now() -> Duration {
    #[cfg(target_family = "wasm")]
    return Duration::from_nanos(crate::wasm::bindings::quarry::extractor::clock::now());
    #[cfg(not(target_family = "wasm"))]
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// Since some moment; never goes back.
#[must_use]
pub fn monotonic() -> Duration {
    #[cfg(target_family = "wasm")]
    return Duration::from_nanos(crate::wasm::bindings::quarry::extractor::clock::monotonic());
    #[cfg(not(target_family = "wasm"))]
    {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed()
    }
}
