//! Batches that are ended before their end, and what goes with them.

use super::batch::{SUMMARY, encode_summary};
use super::plan::Plan;
use super::{BatchManifest, Engine};
use crate::error::{Code, Error, Result};
use crate::model::{BatchEvent, BatchStatus};
use crate::store::{BatchRecord, Store};

impl Engine {
    /// Ends a batch that nobody runs; with `discard` its documents go first, and how many those
    /// were is returned. The summary says so before the state does: a state that is derived from
    /// the object store must not take it up again.
    pub fn cancel(
        &self,
        mut record: BatchRecord,
        error: Option<&str>,
        discard: bool,
    ) -> Result<(BatchRecord, u64)> {
        let queued = record.status != BatchStatus::Draft;
        let status = record.status.after(BatchEvent::Cancel)?;
        let mut deleted = 0;
        if discard && record.run > 0 {
            let BatchManifest { plan, .. } = self.manifest(&record)?;
            deleted = self.discard(&mut record, &plan)?;
        }
        record.status = status;
        record.ended_at = Some(self.env.timestamp());
        record.parked = None;
        record.error = error.map(str::to_string).or(record.error);
        if queued {
            self.folder(&record).put(SUMMARY, encode_summary(&record)?.into())?;
        }
        self.store.commit(vec![Store::put_batch(&record)?])?;
        Ok((record, deleted))
    }

    /// Deletes the documents of a batch that is about to end. First the state: where the batch does
    /// not get to its end, it goes on and has to write again what was deleted.
    pub(super) fn discard(&self, record: &mut BatchRecord, plan: &Plan) -> Result<u64> {
        self.store.commit(self.unsink(record, plan)?)?;
        record.discarded = true;
        self.delete_documents_of(record)
    }

    /// Deletes what a batch that has ended wrote and no later one wrote again. First the state:
    /// vectors that are restored have to lose these documents again.
    pub fn discard_ended(&self, mut record: BatchRecord) -> Result<(BatchRecord, u64)> {
        if !record.status.is_terminal() || record.run == 0 {
            return Ok((record, 0));
        }
        record.discarded = true;
        self.folder(&record).put(SUMMARY, encode_summary(&record)?.into())?;
        self.store.commit(vec![Store::put_batch(&record)?])?;
        let deleted = self.delete_documents_of(&record)?;
        Ok((record, deleted))
    }

    fn delete_documents_of(&self, record: &BatchRecord) -> Result<u64> {
        if record.sink != self.sink_name {
            let (id, sink) = (&record.id, &record.sink);
            let message = format!("batch {id} wrote to {sink}, which is not open here");
            return Err(Error::new(Code::Conflict, message).hint(format!("use --sink {sink}")));
        }
        let Some(sink) = &self.sink else { return Ok(0) };
        // A run that never got so far.
        if sink.layout(&record.namespace)?.is_none() {
            return Ok(0);
        }
        let deleted = sink.delete_batch(&record.namespace, &record.id)?;
        sink.flush(&record.namespace)?;
        Ok(deleted)
    }
}
