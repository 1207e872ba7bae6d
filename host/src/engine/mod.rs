//! The engine: plan, flatten, run partitions, commit, write to the sink, finish.
//!
//! Pure parts decide ([`plan`], `schedule`), `run` acts. **Invariants:** a partition counts
//! when its record is committed, and its part is in the object store before that; every effect may
//! run twice; memory does not grow with the number of rows.

mod assemble;
mod bind;
mod columns;
mod convert;
mod dead;
mod documents;
mod extract;
mod filter;
mod finish;
mod flatten;
mod identity;
mod partition;
pub mod plan;
mod progress;
mod registry;
mod run;
mod schedule;
mod sinker;
mod submit;
mod value;

pub use columns::{OBJECT_ID, sparse_columns};
pub use dead::DeadLetter;
pub use documents::lineage;
pub use progress::{Counters, Progress, Stop, Times};
pub use registry::{Found, Registry};
pub use submit::{Submission, Submitted};

use crate::artifact::Artifacts;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::model::{BatchId, BatchStatus};
use crate::plugin::Extractor;
use crate::sink::VectorSink;
use crate::store::{BatchRecord, CollectionState, Op, PartitionState, Store};
use flatten::Flattened;
use plan::Plan;
use run::{Ended, Run};
use schedule::Schedule;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
    pub workers: usize,
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
}

const MANIFEST: &str = "manifest.json";

impl Engine {
    fn folder(&self, record: &BatchRecord) -> Artifacts {
        self.artifacts.folder(&format!("{}/batches/{}", record.namespace, record.id))
    }

    pub fn manifest(&self, record: &BatchRecord) -> Result<BatchManifest> {
        let folder = self.folder(record);
        let bytes = folder.get(MANIFEST)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("{} can not be read", folder.name_of(MANIFEST));
            Error::new(Code::Corrupt, message).source(error)
        })
    }

    /// Runs a submitted batch to its end, from wherever an earlier run left it.
    pub fn run(
        &self,
        id: &BatchId,
        stop: &Arc<Stop>,
        watch: &dyn Fn(&Arc<Plan>, &Arc<Progress>),
    ) -> Result<BatchRecord> {
        let mut record = self.store.batch(id)?;
        if record.status.is_terminal() {
            let message = format!("batch {id} is {}", record.status.as_str());
            return Err(Error::new(Code::Conflict, message).hint("it can not be run again"));
        }
        let manifest = self.manifest(&record)?;
        let plan = Arc::new(manifest.plan);
        let extractors: Vec<Arc<dyn Extractor>> = plan
            .collections
            .iter()
            .map(|collection| self.registry.by_digest(&collection.extractor.digest))
            .collect::<Result<_>>()?;
        if let Some(sink) = &self.sink {
            sink.prepare(&plan.namespace, &plan.layout()?)?;
        }
        record.status = BatchStatus::Processing;
        record.fence += 1;
        record.started_at.get_or_insert(self.env.timestamp());
        self.store.commit(vec![Store::put_batch(&record)?, self.occupy(&record, &plan)?])?;
        let progress = Arc::new(Progress::new(&plan));
        for input in &manifest.flattened {
            progress.collections[input.collection]
                .rows_known
                .fetch_add(input.rows, Ordering::Relaxed);
        }
        watch(&plan, &progress);
        let run = Run {
            batch: id.clone(),
            artifacts: self.folder(&record),
            blobs: self.artifacts.folder(&format!("{}/blobs", plan.namespace)),
            extractors,
            store: self.store.clone(),
            sink: self.sink.clone(),
            fence: record.fence,
            run: record.run,
            workers: self.workers,
            storage_options: self.storage_options.clone(),
            runtime: self.runtime.clone(),
            progress,
            stop: stop.clone(),
            repeated: AtomicU64::new(0),
            plan,
        };
        let schedule = Schedule::new(run.plan.clone(), id.clone(), manifest.flattened.clone());
        let ended = run.work(schedule);
        record.repeated_partitions += run.repeated.load(Ordering::Relaxed);
        self.conclude(&run, record, &manifest.flattened, ended)
    }

    fn conclude(
        &self,
        run: &Run,
        mut record: BatchRecord,
        flattened: &[Flattened],
        ended: Result<Ended>,
    ) -> Result<BatchRecord> {
        match ended {
            Err(error) => {
                record.error = Some(error.chain());
                self.store.commit(vec![Store::put_batch(&record)?])?;
                Err(error)
            }
            Ok(Ended::Drained) => {
                self.store.commit(vec![Store::put_batch(&record)?])?;
                let message = format!("batch {} was interrupted", record.id);
                Err(Error::new(Code::Interrupted, message)
                    .hint("what is committed stays; the same command with --resume goes on"))
            }
            Ok(Ended::Canceled) => {
                record.collections = finish::summarize(run)?;
                record.status = BatchStatus::Canceled;
                record.ended_at = Some(self.env.timestamp());
                self.store.commit(vec![Store::put_batch(&record)?])?;
                Ok(record)
            }
            Ok(Ended::Finished) => self.finish(run, record, flattened),
        }
    }

    fn finish(
        &self,
        run: &Run,
        mut record: BatchRecord,
        flattened: &[Flattened],
    ) -> Result<BatchRecord> {
        let summaries = finish::summarize(run)?;
        let mut verdict = finish::verdict(run, flattened, summaries);
        if verdict.error.is_none() {
            finish::delete_stale(run, flattened, &mut verdict.collections)?;
        }
        record.status = verdict.status;
        record.error = verdict.error;
        record.collections = verdict.collections;
        record.ended_at = Some(self.env.timestamp());
        self.store.commit(vec![Store::put_batch(&record)?])?;
        Ok(record)
    }

    /// Notes in the namespace which collections the batch writes, and how to search them: from the
    /// claim on, because documents appear from then on.
    fn occupy(&self, record: &BatchRecord, plan: &Plan) -> Result<Op> {
        let mut namespace = self.store.namespace(&record.namespace)?;
        let searchable = plan.collections.iter().filter(|c| c.searchable && self.sink.is_some());
        for collection in searchable {
            let vectors = collection.vectors.iter().map(|vector| {
                let field = &collection.description.outputs[vector.output];
                (field.name.clone(), vector.name.clone())
            });
            let state = CollectionState {
                digest: collection.extractor.digest.clone(),
                extractor: collection.extractor.to_string(),
                parameters: collection.parameters.to_string(),
                vectors: vectors.collect(),
                sink: self.sink_name.clone(),
                batch: record.id.to_string(),
            };
            namespace.collections.insert(collection.name.to_string(), state);
        }
        Store::put_namespace(&record.namespace, &namespace)
    }

    /// Dead letters of a batch, at most `limit`.
    pub fn dead_letters(&self, record: &BatchRecord, limit: usize) -> Result<Vec<DeadLetter>> {
        let folder = self.folder(record);
        let mut letters = Vec::new();
        for entry in self.store.partitions(&record.id) {
            let (_, partition) = entry?;
            if let PartitionState::Committed { dead: Some(name), .. } = partition.state {
                letters.extend(dead::read(&folder, &name)?);
            }
            if letters.len() >= limit {
                letters.truncate(limit);
                break;
            }
        }
        Ok(letters)
    }

    /// The parts of one collection of a batch, relative to its folder, in the order of partitions.
    pub fn parts(&self, record: &BatchRecord, collection: usize) -> Result<Vec<String>> {
        let mut parts = Vec::new();
        for entry in self.store.partitions(&record.id) {
            let (key, partition) = entry?;
            if let PartitionState::Committed { part: Some(part), .. } = partition.state
                && key.collection == collection
            {
                parts.push(part);
            }
        }
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
