//! What extractors were denied, written down once for each thing and process.

use crate::env::Env;
use crate::plugin::Denials;
use crate::store::Store;
use crate::store::catalog::{GrantEvent, GrantEventKind};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Different things that are written down; a guest chooses what it is denied.
const KEPT_MAX: usize = 1_000;

pub struct DenialLog {
    store: Arc<Store>,
    env: Env,
    seen: Mutex<HashSet<(String, String)>>,
}

impl DenialLog {
    pub fn new(store: Arc<Store>, env: Env) -> DenialLog {
        DenialLog { store, env, seen: Mutex::default() }
    }

    fn is_new(&self, digest: &str, what: &str) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.len() < KEPT_MAX && seen.insert((digest.to_string(), what.to_string()))
    }
}

impl Denials for DenialLog {
    fn denied(&self, extractor: &str, digest: &str, what: &str) {
        if !self.is_new(digest, what) {
            return;
        }
        let event = GrantEvent {
            at: self.env.timestamp(),
            kind: GrantEventKind::Denied,
            digest: digest.to_string(),
            extractor: extractor.to_string(),
            grants: None,
            denied: Some(what.to_string()),
        };
        let key = self.env.uuid().to_string();
        // Nobody waits for it, and the call goes on without.
        let written = Store::put(&key, &event).and_then(|op| self.store.post(vec![op]));
        if let Err(error) = written {
            tracing::warn!("a denial is not written down: {}", error.chain());
        }
    }
}
