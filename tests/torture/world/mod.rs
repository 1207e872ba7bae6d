//! A whole engine in this process whose disk, object store and sink outlive it, so that it can die
//! and be started again some hundred times a minute. Everything happens in one thread: the order of
//! effects depends on the input and on nothing else.

mod dump;
pub(crate) mod faults;
pub(crate) mod guest;
mod objects;
pub(crate) mod sink;

use anyhow::{Result, anyhow};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use faults::{Faults, Happens, Judgement, Plan, Refusal};
use guest::Split;
use object_store::memory::InMemory;
use objects::Objects;
use parquet::arrow::ArrowWriter;
use quarry::artifact::Artifacts;
use quarry::config::Pipeline;
use quarry::engine::{Engine, Patience, Registry, Stop, Submission, Submitted};
use quarry::env::Env;
use quarry::model::BatchId;
use quarry::store::{BatchRecord, Moment, Store};
use sink::{ModelSink, SinkDisk};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::runtime::Runtime;

/// Three tiers, a diamond: `joined` reads both arms.
const PIPELINE: &str = r#"
namespace = "world"

[buckets.notes.schema]
text = "text"

[collections.parts]
source = "bucket:notes"
extractor = "split"
parameters = { pieces = 2 }
passthrough = ["text"]
outputs = { text = "piece" }

[collections.left]
source = "collection:parts"
extractor = "split"
inputs = { text = "piece" }
parameters = { pieces = 2 }

[collections.right]
source = "collection:parts"
extractor = "split"
inputs = { text = "piece" }

[collections.joined]
source = ["collection:left", "collection:right"]
extractor = "split"
"#;

const PARTITION_ROWS: usize = 3;

pub(crate) struct World {
    folder: PathBuf,
    runtime: Runtime,
    pub(crate) env: Env,
    pub(crate) faults: Arc<Faults>,
    memory: Arc<InMemory>,
    pub(crate) sink: Arc<SinkDisk>,
    healed: Arc<AtomicBool>,
    /// Whether batches take what earlier ones made.
    pub(crate) memo: AtomicBool,
    /// Whether the extractor says that it makes the same of the same row.
    pub(crate) deterministic: AtomicBool,
    /// Whether manifests look as if written long ago, those of the same rows at the same moment.
    pub(crate) old_manifests: AtomicBool,
    /// Batches that are run although nothing has changed.
    pub(crate) batches_min: AtomicUsize,
    pipeline: Pipeline,
}

impl World {
    pub(crate) fn new(folder: &Path) -> Result<World> {
        std::fs::create_dir_all(folder)?;
        let start = chrono::DateTime::from_timestamp(1_700_000_000, 0);
        let env = Env::fixed(start.ok_or_else(|| anyhow!("not a time"))?);
        Ok(World {
            folder: folder.to_path_buf(),
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?,
            faults: Faults::new(env.clone()),
            env,
            memory: Arc::new(InMemory::new()),
            sink: Arc::default(),
            healed: Arc::default(),
            memo: AtomicBool::new(true),
            deterministic: AtomicBool::new(true),
            old_manifests: AtomicBool::default(),
            batches_min: AtomicUsize::default(),
            pipeline: Pipeline::parse(PIPELINE)?,
        })
    }

    /// Rows of (id, text) as a manifest; the same name replaces it.
    pub(crate) fn manifest(&self, name: &str, rows: &[(String, String)]) -> Result<PathBuf> {
        let path = self.folder.join(format!("{name}.parquet"));
        let column = |of: fn(&(String, String)) -> &str| -> ArrayRef {
            Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>())
        };
        let columns = [("object_id", column(|row| &row.0)), ("text", column(|row| &row.1))];
        let rows = RecordBatch::try_from_iter(columns)?;
        let file = std::fs::File::create(&path)?;
        let mut writer = ArrowWriter::try_new(&file, rows.schema(), None)?;
        writer.write(&rows)?;
        writer.close()?;
        if self.old_manifests.load(Ordering::Relaxed) {
            let mut hash = DefaultHasher::new();
            std::fs::read(&path)?.hash(&mut hash);
            let moment = Duration::from_secs(1_000_000_000 + hash.finish() % 1_000_000);
            file.set_modified(SystemTime::UNIX_EPOCH + moment)?;
        }
        Ok(path)
    }

    /// Flaky rows are flaky no more.
    pub(crate) fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
    }

    /// A new process over what the last one left.
    pub(crate) fn open(&self, plan: Plan) -> quarry::error::Result<Engine> {
        self.faults.begin(plan);
        let faults = self.faults.clone();
        let unanswered: Mutex<Option<Refusal>> = Mutex::default();
        let hook = move |moment| {
            let mut unanswered = unanswered.lock().unwrap_or_else(PoisonError::into_inner);
            let refusal = match moment {
                Moment::BeforeWrite => match faults.judge("state write") {
                    Judgement { happens: Happens::Whole, answer } => {
                        *unanswered = answer;
                        None
                    }
                    Judgement { answer, .. } => Some(answer.unwrap_or(Refusal::Transient)),
                },
                Moment::AfterWrite => unanswered.take(),
            };
            refusal.map_or(Ok(()), |refusal| Err(refusal.to_string()))
        };
        let store = Store::open_hooked(&self.folder.join("state"), Arc::new(hook))?;
        let objects = Objects { memory: self.memory.clone(), faults: self.faults.clone() };
        let runtime = self.runtime.handle().clone();
        let sink = ModelSink { disk: self.sink.clone(), faults: self.faults.clone() };
        let deterministic = self.deterministic.load(Ordering::Relaxed);
        let split = Split::new(self.faults.clone(), self.healed.clone(), deterministic)?;
        Ok(Engine {
            env: self.env.clone(),
            store: Arc::new(store),
            artifacts: Artifacts::over(Arc::new(objects), "memory", runtime.clone()),
            registry: Registry::of(vec![Arc::new(split)]),
            sink: Some(Arc::new(sink)),
            sink_name: "simulated".to_string(),
            workers: 0,
            patience: Patience::default(),
            partition_rows: PARTITION_ROWS,
            storage_options: Vec::new(),
            scratch: self.folder.join("tmp"),
            runtime,
        })
    }

    pub(crate) fn submit(
        &self,
        engine: &Engine,
        manifest: &Path,
        force: bool,
        resume: bool,
    ) -> quarry::error::Result<Submitted> {
        let manifests = [(None, manifest.display().to_string())];
        let submission = Submission {
            pipeline: &self.pipeline,
            name: "world.toml",
            manifests: &manifests,
            force,
            resume,
            memo: self.memo.load(Ordering::Relaxed),
        };
        engine.submit(&submission, &|_| ())
    }

    pub(crate) fn run(&self, engine: &Engine, id: &BatchId) -> quarry::error::Result<BatchRecord> {
        self.run_until(engine, id, &Arc::new(Stop::default()))
    }

    pub(crate) fn run_until(
        &self,
        engine: &Engine,
        id: &BatchId,
        stop: &Arc<Stop>,
    ) -> quarry::error::Result<BatchRecord> {
        engine.run(id, stop, &|_, _| ())
    }

    /// Submits, or takes up what an earlier process left, and runs to the end.
    pub(crate) fn drive(
        &self,
        engine: &Engine,
        manifest: &Path,
    ) -> quarry::error::Result<BatchRecord> {
        let batches = engine.store.batches()?;
        let unfinished = batches.iter().any(|batch| !batch.status.is_terminal());
        let force = batches.len() < self.batches_min.load(Ordering::Relaxed);
        match self.submit(engine, manifest, force, unfinished)? {
            Submitted::Ready(id) => self.run(engine, &id),
            Submitted::Unchanged(record) => Ok(*record),
        }
    }

    /// The process ends; what it did not flush is lost.
    pub(crate) fn close(&self, engine: Engine) {
        drop(engine);
        self.sink.lose_what_was_not_flushed();
    }

    /// Everything that counts, in an order of its own.
    pub(crate) fn dump(&self) -> Result<String> {
        let engine = self.open(Plan::Calm)?;
        let text = dump::dump(&engine, &self.sink)?;
        self.close(engine);
        Ok(text)
    }
}
