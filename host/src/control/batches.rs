//! Batches: made, filled, submitted, looked at, ended, taken up again.

use super::running::{Running, Sight};
use super::{Control, not_found};
use crate::config::Pipeline;
use crate::error::{Code, Error, Result};
use crate::model::{BatchId, BatchStatus, CollectionId, KeyId, TaskId};
use crate::store::catalog::{
    BATCH_OBJECTS_CHUNK, Batch, BatchObjects, Bucket, Input, Namespace, Phase, Queued, Task,
};
use crate::store::{BatchRecord, Op, Store};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::sync::{Arc, MutexGuard};

/// Objects of one batch at most; more come as a manifest.
pub const BATCH_OBJECTS_MAX: u64 = 1_000_000;

/// What a batch is made from.
#[derive(Debug, Clone)]
pub struct BatchDraft {
    pub name: Option<String>,
    pub objects: Vec<String>,
    /// Instead of objects.
    pub manifest_uri: Option<String>,
    pub collections: Vec<CollectionId>,
    pub metadata: Map<String, Value>,
    pub dedup_strategy: Option<String>,
}

/// How a batch is submitted.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    pub include_processing_history: bool,
    pub no_memo: bool,
    pub collections: Option<Vec<CollectionId>>,
    pub webhook_url: Option<String>,
    pub key: Option<KeyId>,
}

/// A batch with all that is known of it.
#[derive(Clone)]
pub struct BatchView {
    pub batch: Batch,
    /// The engine's, once it has begun.
    pub record: Option<BatchRecord>,
    /// While it is run by this process.
    pub running: Option<Arc<Running>>,
}

impl BatchView {
    pub fn status(&self) -> BatchStatus {
        let begun = self.record.as_ref().map(|record| record.status);
        let begun = begun.filter(|status| *status != BatchStatus::Draft);
        match self.batch.phase {
            Phase::Draft => BatchStatus::Draft,
            Phase::Canceled => BatchStatus::Canceled,
            // It has ended when counts and events are written, too.
            Phase::Submitted => match begun {
                Some(status) if status.is_terminal() => BatchStatus::Processing,
                Some(status) => status,
                None => BatchStatus::Queued,
            },
            Phase::Ended => begun.unwrap_or(BatchStatus::Failed),
        }
    }

    pub fn error(&self) -> Option<&str> {
        let begun = self.record.as_ref().and_then(|record| record.error.as_deref());
        self.batch.error.as_deref().or(begun)
    }
}

pub(super) fn illegal(status: BatchStatus, event: &str) -> Error {
    let message = format!("a batch that is {} can not {event}", status.as_str());
    Error::new(Code::Conflict, message)
}

impl Control {
    pub fn create_batch(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        draft: BatchDraft,
    ) -> Result<BatchView> {
        self.create_batch_as(namespace, bucket, BatchId::from_uuid(self.engine.env.uuid()), draft)
    }

    /// Under an id that was chosen before.
    pub(super) fn create_batch_as(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        id: BatchId,
        draft: BatchDraft,
    ) -> Result<BatchView> {
        if draft.manifest_uri.is_some() && !draft.objects.is_empty() {
            return Err(Error::invalid("a batch has objects or a manifest, not both")
                .field("/manifest_uri"));
        }
        let now = self.now();
        let mut batch = Batch {
            id,
            namespace: namespace.id.clone(),
            bucket: bucket.id.clone(),
            name: draft.name,
            phase: Phase::Draft,
            input: draft.manifest_uri.map_or(Input::Objects(0), Input::Manifest),
            collections: draft.collections,
            include_processing_history: false,
            no_memo: false,
            metadata: draft.metadata,
            dedup_strategy: draft.dedup_strategy,
            webhook_url: None,
            submitted_by: None,
            task: None,
            error: None,
            retries: 0,
            again_from: None,
            cancel: None,
            created_at: now.clone(),
            updated_at: now,
            submitted_at: None,
        };
        let mut ops = self.append(&mut batch, bucket, draft.objects)?;
        ops.push(Store::put(batch.id.as_str(), &batch)?);
        self.engine.store.commit(ops)?;
        self.view(batch)
    }

    /// Adds ids to a draft; those that are in it already are not added twice.
    fn append(&self, batch: &mut Batch, bucket: &Bucket, ids: Vec<String>) -> Result<Vec<Op>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let Input::Objects(count) = &mut batch.input else {
            return Err(Error::new(Code::Conflict, "the batch reads a manifest, not objects"));
        };
        for (at, id) in ids.iter().enumerate() {
            if !self.has_object(bucket, id)? {
                let message = format!("there is no object `{id}` in bucket `{}`", bucket.name);
                return Err(Error::new(Code::NotFound, message).field(format!("/object_ids/{at}")));
            }
        }
        let prefix = format!("{}/", batch.id);
        let mut known = HashSet::new();
        let mut last: Option<(u64, Vec<String>)> = None;
        for (number, entry) in (0..).zip(self.engine.store.each::<BatchObjects>(&prefix, None)) {
            let BatchObjects(chunk) = entry?.1;
            known.extend(chunk.iter().cloned());
            last = Some((number, chunk));
        }
        let mut ops = Vec::new();
        let (mut number, mut chunk) = last.unwrap_or((0, Vec::new()));
        let mut keep = |number: u64, chunk: &[String]| -> Result<()> {
            let key = format!("{prefix}{number:06}");
            ops.push(Store::put(&key, &BatchObjects(chunk.to_vec()))?);
            Ok(())
        };
        for id in ids {
            if !known.insert(id.clone()) {
                continue;
            }
            if chunk.len() >= BATCH_OBJECTS_CHUNK {
                keep(number, &chunk)?;
                (number, chunk) = (number + 1, Vec::new());
            }
            chunk.push(id);
            *count += 1;
        }
        keep(number, &chunk)?;
        if *count > BATCH_OBJECTS_MAX {
            let message = format!("a batch has {BATCH_OBJECTS_MAX} objects at most");
            return Err(Error::invalid(message).hint("give it a Parquet manifest instead"));
        }
        Ok(ops)
    }

    pub fn add_to_batch(
        &self,
        bucket: &Bucket,
        id: &BatchId,
        objects: Vec<String>,
    ) -> Result<BatchView> {
        let _lock = self.locks.hold(id.as_str());
        let view = self.batch(id.as_str())?;
        let mut batch = view.batch.clone();
        if batch.phase != Phase::Draft {
            return Err(illegal(view.status(), "take more objects"));
        }
        if batch.again_from.is_some() {
            let message = "a batch that was run before takes no more objects";
            return Err(Error::new(Code::Conflict, message).hint("make another batch of them"));
        }
        let mut ops = self.append(&mut batch, bucket, objects)?;
        batch.updated_at = self.now();
        ops.push(Store::put(batch.id.as_str(), &batch)?);
        self.engine.store.commit(ops)?;
        self.view(batch)
    }

    /// Ids of a batch's objects, so many at most.
    pub fn batch_objects(&self, batch: &Batch, limit: usize) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for entry in self.engine.store.each::<BatchObjects>(&format!("{}/", batch.id), None) {
            ids.extend(entry?.1.0);
            if ids.len() >= limit {
                ids.truncate(limit);
                break;
            }
        }
        Ok(ids)
    }

    pub fn view(&self, batch: Batch) -> Result<BatchView> {
        // The process first: whoever sees an end there finds it in the record.
        let running = self.dispatch.running(&batch.id);
        let record = match self.engine.store.batch(&batch.id) {
            Ok(record) => Some(record),
            Err(error) if error.code() == Code::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(BatchView { batch, record, running })
    }

    /// Whatever its namespace: whoever answers somebody else has to look at that.
    pub fn batch(&self, id: &str) -> Result<BatchView> {
        let found = self.engine.store.find::<Batch>(id)?;
        self.view(found.ok_or_else(|| not_found("batch", id))?)
    }

    /// The batch and its lock. Between the commit that ends a batch and the end of the thread that
    /// ran it nothing happens any more, but a run that came then would find it on the board.
    pub(super) fn settled(&self, id: &BatchId) -> Result<(MutexGuard<'_, ()>, BatchView)> {
        loop {
            let lock = self.locks.hold(id.as_str());
            let view = self.batch(id.as_str())?;
            match &view.running {
                Some(running) if view.status().is_terminal() => {
                    drop(lock);
                    self.dispatch.wait_for(running);
                }
                _ => return Ok((lock, view)),
            }
        }
    }

    /// Those of a namespace, of one bucket where it is named; oldest first.
    pub fn batches(&self, namespace: &Namespace, bucket: Option<&Bucket>) -> Result<Vec<Batch>> {
        let wanted = |batch: &Batch| {
            batch.namespace == namespace.id && bucket.is_none_or(|own| batch.bucket == own.id)
        };
        let all = self.engine.store.each::<Batch>("", None);
        all.map(|entry| entry.map(|(_, batch)| batch))
            .filter(|batch| batch.as_ref().map_or(true, wanted))
            .collect()
    }

    pub fn change_batch(&self, id: &BatchId, change: impl FnOnce(&mut Batch)) -> Result<BatchView> {
        let _lock = self.locks.hold(id.as_str());
        let mut batch = self.batch(id.as_str())?.batch;
        change(&mut batch);
        batch.updated_at = self.now();
        self.engine.store.commit(vec![Store::put(id.as_str(), &batch)?])?;
        self.view(batch)
    }

    /// Queues a draft. Asked again, the answer is the task of the first time; `Conflict` for one
    /// that was canceled.
    pub fn submit_batch(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        id: &BatchId,
        submission: Submission,
    ) -> Result<Task> {
        let first = self.batch(id.as_str())?.batch;
        if first.phase == Phase::Draft && first.again_from.is_some() {
            return self.submit_again(id, submission);
        }
        if first.phase == Phase::Draft {
            // Long, and it changes nothing: before the lock.
            let only = submission.collections.as_ref().unwrap_or(&first.collections);
            self.check_batch(namespace, bucket, &first, only)?;
        }
        let _lock = self.locks.hold(id.as_str());
        let view = self.batch(id.as_str())?;
        let mut batch = view.batch.clone();
        if batch.phase == Phase::Canceled {
            return Err(illegal(view.status(), "be submitted"));
        }
        if let Some(task) = &batch.task {
            return self.task(task.as_str());
        }
        if let Some(collections) = submission.collections {
            batch.collections = collections;
        }
        batch.include_processing_history = submission.include_processing_history;
        batch.no_memo = submission.no_memo;
        batch.webhook_url = submission.webhook_url;
        batch.submitted_by = submission.key;
        let data = json!({ "batch_id": id, "bucket_id": bucket.id });
        self.queue(batch, "batch.submitted", data)
    }

    /// Everything that can be wrong with a batch is found here and not while it runs.
    fn check_batch(
        &self,
        namespace: &Namespace,
        bucket: &Bucket,
        batch: &Batch,
        only: &[CollectionId],
    ) -> Result<Pipeline> {
        if matches!(batch.input, Input::Objects(0)) {
            return Err(Error::invalid("the batch has no objects")
                .field("/object_ids")
                .hint("add some, or make it with a manifest_uri"));
        }
        let pipeline = self.pipeline(namespace, bucket, only)?;
        self.engine.check(&pipeline)?;
        Ok(pipeline)
    }

    /// The batch waits for the dispatcher from now on, under a new task. The caller holds its lock.
    pub(super) fn queue(&self, mut batch: Batch, kind: &str, data: Value) -> Result<Task> {
        let now = self.now();
        let task = Task {
            id: TaskId::from_uuid(self.engine.env.uuid()),
            namespace: batch.namespace.clone(),
            kind: "api_buckets_batches_process".to_string(),
            batch: Some(batch.id.clone()),
            status: BatchStatus::Queued.as_str().to_string(),
            error: None,
            details: Map::new(),
            created_at: now.clone(),
            ended_at: None,
        };
        batch.phase = Phase::Submitted;
        (batch.error, batch.cancel) = (None, None);
        batch.task = Some(task.id.clone());
        batch.submitted_at = Some(now.clone());
        batch.updated_at = now.clone();
        let queued = Queued {
            batch: batch.id.clone(),
            namespace: batch.namespace.clone(),
            details: Map::new(),
        };
        let mut ops = self.occur(&batch.namespace, batch.id.as_str(), kind, data)?;
        ops.push(Store::put(batch.id.as_str(), &batch)?);
        ops.push(Store::put(task.id.as_str(), &task)?);
        ops.push(Store::put(&format!("{now}/{}", batch.id), &queued)?);
        self.engine.store.commit(ops)?;
        self.dispatch.ring();
        self.rang();
        Ok(task)
    }

    /// Forgets where it waits.
    pub(super) fn unqueue(&self, batch: &Batch) -> Result<Vec<Op>> {
        let Some(at) = &batch.submitted_at else { return Ok(Vec::new()) };
        Ok(vec![Store::remove::<Queued>(&format!("{at}/{}", batch.id))])
    }

    /// Forgets the batch; its documents stay, and so do its files as long as the engine needs them
    /// (see [`crate::engine::Engine::forget`]). One that runs has to be canceled first.
    pub fn delete_batch(&self, id: &BatchId) -> Result<()> {
        let (_lock, view) = self.settled(id)?;
        if view.running.is_some() || matches!(view.status(), BatchStatus::Processing) {
            let error = illegal(view.status(), "be deleted");
            return Err(error.hint("cancel it first"));
        }
        let mut ops = vec![Store::remove::<Batch>(id.as_str())];
        ops.extend(self.unqueue(&view.batch)?);
        for entry in self.engine.store.each::<BatchObjects>(&format!("{id}/"), None) {
            ops.push(Store::remove::<BatchObjects>(&entry?.0));
        }
        if let Some(task) = &view.batch.task {
            ops.push(Store::remove::<Task>(task.as_str()));
        }
        self.engine.store.commit(ops)?;
        match self.engine.forget(id, false) {
            Err(error) if !matches!(error.code(), Code::Conflict | Code::NotFound) => Err(error),
            _ => Ok(()),
        }
    }

    /// What a look at it shows, while this process runs it.
    pub fn sight(&self, view: &BatchView) -> Option<Sight> {
        let running = view.running.as_ref()?;
        Some(running.look(self.engine.env.uptime()))
    }
}
