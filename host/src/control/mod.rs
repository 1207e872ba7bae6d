//! The control plane: what can be asked of the engine, without a word about HTTP. Everything that
//! changes state is here, so that server and command line do the same.
//!
//! **Invariant:** a change of a namespace's records is made under its lock, and answered after its
//! commit.

mod again;
mod background;
mod batches;
mod buckets;
mod cancel;
mod collections;
mod deliveries;
mod dispatch;
mod documents;
mod events;
mod exports;
mod extractors;
mod grants;
mod input;
mod keys;
mod links;
mod locks;
mod namespaces;
mod objects;
mod outbox;
mod pipeline;
mod retention;
mod running;
mod runs;
mod schedules;
pub mod search;
mod sender;
mod shape;
mod tasks;
mod timing;
mod upgrade;
mod uploads;
mod webhooks;
mod work;

pub use background::Background;
pub use batches::{BatchDraft, BatchView, Submission};
pub use buckets::BucketDraft;
pub use collections::{CollectionDraft, documents_of};
pub use deliveries::{BODY_BYTES_MAX, Outbound, Sent, Trial, attempted};
pub use dispatch::Dispatch;
pub use documents::{
    Checked, DocumentDraft, Merge, Selection, Walk, Walked, field_of, given_run, is_given,
    lineage_of,
};
pub use exports::{ExportFormat, ExportOrder, Exported};
pub use extractors::KnownExtractor;
pub use grants::Granted;
pub use keys::{Caller, MadeKey, NewKey};
pub use links::{Link, Verb};
pub use locks::Locks;
pub use namespaces::NamespaceDraft;
pub use objects::{BlobDraft, DATA_BYTES_MAX, ObjectDraft, Policy, Replay, WriteOptions};
pub use objects::{SoftDeletion, Written, is_file, type_word};
pub use outbox::{REPLAYED_MAX, Replay as WebhookReplay, Replayed};
pub use pipeline::{OBJECT_ID, is_blob, target};
pub use retention::{
    DELIVERIES_KEPT, DELIVERIES_WAITING_MAX, DELIVERY_DAYS, OCCURRENCE_DAYS, OCCURRENCES_KEPT,
};
pub use running::{CollectionSight, Running, Sight, Stage};
pub use runs::{ScheduledBatch, Trigger};
pub use schedules::ScheduleDraft;
pub use tasks::TASK_RETENTION;
pub use timing::{INTERVAL_S_MAX, INTERVAL_S_MIN, MISSED_AFTER_S, next_time};
pub use upgrade::{Place, Upgrade};
pub use uploads::{Confirmation, UploadDraft};
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
    pub dispatch: Dispatch,
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
            dispatch: Dispatch::default(),
            bell: tokio::sync::watch::Sender::new(0),
            outbound: OnceLock::new(),
            trigger: OnceLock::new(),
        };
        control.finish_removals()?;
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
