//! Puts the parts together over one data directory:
//! `state/` sled, `objects/` the default object store, `vectors/` embedded shards, `extractors/`
//! registered components, `cache/` compiled ones, `tmp/`, `control/` requests to a running process.

use crate::artifact::Artifacts;
use crate::config::PARTITION_ROWS;
use crate::durable;
use crate::engine::{DenialLog, Engine, Patience, Registry};
use crate::env::Env;
use crate::error::{Code, Context, Result};
use crate::plugin::{AssetSource, Compiler, Denials, Host, Limits, Trust, World};
use crate::sink::{self, SinkSpec, VectorSink};
use crate::store::catalog::Grant;
use crate::store::{DirectoryLock, Store};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::{Handle, Runtime};

/// Threads that call the file system, besides one for each worker. Without a bound a busy machine
/// collects them: a new one starts whenever none of those that are done got a processor in time.
/// Two may be looking after stores and wait for the others.
const BLOCKING_THREADS: usize = 4;

#[derive(Debug, Clone)]
pub struct Settings {
    pub data_dir: PathBuf,
    /// Compiled extractors; `cache/` in the data directory if absent.
    pub cache_dir: Option<PathBuf>,
    /// URL of the object store; the data directory's own if absent.
    pub artifacts: Option<String>,
    /// `edge`, `none` or `qdrant://host:port`.
    pub sink: String,
    pub storage_options: Vec<(String, String)>,
    /// Folders of components, besides those beside the binary.
    pub extractors: Vec<PathBuf>,
    /// Threads that run partitions, see [`Engine::workers`].
    pub workers: usize,
    pub patience: Patience,
    pub limits: Limits,
    /// Components are compiled in this process if absent.
    pub compiler: Option<Compiler>,
    /// Which extractors are let in.
    pub trust: Trust,
    /// Up to where grants may raise limits, by their names.
    pub limit_ceilings: BTreeMap<String, u64>,
    /// Size of the state's files from which they are compacted, see [`Store::open_compacting`].
    pub compact_from_bytes: u64,
}

pub struct App {
    pub engine: Arc<Engine>,
    pub data_dir: PathBuf,
    /// Sinks that batches recorded, opened once: the embedded engine allows one opening a process.
    sinks: Mutex<HashMap<String, Option<Arc<dyn VectorSink>>>>,
    runtime: Runtime,
    _lock: DirectoryLock,
}

impl App {
    pub fn open(settings: &Settings) -> Result<App> {
        let own = || settings.data_dir.join("cache");
        let cache = settings.cache_dir.clone().unwrap_or_else(own);
        let compiler = settings.compiler.clone();
        let host = Host::with_compiler(Some(cache), settings.limits.clone(), compiler)?;
        host.limit_grants(settings.limit_ceilings.clone());
        let mut search = settings.extractors.clone();
        search.extend(folders_beside_the_binary());
        let registry = Registry::new(host, settings.data_dir.join("extractors"), search)
            .trusting(settings.trust.clone());
        Self::with_registry(settings, registry)
    }

    /// With extractors of one's own, such as natively compiled ones.
    pub fn with_registry(settings: &Settings, registry: Registry) -> Result<App> {
        let data_dir = std::path::absolute(&settings.data_dir)
            .context(Code::Invalid, || format!("{} is not a path", settings.data_dir.display()))?;
        tracing::trace!(target: "quarry::step", step = "open");
        let lock = DirectoryLock::acquire(&data_dir)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(settings.workers + BLOCKING_THREADS)
            .enable_all()
            .build()
            .context(Code::Unavailable, || "can not start the runtime".to_string())?;
        let handle = runtime.handle().clone();
        let store =
            Arc::new(Store::open_compacting(&data_dir.join("state"), settings.compact_from_bytes)?);
        let artifacts = match &settings.artifacts {
            Some(url) => Artifacts::open(url, &settings.storage_options, handle.clone())?,
            None => {
                let own = data_dir.join("objects");
                Artifacts::open(&own.to_string_lossy(), &[], handle.clone())?
            }
        };
        let sink = open_sink(&settings.sink, &data_dir, &handle)?;
        let denials = Arc::new(DenialLog::new(store.clone(), Env::System));
        let assets: Arc<dyn AssetSource> = Arc::new(registry.assets());
        let (assets, denials) = (Some(assets), Some(denials as Arc<dyn Denials>));
        registry.surround(World { assets, denials, ..World::default() });
        for granted in store.all::<Grant>("")? {
            registry.grant(&granted.digest, &granted.grants);
        }
        // Whoever made the folders may have died before their names were durable.
        durable::sync_directory(&data_dir)
            .context(Code::Unavailable, || format!("can not sync {}", data_dir.display()))?;
        let engine = Engine {
            env: Env::System,
            store,
            artifacts,
            registry,
            sink,
            sink_name: settings.sink.clone(),
            workers: settings.workers,
            patience: settings.patience,
            partition_rows: PARTITION_ROWS,
            storage_options: settings.storage_options.clone(),
            scratch: data_dir.join("tmp"),
            runtime: handle,
        };
        let sinks = Mutex::new(HashMap::from([(settings.sink.clone(), engine.sink.clone())]));
        let engine = Arc::new(engine);
        Ok(App { engine, data_dir, sinks, runtime, _lock: lock })
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// A sink by the name that a batch recorded, which need not be the one of this process.
    pub fn sink(&self, name: &str) -> Result<Option<Arc<dyn VectorSink>>> {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sink) = sinks.get(name) {
            return Ok(sink.clone());
        }
        let sink = open_sink(name, &self.data_dir, self.runtime.handle())?;
        sinks.insert(name.to_string(), sink.clone());
        Ok(sink)
    }
}

fn open_sink(name: &str, data_dir: &Path, handle: &Handle) -> Result<Option<Arc<dyn VectorSink>>> {
    let spec: SinkSpec = name.parse()?;
    Ok(sink::open(&spec, data_dir, handle)?.map(Arc::from))
}

/// `extractors/` beside the binary or one folder up, and where packages put them.
pub(crate) fn folders_beside_the_binary() -> Vec<PathBuf> {
    let Some(binary) = std::env::current_exe().ok() else { return Vec::new() };
    let Some(folder) = binary.parent() else { return Vec::new() };
    let mut folders = vec![folder.join("extractors")];
    if let Some(above) = folder.parent() {
        folders.push(above.join("extractors"));
        folders.push(above.join("share/quarry/extractors"));
    }
    folders.retain(|folder| folder.is_dir());
    folders
}

/// Content of a cancel request that wants the documents gone, too.
pub const DISCARD: &str = "discard";

/// The file that asks a running process to cancel a batch.
pub fn cancel_request(data_dir: &Path, batch: &str) -> PathBuf {
    data_dir.join("control").join(format!("cancel-{batch}"))
}
