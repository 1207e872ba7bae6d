//! One batch from the queue to its end, from wherever an earlier process left it.

use super::Control;
use super::running::Running;
use crate::engine::Order;
use crate::error::{Code, Error, Result};
use crate::model::BatchStatus;
use crate::store::catalog::{
    Batch, BatchObjects, Bucket, Collection, CollectionStats, Namespace, ObjectStatus, Phase,
    Queued,
};
use crate::store::{BatchRecord, Store};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a running batch is looked at for tiers that are done.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Dead letters that are read for the objects they belong to.
const LETTERS_MAX: usize = 10_000;
/// Objects of one commit.
const MARKED_AT_ONCE: usize = 250;

impl Control {
    pub(super) fn work(&self, queued: &str, batch: &Batch, running: &Running) -> Result<()> {
        let id = &batch.id;
        let Some(batch) = &self.still_queued(queued, batch)? else { return Ok(()) };
        let begun = self.engine.store.batch(id).ok();
        let ended = begun.as_ref().is_some_and(|record| record.status.is_terminal());
        if !ended {
            let prepared = match begun {
                Some(record) if record.status != BatchStatus::Draft => Ok(()),
                _ => self.prepare(batch, running),
            };
            if let Err(error) = prepared {
                let wrong = matches!(
                    error.code(),
                    Code::Invalid | Code::NotFound | Code::Conflict | Code::Extractor
                );
                return match wrong {
                    true => self.refuse(queued, batch, &error),
                    false => Err(error),
                };
            }
            let now = self.batch(id.as_str())?;
            match (now.batch.cancel, now.record) {
                // While it was prepared, or an earlier run of it did not get to its end.
                (Some(_), Some(record)) => drop(self.cancel_begun(&now.batch, record)?),
                _ => self.run(batch, running)?,
            }
        }
        self.conclude(queued, batch)
    }

    /// The batch as it is now. It may have been canceled or deleted between the look at the queue
    /// and its place on the board; from here on, whoever ends it finds it there.
    fn still_queued(&self, queued: &str, batch: &Batch) -> Result<Option<Batch>> {
        let _lock = self.locks.hold(batch.id.as_str());
        match self.engine.store.find::<Queued>(queued)? {
            Some(_) => self.engine.store.find(batch.id.as_str()),
            None => Ok(None),
        }
    }

    fn prepare(&self, batch: &Batch, _running: &Running) -> Result<()> {
        let namespace: Namespace = self.namespace(batch.namespace.as_str())?;
        let bucket: Bucket = self.bucket(&namespace, batch.bucket.as_str())?;
        let pipeline = self.pipeline(&namespace, &bucket, &batch.collections)?;
        let fields = &pipeline.buckets[&bucket.key];
        let url = self.manifest_of(&namespace, &bucket, fields, batch)?;
        let order = Order {
            id: &batch.id,
            name: batch.name.as_deref().unwrap_or(&bucket.name),
            pipeline: &pipeline,
            manifests: &[(Some(bucket.key.to_string()), url)],
            history: batch.include_processing_history,
            memo: !batch.no_memo,
        };
        self.engine.enqueue(&order, &|_| ())
    }

    fn run(&self, batch: &Batch, running: &Running) -> Result<()> {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let told = scope.spawn(|| self.tell_tiers(batch, running, &done));
            let ran = self.engine.run(&batch.id, &running.stop, &|plan, progress| {
                running.attach(plan, progress);
                let data = json!({ "batch_id": batch.id, "bucket_id": batch.bucket });
                if let Err(error) = self.tell(batch, "batch.processing", data) {
                    tracing::warn!("an event of batch {} is lost: {error}", batch.id);
                }
            });
            done.store(true, Ordering::SeqCst);
            told.thread().unpark();
            ran.map(|_| ())
        })
    }

    /// An event of its own commit.
    fn tell(&self, batch: &Batch, kind: &str, data: Value) -> Result<()> {
        let _lock = self.locks.hold(batch.id.as_str());
        let ops = self.occur(&batch.namespace, batch.id.as_str(), kind, data)?;
        self.engine.store.commit(ops)?;
        self.rang();
        Ok(())
    }

    /// Tells of each tier when all its rows are done.
    fn tell_tiers(&self, batch: &Batch, running: &Running, done: &AtomicBool) {
        let mut next = 0;
        loop {
            let last = done.load(Ordering::SeqCst);
            let sight = running.look(self.engine.env.uptime());
            let tiers = sight.collections.iter().map(|seen| seen.tier + 1).max().unwrap_or(0);
            while next < tiers {
                let mut own = sight.collections.iter().filter(|seen| seen.tier == next);
                if !own.clone().all(|seen| seen.complete) || running.stop.draining() {
                    break;
                }
                let documents: u64 = own.clone().map(|seen| seen.documents).sum();
                let failed: u64 = own.by_ref().map(|seen| seen.failed).sum();
                let data = json!({
                    "batch_id": batch.id, "tier": next, "documents": documents, "failed": failed,
                });
                if let Err(error) = self.tell(batch, "batch.tier.completed", data) {
                    tracing::warn!("an event of batch {} is lost: {error}", batch.id);
                }
                next += 1;
            }
            if last {
                return;
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
    }

    /// It can never be run: nothing of it was begun.
    fn refuse(&self, queued: &str, batch: &Batch, error: &Error) -> Result<()> {
        let _lock = self.locks.hold(batch.id.as_str());
        let mut batch = self.batch(batch.id.as_str())?.batch;
        batch.phase = Phase::Ended;
        batch.error = Some(error.chain());
        self.close(queued, batch, "batch.failed", Vec::new())
    }

    pub(super) fn give_up(&self, queued: &str, batch: &Batch, error: &Error) -> Result<()> {
        let begun = self.engine.store.batch(&batch.id).ok();
        if begun.is_some_and(|record| record.status == BatchStatus::Processing) {
            self.engine.give_up(&batch.id, &error.chain())?;
        }
        self.refuse(queued, batch, error)
    }

    /// The engine has ended it: counts, signatures and events in the commit that forgets the queue.
    fn conclude(&self, queued: &str, batch: &Batch) -> Result<()> {
        let record = self.engine.store.batch(&batch.id)?;
        let namespace = self.namespace(batch.namespace.as_str())?;
        // Counted anew when a crash comes before the last commit.
        let mut told = Vec::new();
        for collection in self.collections(&namespace)? {
            let key = collection.key.as_str();
            if record.collections.iter().any(|summary| summary.collection.as_str() == key) {
                let stats = self.recount(&namespace, &collection)?;
                told.push(written(&collection, &stats, &record));
            }
        }
        // One that was canceled by nobody who ran it says nothing of its collections.
        if told.is_empty() {
            self.recount_discarded(&batch.namespace, &record)?;
        }
        self.mark(&namespace, batch, &record)?;
        let _lock = self.locks.hold(batch.id.as_str());
        let mut batch = self.batch(batch.id.as_str())?.batch;
        let (phase, kind) = match record.status {
            BatchStatus::Completed => (Phase::Ended, "batch.completed"),
            BatchStatus::CompletedWithErrors => (Phase::Ended, "batch.completed_with_errors"),
            BatchStatus::Canceled => (Phase::Canceled, "batch.canceled"),
            BatchStatus::Failed => (Phase::Ended, "batch.failed"),
            BatchStatus::Draft | BatchStatus::Queued | BatchStatus::Processing => {
                return Err(Error::internal(format!("batch {} has not ended", batch.id)));
            }
        };
        batch.phase = phase;
        self.close(queued, batch, kind, told)
    }

    /// What became of the batch's objects: failed where a row of theirs did.
    fn mark(&self, namespace: &Namespace, batch: &Batch, record: &BatchRecord) -> Result<()> {
        let done =
            matches!(record.status, BatchStatus::Completed | BatchStatus::CompletedWithErrors);
        let bucket = match self.bucket(namespace, batch.bucket.as_str()) {
            Ok(bucket) if done => bucket,
            Ok(_) => return Ok(()),
            // It was deleted with its objects.
            Err(error) if error.code() == Code::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let letters = self.engine.dead_letters(record, LETTERS_MAX)?;
        let failed: HashMap<String, String> =
            letters.into_iter().map(|letter| (letter.object, letter.message)).collect();
        for entry in self.engine.store.each::<BatchObjects>(&format!("{}/", batch.id), None) {
            for ids in entry?.1.0.chunks(MARKED_AT_ONCE) {
                let (bad, good): (Vec<String>, Vec<String>) =
                    ids.iter().cloned().partition(|id| failed.contains_key(id));
                self.mark_objects(&bucket, &good, ObjectStatus::Completed, None)?;
                for id in bad {
                    let reason = failed.get(&id).map(String::as_str);
                    let id = std::slice::from_ref(&id);
                    self.mark_objects(&bucket, id, ObjectStatus::Failed, reason)?;
                }
            }
        }
        Ok(())
    }

    fn close(&self, queued: &str, mut batch: Batch, kind: &str, written: Vec<Value>) -> Result<()> {
        batch.updated_at = self.now();
        let mut happened: Vec<(String, Value)> = Vec::new();
        for data in written {
            happened.push(("collection.documents.written".to_string(), data));
        }
        let data = json!({
            "batch_id": batch.id, "bucket_id": batch.bucket, "error": batch.error,
        });
        happened.push((kind.to_string(), data));
        let mut ops = self.occur_many(&batch.namespace, batch.id.as_str(), happened)?;
        ops.push(Store::put(batch.id.as_str(), &batch)?);
        ops.push(Store::remove::<Queued>(queued));
        ops.extend(self.end_task(&batch)?);
        self.engine.store.commit(ops)?;
        self.rang();
        Ok(())
    }
}

/// What the event of a collection says.
fn written(collection: &Collection, stats: &CollectionStats, record: &BatchRecord) -> Value {
    let summary = record.collections.iter().find(|summary| summary.collection == collection.key);
    json!({
        "collection_id": collection.id,
        "collection_name": collection.name,
        "batch_id": record.id,
        "documents_written": summary.map_or(0, |summary| summary.funnel.documents),
        "documents_deleted": summary.map_or(0, |summary| summary.stale_deleted),
        "document_count": stats.documents,
        "index_signature": stats.index_signature,
    })
}
