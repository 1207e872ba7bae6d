//! Batches are canceled, and lose their documents.

use super::Control;
use super::batches::{BatchView, illegal};
use crate::error::Result;
use crate::model::{BatchId, BatchStatus, NamespaceId};
use crate::store::catalog::{Batch, Cancel, Collection, CollectionStats, Namespace, Phase};
use crate::store::{BatchRecord, Store};
use serde_json::json;

impl Control {
    /// A state first, a signal second: what runs is stopped in the middle of guest calls, and a
    /// process that dies before its end leaves a batch that the next one ends. Asked again, nothing
    /// more happens, but that documents that were to stay may still be told to go.
    pub fn cancel_batch(
        &self,
        id: &BatchId,
        discard: bool,
        reason: Option<&str>,
    ) -> Result<BatchView> {
        let lock = self.locks.hold(id.as_str());
        let view = self.batch(id.as_str())?;
        if view.status() == BatchStatus::Canceled {
            return Ok(view);
        }
        if view.status().is_terminal() {
            return Err(illegal(view.status(), "be canceled"));
        }
        let mut batch = view.batch.clone();
        batch.error = reason.map(str::to_string).or(batch.error);
        batch.updated_at = self.now();
        let asked = if discard { Cancel::Discard } else { Cancel::Keep };
        batch.cancel = batch.cancel.max(Some(asked));
        if let Some(running) = &view.running {
            self.engine.store.commit(vec![Store::put(id.as_str(), &batch)?])?;
            match batch.cancel {
                Some(Cancel::Discard) => running.stop.cancel_and_discard(),
                Some(Cancel::Keep) | None => running.stop.cancel(),
            }
            return self.view(batch);
        }
        let begun = view.record.filter(|record| !record.status.is_terminal());
        let ended = begun.map(|record| self.cancel_begun(&batch, record)).transpose()?;
        batch.phase = Phase::Canceled;
        let data = json!({ "batch_id": id, "reason": reason });
        let mut ops = self.occur(&batch.namespace, id.as_str(), "batch.canceled", data)?;
        ops.push(Store::put(id.as_str(), &batch)?);
        ops.extend(self.unqueue(&batch)?);
        ops.extend(self.end_task(&batch)?);
        self.engine.store.commit(ops)?;
        drop(lock);
        if let Some(record) = ended {
            self.recount_discarded(&batch.namespace, &record)?;
        }
        self.rang();
        self.view(batch)
    }

    /// Ends what a run left that is over.
    pub(super) fn cancel_begun(&self, batch: &Batch, record: BatchRecord) -> Result<BatchRecord> {
        let discard = batch.cancel == Some(Cancel::Discard);
        let canceled = self.engine.cancel(record, batch.error.as_deref(), discard);
        canceled.map(|(record, _)| record)
    }

    /// Deletes what the batch has written and no later one has written again.
    pub fn delete_batch_documents(&self, namespace: &Namespace, id: &BatchId) -> Result<u64> {
        let (lock, view) = self.settled(id)?;
        if !view.status().is_terminal() && view.status() != BatchStatus::Draft {
            return Err(illegal(view.status(), "lose its documents").hint("cancel it first"));
        }
        let Some(record) = view.record else { return Ok(0) };
        let (record, deleted) = self.engine.discard_ended(record)?;
        drop(lock);
        self.recount_discarded(&namespace.id, &record)?;
        Ok(deleted)
    }

    /// Counts anew where documents may have gone with the batch.
    pub(super) fn recount_discarded(
        &self,
        namespace: &NamespaceId,
        record: &BatchRecord,
    ) -> Result<()> {
        if !record.discarded {
            return Ok(());
        }
        let plan = self.engine.manifest(record)?.plan;
        let namespace = self.namespace(namespace.as_str())?;
        for collection in self.collections(&namespace)? {
            if plan.collection(collection.key.as_str()).is_some() {
                self.recount(&namespace, &collection)?;
            }
        }
        Ok(())
    }

    /// Counts the documents anew, now that some were written or deleted.
    pub(super) fn recount(
        &self,
        namespace: &Namespace,
        collection: &Collection,
    ) -> Result<CollectionStats> {
        let _lock = self.locks.hold(collection.id.as_str());
        let (stats, op) = self.documents_changed(namespace, collection)?;
        self.engine.store.commit(vec![op])?;
        Ok(stats)
    }
}
