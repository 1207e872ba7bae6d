//! Bytes that nobody can guess, for extractors whose description asks for `random` and that were
//! granted it. Ids of documents must not depend on them: a row that is run again has to make the
//! same documents.

/// Most bytes of one call.
pub const BYTES_MAX: usize = 64 << 10;

/// Fills `bytes`. Natively they are not random at all but count up, so that tests repeat.
pub fn fill(bytes: &mut [u8]) {
    for part in bytes.chunks_mut(BYTES_MAX) {
        #[cfg(target_family = "wasm")]
        part.copy_from_slice(&crate::wasm::bindings::quarry::extractor::random::bytes(
            part.len() as u32
        ));
        #[cfg(not(target_family = "wasm"))]
        part.iter_mut().zip(0_u8..=u8::MAX).for_each(|(byte, count)| *byte = count);
    }
}
