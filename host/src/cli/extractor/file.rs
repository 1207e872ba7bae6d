//! Components and signatures in files, as commands name them.

use crate::error::{Code, Context, Error, Result};
use crate::plugin::{Limits, SIGNATURE_BYTES_MAX, SIGNATURE_SUFFIX};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The bytes of a component that is not larger than any host takes.
pub(super) fn component(path: &Path) -> Result<Vec<u8>> {
    read(path, Limits::default().component_bytes_max)
}

/// `X.wasm.sig` for `X.wasm`.
pub(super) fn signature_path(component: &Path) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(SIGNATURE_SUFFIX);
    name.into()
}

/// The named signature, or the one beside the component if there is one.
pub(super) fn signature(component: &Path, named: Option<&PathBuf>) -> Result<Option<Vec<u8>>> {
    let beside = signature_path(component);
    match named {
        Some(path) => read(path, SIGNATURE_BYTES_MAX).map(Some),
        None if beside.exists() => read(&beside, SIGNATURE_BYTES_MAX).map(Some),
        None => Ok(None),
    }
}

pub(super) fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>> {
    let named = || format!("can not read {}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).context(Code::NotFound, named)?;
    let mut file = file.take(bytes_max as u64 + 1);
    file.read_to_end(&mut bytes).context(Code::Unavailable, named)?;
    match bytes.len() > bytes_max {
        true => Err(Error::new(
            Code::TooLarge,
            format!("{} has more than {bytes_max} bytes", path.display()),
        )),
        false => Ok(bytes),
    }
}
