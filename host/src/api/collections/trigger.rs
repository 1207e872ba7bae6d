//! Batches of what a collection is made of, made and submitted at once.

use super::model::Shelf;
use super::source::roots;
use crate::api::call::Call;
use crate::api::filters;
use crate::api::operation::{NoQuery, Table};
use crate::control::{BatchDraft, Submission};
use crate::error::{Code, Error, Result};
use crate::model::{CollectionId, Filter};
use crate::store::catalog::{Bucket, Collection, Content, Namespace, Object, Source, Task};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Objects of one batch: more of them make more batches.
const OBJECTS_MAX: usize = 10_000;

pub(super) fn declare(table: &mut Table) {
    table
        .post(
            "/v1/collections/{collection_identifier}/trigger",
            "trigger_collection",
            "Run the collection over the objects of its buckets",
            trigger,
        )
        .status(202);
}

#[derive(Default, Deserialize, JsonSchema)]
struct TriggerRequest {
    /// Of the buckets that it comes from; all if absent.
    #[schemars(length(min = 1, max = 64))]
    include_buckets: Option<Vec<String>>,
    /// Of the collections that it reads; all if absent.
    #[schemars(length(min = 1, max = 64))]
    include_collections: Option<Vec<String>>,
    /// Of the buckets' objects; all if absent.
    #[schemars(length(min = 1, max = 10_000))]
    object_ids: Option<Vec<String>>,
    /// Over the fields of objects, `object_id`, `key_prefix` and `metadata`.
    source_filters: Option<Filter>,
    /// Documents have ids of their own, so all three come to the same.
    dedup_strategy: Option<DedupStrategy>,
}

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DedupStrategy {
    Skip,
    Replace,
    Force,
}

#[derive(Serialize, JsonSchema)]
struct Triggered {
    /// The first one.
    batch_id: String,
    task_id: String,
    collection_id: String,
    source_bucket_ids: Vec<String>,
    source_collection_ids: Vec<String>,
    object_count: u64,
    batch_ids: Vec<String>,
    task_ids: Vec<String>,
    batch_count: u64,
    total_tiers: u64,
    message: String,
}

fn trigger(call: &Call, _: NoQuery, body: Option<TriggerRequest>) -> Result<Triggered> {
    let (namespace, collection) = call.collection()?;
    let body = body.unwrap_or_default();
    let shelf = Shelf::open(call, &namespace)?;
    let buckets = buckets(call, &namespace, &collection, &shelf, &body)?;
    // What can not be run is refused before there is a batch.
    for bucket in &buckets {
        let pipeline =
            call.control.pipeline(&namespace, bucket, std::slice::from_ref(&collection.id))?;
        call.control.engine.plan(&pipeline)?;
    }
    let mut made = Made::default();
    for bucket in &buckets {
        let over = Over {
            namespace: &namespace,
            bucket,
            name: format!("trigger {}", collection.name),
            collections: vec![collection.id.clone()],
        };
        over.submit(call, &body, &mut made)?;
    }
    let (Some(first), Some(task)) = (made.batches.first(), made.tasks.first()) else {
        return Err(Error::new(Code::Conflict, "the source has no such objects")
            .hint("register objects in the bucket first"));
    };
    let read = match &collection.source {
        Source::Buckets(_) => Vec::new(),
        Source::Collections(ids) => ids.iter().map(|id| id.to_string()).collect(),
    };
    Ok(Triggered {
        batch_id: first.clone(),
        task_id: task.clone(),
        collection_id: collection.id.to_string(),
        source_bucket_ids: buckets.iter().map(|bucket| bucket.id.to_string()).collect(),
        source_collection_ids: read,
        object_count: made.objects,
        batch_count: made.batches.len() as u64,
        total_tiers: tiers(&collection, &shelf.collections),
        message: format!("{} objects in {} batches", made.objects, made.batches.len()),
        batch_ids: made.batches,
        task_ids: made.tasks,
    })
}

/// The longest way from a bucket.
fn tiers(collection: &Collection, all: &[Collection]) -> u64 {
    match &collection.source {
        Source::Buckets(_) => 1,
        Source::Collections(ids) => {
            let sources = all.iter().filter(|source| ids.contains(&source.id));
            1 + sources.map(|source| tiers(source, all)).max().unwrap_or(0)
        }
    }
}

fn buckets(
    call: &Call,
    namespace: &Namespace,
    collection: &Collection,
    shelf: &Shelf,
    body: &TriggerRequest,
) -> Result<Vec<Bucket>> {
    let mut wanted: BTreeSet<String> = roots(collection, &shelf.collections).into_iter().collect();
    let foreign = |error: Error, at: String| match error.code() {
        Code::NotFound => Error::invalid(error.to_string()).field(at),
        _ => error,
    };
    if let Some(sources) = &body.include_collections {
        let mut from = BTreeSet::new();
        for (at, identifier) in sources.iter().enumerate() {
            let at = format!("/include_collections/{at}");
            let found = call.control.collection(namespace, identifier);
            let source = found.map_err(|error| foreign(error, at.clone()))?;
            let reads = match &collection.source {
                Source::Collections(ids) => ids.contains(&source.id),
                Source::Buckets(_) => false,
            };
            if !reads {
                let message = format!("the collection does not read `{}`", source.name);
                return Err(Error::invalid(message).field(at));
            }
            from.extend(roots(&source, &shelf.collections));
        }
        wanted.retain(|id| from.contains(id));
    }
    if let Some(named) = &body.include_buckets {
        let mut from = BTreeSet::new();
        for (at, identifier) in named.iter().enumerate() {
            let at = format!("/include_buckets/{at}");
            let found = call.control.bucket(namespace, identifier);
            let bucket = found.map_err(|error| foreign(error, at.clone()))?;
            if !wanted.contains(bucket.id.as_str()) {
                let message = format!("the collection does not come from `{}`", bucket.name);
                return Err(Error::invalid(message).field(at));
            }
            from.insert(bucket.id.to_string());
        }
        wanted = from;
    }
    there(call, namespace, wanted.iter())
}

/// The buckets of these ids.
pub(super) fn there<'a>(
    call: &Call,
    namespace: &Namespace,
    ids: impl Iterator<Item = &'a String>,
) -> Result<Vec<Bucket>> {
    let found = ids.map(|id| call.control.bucket(namespace, id));
    // One that was deleted has no objects.
    let missing = |found: &Result<Bucket>| match found {
        Err(error) => error.code() == Code::NotFound,
        Ok(_) => false,
    };
    found.filter(|found| !missing(found)).collect()
}

#[derive(Default)]
pub(super) struct Made {
    pub(super) batches: Vec<String>,
    pub(super) tasks: Vec<String>,
    pub(super) objects: u64,
}

/// Batches over the objects of a bucket.
pub(super) struct Over<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) bucket: &'a Bucket,
    pub(super) name: String,
    /// With what they read.
    pub(super) collections: Vec<CollectionId>,
}

impl Over<'_> {
    /// All objects of the bucket.
    pub(super) fn all(&self, call: &Call, made: &mut Made) -> Result<()> {
        self.submit(call, &TriggerRequest::default(), made)
    }

    fn submit(&self, call: &Call, body: &TriggerRequest, made: &mut Made) -> Result<()> {
        let (namespace, bucket) = (self.namespace, self.bucket);
        let control = call.control;
        let mut ids: Vec<String> = Vec::new();
        let mut submit = |ids: &mut Vec<String>| -> Result<()> {
            let objects = std::mem::take(ids);
            made.objects += objects.len() as u64;
            let draft = BatchDraft {
                name: Some(self.name.clone()),
                objects,
                manifest_uri: None,
                collections: self.collections.clone(),
                metadata: Map::new(),
                dedup_strategy: body.dedup_strategy.map(word),
            };
            let batch = control.create_batch(namespace, bucket, draft)?.batch;
            let submission = Submission {
                include_processing_history: true,
                key: call.caller.key.clone(),
                ..Submission::default()
            };
            let Task { id, .. } = control.submit_batch(namespace, bucket, &batch.id, submission)?;
            made.batches.push(batch.id.to_string());
            made.tasks.push(id.to_string());
            Ok(())
        };
        let fits = |object: &Object| match &body.source_filters {
            Some(filter) => filters::holds(filter, &fields(object)),
            None => Ok(true),
        };
        if let Some(given) = &body.object_ids {
            for id in given.iter().collect::<BTreeSet<_>>() {
                match control.object(bucket, id) {
                    Ok(object) if fits(&object)? => ids.push(id.clone()),
                    Ok(_) => {}
                    Err(error) if error.code() == Code::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        } else {
            for object in control.objects_of(bucket, None) {
                let object = object?;
                if fits(&object)? {
                    ids.push(object.id.to_string());
                }
                if ids.len() >= OBJECTS_MAX {
                    submit(&mut ids)?;
                }
            }
        }
        if !ids.is_empty() {
            submit(&mut ids)?;
        }
        Ok(())
    }
}

fn word(strategy: DedupStrategy) -> String {
    match strategy {
        DedupStrategy::Skip => "skip",
        DedupStrategy::Replace => "replace",
        DedupStrategy::Force => "force",
    }
    .to_string()
}

/// What a filter sees of an object.
fn fields(object: &Object) -> Value {
    let mut seen = Map::new();
    for blob in &object.blobs {
        let value = match &blob.content {
            Content::Value(value) => value.clone(),
            Content::Reference(url) => url.clone().into(),
        };
        seen.insert(blob.property.clone(), value);
    }
    seen.insert("object_id".to_string(), object.id.to_string().into());
    seen.insert("key_prefix".to_string(), object.key_prefix.clone().into());
    seen.insert("metadata".to_string(), Value::Object(object.metadata.clone()));
    Value::Object(seen)
}
