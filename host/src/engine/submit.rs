//! From a pipeline and its manifests to a queued batch. Everything that can be refused is refused
//! before anything is written; what was written for a batch that is refused later is removed.

use super::flatten::{Flattened, flatten};
use super::patience::retry;
use super::plan::{Pinned, Plan, Source, plan};
use super::step;
use super::{BatchManifest, Engine, FORMAT, MANIFEST};
use crate::config::Pipeline;
use crate::error::{Code, Context, Error, Result};
use crate::manifest::Manifest;
use crate::model::{BatchEvent, BatchId, BatchStatus, Description, ExtractorRef, Name};
use crate::sink::Layout;
use crate::store::{BatchRecord, Store};
use serde_json::Value;
use std::collections::BTreeSet;

pub struct Submission<'a> {
    pub pipeline: &'a Pipeline,
    /// What to call it: the file name.
    pub name: &'a str,
    /// Manifest by bucket; without a name where the pipeline has one bucket.
    pub manifests: &'a [(Option<String>, String)],
    /// Run again although the same batch is complete.
    pub force: bool,
    /// Continue the unfinished batch of the same input.
    pub resume: bool,
    /// Take what an earlier batch made of rows that have not changed.
    pub memo: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Submitted {
    /// Ready to run.
    Ready(BatchId),
    /// A complete batch of exactly this pipeline, these extractors and this manifest.
    Unchanged(Box<BatchRecord>),
}

impl Engine {
    pub fn submit(&self, submission: &Submission<'_>, progress: &dyn Fn(u64)) -> Result<Submitted> {
        let plan = self.plan(submission.pipeline)?;
        self.mend(&plan.namespace)?;
        let manifests = self.open_manifests(&plan, submission.manifests)?;
        let target = [self.sink_name.as_str(), self.artifacts.url()];
        let fingerprint = fingerprint(&plan, &manifests, &target)?;
        let earlier: Vec<BatchRecord> = self
            .store
            .batches()?
            .into_iter()
            .filter(|batch| batch.fingerprint == fingerprint)
            .collect();
        let unfinished = earlier.iter().rev().find(|batch| !batch.status.is_terminal());
        if let Some(batch) = unfinished {
            return self.take_up(submission, batch, plan, &manifests, progress);
        }
        let complete = earlier.into_iter().rev().find(|batch| {
            matches!(batch.status, BatchStatus::Completed | BatchStatus::CompletedWithErrors)
                && !batch.discarded
        });
        match complete {
            Some(batch) if !submission.force && self.still_holds(&plan, &batch)? => {
                return Ok(Submitted::Unchanged(Box::new(batch)));
            }
            _ if submission.resume => {
                let message = "there is no unfinished batch of this pipeline and manifest";
                return Err(Error::new(Code::NotFound, message)
                    .hint("`quarry batch list` shows all batches; run without --resume to begin"));
            }
            _ => {}
        }
        self.check_layout(&plan)?;
        step::begin("submit");
        let id = BatchId::from_uuid(self.env.uuid());
        let record = self.create(id, submission.name, &plan, &manifests, fingerprint)?;
        self.prepare(record, plan, &manifests, submission.memo, progress)
    }

    /// Whether no later batch has written the collections since.
    fn still_holds(&self, plan: &Plan, batch: &BatchRecord) -> Result<bool> {
        let namespace = self.store.namespace(&plan.namespace)?;
        let mut searchable = plan.collections.iter().filter(|collection| collection.searchable);
        Ok(self.sink.is_none()
            || searchable.all(|collection| {
                let state = namespace.collections.get(collection.name.as_str());
                state.is_some_and(|state| state.batch == batch.id.as_str())
            }))
    }

    /// Refuses vectors that clash with those the namespace has, without changing anything.
    pub(super) fn check_layout(&self, plan: &Plan) -> Result<()> {
        let wanted = plan.layout()?;
        if let Some(sink) = &self.sink
            && let Some(existing) = sink.layout(&plan.namespace)?
        {
            Layout::merge(&existing, &wanted)?;
        }
        Ok(())
    }

    /// An unfinished batch of the same input: continued with --resume, set aside with --force.
    fn take_up(
        &self,
        submission: &Submission<'_>,
        batch: &BatchRecord,
        plan: Plan,
        manifests: &[(usize, Manifest)],
        progress: &dyn Fn(u64),
    ) -> Result<Submitted> {
        if submission.resume {
            if batch.status == BatchStatus::Draft {
                step::begin("submit");
                return self.prepare(batch.clone(), plan, manifests, submission.memo, progress);
            }
            return Ok(Submitted::Ready(batch.id.clone()));
        }
        if !submission.force {
            let message = format!("batch {} of the same input is not finished", batch.id);
            return Err(Error::new(Code::Conflict, message)
                .hint("continue it with --resume, or begin anew with --force"));
        }
        self.cancel(batch.clone(), Some("set aside by a new run with --force"), false)?;
        self.submit(submission, progress)
    }

    /// Plans and pins; the extractors that the pipeline names are loaded and registered.
    pub fn plan(&self, pipeline: &Pipeline) -> Result<Plan> {
        step::begin("planning");
        let mut describe = |reference: &ExtractorRef,
                            parameters: &Value|
         -> Result<(Pinned, Description)> {
            let (pinned, extractor) = self.registry.resolve(reference, &self.store, &self.env)?;
            let instance = extractor.instantiate(parameters)?;
            Ok((pinned, instance.description().clone()))
        };
        plan(pipeline, &mut describe)
    }

    pub(super) fn open_manifests(
        &self,
        plan: &Plan,
        given: &[(Option<String>, String)],
    ) -> Result<Vec<(usize, Manifest)>> {
        let read: BTreeSet<usize> = plan
            .collections
            .iter()
            .flat_map(|collection| &collection.sources)
            .filter_map(|source| match source {
                Source::Bucket(index) => Some(*index),
                Source::Collection(_) => None,
            })
            .collect();
        let names = || -> Vec<&str> {
            read.iter().map(|index| plan.buckets[*index].name.as_str()).collect()
        };
        let mut manifests: Vec<(usize, Manifest)> = Vec::new();
        for (bucket, url) in given {
            let index = match bucket {
                Some(name) => read.iter().find(|i| plan.buckets[**i].name.as_str() == name),
                None if read.len() == 1 => read.first(),
                None => None,
            };
            let Some(index) = index else {
                let what = bucket.as_deref().unwrap_or("(none)");
                return Err(Error::invalid(format!("--manifest {url} names no bucket: {what}"))
                    .hint(format!("write BUCKET=URL with one of {}", names().join(", "))));
            };
            let manifest = Manifest::open(url, &self.storage_options, self.runtime.clone())?;
            super::convert::check(&plan.buckets[*index], manifest.schema(), &manifest.url())?;
            manifests.push((*index, manifest));
        }
        for index in read {
            let given = manifests.iter().filter(|(bucket, _)| *bucket == index).count();
            if given != 1 {
                let name = &plan.buckets[index].name;
                let message = format!("bucket `{name}` has {given} manifests");
                return Err(
                    Error::invalid(message).hint(format!("give it one: --manifest {name}=URL"))
                );
            }
        }
        manifests.sort_by_key(|(bucket, _)| *bucket);
        Ok(manifests)
    }

    /// Commits a draft.
    pub(super) fn create(
        &self,
        id: BatchId,
        name: &str,
        plan: &Plan,
        manifests: &[(usize, Manifest)],
        fingerprint: String,
    ) -> Result<BatchRecord> {
        let urls = manifests.iter().map(|(bucket, manifest)| {
            let name: Name = plan.buckets[*bucket].name.clone();
            (name, manifest.url())
        });
        let record = BatchRecord {
            id,
            namespace: plan.namespace.clone(),
            status: BatchStatus::Draft,
            fingerprint,
            pipeline: name.to_string(),
            manifests: urls.collect(),
            artifacts: self.artifacts.url().to_string(),
            sink: self.sink_name.clone(),
            run: 0,
            fence: 0,
            round: 0,
            repeated_partitions: 0,
            created_at: self.env.timestamp(),
            started_at: None,
            ended_at: None,
            error: None,
            parked: None,
            events: 0,
            history: None,
            kept_in_place: false,
            discarded: false,
            collections: Vec::new(),
        };
        self.store.commit(vec![Store::put_batch(&record)?])?;
        Ok(record)
    }

    /// Flattens and queues. When that fails because of the input, the draft and its artifacts go.
    pub(super) fn prepare(
        &self,
        mut record: BatchRecord,
        plan: Plan,
        manifests: &[(usize, Manifest)],
        memo: bool,
        progress: &dyn Fn(u64),
    ) -> Result<Submitted> {
        let artifacts = match memo {
            true => self.inherit(&record, manifests),
            false => Ok(None),
        };
        let artifacts = artifacts.and_then(|inherited| match inherited {
            Some(inherited) => {
                progress(manifests.iter().map(|(_, manifest)| manifest.rows()).sum());
                Ok((Some(inherited.from), inherited.flattened))
            }
            None => {
                let flatten = || self.flatten(&record, &plan, manifests, progress);
                Ok((None, retry(&self.env, &self.patience, flatten)?))
            }
        });
        let (inherited, flattened) = match artifacts {
            Ok(artifacts) => artifacts,
            Err(error) => {
                self.folder(&record).delete_all()?;
                self.store.commit(vec![Store::delete_batch(&record.id)])?;
                return Err(error);
            }
        };
        let memo = match memo {
            true => self.memorize(&record, &plan, &flattened, inherited.as_ref())?,
            false => None,
        };
        record.status = record.status.after(BatchEvent::Queue)?;
        let (batch, record_then) = (record.id.clone(), record.clone());
        let manifest =
            BatchManifest { batch, plan, flattened, record: record_then, memo, format: FORMAT };
        let json = serde_json::to_vec_pretty(&manifest)
            .context(Code::Internal, || "can not encode the batch's manifest".to_string())?;
        retry(&self.env, &self.patience, || {
            self.folder(&record).put(MANIFEST, json.clone().into())
        })?;
        self.store.commit(vec![Store::put_batch(&record)?])?;
        Ok(Submitted::Ready(record.id))
    }

    fn flatten(
        &self,
        record: &BatchRecord,
        plan: &Plan,
        manifests: &[(usize, Manifest)],
        progress: &dyn Fn(u64),
    ) -> Result<Vec<Flattened>> {
        std::fs::create_dir_all(&self.scratch)
            .context(Code::Unavailable, || format!("can not create {}", self.scratch.display()))?;
        let (folder, rows) = (self.folder(record), self.partition_rows);
        flatten(plan, manifests, &folder, rows, &self.scratch, progress)
    }
}

/// Equal for equal plans over equal manifests into the same sink and object store. Canonical JSON:
/// the order of map keys depends on features that other crates switch on.
pub(super) fn fingerprint(
    plan: &Plan,
    manifests: &[(usize, Manifest)],
    target: &[&str],
) -> Result<String> {
    let plan = serde_json::to_value(plan)
        .context(Code::Internal, || "can not encode the plan".to_string())?;
    let mut hash = blake3::Hasher::new();
    hash.update(canonical(&plan).as_bytes());
    for part in target {
        hash.update(&part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    for (bucket, manifest) in manifests {
        hash.update(&bucket.to_le_bytes());
        hash.update(manifest.version().as_bytes());
    }
    Ok(hash.finalize().to_hex().to_string())
}

pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let fields: Vec<String> = keys
                .into_iter()
                .map(|key| format!("{}:{}", Value::from(key.as_str()), canonical(&map[key])))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}
