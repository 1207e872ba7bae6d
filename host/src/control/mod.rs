//! The control plane: what can be asked of the engine, without a word about HTTP. Everything that
//! changes state is here, so that server and command line do the same.
//!
//! **Invariant:** a change of a namespace's records is made under its lock, and answered after its
//! commit.

mod batches;
mod buckets;
mod collections;
mod dispatch;
mod documents;
mod events;
mod exports;
mod extractors;
mod input;
mod keys;
mod locks;
mod namespaces;
mod objects;
mod pipeline;
mod running;
pub mod search;
mod shape;
mod tasks;
mod work;

pub use batches::{BatchDraft, BatchView, Submission};
pub use buckets::BucketDraft;
pub use collections::{CollectionDraft, documents_of};
pub use dispatch::Dispatch;
pub use documents::{
    Checked, DocumentDraft, Merge, Selection, Walk, Walked, field_of, given_run, is_given,
    lineage_of,
};
pub use exports::{ExportFormat, ExportOrder, Exported};
pub use extractors::KnownExtractor;
pub use keys::{Caller, MadeKey, NewKey};
pub use locks::Locks;
pub use namespaces::NamespaceDraft;
pub use running::{CollectionSight, Running, Sight, Stage};
pub use tasks::TASK_RETENTION;

use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::model::Name;
use std::path::PathBuf;
use std::sync::Arc;

pub struct Control {
    pub engine: Arc<Engine>,
    pub data_dir: PathBuf,
    pub locks: Locks,
    pub dispatch: Dispatch,
    /// Rings when something happened.
    bell: tokio::sync::watch::Sender<u64>,
}

/// Batches that are run at once, each of another namespace.
const BATCHES_MAX: usize = 4;

/// The namespace that is there from the beginning and is meant where none is named.
pub const DEFAULT_NAMESPACE: &str = "default";

impl Control {
    /// Makes the default namespace when there is none at all.
    pub fn open(engine: Arc<Engine>, data_dir: PathBuf) -> Result<Control> {
        let control = Control {
            engine,
            data_dir,
            locks: Locks::default(),
            dispatch: Dispatch::new(BATCHES_MAX),
            bell: tokio::sync::watch::Sender::new(0),
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
