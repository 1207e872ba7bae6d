//! The engine: plan, flatten, run partitions, commit, write to the sink, finish.
//!
//! Pure parts decide ([`plan`], `schedule`), `run` acts. **Invariants:** a partition counts
//! when its record is committed, and its part is in the object store before that; every effect may
//! run twice; memory does not grow with the number of rows.

mod assemble;
mod batch;
mod bind;
mod cancel;
mod columns;
pub mod commit;
mod convert;
mod counts;
mod dead;
mod denials;
mod documents;
mod edits;
mod enqueue;
mod extract;
mod filter;
mod finish;
mod flatten;
mod forget;
pub mod history;
mod identity;
mod inherit;
pub mod kept;
mod memo;
mod merge;
mod parking;
mod partition;
mod patience;
pub mod plan;
mod progress;
pub mod redo;
mod registry;
pub mod replay;
mod restore;
mod reuse;
mod run;
mod schedule;
mod sinker;
mod step;
mod submit;
pub mod trial;
mod value;

pub use batch::{SUMMARY, collection_states};
pub use columns::{DOCUMENT_ID, OBJECT_ID, sparse_columns};
pub use dead::DeadLetter;
pub use denials::DenialLog;
pub use documents::{lineage, parameters_hash};
pub use edits::{Edit, EditChange, FOLDER as EDITS, Version};
pub use enqueue::Order;
pub use flatten::artifact_name;
pub use identity::given_document;
pub use patience::{Backoff, Class, Patience};
pub use progress::{Counters, Progress, Stop, Times};
pub use registry::{AssetStore, Found, Registry, is_within, numbers};
pub use submit::{Submission, Submitted};

use crate::artifact::Artifacts;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::model::BatchId;
use crate::sink::VectorSink;
use crate::store::{BatchRecord, PartitionKey, PartitionRecord, PartitionState, Store};
use flatten::Flattened;
pub use memo::Memo;
use plan::Plan;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Handle;

/// What all batches share.
pub struct Engine {
    pub env: Env,
    pub store: Arc<Store>,
    /// Root of the object store.
    pub artifacts: Artifacts,
    pub registry: Registry,
    pub sink: Option<Arc<dyn VectorSink>>,
    /// As the user wrote it.
    pub sink_name: String,
    /// Threads that run partitions; with 0 everything of a run happens in the thread that calls,
    /// one thing after the other.
    pub workers: usize,
    pub patience: Patience,
    /// Rows of a partition at most.
    pub partition_rows: usize,
    /// Options for object stores, over the environment.
    pub storage_options: Vec<(String, String)>,
    /// Temporary files.
    pub scratch: PathBuf,
    pub runtime: Handle,
}

/// `manifest.json` of a batch: everything that is needed to run it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchManifest {
    pub batch: BatchId,
    pub plan: Plan,
    pub flattened: Vec<Flattened>,
    /// As it was when it was queued: the state can be made again from the object store.
    pub record: BatchRecord,
    /// The earlier batch whose documents may be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<Memo>,
    #[serde(default = "first_format")]
    pub format: u32,
}

/// Raised when the host makes other artifacts or documents of the same rows: nothing is taken from
/// older batches then.
const FORMAT: u32 = 1;

/// Of batches that do not say.
fn first_format() -> u32 {
    1
}

impl BatchManifest {
    /// Whether its rows would be treated in the same way today.
    fn is_current(&self) -> bool {
        self.format == FORMAT
    }
}

pub const MANIFEST: &str = "manifest.json";

/// Where the objects of a batch are in its object store.
pub fn batch_folder(record: &BatchRecord) -> String {
    format!("{}/batches/{}", record.namespace, record.id)
}

/// Of a queued batch, in its folder.
pub fn read_manifest(folder: &Artifacts) -> Result<BatchManifest> {
    let bytes = folder.get(MANIFEST)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("{} can not be read", folder.name_of(MANIFEST));
        Error::new(Code::Corrupt, message).source(error)
    })
}

impl Engine {
    fn folder(&self, record: &BatchRecord) -> Artifacts {
        self.artifacts.folder(&batch_folder(record))
    }

    pub fn manifest(&self, record: &BatchRecord) -> Result<BatchManifest> {
        let folder = self.folder(record);
        patience::retry(&self.env, &self.patience, || read_manifest(&folder))
    }

    /// Visits the partitions of a batch, by collection, source and id, until `visit` says no: from
    /// the state, or where the batch has ended from its history.
    pub fn partitions(
        &self,
        record: &BatchRecord,
        visit: &mut dyn FnMut(PartitionKey, PartitionRecord) -> Result<bool>,
    ) -> Result<()> {
        if let Some(name) = &record.history {
            return history::read(&self.folder(record), name, visit);
        }
        for entry in self.store.partitions(&record.id) {
            let (key, partition) = entry?;
            if !visit(key, partition)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Dead letters of a batch, at most `limit`.
    pub fn dead_letters(&self, record: &BatchRecord, limit: usize) -> Result<Vec<DeadLetter>> {
        let folder = self.folder(record);
        let mut letters = Vec::new();
        self.partitions(record, &mut |_, partition| {
            if let PartitionState::Committed { dead: Some(name), .. } = partition.state {
                letters.extend(dead::read(&folder, &name)?);
            }
            Ok(letters.len() < limit)
        })?;
        letters.truncate(limit);
        Ok(letters)
    }

    /// The parts of one collection of a batch, relative to its folder, in the order of partitions.
    pub fn parts(&self, record: &BatchRecord, collection: usize) -> Result<Vec<String>> {
        let mut parts = Vec::new();
        self.partitions(record, &mut |key, partition| {
            if let PartitionState::Committed { part: Some(part), .. } = partition.state
                && key.collection == collection
            {
                parts.push(part);
            }
            Ok(true)
        })?;
        Ok(parts)
    }

    /// Where a part is: a path, or a URL.
    pub fn part_location(&self, record: &BatchRecord, part: &str) -> String {
        self.folder(record).name_of(part)
    }

    /// Reads one part.
    pub fn read_part(
        &self,
        record: &BatchRecord,
        part: &str,
    ) -> Result<Vec<arrow_array::RecordBatch>> {
        crate::artifact::PartReader::read(&self.folder(record), part, None, None)
    }
}
