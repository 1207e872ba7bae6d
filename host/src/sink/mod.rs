//! Where documents become searchable: Qdrant in this process or over the network.
//!
//! One namespace is one Qdrant collection; a Quarry collection is the payload value
//! `_quarry.collection`. Every write is an upsert by deterministic id, so it may be repeated.
//! **Invariant:** nothing reaches an engine before [`Layout::check`] has accepted it, because the
//! embedded engine logs bad operations before it refuses them.
//!
//! All calls block; they are made from worker threads, never from an async task.

use crate::error::Result;
use crate::model::{Distance, Document, DocumentId, Filter, Name, Vector};

/// The named vectors of a namespace and the payload fields that are indexed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    /// Sorted by name, each once.
    pub vectors: Vec<VectorSpec>,
    /// Sorted by path, each once. The lineage fields that the engine needs are always indexed.
    pub indexes: Vec<IndexSpec>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct VectorSpec {
    pub name: String,
    pub kind: VectorKind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum VectorKind {
    Dense { dimension: u32, distance: Distance },
    Multi { dimension: u32, distance: Distance },
    Sparse,
}

#[derive(Debug, Clone, PartialEq)]
pub struct IndexSpec {
    /// Dotted path in the payload.
    pub path: String,
    pub kind: IndexKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKind {
    Keyword,
    Integer,
    Float,
    Bool,
    Text,
    Datetime,
}

/// One search over one namespace.
#[derive(Debug, Clone)]
pub struct Search {
    /// One vector: nearest neighbours. Several: each ranked on its own, then fused by reciprocal rank.
    pub vectors: Vec<(String, Vector)>,
    pub filter: Option<Filter>,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub score: f32,
    /// Without vectors.
    pub document: Document,
}

/// A page of documents in the order of their ids.
#[derive(Debug, Clone, Default)]
pub struct Scroll {
    pub filter: Option<Filter>,
    /// First id of the page, as [`Page::next`] gave it.
    pub from: Option<DocumentId>,
    pub limit: usize,
    pub with_vectors: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Page {
    pub documents: Vec<Document>,
    pub next: Option<DocumentId>,
}

/// What both engines do; [`conformance`] is the definition of how.
pub trait VectorSink: Send + Sync {
    /// For people: `edge:/data/shards` or `qdrant://host:6334`.
    fn location(&self) -> String;

    /// Creates the namespace or adds what it lacks; never removes or changes anything. Refuses a
    /// layout whose vector of the same name differs in kind, dimension or distance (`Invalid`).
    fn prepare(&self, namespace: &Name, layout: &Layout) -> Result<()>;

    /// What the namespace has now; `None` when it does not exist.
    fn layout(&self, namespace: &Name) -> Result<Option<Layout>>;

    /// Checks all documents against the layout, then writes all. Visible on return, durable after
    /// [`VectorSink::flush`].
    fn upsert(&self, namespace: &Name, documents: Vec<Document>) -> Result<()>;

    /// Makes everything written so far survive a power cut.
    fn flush(&self, namespace: &Name) -> Result<()>;

    /// Deletes the documents of `collection` that descend from one of `objects` and were written by a
    /// run before `run`. Returns how many.
    fn delete_stale(
        &self,
        namespace: &Name,
        collection: &str,
        objects: &[String],
        run: u64,
    ) -> Result<u64>;

    /// Documents in the order of `ids`, without those that do not exist.
    fn get(&self, namespace: &Name, ids: &[DocumentId], with_vectors: bool)
        -> Result<Vec<Document>>;

    fn scroll(&self, namespace: &Name, scroll: &Scroll) -> Result<Page>;

    /// Exact.
    fn count(&self, namespace: &Name, filter: Option<&Filter>) -> Result<u64>;

    /// Best first.
    fn search(&self, namespace: &Name, search: &Search) -> Result<Vec<Hit>>;

    /// Builds or improves indexes; may take long, never blocks writers. Remote engines do it themselves.
    fn optimize(&self, namespace: &Name) -> Result<()>;
}
