//! From the catalog's buckets and collections to the pipeline that the engine plans and runs.
//! Everything is called by its key there, which never changes.

use super::Control;
use crate::config::{self, BucketField, FieldType, Passthrough, Pipeline, Sources};
use crate::error::{Code, Error, Result};
use crate::model::{BucketId, CollectionId};
use crate::store::catalog::{Bucket, Collection, Namespace, Source};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Column of every manifest that names the object.
pub const OBJECT_ID: &str = "object_id";

impl Control {
    /// What a batch of this bucket runs: all enabled collections that are made of it, directly or
    /// through others. With `only`, those of them and what they read.
    ///
    /// A collection may read other buckets, too. The engine wants a manifest for each bucket that
    /// is read, so here every collection reads only what comes from this bucket. Documents do not
    /// depend on it: their ids are made from the collection and the object.
    pub fn pipeline(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        only: &[CollectionId],
    ) -> Result<Pipeline> {
        let all = self.collections(namespace)?;
        let made = downstream(&all, &bucket.id);
        for id in only {
            if !made.contains(id) {
                let named = all.iter().find(|collection| collection.id == *id);
                let name = named.map_or(id.as_str(), |collection| collection.name.as_str());
                let message = format!(
                    "collection `{name}` is not made of bucket `{}`, or is disabled",
                    bucket.name
                );
                return Err(Error::new(Code::Conflict, message));
            }
        }
        let wanted = if only.is_empty() { made.clone() } else { upstream(&all, only, &made) };
        if wanted.is_empty() {
            let message = format!("no enabled collection is made of bucket `{}`", bucket.name);
            return Err(Error::new(Code::Conflict, message)
                .hint("create a collection that reads the bucket"));
        }
        assemble(namespace, std::slice::from_ref(bucket), &all, &wanted)
    }
}

/// Enabled collections that read the bucket, or one of these.
pub(super) fn downstream(all: &[Collection], bucket: &BucketId) -> BTreeSet<CollectionId> {
    let mut made = BTreeSet::new();
    loop {
        let before = made.len();
        for collection in all.iter().filter(|collection| collection.enabled) {
            let reads = match &collection.source {
                Source::Buckets(ids) => ids.contains(bucket),
                Source::Collections(ids) => ids.iter().any(|id| made.contains(id)),
            };
            if reads {
                made.insert(collection.id.clone());
            }
        }
        if made.len() == before {
            return made;
        }
    }
}

/// These and the collections they read, as far as they are `within`.
pub(super) fn upstream(
    all: &[Collection],
    of: &[CollectionId],
    within: &BTreeSet<CollectionId>,
) -> BTreeSet<CollectionId> {
    let mut wanted = BTreeSet::new();
    let mut open: Vec<&CollectionId> = of.iter().collect();
    while let Some(id) = open.pop() {
        if !within.contains(id) || !wanted.insert(id.clone()) {
            continue;
        }
        if let Some(Source::Collections(ids)) =
            all.iter().find(|collection| collection.id == *id).map(|found| &found.source)
        {
            open.extend(ids);
        }
    }
    wanted
}

/// The wanted collections, each reading those of its sources that are there as well.
pub(super) fn assemble(
    namespace: &Namespace,
    buckets: &[Bucket],
    all: &[Collection],
    wanted: &BTreeSet<CollectionId>,
) -> Result<Pipeline> {
    let mut collections = BTreeMap::new();
    let mut read = BTreeSet::new();
    for collection in all.iter().filter(|collection| wanted.contains(&collection.id)) {
        let sources: Vec<String> = match &collection.source {
            Source::Buckets(ids) => {
                let there = buckets.iter().filter(|bucket| ids.contains(&bucket.id));
                there
                    .map(|bucket| {
                        read.insert(bucket.id.clone());
                        format!("bucket:{}", bucket.key)
                    })
                    .collect()
            }
            Source::Collections(ids) => all
                .iter()
                .filter(|source| ids.contains(&source.id) && wanted.contains(&source.id))
                .map(|source| format!("collection:{}", source.key))
                .collect(),
        };
        collections.insert(collection.key.clone(), configured(collection, sources));
    }
    let read = buckets.iter().filter(|bucket| read.contains(&bucket.id));
    let buckets = read.map(|bucket| Ok((bucket.key.clone(), schema_of(bucket)?)));
    Ok(Pipeline {
        namespace: namespace.key.clone(),
        buckets: buckets.collect::<Result<_>>()?,
        collections,
    })
}

fn configured(collection: &Collection, sources: Vec<String>) -> config::Collection {
    let mut passthrough = collection.passthrough.clone();
    if collection.all_fields {
        let named: Vec<String> = passthrough.iter().map(target).collect();
        let passed = collection.shape.fields.iter().filter(|field| field.passed);
        let more = passed.filter(|field| !named.contains(&field.name));
        passthrough.extend(more.map(|field| Passthrough::Path(field.name.clone())));
    }
    config::Collection {
        source: Sources::Many(sources),
        extractor: collection.extractor.clone(),
        parameters: collection.parameters.clone(),
        inputs: collection.inputs.clone(),
        outputs: BTreeMap::new(),
        passthrough,
        filter: collection.filter.clone(),
        vectors: collection.vectors.clone(),
        index: Vec::new(),
        searchable: true,
    }
}

/// What the document calls a field that is passed through.
pub fn target(passthrough: &Passthrough) -> String {
    let (source, target) = match passthrough {
        Passthrough::Path(source) => (source, None),
        Passthrough::Full(full) => (&full.source, full.target.as_ref()),
    };
    let last = || source.rsplit('.').next().unwrap_or(source).to_string();
    target.cloned().unwrap_or_else(last)
}

/// Texts and values are columns of the manifest; of what has bytes the column holds where they are.
fn schema_of(bucket: &Bucket) -> Result<config::Bucket> {
    let mut schema = BTreeMap::new();
    for (name, field) in bucket.schema["properties"].as_object().into_iter().flatten() {
        let kind = kind_of(field).ok_or_else(|| {
            let message = format!("bucket `{}` has a field `{name}` of no known type", bucket.name);
            Error::new(Code::Corrupt, message)
        })?;
        let field = match is_blob(kind) {
            true => BucketField::Column { kind, column: None, uri: Some(name.clone()) },
            false => BucketField::Type(kind),
        };
        schema.insert(name.clone(), field);
    }
    Ok(config::Bucket { id: OBJECT_ID.to_string(), schema })
}

/// The type that a field of a bucket's schema declares.
pub(super) fn kind_of(field: &Value) -> Option<FieldType> {
    serde_json::from_value(field["type"].clone()).ok()
}

/// Its bytes stay where they are; a text becomes a cell.
pub fn is_blob(kind: FieldType) -> bool {
    kind != FieldType::Text && super::is_file(kind)
}
