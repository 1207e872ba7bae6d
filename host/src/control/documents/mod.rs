//! Documents: read, walked over, given by users, changed and deleted. They are in the vector sink
//! and nowhere in the state: everything here is a page at a time.
//!
//! **Invariant:** a document is found in its own collection only, and its lineage is never the
//! user's to change.

mod change;
mod check;
mod matcher;
mod selection;

pub use change::{DocumentDraft, Merge, given_run, is_given};
pub use check::Checked;
pub use selection::{Selection, Walk, Walked};

use super::{Control, not_found};
use crate::artifact::Artifacts;
use crate::error::{Code, Error, Result};
use crate::model::{BatchId, Condition, Document, DocumentId, Filter, LINEAGE_FIELD, Operator};
use crate::sink::{Scroll, VectorSink};
use crate::store::catalog::{Collection, Namespace};
use bytes::Bytes;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::HashSet;

/// A chain of parents is as long as there are tiers; a longer one is damaged.
const ANCESTORS_MAX: usize = 64;
/// Parents that one question for children names.
const PARENTS_MAX: usize = 1_000;

/// What is not there yet is empty: a namespace has no vectors before its first document.
fn or_empty<T: Default>(found: Result<T>) -> Result<T> {
    match found {
        Err(error) if error.code() == Code::NotFound => Ok(T::default()),
        found => found,
    }
}

/// A field of the lineage; `Null` if there is none.
pub fn lineage_of<'a>(document: &'a Document, name: &str) -> &'a Value {
    let lineage = document.payload.get(LINEAGE_FIELD);
    lineage.and_then(|lineage| lineage.get(name)).unwrap_or(&Value::Null)
}

/// What a dotted path of the API leads to in a document.
pub fn field_of<'a>(document: &'a Document, name: &str) -> Cow<'a, Value> {
    match name {
        "document_id" => Cow::Owned(Value::from(document.id.to_string())),
        name => matcher::walk(document, &selection::stored(name))
            .map_or(Cow::Owned(Value::Null), Cow::Borrowed),
    }
}

impl Control {
    /// Where documents are, or why there are none.
    fn documents_sink(&self) -> Result<&dyn VectorSink> {
        self.engine.sink.as_deref().ok_or_else(|| {
            Error::new(Code::Unsupported, "documents are not searchable: there is no vector sink")
                .hint("start the engine with the sink `edge` or `qdrant://host:6334`")
        })
    }

    /// One document of the collection.
    pub fn document(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        id: &str,
        with_vectors: bool,
    ) -> Result<Document> {
        // What can not be an id is not there, either.
        let Ok(parsed) = DocumentId::parse(id) else { return Err(not_found("document", id)) };
        let found = self.documents_by_id(namespace, &[parsed], with_vectors)?.pop();
        found
            .filter(|found| lineage_of(found, "collection") == collection.key.as_str())
            .ok_or_else(|| not_found("document", id))
    }

    /// Those of the namespace that exist, whatever their collection.
    pub fn documents_by_id(
        &self,
        namespace: &Namespace,
        ids: &[DocumentId],
        with_vectors: bool,
    ) -> Result<Vec<Document>> {
        or_empty(self.documents_sink()?.get(&namespace.key, ids, with_vectors))
    }

    /// The documents that it was made from, its parent first.
    pub fn ancestors(&self, namespace: &Namespace, document: &Document) -> Result<Vec<Document>> {
        let mut ancestors: Vec<Document> = Vec::new();
        let mut parent = lineage_of(document, "parent").as_str().map(str::to_string);
        while let Some(id) = parent.and_then(|id| DocumentId::parse(&id).ok()) {
            // A parent that was deleted ends the chain that is still known, and so would a circle
            // that two users have closed at the same moment.
            let seen = id == document.id || ancestors.iter().any(|known| known.id == id);
            if seen || ancestors.len() == ANCESTORS_MAX {
                break;
            }
            let Some(found) = self.documents_by_id(namespace, &[id], false)?.pop() else { break };
            parent = lineage_of(&found, "parent").as_str().map(str::to_string);
            ancestors.push(found);
        }
        Ok(ancestors)
    }

    /// The documents that were made from it and from those, level by level, so many at most.
    pub fn descendants(
        &self,
        namespace: &Namespace,
        document: &Document,
        depth: usize,
        limit: usize,
    ) -> Result<Vec<Document>> {
        let sink = self.documents_sink()?;
        let mut found: Vec<Document> = Vec::new();
        let mut seen = HashSet::from([document.id]);
        let mut parents = vec![document.id];
        for _ in 0..depth {
            let mut children = Vec::new();
            for parents in parents.chunks(PARENTS_MAX) {
                let parents: Vec<String> = parents.iter().map(ToString::to_string).collect();
                // The object is indexed, the parent is not; they always have the same object.
                let and = vec![
                    lineage_is("object", lineage_of(document, "object").clone()),
                    Condition::Field {
                        field: format!("{LINEAGE_FIELD}.parent"),
                        operator: Operator::In,
                        value: json!(parents),
                    },
                ];
                let filter = Filter { and, case_sensitive: true, ..Filter::default() };
                let mut scroll = Scroll {
                    filter: Some(filter),
                    from: None,
                    limit: selection::PAGE,
                    with_vectors: false,
                };
                loop {
                    let page = or_empty(sink.scroll(&namespace.key, &scroll))?;
                    for child in page.documents {
                        if found.len() == limit {
                            return Ok(found);
                        }
                        if seen.insert(child.id) {
                            children.push(child.id);
                            found.push(child);
                        }
                    }
                    match page.next {
                        Some(next) => scroll.from = Some(next),
                        None => break,
                    }
                }
            }
            if children.is_empty() {
                break;
            }
            parents = children;
        }
        Ok(found)
    }

    /// The bytes behind a field that holds `blob:<sha256>`.
    pub fn document_blob(
        &self,
        namespace: &Namespace,
        document: &Document,
        field: &str,
    ) -> Result<Bytes> {
        let Some(digest) = blob_digest(document.payload.get(field)) else {
            let message = format!("field `{field}` of {} holds no blob", document.id);
            return Err(Error::new(Code::NotFound, message));
        };
        let blobs = self.store_of(document)?.folder(&format!("{}/blobs", namespace.key));
        blobs.get(&format!("{}/{digest}", &digest[..2]))
    }

    /// The object store of the batch that wrote the document.
    fn store_of(&self, document: &Document) -> Result<Artifacts> {
        let engine = &self.engine;
        let batch = lineage_of(document, "batch").as_str().and_then(|id| BatchId::parse(id).ok());
        let record = match batch {
            Some(batch) => or_none(engine.store.batch(&batch))?,
            None => None,
        };
        match record {
            Some(record) if record.artifacts != engine.artifacts.url() => {
                Artifacts::open(&record.artifacts, &engine.storage_options, engine.runtime.clone())
            }
            Some(_) | None => Ok(engine.artifacts.clone()),
        }
    }
}

fn or_none<T>(found: Result<T>) -> Result<Option<T>> {
    or_empty(found.map(Some))
}

/// The SHA-256 that a field refers to.
pub(super) fn blob_digest(value: Option<&Value>) -> Option<&str> {
    let digest = value?.as_str()?.strip_prefix("blob:")?;
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (digest.len() == 64 && digest.bytes().all(hex)).then_some(digest)
}

/// Of the lineage, which is compared as it is.
fn lineage_is(name: &str, value: Value) -> Condition {
    let field = format!("{LINEAGE_FIELD}.{name}");
    Condition::Field { field, operator: Operator::Eq, value }
}
