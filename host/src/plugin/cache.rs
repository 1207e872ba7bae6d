//! Compiled components on disk, by what they were compiled from and with.
//!
//! **Invariant:** machine code is loaded only if its checksum is the one that was written with it:
//! wasmtime checks the header of such a file, not its code. Whoever can write to the directory can
//! still run code as this process, so it belongs to the host alone (mode 0700).

use super::inspect::hex;
use crate::error::{Code, Context, Result};
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

const CHECKSUM_BYTES: usize = blake3::OUT_LEN;

pub(super) struct Cache {
    dir: PathBuf,
    /// What the engine's version, settings and machine come down to.
    engine: String,
}

impl Cache {
    pub(super) fn open(dir: PathBuf, engine: &Engine) -> Result<Self> {
        create(&dir).context(Code::Unavailable, || {
            format!("the cache directory {} can not be used", dir.display())
        })?;
        let mut hasher = StableHasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine = hex(&hasher.0.finalize()[..8]);
        Ok(Cache { dir, engine })
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.dir.join(self.file_name(digest))
    }

    pub(super) fn file_name(&self, digest: &str) -> String {
        format!("{digest}-{}.cwasm", self.engine)
    }

    /// The compiled component, or `None` when there is none that can be trusted.
    pub(super) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        let file = match std::fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => return rejected(&path, &error),
        };
        let Some((checksum, code)) = file.split_at_checked(CHECKSUM_BYTES) else {
            return rejected(&path, &"too short");
        };
        if blake3::hash(code).as_bytes() != checksum {
            return rejected(&path, &"checksum does not match");
        }
        // SAFETY: these are the bytes `store` got from `Component::serialize`, as the checksum
        // shows; only this process's user can write to the directory. They are read once and not
        // mapped, so nobody can change them after the check.
        match unsafe { Component::deserialize(engine, code) } {
            Ok(component) => Some(component),
            Err(error) => rejected(&path, &error),
        }
    }

    /// Whole or not at all: readers see the file only once it is complete.
    pub(super) fn store(&self, digest: &str, component: &Component) {
        let path = self.path(digest);
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = component.serialize().map_err(|error| error.to_string()).and_then(|code| {
            let mut file = blake3::hash(&code).as_bytes().to_vec();
            file.extend_from_slice(&code);
            std::fs::write(&temporary, file)
                .and_then(|()| std::fs::rename(&temporary, &path))
                .map_err(|error| error.to_string())
        });
        if let Err(error) = written {
            // Costs a compilation at the next start, nothing else.
            tracing::warn!(path = %path.display(), error, "compiled extractor not cached");
        }
    }
}

fn rejected(path: &Path, why: &dyn std::fmt::Display) -> Option<Component> {
    let path = path.display();
    tracing::warn!(%path, error = %why, "cached extractor ignored, compiling again");
    None
}

fn create(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// `DefaultHasher` may change with the compiler; file names should not.
struct StableHasher(Sha256);

impl Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        u64::from_le_bytes(*digest.first_chunk().expect("32 bytes begin with 8"))
    }
}
