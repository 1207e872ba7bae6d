//! Compiled components on disk, by what they were compiled from and with.
//!
//! **Invariant:** machine code is loaded only if it carries this installation's seal for exactly
//! this component and engine: a keyed hash over the file's name and its code. wasmtime checks the
//! header of such a file, not its code. Files are read whole and never mapped: what is run are the
//! bytes that were checked, whatever becomes of the file.

use super::inspect::hex;
use crate::error::{Code, Context, Error, Result};
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, Metadata, OpenOptions, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Name of the file with the key of the seals: random, made once for each directory.
pub const CACHE_KEY: &str = "key";

const SEAL_BYTES: usize = blake3::OUT_LEN;
const KEY_BYTES: usize = blake3::KEY_LEN;
/// Write permissions of others.
const WRITABLE: u32 = 0o022;

pub(super) struct Cache {
    dir: PathBuf,
    /// What the engine's version, settings and machine come down to.
    engine: String,
    key: [u8; KEY_BYTES],
}

impl Cache {
    pub(super) fn open(dir: PathBuf, engine: &Engine) -> Result<Self> {
        let unusable = || format!("the cache directory {} can not be used", dir.display());
        create(&dir).context(Code::Unavailable, unusable)?;
        check(&dir)?;
        let key = key(&dir)?;
        let mut hasher = StableHasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine = hex(&hasher.0.finalize()[..8]);
        Ok(Cache { dir, engine, key })
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.dir.join(self.file_name(digest))
    }

    pub(super) fn file_name(&self, digest: &str) -> String {
        format!("{digest}-{}.cwasm", self.engine)
    }

    /// The name is part of it: one component's code is not taken for another's.
    fn seal(&self, digest: &str, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(self.file_name(digest).as_bytes()).update(&[0]).update(code);
        hasher.finalize()
    }

    /// The compiled component, or `None` when there is none that can be trusted.
    pub(super) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        let file = match std::fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => return rejected(&path, &error),
        };
        let Some((seal, code)) = file.split_first_chunk::<SEAL_BYTES>() else {
            return rejected(&path, &"too short");
        };
        // Compared in constant time.
        if self.seal(digest, code) != *seal {
            return rejected(&path, &"the seal does not fit");
        }
        // SAFETY: these are bytes that `store` got from a compilation, as the seal shows, which
        // only this process's user can make. They were read before the check, so nobody can change
        // them after it.
        match unsafe { Component::deserialize(engine, code) } {
            Ok(component) => Some(component),
            Err(error) => rejected(&path, &error),
        }
    }

    /// Whole or not at all: readers see the file only once it is complete.
    pub(super) fn store(&self, digest: &str, code: &[u8]) {
        let path = self.path(digest);
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = self.seal(digest, code).as_bytes().to_vec();
        file.extend_from_slice(code);
        let written =
            std::fs::write(&temporary, file).and_then(|()| std::fs::rename(&temporary, &path));
        if let Err(error) = written {
            // Costs a compilation at the next start, nothing else.
            tracing::warn!(path = %path.display(), %error, "compiled extractor not cached");
        }
    }
}

fn rejected(path: &Path, why: &dyn std::fmt::Display) -> Option<Component> {
    let path = path.display();
    tracing::warn!(%path, error = %why, "cached extractor ignored, compiling again");
    None
}

fn create(dir: &Path) -> std::io::Result<()> {
    if let Some(above) = dir.parent() {
        std::fs::create_dir_all(above)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Whoever could write to the directory could have put a key of their own there.
fn check(dir: &Path) -> Result<()> {
    let named = || format!("the cache directory {} can not be used", dir.display());
    let found = std::fs::metadata(dir).context(Code::Unavailable, named)?;
    if !found.is_dir() {
        return Err(Error::invalid(format!("{} is no directory", dir.display())));
    }
    if !is_own(&found) {
        let message = format!("the cache directory {} belongs to another user", dir.display());
        return Err(Error::new(Code::Forbidden, message).hint("name one of your own: --cache-dir"));
    }
    if found.mode() & WRITABLE != 0 {
        let dir = dir.display();
        let message = format!("others can write to the cache directory {dir}");
        let hint = format!("remove it, or if nobody did: chmod 700 {dir}");
        return Err(Error::new(Code::Forbidden, message).hint(hint));
    }
    if found.mode() & 0o077 != 0 {
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))
            .context(Code::Unavailable, named)?;
    }
    Ok(())
}

fn is_own(found: &Metadata) -> bool {
    // SAFETY: the call takes nothing, changes nothing and can not fail.
    found.uid() == unsafe { libc::geteuid() }
}

/// The key of the directory's seals. Whoever loses it compiles again.
fn key(dir: &Path) -> Result<[u8; KEY_BYTES]> {
    let path = dir.join(CACHE_KEY);
    let named = || format!("the key of the cache {} can not be used", dir.display());
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => {
            let found = found.context(Code::Unavailable, named)?;
            let private = found.is_file() && is_own(&found) && found.mode() & 0o077 == 0;
            let read = std::fs::read(&path).context(Code::Unavailable, named)?;
            match <[u8; KEY_BYTES]>::try_from(read) {
                Ok(key) if private => return Ok(key),
                // What others may have read or written seals nothing.
                _ => std::fs::remove_file(&path).context(Code::Unavailable, named)?,
            }
        }
    }
    make_key(&path).context(Code::Unavailable, named)
}

/// Two processes may begin at the same time: whoever links its key first wins.
fn make_key(path: &Path) -> std::io::Result<[u8; KEY_BYTES]> {
    let temporary = path.with_extension(format!("{}.tmp", uuid::Uuid::now_v7().simple()));
    let key: [u8; KEY_BYTES] = rand::random();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let linked = file.write_all(&key).and_then(|()| std::fs::hard_link(&temporary, path));
    std::fs::remove_file(&temporary)?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let theirs = std::fs::read(path)?;
            theirs.try_into().map_err(|_| std::io::Error::other("somebody writes another one"))
        }
        Err(error) => Err(error),
    }
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
