//! Locks by name, so that a record is read, changed and committed by one at a time.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

const STRIPES: usize = 256;

/// A fixed number of locks; names that share one wait for each other, which does no harm as long as
/// nobody holds two.
pub struct Locks(Vec<Mutex<()>>);

impl Default for Locks {
    fn default() -> Self {
        Locks((0..STRIPES).map(|_| Mutex::new(())).collect())
    }
}

impl Locks {
    /// Held while the guard lives. A thread that holds one must not ask for another.
    pub fn hold(&self, name: &str) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let stripe = (hasher.finish() % STRIPES as u64) as usize;
        self.0[stripe].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
