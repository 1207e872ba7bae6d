//! The control plane: what can be asked of the engine, without a word about HTTP. Everything that
//! changes state is here, so that server and command line do the same.
//!
//! **Invariant:** a change of a namespace's records is made under its lock, and answered after its
//! commit.

mod background;
mod buckets;
mod collections;
mod deliveries;
mod events;
mod keys;
mod locks;
mod namespaces;
mod outbox;
mod retention;
mod runs;
mod schedules;
mod sender;
mod timing;
mod webhooks;

pub use background::Background;
pub use buckets::BucketDraft;
pub use deliveries::{BODY_BYTES_MAX, Outbound, Sent, Trial, attempted};
pub use keys::{Caller, MadeKey, NewKey};
pub use locks::Locks;
pub use namespaces::NamespaceDraft;
pub use outbox::{REPLAYED_MAX, Replay, Replayed};
pub use retention::{
    DELIVERIES_KEPT, DELIVERIES_WAITING_MAX, DELIVERY_DAYS, OCCURRENCE_DAYS, OCCURRENCES_KEPT,
};
pub use runs::{ScheduledBatch, Trigger};
pub use schedules::ScheduleDraft;
pub use timing::{INTERVAL_S_MAX, INTERVAL_S_MIN, MISSED_AFTER_S, next_time};
pub use webhooks::{WEBHOOKS_MAX, WebhookDraft};

use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::model::Name;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub struct Control {
    pub engine: Arc<Engine>,
    pub data_dir: PathBuf,
    pub locks: Locks,
    /// Rings when something happened.
    bell: tokio::sync::watch::Sender<u64>,
    outbound: OnceLock<Outbound>,
    trigger: OnceLock<Box<Trigger>>,
}

/// The namespace that is there from the beginning and is meant where none is named.
pub const DEFAULT_NAMESPACE: &str = "default";

impl Control {
    /// Makes the default namespace when there is none at all.
    pub fn open(engine: Arc<Engine>, data_dir: PathBuf) -> Result<Control> {
        let control = Control {
            engine,
            data_dir,
            locks: Locks::default(),
            bell: tokio::sync::watch::Sender::new(0),
            outbound: OnceLock::new(),
            trigger: OnceLock::new(),
        };
        if control.namespaces()?.is_empty() {
            control.create_namespace(NamespaceDraft::named(DEFAULT_NAMESPACE))?;
        }
        Ok(control)
    }

    fn now(&self) -> String {
        self.engine.env.timestamp()
    }
}

/// What the engine calls a new thing: its name where that is a name of the engine and free, else
/// its id.
fn key_for(name: &str, id: &str, taken: impl Fn(&Name) -> bool) -> Result<Name> {
    match Name::parse(name) {
        Ok(key) if !taken(&key) => Ok(key),
        _ => Name::parse(&id.to_ascii_lowercase()),
    }
}

fn not_found(what: &str, identifier: &str) -> Error {
    Error::new(Code::NotFound, format!("there is no {what} `{identifier}`"))
}

fn taken(what: &str, name: &str) -> Error {
    Error::new(Code::Conflict, format!("there is a {what} `{name}` already"))
}
