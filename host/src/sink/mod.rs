//! Where documents become searchable: Qdrant in this process or over the network.
//!
//! One namespace is one Qdrant collection; a Quarry collection is the payload value
//! `_quarry.collection`. Every write is an upsert by deterministic id, so it may be repeated.
//! **Invariant:** nothing reaches an engine before [`Layout::check`] has accepted it, because the
//! embedded engine logs bad operations before it refuses them.
//!
//! All calls block; they are made from worker threads, never from an async task.

mod batch;
pub mod conformance;
#[cfg(feature = "edge")]
mod edge;
mod filter;
mod layout;
mod remote;
mod spec;

#[cfg(feature = "edge")]
pub use edge::EdgeSink;
pub use filter::to_json as filter_to_json;
pub use layout::{DIMENSION_MAX, PAYLOAD_DEPTH_MAX, check_field};
pub use remote::QdrantSink;
pub use spec::{SinkSpec, open};

use crate::error::{Error, Result};
use crate::model::{BatchId, Distance, Document, DocumentId, Filter, Name, Vector};
use serde_json::{Map, Value};

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

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct IndexSpec {
    /// Dotted path in the payload.
    pub path: String,
    pub kind: IndexKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// One vector: nearest neighbours, scored by the distance of that vector. Several: each ranked
    /// on its own, then fused by reciprocal rank: a document scores the sum of `1 / (2 + rank)`
    /// over the lists that hold it, ranks from 0 (Qdrant's default, k = 2).
    pub vectors: Vec<(String, Vector)>,
    pub filter: Option<Filter>,
    /// At most [`SEARCH_LIMIT_MAX`].
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Higher is better for `cosine`, `dot`, sparse and fused; a distance, lower is better, for
    /// `euclid` and `manhattan`.
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
    /// 1 to [`SCROLL_LIMIT_MAX`].
    pub limit: usize,
    pub with_vectors: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Page {
    pub documents: Vec<Document>,
    pub next: Option<DocumentId>,
}

/// Fields of the lineage that are indexed in every namespace, whatever its layout: searches name
/// the collection, clean-up the objects, runs and batches.
const LINEAGE: [(&str, IndexKind); 4] = [
    ("_quarry.batch", IndexKind::Keyword),
    ("_quarry.collection", IndexKind::Keyword),
    ("_quarry.object", IndexKind::Keyword),
    ("_quarry.run", IndexKind::Integer),
];

/// Most hits of one search.
pub const SEARCH_LIMIT_MAX: usize = 10_000;
/// Most documents of one page.
pub const SCROLL_LIMIT_MAX: usize = 10_000;

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

    /// Deletes the documents of `collection` that descend from one of `objects` and were written
    /// by a run before `run`. Returns how many there were.
    fn delete_stale(
        &self,
        namespace: &Name,
        collection: &str,
        objects: &[String],
        run: u64,
    ) -> Result<u64>;

    /// Deletes the documents that the batch wrote and no later one wrote again, whatever their
    /// collection and run. Returns how many there were.
    fn delete_batch(&self, namespace: &Name, batch: &BatchId) -> Result<u64>;

    /// Deletes these documents; fine where there is none.
    fn delete(&self, namespace: &Name, ids: &[DocumentId]) -> Result<()>;

    /// Gives the documents fields, and takes away those whose value is null. Everything else,
    /// vectors and lineage too, stays as it is at that moment: what a batch writes meanwhile is
    /// never set back. Documents that do not exist are passed over.
    fn set_fields(
        &self,
        namespace: &Name,
        ids: &[DocumentId],
        fields: &Map<String, Value>,
    ) -> Result<()>;

    /// Documents in the order of `ids`, without those that do not exist.
    fn get(
        &self,
        namespace: &Name,
        ids: &[DocumentId],
        with_vectors: bool,
    ) -> Result<Vec<Document>>;

    fn scroll(&self, namespace: &Name, scroll: &Scroll) -> Result<Page>;

    /// Exact.
    fn count(&self, namespace: &Name, filter: Option<&Filter>) -> Result<u64>;

    /// Best first; equal scores in the order of the ids.
    fn search(&self, namespace: &Name, search: &Search) -> Result<Vec<Hit>>;

    /// Builds graphs that make searches of many dense vectors fast; takes minutes for each 100,000,
    /// never blocks writers. Worth it from some 100,000 documents on, after a batch: searches are
    /// exact without. Remote engines do it themselves.
    fn optimize(&self, namespace: &Name) -> Result<()>;

    /// Puts a namespace that can not be opened out of the way, without deleting it. Whether one
    /// waits there for its documents to be written again: until [`VectorSink::restored`].
    fn set_aside(&self, _namespace: &Name) -> Result<bool> {
        Ok(false)
    }

    /// Everything was written again: what was put aside goes.
    fn restored(&self, _namespace: &Name) -> Result<()> {
        Ok(())
    }

    /// Deletes the namespace with everything in it; fine when there is none.
    fn remove(&self, namespace: &Name) -> Result<()>;
}

/// Least candidates of each list of a fused search: short lists would make fusion a lottery.
const FUSED_CANDIDATES_MIN: usize = 64;

/// How many points a search asks its engine for.
struct Limits {
    /// Of each list, when there are several.
    each: usize,
    /// In all. More than asked for when lists are fused: equal scores are frequent there, engines
    /// order them at random, and cutting comes after ordering them by id.
    fused: usize,
}

/// Checks what can be wrong with a search; `None` when it can not find anything.
fn check_search(layout: &Layout, search: &Search) -> Result<Option<Limits>> {
    if search.vectors.is_empty() {
        return Err(Error::invalid("a search needs a vector"));
    }
    for (name, vector) in &search.vectors {
        layout.check_vector(name, vector)?;
    }
    if search.limit == 0 {
        return Ok(None);
    }
    let limit = check_limit(search.limit, SEARCH_LIMIT_MAX)?;
    let each = limit.max(FUSED_CANDIDATES_MIN);
    let fused = if search.vectors.len() == 1 { limit } else { each * search.vectors.len() };
    Ok(Some(Limits { each, fused }))
}

fn check_limit(limit: usize, max: usize) -> Result<usize> {
    if (1..=max).contains(&limit) {
        return Ok(limit);
    }
    Err(Error::invalid(format!("a limit of {limit} is not within 1 to {max}")).field("limit"))
}

/// The engine's order with equal scores by id, cut to the limit.
fn rank(mut hits: Vec<Hit>, limit: usize) -> Vec<Hit> {
    for equal in hits.chunk_by_mut(|a, b| a.score == b.score) {
        equal.sort_by_key(|hit| hit.document.id);
    }
    hits.truncate(limit);
    hits
}
