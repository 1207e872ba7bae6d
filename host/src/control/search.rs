//! Searches: a text is embedded by the collection's own extractor, dense and sparse vectors are
//! both asked, and fused by reciprocal rank.

use super::collections::documents_of;
use crate::engine::{Engine, lineage};
use crate::error::{Code, Error, Result};
use crate::model::{
    Condition, Document, DocumentId, Filter, LINEAGE_FIELD, Name, Operator, Vector,
};
use crate::sink::{Hit, Scroll, Search, VectorSink};
use crate::store::CollectionState;

/// A collection that holds documents, and where they are.
pub struct Searchable<'a> {
    pub engine: &'a Engine,
    pub sink: &'a dyn VectorSink,
    pub namespace: &'a Name,
    pub collection: &'a Name,
    /// What wrote the documents.
    pub state: &'a CollectionState,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    Text(String),
    /// Under names that the sink knows.
    Vectors(Vec<(String, Vector)>),
    /// A document id, or the id of an object whose first document is meant.
    Like(String),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// All vectors that there are of the question.
    #[default]
    Hybrid,
    Dense,
    Sparse,
}

#[derive(Debug, Clone)]
pub struct Looked {
    pub question: Question,
    pub mode: Mode,
    /// Besides the collection.
    pub filter: Option<Filter>,
    pub limit: usize,
}

/// Best first, and the names of the vectors that were asked.
pub fn search(space: &Searchable<'_>, looked: Looked) -> Result<(Vec<Hit>, Vec<String>)> {
    let mut filter = documents_of(space.collection);
    if let Some(given) = looked.filter {
        filter.and.push(Condition::Nested(Box::new(given)));
    }
    let vectors = match looked.question {
        Question::Text(text) => embed(space, &text)?,
        Question::Vectors(vectors) => vectors,
        Question::Like(document) => like(space, &document, &mut filter)?,
    };
    let mode = looked.mode;
    let wanted = vectors.into_iter().filter(|(_, vector)| match vector {
        Vector::Dense(values) => mode != Mode::Sparse && values.iter().any(|value| *value != 0.0),
        Vector::Sparse(sparse) => mode != Mode::Dense && !sparse.indices.is_empty(),
        Vector::Multi(_) => mode != Mode::Sparse,
    });
    let vectors: Vec<(String, Vector)> = wanted.collect();
    let names = vectors.iter().map(|(name, _)| name.clone()).collect();
    if vectors.is_empty() {
        // A query without a single token finds nothing, which is an answer.
        return Ok((Vec::new(), names));
    }
    let search = Search { vectors, filter: Some(filter), limit: looked.limit };
    Ok((space.sink.search(space.namespace, &search)?, names))
}

/// The text's vectors under the names that the sink knows.
fn embed(space: &Searchable<'_>, text: &str) -> Result<Vec<(String, Vector)>> {
    let state = space.state;
    let extractor = space.engine.registry.by_digest(&state.digest)?;
    let parameters = serde_json::from_str(&state.parameters).map_err(|error| {
        Error::new(Code::Corrupt, "recorded parameters are no JSON").source(error)
    })?;
    let mut instance = extractor.instantiate(&parameters)?;
    if !instance.description().queries {
        let message = format!("extractor {} does not embed queries", state.extractor);
        return Err(Error::invalid(message).hint("search for what is like a document instead"));
    }
    let embedded = instance.embed_query(text)?;
    let named = embedded
        .into_iter()
        .filter_map(|(field, vector)| state.vectors.get(&field).map(|name| (name.clone(), vector)));
    Ok(named.collect())
}

/// The vectors of a document; what comes from its object is left out of the answer.
fn like(
    space: &Searchable<'_>,
    document: &str,
    filter: &mut Filter,
) -> Result<Vec<(String, Vector)>> {
    let known = match DocumentId::parse(document) {
        Ok(id) => space.sink.get(space.namespace, &[id], true)?.pop(),
        Err(_) => first_of(space, document)?,
    };
    let found = known.ok_or_else(|| {
        let message = format!("the collection has no document or object `{document}`");
        Error::new(Code::NotFound, message)
    })?;
    if let Some(lineage) = lineage(&found) {
        filter.not.push(object_is(&lineage.object));
    }
    let known: Vec<&String> = space.state.vectors.values().collect();
    Ok(found.vectors.into_iter().filter(|(name, _)| known.contains(&name)).collect())
}

fn first_of(space: &Searchable<'_>, object: &str) -> Result<Option<Document>> {
    let mut filter = documents_of(space.collection);
    filter.and.push(object_is(object));
    let scroll = Scroll { filter: Some(filter), from: None, limit: 1, with_vectors: true };
    Ok(space.sink.scroll(space.namespace, &scroll)?.documents.pop())
}

fn object_is(object: &str) -> Condition {
    Condition::Field {
        field: format!("{LINEAGE_FIELD}.object"),
        operator: Operator::Eq,
        value: object.into(),
    }
}
