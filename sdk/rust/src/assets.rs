//! Files that were registered together with the component, such as tables of a model, for
//! extractors whose description asks for `assets` and that were granted them. Natively there are
//! none.

/// Most bytes of one read.
pub const READ_BYTES_MAX: usize = 64 << 10;

/// Names of the files.
#[must_use]
pub fn names() -> Vec<String> {
    #[cfg(target_family = "wasm")]
    return crate::wasm::bindings::quarry::extractor::assets::names();
    #[cfg(not(target_family = "wasm"))]
    Vec::new()
}

/// Bytes of a file.
///
/// # Errors
/// When there is no such file.
pub fn size(name: &str) -> Result<u64, String> {
    #[cfg(target_family = "wasm")]
    return crate::wasm::bindings::quarry::extractor::assets::size(name);
    #[cfg(not(target_family = "wasm"))]
    Err(format!("there is no asset `{name}`"))
}

/// Up to `len` bytes (64 KiB at most) from `offset`; fewer only at the end.
///
/// # Errors
/// When there is no such file or the host can not read it.
pub fn read(name: &str, offset: u64, len: usize) -> Result<Vec<u8>, String> {
    let len = len.min(READ_BYTES_MAX) as u32;
    #[cfg(target_family = "wasm")]
    return crate::wasm::bindings::quarry::extractor::assets::read(name, offset, len);
    #[cfg(not(target_family = "wasm"))]
    Err(format!("there is no asset `{name}` with {len} bytes from {offset}"))
}

/// A whole file.
///
/// # Errors
/// When there is no such file or the host can not read it.
pub fn read_all(name: &str) -> Result<Vec<u8>, String> {
    let size = size(name)?;
    let mut all = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    while (all.len() as u64) < size {
        let part = read(name, all.len() as u64, READ_BYTES_MAX)?;
        if part.is_empty() {
            return Err(format!("the asset `{name}` ends after {} bytes of {size}", all.len()));
        }
        all.extend(part);
    }
    Ok(all)
}
