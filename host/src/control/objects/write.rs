//! Making and changing objects: filled without a lock, then written under the one of the bucket,
//! all of a request in one commit.

use super::content::Contents;
use super::fields::{Filled, ObjectDraft, complete, fill, identity};
use super::place;
use super::schema::Schema;
use crate::control::{Control, not_found};
use crate::error::{Code, Error, Result};
use crate::model::ObjectId;
use crate::store::catalog::{Blob, Bucket, BucketStats, Lookup, Namespace, Object, ObjectStatus};
use crate::store::{Op, Store};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Bytes of an object's record; its text, numbers and JSON are in there.
const RECORD_BYTES_MAX: usize = 56 << 10;

/// What happens to an object whose unique key is there, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Insert,
    Update,
    Upsert,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// The bucket's own, if absent.
    pub policy: Option<Policy>,
    /// Whether who asks may name files of this machine.
    pub local_files: bool,
    /// An upload that is being confirmed may be named.
    pub(in crate::control) unconfirmed: bool,
}

impl WriteOptions {
    pub fn new(policy: Option<Policy>, local_files: bool) -> WriteOptions {
        WriteOptions { policy, local_files, unconfirmed: false }
    }
}

#[derive(Debug, Clone)]
pub struct Written {
    pub object: Object,
    /// Why nothing was written: it was there.
    pub replayed: Option<Replay>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    IdempotencyKey,
    SkipDuplicates,
}

impl Control {
    pub fn create_object(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        draft: ObjectDraft,
        options: WriteOptions,
    ) -> Result<Written> {
        let mut all = self.create_objects(namespace, bucket, vec![draft], options)?;
        all.pop().unwrap_or_else(|| Err(Error::internal("an object was lost")))
    }

    /// Those that fit are made, all in one commit.
    pub fn create_objects(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        drafts: Vec<ObjectDraft>,
        options: WriteOptions,
    ) -> Result<Vec<Result<Written>>> {
        let schema = Schema::of(bucket)?;
        let mut contents = self.contents(namespace, bucket, options);
        let filled: Vec<Result<Filled>> = drafts
            .into_iter()
            .map(|draft| {
                let mut filled = fill(&schema, &mut contents, draft)?;
                complete(&schema, &mut contents, &mut filled.blobs)?;
                Ok(filled)
            })
            .collect();
        let written = contents.written;
        let lock = self.locks.hold(bucket.id.as_str());
        let done = Writing::begin(self, bucket).and_then(|mut writing| {
            let results: Vec<Result<Written>> = filled
                .into_iter()
                .map(|filled| filled.and_then(|filled| writing.create(filled, options.policy)))
                .collect();
            Ok((writing.commit()?, results))
        });
        drop(lock);
        let (released, results) = match done {
            Ok(done) => done,
            Err(error) => {
                // After a failed write nobody knows what the state names.
                if !matches!(error.code(), Code::StateFailed | Code::Unavailable) {
                    self.discard(&written);
                }
                return Err(error);
            }
        };
        let made = |result: &Result<Written>| match result {
            Ok(Written { object, replayed: None }) => stored_of(object),
            _ => Vec::new(),
        };
        let used: Vec<String> = results.iter().flat_map(made).collect();
        let unused: Vec<String> = written.into_iter().filter(|name| !used.contains(name)).collect();
        self.discard(&unused);
        self.discard(&released);
        Ok(results)
    }

    /// Fills the fields that the draft names anew; the others stay.
    pub fn change_object(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        id: &str,
        draft: ObjectDraft,
        options: WriteOptions,
    ) -> Result<Object> {
        self.object(bucket, id)?;
        let schema = Schema::of(bucket)?;
        let mut contents = self.contents(namespace, bucket, options);
        let filled = fill(&schema, &mut contents, draft);
        let lock = self.locks.hold(bucket.id.as_str());
        let done = filled.and_then(|filled| {
            let mut writing = Writing::begin(self, bucket)?;
            let old = self.object(bucket, id)?;
            let mut object = merge(&old, filled);
            complete(&schema, &mut contents, &mut object.blobs)?;
            writing.replace(&old, &mut object)?;
            Ok((writing.commit()?, object))
        });
        drop(lock);
        let written = contents.written;
        match done {
            Ok((released, object)) => {
                self.discard(&released);
                Ok(object)
            }
            Err(error) => {
                if !matches!(error.code(), Code::StateFailed | Code::Unavailable) {
                    self.discard(&written);
                }
                Err(error)
            }
        }
    }

    fn contents<'a>(
        &'a self,
        namespace: &'a Namespace,
        bucket: &'a Bucket,
        options: WriteOptions,
    ) -> Contents<'a> {
        let WriteOptions { local_files, unconfirmed, .. } = options;
        let written = Vec::new();
        Contents { control: self, namespace, bucket, local_files, unconfirmed, written }
    }
}

/// Names of the bytes that go with the object.
pub(super) fn stored_of(object: &Object) -> Vec<String> {
    let own = |blob: &Blob| blob.stored.clone().filter(|_| blob.upload.is_none());
    object.blobs.iter().filter_map(own).collect()
}

fn merge(old: &Object, filled: Filled) -> Object {
    let mut object = old.clone();
    let Filled { draft, blobs, emptied } = filled;
    object.blobs.retain(|blob| !emptied.contains(&blob.property));
    for blob in blobs {
        match object.blobs.iter_mut().find(|known| known.property == blob.property) {
            // A field stays where it was shown.
            Some(known) => *known = Blob { root: known.root, ..blob },
            None => object.blobs.push(blob),
        }
    }
    if draft.key_prefix.is_some() {
        object.key_prefix = draft.key_prefix;
    }
    for (name, value) in draft.metadata {
        match value.is_null() {
            true => object.metadata.remove(&name),
            false => object.metadata.insert(name, value),
        };
    }
    if let Some(edges) = draft.edges {
        object.edges = edges;
    }
    object
}

/// Changes to one bucket that are committed together. Who has one holds the bucket's lock.
struct Writing<'a> {
    control: &'a Control,
    bucket: Bucket,
    stats: BucketStats,
    ops: Vec<Op>,
    /// Objects and lookups as they will be.
    objects: HashMap<String, Object>,
    lookups: HashMap<String, Option<String>>,
    /// Bytes that nothing will name any more.
    released: Vec<String>,
    now: String,
}

impl<'a> Writing<'a> {
    fn begin(control: &'a Control, bucket: &Bucket) -> Result<Writing<'a>> {
        // It may have been deleted since it was looked up.
        let store = &control.engine.store;
        let found = store.find::<Bucket>(&crate::control::buckets::place(bucket))?;
        let bucket = found.ok_or_else(|| not_found("bucket", bucket.id.as_str()))?;
        Ok(Writing {
            control,
            stats: control.bucket_stats(&bucket)?,
            bucket,
            ops: Vec::new(),
            objects: HashMap::new(),
            lookups: HashMap::new(),
            released: Vec::new(),
            now: control.now(),
        })
    }

    fn create(&mut self, filled: Filled, policy: Option<Policy>) -> Result<Written> {
        let replay = |object, why| Ok(Written { object, replayed: Some(why) });
        let key = filled.draft.idempotency_key.as_ref();
        let key = key.map(|key| self.lookup_key("request", &json!(key)));
        if let Some(key) = &key
            && let Some(object) = self.found(key)?
        {
            return replay(object, Replay::IdempotencyKey);
        }
        let content = self.lookup_key("content", &content_of(&filled.blobs));
        if filled.draft.skip_duplicates
            && let Some(object) = self.found(&content)?
        {
            return replay(object, Replay::SkipDuplicates);
        }
        let unique = self.unique(&filled.blobs)?;
        if let Some(unique) = &unique {
            let policy = policy.or(self.own_policy()).ok_or_else(|| {
                Error::invalid("the bucket has a unique key, and no policy was chosen")
                    .field("policy")
                    .hint("policy=insert, update or upsert, or default_policy of the bucket")
            })?;
            match (policy, self.found(unique)?) {
                (Policy::Insert, Some(other)) => {
                    let message = format!("object {} has this unique key already", other.id);
                    return Err(Error::new(Code::Conflict, message)
                        .hint("policy=upsert replaces what it holds"));
                }
                (Policy::Update, None) => {
                    let message = "there is no object with this unique key";
                    return Err(Error::new(Code::NotFound, message).hint("policy=upsert makes one"));
                }
                (Policy::Update | Policy::Upsert, Some(old)) => {
                    let mut object =
                        Object { blobs: Vec::new(), metadata: Default::default(), ..old.clone() };
                    object = merge(&object, filled);
                    self.replace(&old, &mut object)?;
                    return Ok(Written { object, replayed: None });
                }
                (Policy::Insert | Policy::Upsert, None) => {}
            }
        }
        let mut object = Object {
            id: ObjectId::from_uuid(self.control.engine.env.uuid()),
            bucket: self.bucket.id.clone(),
            key_prefix: filled.draft.key_prefix,
            bytes: filled.blobs.iter().filter_map(|blob| blob.bytes).sum(),
            blobs: filled.blobs,
            metadata: filled.draft.metadata,
            edges: filled.draft.edges.unwrap_or_default(),
            status: ObjectStatus::Pending,
            error: None,
            deleted: None,
            lookups: Vec::new(),
            created_at: self.now.clone(),
            updated_at: self.now.clone(),
        };
        object.lookups = key.into_iter().chain([content]).chain(unique).collect();
        self.put(&object)?;
        self.stats.objects += 1;
        self.stats.bytes += object.bytes;
        self.stats.last_upload_at = Some(self.now.clone());
        Ok(Written { object, replayed: None })
    }

    /// Writes an object over what it was.
    fn replace(&mut self, old: &Object, object: &mut Object) -> Result<()> {
        let unique = self.unique(&object.blobs)?;
        if let Some(unique) = &unique
            && let Some(other) = self.found(unique)?
            && other.id != object.id
        {
            let message = format!("object {} has this unique key already", other.id);
            return Err(Error::new(Code::Conflict, message));
        }
        let content = self.lookup_key("content", &content_of(&object.blobs));
        let requested = |key: &&String| key.contains("/request-");
        let kept: Vec<String> = old.lookups.iter().filter(requested).cloned().collect();
        object.lookups = kept.into_iter().chain([content]).chain(unique).collect();
        object.bytes = object.blobs.iter().filter_map(|blob| blob.bytes).sum();
        object.updated_at = self.now.clone();
        check_size(object)?;
        for key in &old.lookups {
            if !object.lookups.contains(key)
                && self.leads_to(key)?.as_deref() == Some(old.id.as_str())
            {
                self.lookups.insert(key.clone(), None);
            }
        }
        self.put(object)?;
        let kept = stored_of(object);
        self.released.extend(stored_of(old).into_iter().filter(|name| !kept.contains(name)));
        self.stats.bytes = self.stats.bytes.saturating_sub(old.bytes) + object.bytes;
        Ok(())
    }

    fn put(&mut self, object: &Object) -> Result<()> {
        check_size(object)?;
        for key in &object.lookups {
            // The first of several with one content is found.
            if self.leads_to(key)?.is_none() {
                self.lookups.insert(key.clone(), Some(object.id.to_string()));
            }
        }
        self.objects.insert(object.id.to_string(), object.clone());
        Ok(())
    }

    fn leads_to(&self, key: &str) -> Result<Option<String>> {
        if let Some(known) = self.lookups.get(key) {
            return Ok(known.clone());
        }
        Ok(self.control.engine.store.find::<Lookup>(key)?.map(|Lookup(id)| id))
    }

    fn found(&self, key: &str) -> Result<Option<Object>> {
        let Some(id) = self.leads_to(key)? else { return Ok(None) };
        if let Some(object) = self.objects.get(&id) {
            return Ok(Some(object.clone()));
        }
        match self.control.object(&self.bucket, &id) {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.code() == Code::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn lookup_key(&self, kind: &str, value: &Value) -> String {
        let hash = blake3::hash(value.to_string().as_bytes()).to_hex();
        place(&self.bucket, &format!("{kind}-{}", &hash[..32]))
    }

    /// Where the bucket has a unique key, the lookup of the one that these fields have.
    fn unique(&self, blobs: &[Blob]) -> Result<Option<String>> {
        let Some(unique) = &self.bucket.unique_key else { return Ok(None) };
        let fields = unique["fields"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut values = Vec::new();
        for name in fields {
            let found = blobs.iter().find(|blob| blob.property == name).ok_or_else(|| {
                Error::invalid(format!("the field `{name}` is missing"))
                    .field(format!("/{}", super::fields::escaped(name)))
                    .hint("it is part of the bucket's unique key")
            })?;
            values.push(json!([name, identity(found)]));
        }
        Ok(Some(self.lookup_key("unique", &Value::from(values))))
    }

    fn own_policy(&self) -> Option<Policy> {
        match self.bucket.unique_key.as_ref()?["default_policy"].as_str()? {
            "insert" => Some(Policy::Insert),
            "update" => Some(Policy::Update),
            "upsert" => Some(Policy::Upsert),
            _ => None,
        }
    }

    /// Names of bytes that nothing names any more.
    fn commit(mut self) -> Result<Vec<String>> {
        if self.objects.is_empty() {
            return Ok(Vec::new());
        }
        for (id, object) in &self.objects {
            self.ops.push(Store::put(&place(&self.bucket, id), object)?);
        }
        for (key, id) in self.lookups {
            self.ops.push(match id {
                Some(id) => Store::put(&key, &Lookup(id))?,
                None => Store::remove::<Lookup>(&key),
            });
        }
        self.ops.push(Store::put(self.bucket.id.as_str(), &self.stats)?);
        self.control.engine.store.commit(self.ops)?;
        Ok(self.released)
    }
}

/// What all fields hold, in the order of their names.
fn content_of(blobs: &[Blob]) -> Value {
    let mut all: Vec<(&str, Value)> =
        blobs.iter().map(|blob| (blob.property.as_str(), identity(blob))).collect();
    all.sort_by_key(|(name, _)| *name);
    json!(all)
}

fn check_size(object: &Object) -> Result<()> {
    check_record(object, RECORD_BYTES_MAX, "put large texts into fields of type text")
}

/// Refuses a record that the state does not take, or could not give back.
pub(in crate::control) fn check_record<T: Serialize>(
    record: &T,
    bytes_max: usize,
    hint: &str,
) -> Result<()> {
    let text = serde_json::to_vec(record)
        .map_err(|error| Error::internal("can not encode a record").source(error))?;
    if text.len() > bytes_max {
        let message =
            format!("it has {} bytes without its files, {bytes_max} are allowed", text.len());
        return Err(Error::new(Code::TooLarge, message).hint(hint));
    }
    match serde_json::from_slice::<Value>(&text) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid("its JSON is nested too deeply").hint("120 levels will do")),
    }
}
