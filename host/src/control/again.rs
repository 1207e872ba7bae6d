//! Batches that have ended are taken up again: at once, or as drafts that somebody submits later.

use super::Control;
use super::batches::{BatchView, Submission, illegal};
use crate::engine::redo::{Redo, Redone};
use crate::error::{Code, Error, Result};
use crate::model::{BatchId, BatchStatus};
use crate::store::Store;
use crate::store::catalog::{Batch, Phase, Task};
use serde_json::json;

impl Control {
    /// Queues what the engine was told to run again before a crash.
    pub(super) fn go_on(&self, batch: Batch) -> Result<()> {
        let _lock = self.locks.hold(batch.id.as_str());
        let data = json!({ "batch_id": batch.id });
        self.queue(batch, "batch.retried", data).map(|_| ())
    }

    /// Takes up what has ended: failed rows, or everything from a tier on. `None`: there was
    /// nothing to do.
    pub fn redo_batch(&self, id: &BatchId, redo: Redo) -> Result<(Option<Task>, Redone)> {
        let (_lock, view) = self.settled(id)?;
        check_ended(&view)?;
        self.take_up(view, redo)
    }

    /// A draft again, which runs everything from the tier on once it is submitted. Nothing of the
    /// last run is touched before that.
    pub fn prepare_again(&self, id: &BatchId, tier: usize) -> Result<BatchView> {
        let (_lock, view) = self.settled(id)?;
        check_ended(&view)?;
        if let Some(record) = &view.record {
            self.engine.manifest(record)?.plan.check_tier(tier)?;
        }
        let mut batch = view.batch;
        batch.phase = Phase::Draft;
        batch.again_from = Some(tier as u64);
        batch.task = None;
        batch.error = None;
        batch.updated_at = self.now();
        let data = json!({ "batch_id": id, "from_tier": tier });
        let mut ops = self.occur(&batch.namespace, id.as_str(), "batch.reopened", data)?;
        ops.push(Store::put(id.as_str(), &batch)?);
        self.engine.store.commit(ops)?;
        self.rang();
        self.view(batch)
    }

    /// Submits such a draft. What it runs was decided when it was submitted first.
    pub(super) fn submit_again(&self, id: &BatchId, submission: Submission) -> Result<Task> {
        if submission.collections.is_some() {
            let message = "a batch that was run before keeps its collections";
            return Err(Error::new(Code::Conflict, message)
                .field("/collection_ids")
                .hint("leave them out, or make another batch"));
        }
        let _lock = self.locks.hold(id.as_str());
        let mut view = self.batch(id.as_str())?;
        if let Some(task) = &view.batch.task {
            return self.task(task.as_str());
        }
        let Some(tier) = view.batch.again_from.filter(|_| view.batch.phase == Phase::Draft) else {
            return Err(illegal(view.status(), "be submitted"));
        };
        let batch = &mut view.batch;
        batch.webhook_url = submission.webhook_url.or(batch.webhook_url.take());
        batch.submitted_by = submission.key;
        if view.record.as_ref().is_some_and(|record| record.status == BatchStatus::Queued) {
            // The process died between the two commits of the last attempt.
            let mut batch = view.batch;
            batch.again_from = None;
            return self.queue(batch, "batch.resubmitted", json!({ "batch_id": id }));
        }
        let mut ended = view.batch.clone();
        match self.take_up(view, Redo::FromTier(tier as usize))? {
            (Some(task), _) => Ok(task),
            (None, _) => {
                ended.phase = Phase::Ended;
                ended.again_from = None;
                self.engine.store.commit(vec![Store::put(id.as_str(), &ended)?])?;
                let message = format!("nothing was made in tier {tier}, so nothing runs again");
                Err(Error::new(Code::Conflict, message))
            }
        }
    }

    /// The caller holds the batch's lock.
    fn take_up(&self, view: BatchView, redo: Redo) -> Result<(Option<Task>, Redone)> {
        let mut batch: Batch = view.batch;
        let id = batch.id.clone();
        batch.again_from = None;
        let Some(before) = &view.record else {
            // It never began: all of it is still to be done.
            batch.task = None;
            let data = json!({ "batch_id": id });
            let task = self.queue(batch, "batch.resubmitted", data)?;
            return Ok((Some(task), Redone::default()));
        };
        let (record, redone) = self.engine.redo(&id, redo)?;
        if record.round == before.round {
            return Ok((None, redone));
        }
        batch.retries += 1;
        let data = json!({ "batch_id": id, "partitions": redone.dropped, "rows": redone.rows });
        Ok((Some(self.queue(batch, "batch.retried", data)?), redone))
    }
}

fn check_ended(view: &BatchView) -> Result<()> {
    match view.status().is_terminal() {
        true => Ok(()),
        false => Err(illegal(view.status(), "be taken up again")),
    }
}
