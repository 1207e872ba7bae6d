//! Variables of the host's environment, for extractors whose description asks for `env:NAME` and
//! that were granted it.

/// The value; none for a variable that is not set, not asked for or not granted. Natively that of
/// this process.
#[must_use]
pub fn get(name: &str) -> Option<String> {
    #[cfg(target_family = "wasm")]
    return crate::wasm::bindings::quarry::extractor::environment::get(name);
    #[cfg(not(target_family = "wasm"))]
    std::env::var(name).ok()
}
