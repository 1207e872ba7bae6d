//! `/v1/collections/{collection_identifier}/search`.

use super::call::Call;
use super::operation::{NoQuery, Table};
use crate::control::search::{self, Looked, Question, Searchable};
use crate::engine::lineage;
use crate::error::{Code, Error, Result};
use crate::model::{
    Document, FieldKind, Filter, LINEAGE_FIELD, Lineage, Scope, SparseVector, Vector,
};
use crate::sink::VectorSink;
use crate::store::CollectionState;
use crate::store::catalog::{Collection, Namespace, ShapeVector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const LIMIT: usize = 10;
const LIMIT_MAX: usize = 1_000;

pub(super) fn declare(table: &mut Table) {
    table.tag("search");
    table
        .post(
            "/v1/collections/{collection_identifier}/search",
            "search_collection",
            "Find documents by text, by vector, or like another one",
            find,
        )
        .scope(Scope::Read);
}

/// One of `query`, `vector` and `like`.
#[derive(Deserialize, JsonSchema)]
struct SearchRequest {
    /// Text that the collection's extractor embeds.
    #[schemars(length(min = 1, max = 65_536))]
    query: Option<String>,
    /// Embedded by whoever asks.
    vector: Option<SearchVector>,
    /// Which vector that is, by output or by name in the sink; the first one of its kind if absent.
    vector_name: Option<String>,
    /// A document id, or the id of an object whose first document is meant.
    #[schemars(length(min = 1, max = 1_024))]
    like: Option<String>,
    filter: Option<Filter>,
    /// Documents at most (10).
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<usize>,
    mode: Option<Mode>,
    return_vectors: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum SearchVector {
    Dense(#[schemars(length(min = 1, max = 65_536))] Vec<f32>),
    /// Indices strictly ascending.
    Sparse {
        indices: Vec<u32>,
        values: Vec<f32>,
    },
    /// Rows of one length.
    Multi(Vec<Vec<f32>>),
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// All vectors that there are of the question, fused by reciprocal rank.
    #[default]
    Hybrid,
    Dense,
    Sparse,
}

#[derive(Serialize, JsonSchema)]
struct SearchResponse {
    collection_id: String,
    /// Best first.
    results: Vec<Found>,
    mode: Mode,
    /// Vectors of the sink that were asked; none where the question has none.
    vectors: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct Found {
    /// From 1.
    rank: u64,
    /// Of one vector its distance measure, of several the sum of reciprocal ranks.
    score: f32,
    document_id: String,
    /// The object that it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<String>,
    payload: Map<String, Value>,
    /// Batch, extractor, parent and more.
    lineage: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    vectors: Option<BTreeMap<String, Value>>,
}

fn find(call: &Call, _: NoQuery, body: SearchRequest) -> Result<SearchResponse> {
    let (namespace, collection) = call.collection()?;
    let engine = &call.control.engine;
    let sink = engine.sink.as_deref().ok_or_else(|| {
        Error::new(Code::Unsupported, "this engine keeps no vectors")
            .hint("start it with a vector sink (--sink) to search")
    })?;
    let state = state_of(call, &namespace, &collection)?;
    if state.sink != engine.sink_name {
        let message = format!("the documents of `{}` are in another sink", collection.name);
        return Err(Error::new(Code::Conflict, message)
            .hint("start the engine with the sink that the last batch wrote to"));
    }
    let mode = body.mode.unwrap_or_default();
    let with_vectors = body.return_vectors.unwrap_or(false);
    let (filter, limit) = (body.filter.clone(), body.limit.unwrap_or(LIMIT));
    let question = question(body, &collection, &state)?;
    let mut response = SearchResponse {
        collection_id: collection.id.to_string(),
        results: Vec::new(),
        mode,
        vectors: Vec::new(),
    };
    if sink.layout(&namespace.key)?.is_none() {
        return Ok(response);
    }
    let space = Searchable {
        engine,
        sink,
        namespace: &namespace.key,
        collection: &collection.key,
        state: &state,
    };
    let mode = match mode {
        Mode::Hybrid => search::Mode::Hybrid,
        Mode::Dense => search::Mode::Dense,
        Mode::Sparse => search::Mode::Sparse,
    };
    let looked = Looked { question, mode, filter, limit };
    let (hits, asked) = search::search(&space, looked)?;
    let mut vectors = match with_vectors {
        true => vectors_of(sink, &namespace, hits.iter().map(|hit| &hit.document))?,
        false => BTreeMap::new(),
    };
    let found = hits.into_iter().enumerate().map(|(at, hit)| {
        let id = hit.document.id.to_string();
        let vectors = with_vectors.then(|| vectors.remove(&id).unwrap_or_default());
        found(at, hit.score, hit.document, vectors)
    });
    response.results = found.collect();
    response.vectors = asked;
    Ok(response)
}

/// What wrote the documents; before any batch has, what would.
fn state_of(
    call: &Call,
    namespace: &Namespace,
    collection: &Collection,
) -> Result<CollectionState> {
    let mut record = call.control.engine.store.namespace(&namespace.key)?;
    if let Some(state) = record.collections.remove(collection.key.as_str()) {
        return Ok(state);
    }
    let fields = collection.shape.fields.iter();
    let vectors = fields.filter_map(|field| {
        field.vector.as_ref().map(|vector| (field.name.clone(), vector.name.clone()))
    });
    Ok(CollectionState {
        digest: collection.shape.digest.clone(),
        extractor: collection.extractor.to_string(),
        parameters: json!(collection.parameters).to_string(),
        vectors: vectors.collect(),
        sink: call.control.engine.sink_name.clone(),
        batch: String::new(),
        edited: false,
    })
}

fn question(
    body: SearchRequest,
    collection: &Collection,
    state: &CollectionState,
) -> Result<Question> {
    match (body.query, body.vector, body.like) {
        (Some(text), None, None) => Ok(Question::Text(text)),
        (None, None, Some(document)) => Ok(Question::Like(document)),
        (None, Some(vector), None) => {
            let (kind, vector) = match vector {
                SearchVector::Dense(values) => (FieldKind::Dense, Vector::Dense(values)),
                SearchVector::Sparse { indices, values } => {
                    (FieldKind::Sparse, Vector::Sparse(SparseVector { indices, values }))
                }
                SearchVector::Multi(rows) => (FieldKind::Multi, Vector::Multi(rows)),
            };
            let name = vector_name(body.vector_name.as_deref(), kind, collection, state)?;
            Ok(Question::Vectors(vec![(name, vector)]))
        }
        _ => Err(Error::invalid("a search takes one of `query`, `vector` and `like`")
            .field("/query")
            .hint("send exactly one of them")),
    }
}

fn vector_name(
    given: Option<&str>,
    kind: FieldKind,
    collection: &Collection,
    state: &CollectionState,
) -> Result<String> {
    let known: Vec<&str> = state.vectors.values().map(String::as_str).collect();
    let named = |name: &str| match state.vectors.get(name) {
        Some(name) => Some(name.clone()),
        None => known.contains(&name).then(|| name.to_string()),
    };
    let fits = |vector: &&ShapeVector| vector.kind == kind && known.contains(&&*vector.name);
    let first = || {
        let mut vectors = collection.shape.fields.iter().filter_map(|field| field.vector.as_ref());
        vectors.find(fits).map(|vector| vector.name.clone())
    };
    let found = match given {
        Some(name) => named(name),
        None => first(),
    };
    found.ok_or_else(|| {
        let message = match given {
            Some(name) => format!("the collection has no vector `{name}`"),
            None => format!("the collection has no {} vector", kind.as_str()),
        };
        let hint = format!("it has {}", known.join(", "));
        Error::invalid(message).field("/vector_name").hint(hint)
    })
}

fn vectors_of<'a>(
    sink: &dyn VectorSink,
    namespace: &Namespace,
    documents: impl Iterator<Item = &'a Document>,
) -> Result<BTreeMap<String, BTreeMap<String, Value>>> {
    let ids: Vec<_> = documents.map(|document| document.id).collect();
    let read = sink.get(&namespace.key, &ids, true)?;
    let told = |vector: &Vector| match vector {
        Vector::Dense(values) => json!(values),
        Vector::Sparse(sparse) => json!({ "indices": sparse.indices, "values": sparse.values }),
        Vector::Multi(rows) => json!(rows),
    };
    let one = |document: Document| {
        let vectors = document.vectors.iter().map(|(name, vector)| (name.clone(), told(vector)));
        (document.id.to_string(), vectors.collect())
    };
    Ok(read.into_iter().map(one).collect())
}

fn found(
    at: usize,
    score: f32,
    document: Document,
    vectors: Option<BTreeMap<String, Value>>,
) -> Found {
    let object_id = lineage(&document).map(|Lineage { object, .. }| object);
    let mut payload = document.payload;
    let lineage = payload.remove(LINEAGE_FIELD).unwrap_or_default();
    let rank = at as u64 + 1;
    Found {
        rank,
        score,
        document_id: document.id.to_string(),
        object_id,
        payload,
        lineage,
        vectors,
    }
}
