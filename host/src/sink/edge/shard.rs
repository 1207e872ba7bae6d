//! One namespace: one shard of the engine in one directory.

use super::convert::{self, Links};
use crate::durable;
use crate::error::{Code, Context, Error, Result};
use crate::sink::{IndexKind, IndexSpec, LINEAGE, Layout, VectorKind, VectorSpec};
use engine::{EdgeConfig, EdgeShard, Memory, OperationError, UpdateOperation};
use qdrant_edge as engine;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard};

/// Threads that search the segments of one shard side by side. The engine's default of four for
/// each processor, for each namespace, buys nothing here.
const SEARCH_THREADS: usize = 2;
/// Segments that the optimizer aims at. Fewer are faster to search and dearer to keep merging.
const SEGMENTS: usize = 4;
/// Vectors of a segment from which on it is made immutable, and gets a graph if the shard has any.
/// Comparing that many takes some milliseconds, building a graph over them takes seconds.
const COMPACT_THRESHOLD_KB: usize = 32 << 10;
/// Vectors of the largest segment that is still merged: merging sparse vectors takes memory in
/// proportion, and rewriting all of a large namespace over and over takes time.
const SEGMENT_MAX_KB: usize = 256 << 10;
/// Documents written between two compactions.
const COMPACT_DOCUMENTS: u64 = 65_536;

/// What becomes of files that do not open.
const AGAIN: &str = "the next `quarry run` into the namespace writes them again from the parts";

pub(super) struct Shard {
    path: PathBuf,
    /// `None` only between closing and opening again.
    engine: RwLock<Option<EdgeShard>>,
    layout: RwLock<Arc<Layout>>,
    extending: Mutex<()>,
    /// Documents written since the last compaction.
    fresh: AtomicU64,
}

impl Shard {
    /// Makes the directory whole beside its place and moves it there: a crash leaves nothing, or
    /// garbage that the next attempt removes, or an empty shard.
    pub(super) fn create(path: &Path, layout: &Layout) -> Result<()> {
        let parent = path.parent().unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = parent.join(format!(".new-{name}"));
        let failed = || format!("can not create {}", path.display());
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).context(Code::Unavailable, failed)?;
        }
        let shard = EdgeShard::new(&unfinished, config(layout)).map_err(|e| failure(path, e))?;
        for operation in index_operations(&all_indexes(layout)) {
            shard.update(operation).map_err(|error| failure(path, error))?;
        }
        shard.flush().map_err(|error| failure(path, error))?;
        drop(shard);
        // The engine does not sync the directories that it makes.
        durable::sync_all(&unfinished).context(Code::Unavailable, failed)?;
        fs::rename(&unfinished, path).context(Code::Unavailable, failed)?;
        durable::sync_directory(parent).context(Code::Unavailable, failed)
    }

    /// Loads what [`Shard::create`] made, and replays what was not flushed.
    pub(super) fn open(path: &Path) -> Result<Shard> {
        let engine = load(path)?;
        let layout = read_layout(&engine).map_err(|error| failure(path, error))?;
        Ok(Shard {
            path: path.to_path_buf(),
            engine: RwLock::new(Some(engine)),
            layout: RwLock::new(Arc::new(layout)),
            extending: Mutex::default(),
            fresh: AtomicU64::new(0),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn layout(&self) -> Arc<Layout> {
        self.layout.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the vectors and indexes that `wanted` has more; the points stay.
    pub(super) fn extend(&self, wanted: &Layout) -> Result<()> {
        let _alone = self.extending.lock().unwrap_or_else(PoisonError::into_inner);
        let existing = self.layout();
        let merged = Layout::merge(&existing, wanted)?;
        if merged == *existing {
            return Ok(());
        }
        let vectors = merged.vectors.iter().filter(|it| existing.vector(&it.name).is_none());
        let indexes = merged.indexes.iter().filter(|it| !existing.indexes.contains(it)).cloned();
        let vectors = vectors.map(|spec| {
            UpdateOperation::VectorNameOperation(engine::VectorNameOperations::CreateVectorName(
                engine::CreateVectorName {
                    vector_name: spec.name.clone(),
                    config: convert::added_vector(spec.kind),
                },
            ))
        });
        let indexes: Vec<_> = indexes.collect();
        for operation in vectors.chain(index_operations(&indexes)) {
            self.update(operation)?;
        }
        self.flush()?;
        *self.layout.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(merged);
        Ok(())
    }

    pub(super) fn has_index(&self, path: &str) -> Result<bool> {
        let schema = self.read(|engine| Ok(engine.info()?.payload_schema))?;
        Ok(schema.keys().any(|known| known.to_string() == path))
    }

    /// Makes an index that is not part of the layout. Takes seconds for a million documents.
    pub(super) fn create_index(&self, path: &str, kind: IndexKind) -> Result<()> {
        let spec = IndexSpec { path: path.to_string(), kind };
        index_operations(&[spec]).try_for_each(|operation| self.update(operation))
    }

    pub(super) fn insert(&self, points: Vec<engine::PointStructPersisted>) -> Result<()> {
        self.fresh.fetch_add(points.len() as u64, Ordering::Relaxed);
        let points = engine::PointInsertOperations::PointsList(points);
        let points = engine::PointOperations::UpsertPoints(points);
        self.update(UpdateOperation::PointOperation(points))
    }

    /// Writes one operation: in the log and visible on return.
    ///
    /// After a failure of its storage the engine refuses everything until it is opened again, so
    /// that happens here. What was logged is replayed by it; whether this operation was, nobody
    /// can tell, and the caller repeats it: every operation may run twice.
    pub(super) fn update(&self, operation: UpdateOperation) -> Result<()> {
        self.change(|engine| engine.update(operation))
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&EdgeShard) -> std::result::Result<T, OperationError>,
    ) -> Result<T> {
        let error = {
            let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
            let Some(engine) = engine.as_ref() else { return Err(self.closed()) };
            match change(engine) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            }
        };
        if breaks(&error) {
            self.reopen()?;
        }
        Err(failure(&self.path, error))
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&EdgeShard) -> std::result::Result<T, OperationError>,
    ) -> Result<T> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        let engine = engine.as_ref().ok_or_else(|| self.closed())?;
        read(engine).map_err(|error| failure(&self.path, error))
    }

    /// The engine syncs bytes and no names: files that it made since need their directories synced,
    /// first those that hold documents, because its flush forgets the log, and those of the flush.
    pub(super) fn flush(&self) -> Result<()> {
        self.sync_names()?;
        self.change(EdgeShard::flush)?;
        self.sync_names()
    }

    fn sync_names(&self) -> Result<()> {
        let failed = || format!("can not sync {}", self.path.display());
        durable::sync_names(&self.path).context(Code::Unavailable, failed)
    }

    pub(super) fn wants_compaction(&self) -> bool {
        self.fresh.load(Ordering::Relaxed) >= COMPACT_DOCUMENTS
    }

    /// Moves what the appendable segment holds in memory (sparse vectors, indexes, ids) to an
    /// immutable one on disk.
    pub(super) fn compact(&self) -> Result<()> {
        self.fresh.store(0, Ordering::Relaxed);
        // Vectors that were added later are not placed yet, which only opening can do.
        if self.read(|engine| Ok(place(&mut engine.config().clone())))? {
            self.reopen()?;
        }
        self.change(EdgeShard::optimize).map(|_| ())
    }

    /// Compacts with graphs over the dense vectors, from now on.
    ///
    /// A new shard has none: building them takes minutes for each 100,000 vectors, and merging
    /// segments while a batch is written would do it over and over.
    pub(super) fn optimize(&self) -> Result<()> {
        let without_graphs = self.read(|engine| Ok(engine.config().hnsw_config().m == 0))?;
        if without_graphs {
            self.change(|engine| {
                engine.set_hnsw_config(graphs(engine::HnswIndexConfig::default().m))
            })?;
        }
        self.compact()
    }

    /// Closes the engine and opens it again. Waits for running calls.
    fn reopen(&self) -> Result<()> {
        let mut engine: RwLockWriteGuard<'_, Option<EdgeShard>> =
            self.engine.write().unwrap_or_else(PoisonError::into_inner);
        // Its lock is freed by dropping it, so there is a moment without an engine.
        *engine = None;
        *engine = Some(load(&self.path)?);
        Ok(())
    }

    fn closed(&self) -> Error {
        damaged(&self.path).source("the engine could not be opened again").hint(AGAIN)
    }

    /// Whether opening it again has failed, so that nothing can be done with it any more.
    pub(super) fn is_closed(&self) -> bool {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

fn load(path: &Path) -> Result<EdgeShard> {
    let loaded = match EdgeConfig::load(path) {
        Some(Ok(mut config)) => {
            place(&mut config);
            // The engine trusts lengths that it reads.
            catch_unwind(AssertUnwindSafe(|| EdgeShard::load(path, Some(config))))
        }
        Some(Err(error)) => Ok(Err(error)),
        None => return Err(damaged(path).source("there is no edge_config.json").hint(AGAIN)),
    };
    match loaded {
        Ok(Ok(engine)) => Ok(engine),
        Ok(Err(error)) => match failure(path, error) {
            error if error.code() == Code::InUse => Err(error),
            error => Err(error.hint(AGAIN)),
        },
        Err(_) => Err(damaged(path).source("the engine panicked over them").hint(AGAIN)),
    }
}

/// Everything that can be on disk is: what then counts as memory are the point ids and what the
/// appendable segment has not handed to the optimizer.
fn config(layout: &Layout) -> EdgeConfig {
    let mut builder = EdgeConfig::builder();
    for VectorSpec { name, kind } in &layout.vectors {
        builder = match *kind {
            VectorKind::Sparse => {
                builder.sparse_vector(name, engine::EdgeSparseVectorParams::builder().build())
            }
            VectorKind::Dense { dimension, distance } => {
                let distance = convert::distance(distance);
                let params = engine::EdgeVectorParams::builder(dimension as usize, distance);
                builder.vector(name, params.build())
            }
            VectorKind::Multi { dimension, distance } => {
                let distance = convert::distance(distance);
                let params = engine::EdgeVectorParams::builder(dimension as usize, distance);
                builder.vector(name, params.multivector_config(convert::MULTI).build())
            }
        };
    }
    let mut config = builder.build();
    place(&mut config);
    config
}

/// Sets our tunables; whether that changed anything in a vector's place.
fn place(config: &mut EdgeConfig) -> bool {
    let cold = Some(Memory::Cold);
    let mut changed = false;
    for params in config.vectors.values_mut() {
        changed |= params.memory != cold;
        params.memory = cold;
    }
    for params in config.sparse_vectors.values_mut() {
        changed |= params.memory != cold;
        params.memory = cold;
    }
    config.payload_memory = cold;
    config.max_search_threads = Some(SEARCH_THREADS);
    config.hnsw_config = Some(graphs(config.hnsw_config.map_or(0, |hnsw| hnsw.m)));
    config.optimizers = Some(engine::EdgeOptimizersConfig {
        default_segment_number: Some(SEGMENTS),
        max_segment_size: Some(SEGMENT_MAX_KB),
        indexing_threshold: Some(COMPACT_THRESHOLD_KB),
        ..engine::EdgeOptimizersConfig::default()
    });
    changed
}

/// Graphs with `m` links for each vector; none with 0.
fn graphs(m: usize) -> engine::HnswIndexConfig {
    let default = engine::HnswIndexConfig::default();
    engine::HnswIndexConfig { m, memory: Some(Memory::Cold), ..default }
}

/// The indexes of `layout` and those of the lineage that every write and search needs.
fn all_indexes(layout: &Layout) -> Vec<IndexSpec> {
    let later = [super::OBJECT, super::BATCH];
    let lineage = LINEAGE.into_iter().filter(|(path, _)| !later.contains(path));
    let lineage = lineage.map(|(path, kind)| IndexSpec { path: path.to_string(), kind });
    lineage.chain(layout.indexes.iter().cloned()).collect()
}

fn index_operations(specs: &[IndexSpec]) -> impl Iterator<Item = UpdateOperation> {
    specs.iter().map(|IndexSpec { path, kind }| {
        let links = match path.as_str() {
            super::RUN | super::OBJECT => Links::No,
            _ => Links::Yes,
        };
        UpdateOperation::FieldIndexOperation(engine::FieldIndexOperations::CreateIndex(
            engine::CreateIndex {
                field_name: path.parse().expect("merging layouts checks paths"),
                field_schema: Some(convert::index_schema(*kind, links)),
            },
        ))
    })
}

fn read_layout(engine: &EdgeShard) -> std::result::Result<Layout, OperationError> {
    let schema = engine.info()?.payload_schema;
    let config = engine.config();
    let dense = config.vectors.iter().map(|(name, it)| (name.clone(), convert::dense_kind(it)));
    let sparse = config.sparse_vectors.keys().map(|name| (name.clone(), VectorKind::Sparse));
    let mut vectors: Vec<_> =
        dense.chain(sparse).map(|(name, kind)| VectorSpec { name, kind }).collect();
    vectors.sort_by(|a, b| a.name.cmp(&b.name));
    let indexes = schema.into_iter().filter_map(|(path, info)| {
        let path = path.to_string();
        let kind = convert::index_kind(info.data_type)?;
        LINEAGE.iter().all(|(lineage, _)| *lineage != path).then_some(IndexSpec { path, kind })
    });
    let mut indexes: Vec<_> = indexes.collect();
    indexes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Layout { vectors, indexes })
}

/// Whether the engine is unusable after this error.
fn breaks(error: &OperationError) -> bool {
    matches!(
        error,
        OperationError::ServiceError { .. }
            | OperationError::InconsistentStorage { .. }
            | OperationError::FileNotFound { .. }
            | OperationError::OutOfMemory { .. }
    )
}

fn damaged(path: &Path) -> Error {
    Error::new(Code::Corrupt, format!("the vectors in {} are damaged", path.display()))
}

fn failure(path: &Path, error: OperationError) -> Error {
    let place = path.display();
    let text = error.to_string();
    match error {
        // The engine has no variant for its lock.
        OperationError::ServiceError { .. } if text.contains("WouldBlock") => {
            Error::new(Code::InUse, format!("another process has {place} open"))
        }
        OperationError::ServiceError { .. }
        | OperationError::OutOfMemory { .. }
        | OperationError::OutOfAppendableCapacity { .. }
        | OperationError::Cancelled { .. }
        | OperationError::Timeout { .. } => {
            Error::new(Code::Unavailable, format!("the vector engine failed in {place}"))
                .source(text)
        }
        OperationError::InconsistentStorage { .. } | OperationError::FileNotFound { .. } => {
            damaged(path).source(text)
        }
        refused => convert::refused(refused),
    }
}
