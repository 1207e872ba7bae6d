//! What users gave and changed of the documents, as it was written: a vector engine whose files
//! are damaged is filled again from the parts, and users' documents are in no part.
//!
//! One object for each change, `NAMESPACE/documents/ID.json`, stored before the sink sees it.
//! A change names the run that it found: documents that a later run has written again are left as
//! that run made them, exactly as it happened the first time. Nothing is replayed into a collection
//! that is gone.

use super::Engine;
use crate::error::{Code, Context, Result};
use crate::model::{Document, DocumentId, LINEAGE_FIELD, Name, SparseVector, Vector};
use crate::sink::{Layout, VectorSink};
use crate::store::catalog::Collection;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Folder of a namespace.
pub const FOLDER: &str = "documents";

#[derive(Debug, Serialize, Deserialize)]
pub struct Edit {
    /// Key of the collection's record.
    pub place: String,
    pub changes: Vec<EditChange>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditChange {
    Given(Box<GivenDocument>),
    /// Null takes a field away.
    Set {
        documents: Vec<Version>,
        fields: Map<String, Value>,
    },
    Deleted(Vec<Version>),
}

/// A document as a run has left it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    id: String,
    run: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct GivenDocument {
    id: String,
    payload: Map<String, Value>,
    vectors: Vec<(String, Values)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Values {
    Dense(Vec<f32>),
    Multi(Vec<Vec<f32>>),
    Sparse { indices: Vec<u32>, values: Vec<f32> },
}

fn run_of(document: &Document) -> u64 {
    document.payload.get(LINEAGE_FIELD).and_then(|it| it["run"].as_u64()).unwrap_or(0)
}

impl From<&Document> for Version {
    fn from(document: &Document) -> Version {
        Version { id: document.id.to_string(), run: run_of(document) }
    }
}

impl From<&Document> for GivenDocument {
    fn from(document: &Document) -> GivenDocument {
        let vectors = document.vectors.iter().map(|(name, vector)| {
            let values = match vector.clone() {
                Vector::Dense(values) => Values::Dense(values),
                Vector::Multi(rows) => Values::Multi(rows),
                Vector::Sparse(SparseVector { indices, values }) => {
                    Values::Sparse { indices, values }
                }
            };
            (name.clone(), values)
        });
        GivenDocument {
            id: document.id.to_string(),
            payload: document.payload.clone(),
            vectors: vectors.collect(),
        }
    }
}

impl GivenDocument {
    fn document(self) -> Result<Document> {
        let vectors = self.vectors.into_iter().map(|(name, values)| {
            let vector = match values {
                Values::Dense(values) => Vector::Dense(values),
                Values::Multi(rows) => Vector::Multi(rows),
                Values::Sparse { indices, values } => {
                    Vector::Sparse(SparseVector { indices, values })
                }
            };
            (name, vector)
        });
        let vectors = vectors.collect();
        Ok(Document { id: DocumentId::parse(&self.id)?, payload: self.payload, vectors })
    }
}

impl Engine {
    /// Durable on return; the change itself comes after.
    pub fn note_edit(&self, namespace: &Name, edit: &Edit) -> Result<()> {
        if edit.changes.iter().any(|change| !matches!(change, EditChange::Given(_))) {
            self.disturb(namespace)?;
        }
        // Sorts by time.
        let id = self.env.uuid().simple();
        let bytes = serde_json::to_vec(edit)
            .context(Code::Internal, || "can not encode a change of documents".to_string())?;
        let folder = self.artifacts.folder(&format!("{namespace}/{FOLDER}"));
        folder.put(&format!("{id}.json"), bytes.into())
    }

    /// Makes all changes again, in their order, over what the batches have written.
    pub(super) fn replay_edits(&self, namespace: &Name, sink: &dyn VectorSink) -> Result<()> {
        let root = self.artifacts.folder(namespace.as_str());
        for name in root.list(FOLDER)? {
            let bytes = root.get(&name)?;
            let edit: Edit = serde_json::from_slice(&bytes)
                .context(Code::Corrupt, || format!("{} can not be read", root.name_of(&name)))?;
            if self.store.find::<Collection>(&edit.place)?.is_none() {
                continue;
            }
            for change in edit.changes {
                replay(namespace, sink, change)?;
            }
        }
        Ok(())
    }
}

fn replay(namespace: &Name, sink: &dyn VectorSink, change: EditChange) -> Result<()> {
    match change {
        EditChange::Given(given) => {
            if sink.layout(namespace)?.is_none() {
                sink.prepare(namespace, &Layout::default())?;
            }
            let document = given.document()?;
            let id = document.id;
            match sink.upsert(namespace, vec![document]) {
                // Its vector went with the batches that had brought it; one document must not keep
                // all others from being searched.
                Err(error) if error.code() == Code::Invalid => {
                    tracing::error!(reason = error.chain(), "document {id} can not be restored");
                    Ok(())
                }
                done => done,
            }
        }
        EditChange::Set { documents, fields } => {
            let same = |found: u64, known: u64| found == known;
            sink.set_fields(namespace, &there(namespace, sink, &documents, same)?, &fields)
        }
        EditChange::Deleted(documents) => {
            let older = |found: u64, known: u64| found <= known;
            sink.delete(namespace, &there(namespace, sink, &documents, older)?)
        }
    }
}

/// Those that are there and were left by a run that fits the one that is known of them.
fn there(
    namespace: &Name,
    sink: &dyn VectorSink,
    versions: &[Version],
    fits: fn(u64, u64) -> bool,
) -> Result<Vec<DocumentId>> {
    let mut known = HashMap::new();
    for Version { id, run } in versions {
        known.insert(DocumentId::parse(id)?, *run);
    }
    let ids: Vec<DocumentId> = known.keys().copied().collect();
    let found = match sink.get(namespace, &ids, false) {
        Err(error) if error.code() == Code::NotFound => Vec::new(),
        found => found?,
    };
    let found =
        found.into_iter().filter(|it| known.get(&it.id).is_some_and(|run| fits(run_of(it), *run)));
    Ok(found.map(|document| document.id).collect())
}
