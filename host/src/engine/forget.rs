//! Batches that are over and that nothing needs any more: their records, events and files go. The
//! documents of later batches are untouched, and so are blobs, which `admin gc` collects.

use super::{Engine, MANIFEST};
use crate::error::{Code, Error, Result};
use crate::model::{BatchId, Condition, Filter, LINEAGE_FIELD, Name, Operator};
use crate::store::{BatchRecord, Op, Store};

impl Engine {
    /// Forgets a batch that has ended; its documents stay in the sink. `Conflict` for one that
    /// something needs: later runs are numbered from the last one, a search asks the batch that
    /// wrote a collection last, and unless `keep_documents`, parts are what damaged vectors are
    /// made from again.
    pub fn forget(&self, id: &BatchId, keep_documents: bool) -> Result<()> {
        let record = self.store.batch(id)?;
        if let Some(need) = self.need(&record, keep_documents)? {
            return Err(need);
        }
        self.remove(&record)
    }

    /// Forgets what nothing needs among the ended batches of a namespace, save the `keep` newest.
    pub fn retain(&self, namespace: &Name, keep: usize) -> Result<Vec<BatchId>> {
        let mut ended = self.store.batches()?;
        ended.retain(|batch| batch.namespace == *namespace && batch.status.is_terminal());
        ended.truncate(ended.len().saturating_sub(keep));
        let mut forgotten = Vec::new();
        for record in ended {
            if self.need(&record, false)?.is_none() {
                self.remove(&record)?;
                forgotten.push(record.id);
            }
        }
        Ok(forgotten)
    }

    fn need(&self, record: &BatchRecord, keep_documents: bool) -> Result<Option<Error>> {
        let conflict = |message: String| Error::new(Code::Conflict, message);
        let id = &record.id;
        if !record.status.is_terminal() {
            let message = format!("batch {id} is {}", record.status.as_str());
            return Ok(Some(conflict(message).hint("wait for its end, or cancel it")));
        }
        let namespace = self.store.namespace(&record.namespace)?;
        if record.run > 0 && record.run == namespace.last_run {
            let message = format!("batch {id} is the last one of namespace `{}`", record.namespace);
            return Ok(Some(conflict(message).hint("later runs are numbered from it: keep it")));
        }
        let mut states = namespace.collections.iter();
        if let Some((name, _)) = states.find(|(_, state)| state.batch == id.as_str()) {
            let message = format!("batch {id} wrote collection `{name}` last");
            return Ok(Some(conflict(message).hint("run another batch, or delete the collection")));
        }
        if keep_documents || record.run == 0 {
            return Ok(None);
        }
        let hint = "keep its documents and lose their parts with --keep-documents";
        if record.sink != self.sink_name {
            let message = format!("batch {id} wrote to {}, which is not open here", record.sink);
            return Ok(Some(conflict(message).hint(hint)));
        }
        let left = match &self.sink {
            Some(sink) if sink.layout(&record.namespace)?.is_some() => {
                sink.count(&record.namespace, Some(&of_run(record.run)))?
            }
            _ => 0,
        };
        let message = || format!("{left} documents in the sink are of batch {id}");
        Ok((left > 0).then(|| conflict(message()).hint(hint)))
    }

    /// The record first: a batch without files would be damaged, files without a batch are garbage,
    /// which is collected once the manifest is gone.
    fn remove(&self, record: &BatchRecord) -> Result<()> {
        let mut ops: Vec<Op> = vec![Store::delete_batch(&record.id)];
        ops.extend(self.store.event_removals(&record.id)?);
        for entry in self.store.partitions(&record.id) {
            ops.push(Store::delete_partition(&record.id, &entry?.0));
        }
        self.store.commit(ops)?;
        let folder = self.folder(record);
        if folder.exists(MANIFEST)? {
            folder.delete(MANIFEST)?;
        }
        folder.delete_all()
    }
}

fn of_run(run: u64) -> Filter {
    let condition = Condition::Field {
        field: format!("{LINEAGE_FIELD}.run"),
        operator: Operator::Eq,
        value: run.into(),
    };
    Filter { and: vec![condition], case_sensitive: true, ..Filter::default() }
}
