//! Collections: found, made, changed, deleted with their documents.

use super::pipeline::downstream;
use super::{Control, key_for, not_found, taken};
use crate::config::{COLLECTIONS_MAX, Passthrough};
use crate::error::{Code, Error, Result};
use crate::model::{
    CollectionId, Condition, DocumentId, ExtractorRef, Filter, LINEAGE_FIELD, Name, Operator,
};
use crate::sink::{SCROLL_LIMIT_MAX, Scroll, VectorSink};
use crate::store::catalog::{Collection, CollectionStats, Namespace, Shape, Source};
use crate::store::{Op, Store};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a collection is made from.
#[derive(Debug, Clone)]
pub struct CollectionDraft {
    pub name: String,
    pub description: Option<String>,
    pub source: Source,
    pub extractor: ExtractorRef,
    pub parameters: Map<String, Value>,
    pub inputs: BTreeMap<String, String>,
    pub passthrough: Vec<Passthrough>,
    /// All fields of the source that do not meet an output are passed through.
    pub all_fields: bool,
    /// Name of the vector by output, where it is to be this one.
    pub vectors: BTreeMap<String, Name>,
    pub filter: Option<Filter>,
    pub enabled: bool,
    pub metadata: Map<String, Value>,
}

/// Bytes of what a user may say of a collection: the record has to hold its shape as well.
const RECORD_BYTES_MAX: usize = 60 << 10;

pub(super) fn place(collection: &Collection) -> String {
    format!("{}/{}", collection.namespace, collection.id)
}

/// Everything that a collection holds.
pub fn documents_of(collection: &Name) -> Filter {
    let condition = Condition::Field {
        field: format!("{LINEAGE_FIELD}.collection"),
        operator: Operator::Eq,
        value: collection.as_str().into(),
    };
    Filter { and: vec![condition], case_sensitive: true, ..Filter::default() }
}

impl Control {
    /// Oldest first.
    pub fn collections(&self, namespace: &Namespace) -> Result<Vec<Collection>> {
        self.engine.store.all(&format!("{}/", namespace.id))
    }

    /// By id or name.
    pub fn collection(&self, namespace: &Namespace, identifier: &str) -> Result<Collection> {
        let store = &self.engine.store;
        if let Some(found) = store.find::<Collection>(&format!("{}/{identifier}", namespace.id))? {
            return Ok(found);
        }
        let named = self.collections(namespace)?.into_iter().find(|found| found.name == identifier);
        named.ok_or_else(|| not_found("collection", identifier))
    }

    pub fn collection_stats(&self, collection: &Collection) -> Result<CollectionStats> {
        Ok(self.engine.store.find(collection.id.as_str())?.unwrap_or_default())
    }

    /// Everything that can be wrong is found here and not in row 40,000. The field of an error is a
    /// pointer into the collection of a pipeline file: `/inputs/text`, `/parameters/dimensions`.
    pub fn create_collection(
        &self,
        namespace: &Namespace,
        draft: CollectionDraft,
    ) -> Result<Collection> {
        self.load_extractor(&draft.extractor)?;
        let _lock = self.locks.hold(namespace.id.as_str());
        let mut all = self.collections(namespace)?;
        if all.iter().any(|other| other.name == draft.name) {
            return Err(taken("collection", &draft.name).field("/collection_name"));
        }
        let id = CollectionId::from_uuid(self.engine.env.uuid());
        let key =
            key_for(&draft.name, id.as_str(), |key| all.iter().any(|other| other.key == *key))?;
        let now = self.now();
        all.push(Collection {
            id: id.clone(),
            namespace: namespace.id.clone(),
            name: draft.name,
            key,
            description: draft.description,
            source: draft.source,
            extractor: draft.extractor,
            parameters: draft.parameters,
            inputs: draft.inputs,
            passthrough: draft.passthrough,
            all_fields: draft.all_fields,
            filter: draft.filter,
            vectors: draft.vectors.clone(),
            shape: Shape::default(),
            enabled: draft.enabled,
            metadata: draft.metadata,
            settings: Map::new(),
            beside: None,
            created_at: now.clone(),
            updated_at: now,
        });
        let at = all.len() - 1;
        self.fit(namespace, &mut all, at)?;
        check_vectors(&all[at], &draft.vectors)?;
        check_crowd(&all)?;
        let collection = all.swap_remove(at);
        check_size(&collection)?;
        let stats = CollectionStats { schema_version: 1, ..CollectionStats::default() };
        let stats = self.counted(namespace, &collection, stats)?;
        self.engine.store.commit(vec![
            Store::put(&place(&collection), &collection)?,
            Store::put(collection.id.as_str(), &stats)?,
        ])?;
        Ok(collection)
    }

    /// What reads the collection must still fit. A change of what documents are made from counts
    /// as a new version of its schema; the documents that are there stay until a batch makes them
    /// again.
    pub fn change_collection(
        &self,
        namespace: &Namespace,
        identifier: &str,
        change: impl FnOnce(&mut Collection) -> Result<()>,
    ) -> Result<Collection> {
        let _lock = self.locks.hold(namespace.id.as_str());
        let mut all = self.collections(namespace)?;
        let id = self.collection(namespace, identifier)?.id;
        let Some(at) = all.iter().position(|collection| collection.id == id) else {
            return Err(not_found("collection", identifier));
        };
        let before = all.clone();
        change(&mut all[at])?;
        let name = &all[at].name;
        if all.iter().enumerate().any(|(other, found)| other != at && found.name == *name) {
            return Err(taken("collection", name).field("/collection_name"));
        }
        all[at].updated_at = self.now();
        let mut wanted = all[at].vectors.clone();
        wanted.retain(|output, name| before[at].vectors.get(output) != Some(name));
        if !wanted.is_empty() || configuration(&all[at]) != configuration(&before[at]) {
            self.fit(namespace, &mut all, at)?;
            check_vectors(&all[at], &wanted)?;
            check_crowd(&all)?;
            self.fit_readers(namespace, &mut all, at)?;
        }
        let mut ops = Vec::new();
        for (now, before) in all.iter().zip(&before).filter(|(now, before)| now != before) {
            check_size(now)?;
            ops.push(Store::put(&place(now), now)?);
            if configuration(now) != configuration(before) || now.shape != before.shape {
                let mut stats = self.collection_stats(now)?;
                stats.schema_version += 1;
                stats.index_signature = signature(now, &stats);
                ops.push(Store::put(now.id.as_str(), &stats)?);
            }
        }
        self.engine.store.commit(ops)?;
        Ok(all.swap_remove(at))
    }

    /// With its documents; those that read it go too with `cascade`, and are a conflict without.
    /// Documents go first: a crash between leaves an empty collection, which can be deleted again.
    pub fn delete_collection(
        &self,
        namespace: &Namespace,
        identifier: &str,
        cascade: bool,
    ) -> Result<Vec<Collection>> {
        let _lock = self.locks.hold(namespace.id.as_str());
        let all = self.collections(namespace)?;
        let id = self.collection(namespace, identifier)?.id;
        let readers = readers(&all, &id);
        let named = |id: &CollectionId| all.iter().find(|collection| collection.id == *id);
        if !cascade && !readers.is_empty() {
            let names: Vec<&str> =
                readers.iter().filter_map(&named).map(|reader| reader.name.as_str()).collect();
            let message = format!("other collections read it: {}", names.join(", "));
            return Err(Error::new(Code::Conflict, message)
                .hint("delete them first, or all at once with cascade=true"));
        }
        let gone: Vec<Collection> =
            std::iter::once(&id).chain(&readers).filter_map(&named).cloned().collect();
        self.check_idle(namespace, &gone)?;
        if let Some(sink) = &self.engine.sink
            && sink.layout(&namespace.key)?.is_some()
        {
            for collection in &gone {
                delete_documents(sink.as_ref(), &namespace.key, &collection.key)?;
            }
            sink.flush(&namespace.key)?;
        }
        let mut ops = Vec::new();
        for collection in &gone {
            ops.push(Store::remove::<Collection>(&place(collection)));
            ops.push(Store::remove::<CollectionStats>(collection.id.as_str()));
        }
        // A batch that has written them is not "unchanged" any more.
        let _records = self.engine.store.hold_namespaces();
        let mut record = self.engine.store.namespace(&namespace.key)?;
        record.collections.retain(|key, _| gone.iter().all(|gone| gone.key.as_str() != key));
        ops.push(Store::put_namespace(&namespace.key, &record)?);
        self.engine.store.commit(ops)?;
        Ok(gone)
    }

    /// No batch that has begun and not ended writes one of them.
    pub(super) fn check_idle(&self, namespace: &Namespace, gone: &[Collection]) -> Result<()> {
        for batch in self.engine.store.batches()? {
            let begun = batch.namespace == namespace.key && !batch.status.is_terminal();
            if !begun || batch.status == crate::model::BatchStatus::Draft {
                continue;
            }
            let plan = self.engine.manifest(&batch)?.plan;
            let written = gone.iter().find(|gone| plan.collection(gone.key.as_str()).is_some());
            if let Some(collection) = written {
                let message = format!("batch {} writes `{}`", batch.id, collection.name);
                return Err(
                    Error::new(Code::Conflict, message).hint("wait for its end, or cancel it")
                );
            }
        }
        Ok(())
    }

    /// The statistics with the count that the sink has now, and the signature of all that.
    pub fn counted(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        mut stats: CollectionStats,
    ) -> Result<CollectionStats> {
        let count = |sink: &dyn VectorSink| match sink.layout(&namespace.key)? {
            Some(_) => sink.count(&namespace.key, Some(&documents_of(&collection.key))),
            None => Ok(0),
        };
        stats.documents = self.engine.sink.as_deref().map_or(Ok(0), count)?;
        stats.index_signature = signature(collection, &stats);
        Ok(stats)
    }

    /// What to commit when documents of the collection were written or deleted: who calls holds
    /// the namespace's lock until then.
    pub fn documents_changed(
        &self,
        namespace: &Namespace,
        collection: &Collection,
    ) -> Result<(CollectionStats, Op)> {
        let mut stats = self.collection_stats(collection)?;
        stats.last_write_at = Some(self.now());
        let stats = self.counted(namespace, collection, stats)?;
        let op = Store::put(collection.id.as_str(), &stats)?;
        Ok((stats, op))
    }

    /// What has to be removed with a namespace.
    pub(super) fn collection_removals(&self, namespace: &Namespace) -> Result<Vec<Op>> {
        let mut ops = Vec::new();
        for collection in self.collections(namespace)? {
            ops.push(Store::remove::<Collection>(&place(&collection)));
            ops.push(Store::remove::<CollectionStats>(collection.id.as_str()));
        }
        Ok(ops)
    }
}

/// What documents are made from.
fn configuration(collection: &Collection) -> Value {
    json!({
        "source": collection.source,
        "extractor": collection.extractor,
        "parameters": collection.parameters,
        "inputs": collection.inputs,
        "passthrough": collection.passthrough,
        "all_fields": collection.all_fields,
        "filter": collection.filter,
    })
}

/// Digest of configuration, dimensions, counts and the last write: what caches compare.
pub fn signature(collection: &Collection, stats: &CollectionStats) -> String {
    let told = json!({
        "configuration": configuration(collection),
        "vectors": collection.vectors,
        "shape": collection.shape,
        "documents": stats.documents,
        "schema_version": stats.schema_version,
        "last_write_at": stats.last_write_at,
    });
    blake3::hash(told.to_string().as_bytes()).to_hex().to_string()
}

/// Collections that read this one, directly or through others, nearest first.
pub(super) fn readers(all: &[Collection], id: &CollectionId) -> Vec<CollectionId> {
    let mut found: Vec<CollectionId> = Vec::new();
    let mut seen = BTreeSet::from([id.clone()]);
    let mut open = vec![id.clone()];
    while !open.is_empty() {
        let next: Vec<CollectionId> = all
            .iter()
            .filter(|reader| match &reader.source {
                Source::Collections(ids) => ids.iter().any(|id| open.contains(id)),
                Source::Buckets(_) => false,
            })
            .filter(|reader| seen.insert(reader.id.clone()))
            .map(|reader| reader.id.clone())
            .collect();
        found.extend_from_slice(&next);
        open = next;
    }
    found
}

/// A batch runs all collections of its bucket at once, so there is a bound.
fn check_crowd(all: &[Collection]) -> Result<()> {
    let mut buckets = BTreeSet::new();
    for collection in all {
        if let Source::Buckets(ids) = &collection.source {
            buckets.extend(ids);
        }
    }
    for bucket in buckets {
        if downstream(all, bucket).len() > COLLECTIONS_MAX {
            let message =
                format!("more than {COLLECTIONS_MAX} enabled collections come from one bucket");
            return Err(Error::new(Code::Conflict, message).hint("disable or delete some"));
        }
    }
    Ok(())
}

/// Names that were asked for are given or refused, never replaced by others.
fn check_vectors(collection: &Collection, wanted: &BTreeMap<String, Name>) -> Result<()> {
    for (output, name) in wanted {
        let at = format!("/vectors/{output}");
        let fields = collection.shape.fields.iter();
        let vectors = fields.filter_map(|field| Some((&field.name, &field.vector.as_ref()?.name)));
        let called: Vec<&String> =
            vectors.clone().filter(|(field, _)| *field == output).map(|(_, name)| name).collect();
        if called.is_empty() {
            let message = format!("extractor {} has no vector `{output}`", collection.extractor);
            return Err(Error::invalid(message).field(at));
        }
        let alone = vectors.filter(|(_, known)| *known == name.as_str()).count() == 1;
        if called != [name.as_str()] || !alone {
            let message = format!("vector `{name}` is another feature already");
            return Err(Error::new(Code::Conflict, message)
                .field(at)
                .hint("take another name, or none for one that is free"));
        }
    }
    Ok(())
}

fn check_size(collection: &Collection) -> Result<()> {
    let bytes = json!(collection).to_string().len();
    if bytes > RECORD_BYTES_MAX {
        let message = format!("the collection takes {bytes} bytes, {RECORD_BYTES_MAX} are kept");
        return Err(Error::new(Code::TooLarge, message).hint("shorten its metadata"));
    }
    Ok(())
}

fn delete_documents(sink: &dyn VectorSink, namespace: &Name, collection: &Name) -> Result<()> {
    loop {
        let filter = Some(documents_of(collection));
        let scroll = Scroll { filter, from: None, limit: SCROLL_LIMIT_MAX, with_vectors: false };
        let page = sink.scroll(namespace, &scroll)?;
        if page.documents.is_empty() {
            return Ok(());
        }
        let ids: Vec<DocumentId> = page.documents.iter().map(|document| document.id).collect();
        sink.delete(namespace, &ids)?;
    }
}
