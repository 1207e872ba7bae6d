//! Documents that users give, and what they change of those that extractors made.
//!
//! A given document carries [`given_run`] as the number of its run: no batch's clean-up, which
//! deletes what is older than itself, and no deletion of a batch's documents ever means it,
//! whatever object it says to descend from. Its id has a root of its own, so no extractor writes
//! over it. A change of an extracted document sets single fields and leaves lineage and vectors
//! alone, so that it can not set back what a batch writes at the same moment; the next run of the
//! same object writes the whole document again. Everything is noted in the object store first,
//! because a damaged vector engine is filled from there.

use super::{Control, Selection, lineage_of, not_found, or_empty};
use crate::engine::{Edit, EditChange, Version, given_document};
use crate::error::{Code, Error, Result};
use crate::model::{Document, DocumentId, LINEAGE_FIELD, Vector};
use crate::sink::Layout;
use crate::store::Store;
use crate::store::catalog::{Collection, CollectionStats, Namespace};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Fields of an answer that are no fields of the document.
const RESERVED: [&str; 12] = [
    LINEAGE_FIELD,
    "_internal",
    "_acl",
    "_expanded",
    "_vectors",
    "vectors",
    "internal_metadata",
    "document_id",
    "collection_id",
    "document_blobs",
    "searchable_at",
    "vector_hydration_incomplete",
];
/// Documents that one request changes or deletes at most.
const CHANGED_MAX: u64 = 1_000_000;
/// Documents between two answers of the lock.
const CHUNK: usize = 256;

/// Larger than the run of any batch, and an integer that both engines can compare.
pub fn given_run() -> u64 {
    i64::MAX as u64
}

/// Whether a user gave it.
pub fn is_given(document: &Document) -> bool {
    lineage_of(document, "run").as_u64() == Some(given_run())
}

/// What a document is made from.
#[derive(Debug, Clone, Default)]
pub struct DocumentDraft {
    /// What the user calls it; its content decides if absent.
    pub id: Option<String>,
    pub fields: Map<String, Value>,
    /// Sorted by name.
    pub vectors: Vec<(String, Vector)>,
    pub object: Option<String>,
    pub parent: Option<String>,
    /// Further things to remember in the lineage: `source`, `path`, `content_hash`, …
    pub notes: Map<String, Value>,
}

/// What becomes of the keys of `metadata` that are not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// They stay; null takes a key away.
    Metadata,
    /// The object is replaced, as every other field.
    Nothing,
}

pub(super) fn check_names<'a>(mut names: impl Iterator<Item = &'a String>, at: &str) -> Result<()> {
    match names.find(|name| RESERVED.contains(&name.split('.').next().unwrap_or_default())) {
        None => Ok(()),
        Some(name) => Err(Error::invalid(format!("`{name}` is not a field that can be set"))
            .field(format!("{at}/{name}"))
            .hint("lineage, ids and vectors of a document stay as they are")),
    }
}

/// The top-level fields that an update gives a document; null takes one away.
fn changed_fields(
    payload: &Map<String, Value>,
    update: &Map<String, Value>,
    merge: Merge,
) -> Result<Map<String, Value>> {
    check_names(update.keys(), "")?;
    let mut changed: Map<String, Value> = Map::new();
    for (name, value) in update {
        let plain = payload.contains_key(name) || !name.contains('.');
        if plain {
            let merged = match (payload.get(name), value) {
                (Some(Value::Object(old)), Value::Object(new))
                    if name == "metadata" && merge == Merge::Metadata =>
                {
                    let mut merged = old.clone();
                    merged.extend(new.iter().map(|(key, value)| (key.clone(), value.clone())));
                    merged.retain(|_, value| !value.is_null());
                    Value::Object(merged)
                }
                (_, value) => value.clone(),
            };
            changed.insert(name.clone(), merged);
            continue;
        }
        let mut words = name.split('.');
        let top = words.next().unwrap_or_default();
        let before = changed.get(top).or(payload.get(top)).cloned().unwrap_or(Value::Null);
        let path: Vec<&str> = words.collect();
        let after = set_below(before, &path, value)
            .map_err(|message| Error::invalid(message).field(format!("/{name}")))?;
        changed.insert(top.to_string(), after);
    }
    Ok(changed)
}

fn set_below(root: Value, path: &[&str], value: &Value) -> std::result::Result<Value, String> {
    let Some((first, rest)) = path.split_first() else { return Ok(value.clone()) };
    if first.is_empty() {
        return Err("a path has an empty word".to_string());
    }
    let mut fields = match root {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        other => return Err(format!("there is no `{first}` in {other}")),
    };
    let below = fields.remove(*first).unwrap_or(Value::Null);
    let below = set_below(below, rest, value)?;
    if !below.is_null() {
        fields.insert((*first).to_string(), below);
    }
    Ok(Value::Object(fields))
}

/// Documents that are to be changed, as they will be, and the fields that make them so.
struct Planned(BTreeMap<DocumentId, (Document, Map<String, Value>)>);

impl Planned {
    /// A second update of a document comes after the first.
    fn add(&mut self, id: DocumentId, update: &Map<String, Value>, merge: Merge) -> Result<()> {
        let Some((document, planned)) = self.0.get_mut(&id) else { return Ok(()) };
        let fields = changed_fields(&document.payload, update, merge)?;
        let mut payload = document.payload.clone();
        payload.extend(fields.iter().map(|(key, value)| (key.clone(), value.clone())));
        payload.retain(|_, value| !value.is_null());
        // Nothing may be kept that could not have been written in the first place.
        let whole = Document { id, payload, vectors: Vec::new() };
        Layout::default().check(&whole)?;
        *document = whole;
        planned.extend(fields);
        Ok(())
    }
}

impl Control {
    /// Writes a document that no extractor made. The same id, or the same content where none is
    /// given, is the same document.
    pub fn create_document(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        draft: DocumentDraft,
    ) -> Result<Document> {
        check_names(draft.fields.keys(), "")?;
        let sink = self.documents_sink()?;
        let _lock = self.locks.hold(collection.id.as_str());
        let id = draft_id(namespace, collection, &draft);
        let known = self.documents_by_id(namespace, &[id], false)?.pop();
        if known.as_ref().is_some_and(|known| {
            !is_given(known) || lineage_of(known, "collection") != collection.key.as_str()
        }) {
            return Err(Error::new(Code::Conflict, format!("there is a document {id} already"))
                .field("/document_id")
                .hint("change it with PATCH, or give the new one another id"));
        }
        let object = self.draft_object(namespace, &draft, id)?;
        let now = self.now();
        let created = known.as_ref().map(|known| lineage_of(known, "created_at").clone());
        let mut lineage = draft.notes;
        let noted = |name: &str, otherwise: &str| {
            lineage.get(name).cloned().unwrap_or_else(|| otherwise.into())
        };
        let kept = json!({
            "collection": collection.key,
            "object": object,
            "position": 0,
            "path": noted("path", collection.key.as_str()),
            "extractor": "",
            "digest": "",
            "batch": "",
            "run": given_run(),
            "source": noted("source", "direct_upsert"),
            "created_at": created.filter(Value::is_string).unwrap_or_else(|| now.clone().into()),
            "updated_at": now,
        });
        lineage.extend(kept.as_object().cloned().unwrap_or_default());
        if let Some(parent) = draft.parent {
            lineage.insert("parent".to_string(), parent.into());
        }
        let mut payload = draft.fields;
        payload.retain(|_, value| !value.is_null());
        payload.insert(LINEAGE_FIELD.to_string(), Value::Object(lineage));
        let document = Document { id, payload, vectors: draft.vectors };
        if sink.layout(&namespace.key)?.is_none() {
            sink.prepare(&namespace.key, &Layout::default())?;
        }
        let given = EditChange::Given(Box::new((&document).into()));
        self.note_edits(namespace, collection, vec![given])?;
        sink.upsert(&namespace.key, vec![document.clone()])?;
        self.documents_written(namespace, collection, known.is_none())?;
        Ok(document)
    }

    /// A document and its parent always have the same root, as extracted ones do.
    fn draft_object(
        &self,
        namespace: &Namespace,
        draft: &DocumentDraft,
        id: DocumentId,
    ) -> Result<String> {
        let Some(parent) = &draft.parent else {
            return Ok(draft.object.clone().unwrap_or_else(|| id.to_string()));
        };
        let wrong = |message: String| Err(Error::invalid(message).field("/source_document_id"));
        let parsed = DocumentId::parse(parent).map_err(|e| e.field("/source_document_id"))?;
        let Some(found) = self.documents_by_id(namespace, &[parsed], false)?.pop() else {
            return wrong(format!("there is no document `{parent}`"));
        };
        let object = lineage_of(&found, "object").as_str().unwrap_or_default().to_string();
        if found.id == id || self.ancestors(namespace, &found)?.iter().any(|it| it.id == id) {
            return wrong(format!("`{parent}` descends from this document itself"));
        }
        match &draft.object {
            Some(given) if *given != object => {
                wrong(format!("`{parent}` descends from `{object}`, not from `{given}`"))
            }
            _ => Ok(object),
        }
    }

    /// Changes each document by its own update; what happened to each, in the same order.
    pub fn change_documents(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        updates: &[(String, Map<String, Value>)],
        merge: Merge,
    ) -> Result<Vec<Result<()>>> {
        let _lock = self.locks.hold(collection.id.as_str());
        let (mut outcomes, mut changed) = (Vec::with_capacity(updates.len()), false);
        for updates in updates.chunks(CHUNK) {
            let ids = updates.iter().map(|(id, _)| DocumentId::parse(id).ok());
            let ids: Vec<Option<DocumentId>> = ids.collect();
            let known: Vec<DocumentId> = ids.iter().flatten().copied().collect();
            let found = self.documents_by_id(namespace, &known, false)?.into_iter();
            let own = |found: &Document| lineage_of(found, "collection") == collection.key.as_str();
            let mut planned =
                Planned(found.filter(own).map(|it| (it.id, (it, Map::new()))).collect());
            for (id, (name, update)) in ids.into_iter().zip(updates) {
                outcomes.push(match id.filter(|id| planned.0.contains_key(id)) {
                    Some(id) => planned.add(id, update, merge),
                    None => Err(not_found("document", name)),
                });
            }
            changed |= self.apply(namespace, collection, planned)? > 0;
        }
        if changed {
            self.documents_written(namespace, collection, false)?;
        }
        Ok(outcomes)
    }

    /// The same update for all that are selected; how many there were.
    pub fn change_selected(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        selection: &Selection,
        update: &Map<String, Value>,
    ) -> Result<u64> {
        check_names(update.keys(), "/update_data")?;
        self.each_chunk(namespace, collection, selection, &mut |ids| {
            let found = self.documents_by_id(namespace, ids, false)?.into_iter();
            let mut planned = Planned(found.map(|it| (it.id, (it, Map::new()))).collect());
            let ids: Vec<DocumentId> = planned.0.keys().copied().collect();
            for id in &ids {
                planned.add(*id, update, Merge::Nothing)?;
            }
            self.apply(namespace, collection, planned)?;
            Ok(ids.len() as u64)
        })
    }

    /// For the day that the vector engine has to be filled again.
    fn note_edits(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        changes: Vec<EditChange>,
    ) -> Result<()> {
        let place = format!("{}/{}", namespace.id, collection.id);
        self.engine.note_edit(&namespace.key, &Edit { place, changes })
    }

    fn apply(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        planned: Planned,
    ) -> Result<u64> {
        // Equal changes in one operation of the engine.
        let mut alike: BTreeMap<String, (Map<String, Value>, Vec<Document>)> = BTreeMap::new();
        let changed = planned.0.into_values().filter(|(_, fields)| !fields.is_empty());
        for (document, fields) in changed {
            let key = Value::Object(fields.clone()).to_string();
            alike.entry(key).or_insert_with(|| (fields, Vec::new())).1.push(document);
        }
        let changes = alike.values().map(|(fields, documents)| EditChange::Set {
            documents: documents.iter().map(Version::from).collect(),
            fields: fields.clone(),
        });
        let changes: Vec<EditChange> = changes.collect();
        if changes.is_empty() {
            return Ok(0);
        }
        self.note_edits(namespace, collection, changes)?;
        let mut count = 0;
        for (fields, documents) in alike.into_values() {
            count += documents.len() as u64;
            let ids: Vec<DocumentId> = documents.iter().map(|document| document.id).collect();
            self.documents_sink()?.set_fields(&namespace.key, &ids, &fields)?;
        }
        Ok(count)
    }

    /// Deletes by id; for each whether it was there. Extracted ones come back when a later batch
    /// makes them again.
    pub fn delete_documents(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        ids: &[String],
    ) -> Result<Vec<bool>> {
        let _lock = self.locks.hold(collection.id.as_str());
        let parsed: Vec<_> = ids.iter().map(|id| DocumentId::parse(id).ok()).collect();
        let wanted: Vec<DocumentId> = parsed.iter().flatten().copied().collect();
        let mut found = self.documents_by_id(namespace, &wanted, false)?;
        found.retain(|found| lineage_of(found, "collection") == collection.key.as_str());
        if self.erase(namespace, collection, &found)? > 0 {
            self.documents_written(namespace, collection, true)?;
        }
        let was = |id: DocumentId| found.iter().any(|document| document.id == id);
        Ok(parsed.into_iter().map(|id| id.is_some_and(was)).collect())
    }

    fn erase(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        documents: &[Document],
    ) -> Result<u64> {
        if documents.is_empty() {
            return Ok(0);
        }
        let versions = documents.iter().map(Version::from).collect();
        self.note_edits(namespace, collection, vec![EditChange::Deleted(versions)])?;
        let ids: Vec<DocumentId> = documents.iter().map(|document| document.id).collect();
        self.documents_sink()?.delete(&namespace.key, &ids)?;
        Ok(documents.len() as u64)
    }

    pub fn delete_selected(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        selection: &Selection,
    ) -> Result<u64> {
        self.each_chunk(namespace, collection, selection, &mut |ids| {
            let found = self.documents_by_id(namespace, ids, false)?;
            self.erase(namespace, collection, &found)
        })
    }

    /// Lets others at the collection between two chunks: all of it may take minutes.
    fn each_chunk(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        selection: &Selection,
        change: &mut dyn FnMut(&[DocumentId]) -> Result<u64>,
    ) -> Result<u64> {
        if self.count_documents(namespace, selection)? > CHANGED_MAX {
            let message = format!("more than {CHANGED_MAX} documents are selected");
            return Err(Error::new(Code::TooLarge, message)
                .field("/filters")
                .hint("narrow the filter, and do it in several requests"));
        }
        let (mut chunk, mut changed) = (Vec::with_capacity(CHUNK), 0);
        let mut perform = |chunk: &mut Vec<DocumentId>| -> Result<()> {
            let _lock = self.locks.hold(collection.id.as_str());
            changed += change(chunk)?;
            chunk.clear();
            Ok(())
        };
        let walked = self.each_document(namespace, selection, &mut |document| {
            chunk.push(document.id);
            if chunk.len() == CHUNK {
                perform(&mut chunk)?;
            }
            Ok(true)
        });
        let ended =
            walked.and_then(|()| if chunk.is_empty() { Ok(()) } else { perform(&mut chunk) });
        // What was done before a failure is done.
        if changed > 0 {
            let _lock = self.locks.hold(collection.id.as_str());
            self.documents_written(namespace, collection, true)?;
        }
        ended.map(|()| changed)
    }

    /// Makes it durable, then counts again and says so. The caller holds the collection's lock.
    fn documents_written(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        recount: bool,
    ) -> Result<()> {
        self.documents_sink()?.flush(&namespace.key)?;
        let known: Option<CollectionStats> = self.engine.store.find(collection.id.as_str())?;
        let recount = recount || known.is_none();
        let mut stats = known.unwrap_or_default();
        if recount {
            let all = Selection::new(collection, None, None)?;
            stats.documents = or_empty(self.count_documents(namespace, &all))?;
        }
        let now = self.now();
        let signed = format!("{}\n{}\n{now}", stats.index_signature, stats.documents);
        let digest = Sha256::digest(signed.as_bytes());
        stats.index_signature = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        stats.last_write_at = Some(now);
        let data = json!({
            "collection_id": collection.id,
            "collection_name": collection.name,
            "document_count": stats.documents,
            "index_signature": stats.index_signature,
            "source": "direct_upsert",
        });
        let id = collection.id.as_str();
        let mut ops = vec![Store::put(id, &stats)?];
        ops.extend(self.occur(&namespace.id, id, "collection.documents.written", data)?);
        self.engine.store.commit(ops)?;
        self.rang();
        Ok(())
    }
}

/// An id in the form of ours is taken as it is; anything else names one.
fn draft_id(namespace: &Namespace, collection: &Collection, draft: &DocumentDraft) -> DocumentId {
    let given = |name: &[u8]| DocumentId(given_document(&namespace.key, &collection.key, name));
    match &draft.id {
        Some(id) => match DocumentId::parse(id) {
            Ok(own) if id.starts_with(DocumentId::PREFIX) => own,
            _ => given(&[b"id\0", id.as_bytes()].concat()),
        },
        None => {
            // Keys of JSON objects are sorted here, so equal content has equal text.
            let vectors = format!("{:?}", draft.vectors);
            let content = json!([draft.fields, draft.object, draft.parent, draft.notes, vectors]);
            given(&[b"content\0", content.to_string().as_bytes()].concat())
        }
    }
}
