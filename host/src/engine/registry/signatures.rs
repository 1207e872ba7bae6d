//! Signatures of components: beside the files they came in, and beside those that are registered.

use super::Registry;
use crate::durable;
use crate::error::{Code, Context, Result};
use crate::plugin::{SIGNATURE_BYTES_MAX, SIGNATURE_SUFFIX};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

impl Registry {
    pub(super) fn signature_path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{digest}.wasm{SIGNATURE_SUFFIX}"))
    }

    /// Of a registered component: the one that it was registered with, else one that lies beside
    /// the same component in a folder.
    pub(super) fn signature_of(&self, digest: &str) -> Result<Option<Vec<u8>>> {
        let stored = read(&self.signature_path(digest))?;
        if stored.is_some() || !self.trust.required {
            return Ok(stored);
        }
        for found in self.find()?.into_iter().filter(|found| found.digest == digest) {
            if let Some(signature) = beside(&found.path)? {
                return Ok(Some(signature));
            }
        }
        Ok(None)
    }

    /// Durable on return.
    pub(super) fn keep_signature(&self, digest: &str, signature: Option<&[u8]>) -> Result<()> {
        let Some(signature) = signature else { return Ok(()) };
        let path = self.signature_path(digest);
        durable::write(&path, signature)
            .context(Code::Unavailable, || format!("can not write {}", path.display()))
    }
}

/// The signature in the file that is named as the component's, and `.sig`.
pub(super) fn beside(component: &Path) -> Result<Option<Vec<u8>>> {
    let mut path = component.as_os_str().to_owned();
    path.push(SIGNATURE_SUFFIX);
    read(Path::new(&path))
}

/// One byte more than is allowed tells that there are too many.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file,
    };
    let mut signature = Vec::new();
    file.and_then(|file| file.take(SIGNATURE_BYTES_MAX as u64 + 1).read_to_end(&mut signature))
        .context(Code::Unavailable, || format!("can not read {}", path.display()))?;
    Ok(Some(signature))
}
