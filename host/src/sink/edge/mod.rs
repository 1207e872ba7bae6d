//! Qdrant's engine in this process: one shard for each namespace, each in its own directory.
//!
//! Facts that shape it, all measured on qdrant-edge 0.9.0: operations are logged before they are
//! checked, so [`Layout::check`] comes first; a full disk is a SIGBUS, so free space is read before
//! each write; writers of one shard wait for each other, so nothing is gained by more threads; the
//! format on disk is tied to the version, so a marker names it.
//!
//! What it weighs: a new document with a vector of 384 dimensions is 300 bytes of memory, with a
//! sparse vector of 80 words 2 KB more. [`VectorSink::flush`] moves that to disk every 65,536
//! documents, so memory does not grow with the namespace: a million such documents never took more
//! than 500 MB.

mod convert;
mod shard;
mod space;

use super::batch::Batches;
use super::{Hit, IndexKind, Layout, Page, SCROLL_LIMIT_MAX, Scroll, Search, VectorSink, filter};
use crate::durable;
use crate::env::{FreeBytes, free_bytes};
use crate::error::{Code, Context, Error, Result};
use crate::model::{BatchId, Document, DocumentId, Filter, Name};
use engine::{
    PointOperations, QueryEnum, ScoringQuery, UpdateOperation, WithPayloadInterface, WithVector,
};
use qdrant_edge as engine;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shard::Shard;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Version of the engine whose files these are; a test compares it with Cargo.toml.
pub(super) const ENGINE_VERSION: &str = "0.9.0";
/// Version of what this file puts where.
const FORMAT: u32 = 1;
const MARKER: &str = "vectors.json";
const LOCK: &str = "lock";

/// Indexed when the first stale documents are looked for: at a million documents its values take
/// 500 MB of memory, more than everything else together.
const OBJECT: &str = "_quarry.object";
/// Not indexed: a batch is deleted so rarely that looking at every document will do.
const BATCH: &str = "_quarry.batch";
const RUN: &str = "_quarry.run";

/// Weight of the first rank in a fused search: Qdrant's default, which a server uses too.
const RRF_K: usize = 2;
/// Objects of one delete operation.
const OBJECTS_MAX: usize = 8_192;
/// Documents of one operation that names them.
const IDS_MAX: usize = 1_024;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Marker {
    engine: String,
    format: u32,
}

pub struct EdgeSink {
    directory: PathBuf,
    /// Held as long as the sink lives.
    _lock: File,
    /// Opened when first used. The mutex makes opening, creating and removing exclusive.
    shards: Mutex<HashMap<Name, Arc<Shard>>>,
    free_bytes: FreeBytes,
}

impl EdgeSink {
    /// Opens or creates the engine's directory; the namespaces in it are opened when first used.
    pub fn open(directory: &Path) -> Result<EdgeSink> {
        let place = directory.display();
        let failed = || format!("can not open {place}");
        durable::create_directory(directory).context(Code::Unavailable, failed)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join(LOCK))
            .context(Code::Unavailable, failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let message = format!("another process has {place} open");
                return Err(Error::new(Code::InUse, message));
            }
            Err(fs::TryLockError::Error(error)) => {
                return Err(error).context(Code::Unavailable, failed);
            }
        }
        check_marker(directory)?;
        Ok(EdgeSink {
            directory: directory.to_path_buf(),
            _lock: lock,
            shards: Mutex::default(),
            free_bytes,
        })
    }

    /// Reads free space otherwise, for file systems that report it wrongly and for tests.
    pub fn with_free_bytes(self, free_bytes: FreeBytes) -> EdgeSink {
        EdgeSink { free_bytes, ..self }
    }

    fn shards(&self) -> MutexGuard<'_, HashMap<Name, Arc<Shard>>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, namespace: &Name) -> PathBuf {
        self.directory.join(namespace.as_str())
    }

    /// Where a namespace waits that could not be opened.
    fn aside(&self, namespace: &Name) -> PathBuf {
        self.directory.join(format!(".damaged-{namespace}"))
    }

    fn find(&self, namespace: &Name) -> Result<Option<Arc<Shard>>> {
        let mut shards = self.shards();
        if let Some(shard) = shards.get(namespace) {
            return Ok(Some(shard.clone()));
        }
        let path = self.path(namespace);
        if !path.exists() {
            return Ok(None);
        }
        space::require(self.free_bytes, &self.directory, 0)?;
        let shard = Arc::new(Shard::open(&path)?);
        shards.insert(namespace.clone(), shard.clone());
        Ok(Some(shard))
    }

    fn shard(&self, namespace: &Name) -> Result<Arc<Shard>> {
        let missing = || {
            let message = format!("namespace `{namespace}` has no vectors yet");
            Error::new(Code::NotFound, message)
        };
        self.find(namespace)?.ok_or_else(missing)
    }

    /// For a write: it ends in the log, in a segment and in its indexes.
    fn require_space(&self, bytes: usize) -> Result<()> {
        space::require(self.free_bytes, &self.directory, 3 * bytes as u64)
    }

    /// For the optimizer, which writes segments anew before the old ones go.
    fn require_copy(&self, shard: &Shard) -> Result<()> {
        let used = space::used_bytes(shard.path())
            .context(Code::Unavailable, || format!("can not measure {}", shard.path().display()))?;
        space::require(self.free_bytes, &self.directory, used)
    }
}

impl VectorSink for EdgeSink {
    fn location(&self) -> String {
        format!("edge:{}", self.directory.display())
    }

    fn prepare(&self, namespace: &Name, layout: &Layout) -> Result<()> {
        self.require_space(0)?;
        if let Some(shard) = self.find(namespace)? {
            return shard.extend(layout);
        }
        let layout = Layout::merge(&Layout::default(), layout)?;
        {
            let _exclusive = self.shards();
            if !self.path(namespace).exists() {
                return Shard::create(&self.path(namespace), &layout);
            }
        }
        self.shard(namespace)?.extend(&layout)
    }

    fn layout(&self, namespace: &Name) -> Result<Option<Layout>> {
        Ok(self.find(namespace)?.map(|shard| Layout::clone(&shard.layout())))
    }

    fn upsert(&self, namespace: &Name, documents: Vec<Document>) -> Result<()> {
        let shard = self.shard(namespace)?;
        let layout = shard.layout();
        documents.iter().try_for_each(|document| layout.check(document))?;
        for (batch, bytes) in Batches::new(documents) {
            self.require_space(bytes)?;
            shard.insert(batch.into_iter().map(convert::point).collect())?;
        }
        Ok(())
    }

    /// Also compacts, when there is enough to compact: takes some seconds then.
    fn flush(&self, namespace: &Name) -> Result<()> {
        let shard = self.shard(namespace)?;
        self.require_space(0)?;
        shard.flush()?;
        if !shard.wants_compaction() {
            return Ok(());
        }
        match self.require_copy(&shard) {
            Ok(()) => shard.compact(),
            // What was written is safe; memory that is not given back is the smaller evil.
            Err(error) => {
                tracing::warn!(reason = error.chain(), "vectors are not compacted");
                Ok(())
            }
        }
    }

    /// The index over the objects is made by the first call that finds older documents: a namespace
    /// that is only added to never pays for it.
    fn delete_stale(
        &self,
        namespace: &Name,
        collection: &str,
        objects: &[String],
        run: u64,
    ) -> Result<u64> {
        let shard = self.shard(namespace)?;
        let count = |filter: &Filter| self.count(namespace, Some(filter));
        if objects.is_empty() {
            return Ok(0);
        }
        self.require_space(0)?;
        if !shard.has_index(OBJECT)? {
            if count(&filter::stale(collection, &[], run))? == 0 {
                return Ok(0);
            }
            shard.create_index(OBJECT, IndexKind::Keyword)?;
        }
        let mut deleted = 0;
        for objects in objects.chunks(OBJECTS_MAX) {
            let stale = filter::stale(collection, objects, run);
            let found = count(&stale)?;
            if found == 0 {
                continue;
            }
            // By filter and not by id: a document that was rewritten since the count stays.
            let delete = PointOperations::DeletePointsByFilter(engine_filter(&stale)?);
            shard.update(UpdateOperation::PointOperation(delete))?;
            deleted += found;
        }
        Ok(deleted)
    }

    fn delete_batch(&self, namespace: &Name, batch: &BatchId) -> Result<u64> {
        let written = filter::of_batch(batch);
        let found = self.count(namespace, Some(&written))?;
        if found > 0 {
            let delete = PointOperations::DeletePointsByFilter(engine_filter(&written)?);
            self.shard(namespace)?.update(UpdateOperation::PointOperation(delete))?;
        }
        Ok(found)
    }

    fn delete(&self, namespace: &Name, ids: &[DocumentId]) -> Result<()> {
        let shard = self.shard(namespace)?;
        self.require_space(0)?;
        for ids in ids.chunks(IDS_MAX) {
            let delete = PointOperations::DeletePoints { ids: convert::ids(ids) };
            shard.update(UpdateOperation::PointOperation(delete))?;
        }
        Ok(())
    }

    fn set_fields(
        &self,
        namespace: &Name,
        ids: &[DocumentId],
        fields: &Map<String, Value>,
    ) -> Result<()> {
        let shard = self.shard(namespace)?;
        let (set, unset) = super::layout::split_fields(fields)?;
        for ids in ids.chunks(IDS_MAX) {
            self.require_space(ids.len() * fields.len())?;
            // What does not exist would be an error, and one that is in the log already.
            let known = shard.read(|engine| engine.retrieve(convert::only_ids(ids)))?;
            let ids: Vec<_> = known.into_iter().map(|record| record.id).collect();
            for operation in convert::payload_operations(&ids, &set, &unset) {
                shard.update(operation)?;
            }
        }
        Ok(())
    }

    fn get(
        &self,
        namespace: &Name,
        ids: &[DocumentId],
        with_vectors: bool,
    ) -> Result<Vec<Document>> {
        let ids = ids.iter().map(|id| engine::PointId::Uuid(id.0)).collect();
        let request = engine::RetrieveRequestBuilder::new(ids)
            .with_payload(WithPayloadInterface::Bool(true))
            .with_vector(WithVector::Bool(with_vectors))
            .build();
        let records = self.shard(namespace)?.read(|engine| engine.retrieve(request))?;
        records.into_iter().map(convert::document).collect()
    }

    fn scroll(&self, namespace: &Name, scroll: &Scroll) -> Result<Page> {
        let mut request = engine::ScrollRequest {
            limit: Some(super::check_limit(scroll.limit, SCROLL_LIMIT_MAX)?),
            with_payload: Some(WithPayloadInterface::Bool(true)),
            with_vector: WithVector::Bool(scroll.with_vectors),
            ..engine::ScrollRequest::new()
        };
        request.offset = scroll.from.map(|id| engine::PointId::Uuid(id.0));
        request.filter = scroll.filter.as_ref().map(engine_filter).transpose()?;
        let (records, next) = self.shard(namespace)?.read(|engine| engine.scroll(request))?;
        let next = match next {
            Some(engine::PointId::Uuid(id)) => Some(DocumentId(id)),
            Some(engine::PointId::NumId(_)) | None => None,
        };
        let documents = records.into_iter().map(convert::document).collect::<Result<_>>()?;
        Ok(Page { documents, next })
    }

    fn count(&self, namespace: &Name, filter: Option<&Filter>) -> Result<u64> {
        let filter = filter.map(engine_filter).transpose()?;
        let request = engine::CountRequest { filter, exact: true };
        let count = self.shard(namespace)?.read(|engine| engine.count(request))?;
        Ok(count as u64)
    }

    fn search(&self, namespace: &Name, search: &Search) -> Result<Vec<Hit>> {
        let shard = self.shard(namespace)?;
        let Some(limits) = super::check_search(&shard.layout(), search)? else {
            return Ok(Vec::new());
        };
        let filter = search.filter.as_ref().map(engine_filter).transpose()?;
        let mut nearest = Vec::with_capacity(search.vectors.len());
        for (name, vector) in &search.vectors {
            let query = engine::NamedQuery::new(convert::query(vector)?, name);
            nearest.push(ScoringQuery::Vector(QueryEnum::Nearest(query)));
        }
        let mut request = engine::QueryRequest::new(limits.fused);
        request.with_payload = WithPayloadInterface::Bool(true);
        if nearest.len() == 1 {
            request.query = nearest.pop();
            request.filter = filter;
        } else {
            request.prefetches = nearest
                .into_iter()
                .map(|query| engine::Prefetch {
                    query: Some(query),
                    filter: filter.clone(),
                    ..engine::Prefetch::new(limits.each)
                })
                .collect();
            let fusion = engine::Fusion::Rrf { k: RRF_K, weights: None };
            request.query = Some(ScoringQuery::Fusion(fusion));
        }
        let points = shard.read(|engine| engine.query(request))?;
        let hits = points.into_iter().map(convert::hit).collect::<Result<_>>()?;
        Ok(super::rank(hits, search.limit))
    }

    /// Files that a power cut has torn between two flushes need not open again, and the engine
    /// may panic over them.
    fn set_aside(&self, namespace: &Name) -> Result<bool> {
        let (path, aside) = (self.path(namespace), self.aside(namespace));
        let mut shards = self.shards();
        match shards.get(namespace) {
            // Its files may have been torn where opening did not look.
            Some(shard) if shard.is_closed() => drop(shards.remove(namespace)),
            Some(_) => return Ok(aside.exists()),
            None if path.exists() => {}
            None => return Ok(aside.exists()),
        }
        space::require(self.free_bytes, &self.directory, 0)?;
        let error = match Shard::open(&path) {
            Ok(shard) => {
                shards.insert(namespace.clone(), Arc::new(shard));
                return Ok(aside.exists());
            }
            Err(error) => error,
        };
        if !matches!(error.code(), Code::Corrupt | Code::Unavailable) {
            return Err(error);
        }
        tracing::warn!(reason = error.chain(), "the vectors of `{namespace}` are put aside");
        let failed = || format!("can not put {} aside", path.display());
        // With another one there already, this is what a crash has left of restoring that one.
        match aside.exists() {
            true => fs::remove_dir_all(&path).context(Code::Unavailable, failed)?,
            false => fs::rename(&path, &aside).context(Code::Unavailable, failed)?,
        }
        durable::sync_directory(&self.directory).context(Code::Unavailable, failed)?;
        Ok(true)
    }

    fn restored(&self, namespace: &Name) -> Result<()> {
        let aside = self.aside(namespace);
        let failed = || format!("can not remove {}", aside.display());
        fs::remove_dir_all(&aside).context(Code::Unavailable, failed)?;
        durable::sync_directory(&self.directory).context(Code::Unavailable, failed)
    }

    fn optimize(&self, namespace: &Name) -> Result<()> {
        let shard = self.shard(namespace)?;
        self.require_copy(&shard)?;
        shard.optimize()
    }

    fn remove(&self, namespace: &Name) -> Result<()> {
        let mut shards = self.shards();
        if let Some(shard) = shards.remove(namespace)
            && let Err(shard) = Arc::try_unwrap(shard)
        {
            shards.insert(namespace.clone(), shard);
            let message = format!("namespace `{namespace}` is being written or searched");
            return Err(Error::new(Code::Conflict, message).hint("try again later"));
        }
        let path = self.path(namespace);
        if self.aside(namespace).exists() {
            self.restored(namespace)?;
        }
        if !path.exists() {
            return Ok(());
        }
        // Renamed first: a crash in between must not leave half a shard under its name.
        let failed = || format!("can not remove {}", path.display());
        let gone = self.directory.join(format!(".new-{namespace}"));
        if gone.exists() {
            fs::remove_dir_all(&gone).context(Code::Unavailable, failed)?;
        }
        fs::rename(&path, &gone).context(Code::Unavailable, failed)?;
        durable::sync_directory(&self.directory).context(Code::Unavailable, failed)?;
        fs::remove_dir_all(&gone).context(Code::Unavailable, failed)
    }
}

fn engine_filter(filter: &Filter) -> Result<engine::Filter> {
    let json = filter::to_json(filter)?;
    serde_json::from_value(json).context(Code::Internal, || "a filter was mistranslated".into())
}

fn check_marker(directory: &Path) -> Result<()> {
    let path = directory.join(MARKER);
    let ours = Marker { engine: ENGINE_VERSION.to_string(), format: FORMAT };
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return write_marker(directory, &ours);
        }
        Err(error) => {
            return Err(error)
                .context(Code::Unavailable, || format!("can not read {}", path.display()));
        }
    };
    let found: Marker = serde_json::from_slice(&text)
        .context(Code::Corrupt, || format!("{} is not readable", path.display()))?;
    if found == ours {
        return Ok(());
    }
    let message = format!(
        "the vectors in {} were written by engine {} in format {}, this program reads {} and {}",
        directory.display(),
        found.engine,
        found.format,
        ours.engine,
        ours.format
    );
    let hint = "run the program that wrote them, or move the directory away and write the \
                documents again from the object store";
    Err(Error::new(Code::Conflict, message).hint(hint))
}

/// Only into a directory without namespaces: others' files do not become ours.
fn write_marker(directory: &Path, marker: &Marker) -> Result<()> {
    let place = directory.display();
    let failed = || format!("can not write to {place}");
    for entry in fs::read_dir(directory).context(Code::Unavailable, failed)? {
        let entry = entry.context(Code::Unavailable, failed)?;
        if entry.path().is_dir() {
            let message = format!("{place} has directories but no {MARKER}");
            return Err(Error::new(Code::Conflict, message).hint("use an empty directory"));
        }
    }
    let text = serde_json::to_vec(marker).context(Code::Internal, failed)?;
    let unfinished = directory.join(".new-marker");
    fs::write(&unfinished, text).context(Code::Unavailable, failed)?;
    durable::sync_directory(&unfinished).context(Code::Unavailable, failed)?;
    fs::rename(&unfinished, directory.join(MARKER)).context(Code::Unavailable, failed)?;
    durable::sync_directory(directory).context(Code::Unavailable, failed)
}
