//! Writes the documents of a namespace into the vector sink again, from the parts.
//!
//! An engine in this process keeps its files mapped: what it wrote since its last flush reaches the
//! disk in any order, and after a power cut it may not open any more. The parts hold everything but
//! what users gave and changed, which `edits` keeps.

use super::documents::{Origin, documents};
use super::sinker::UPSERT_DOCUMENTS;
use super::{BatchManifest, Engine, finish, schedule};
use crate::artifact::PartReader;
use crate::error::{Code, Error, Result};
use crate::model::{BatchStatus, Name};
use crate::sink::VectorSink;
use crate::store::{BatchRecord, PartitionKey, PartitionState};

impl Engine {
    /// Does nothing, and says no, when the sink can open the namespace. Begins anew after a crash:
    /// the sink remembers that it is not restored.
    pub(super) fn mend(&self, namespace: &Name) -> Result<bool> {
        let Some(sink) = &self.sink else { return Ok(false) };
        if !sink.set_aside(namespace)? {
            return Ok(false);
        }
        tracing::warn!("the vectors of namespace `{namespace}` are written again from the parts");
        let batches = self.store.batches()?.into_iter();
        let mut batches: Vec<BatchRecord> = batches
            .filter(|batch| batch.namespace == *namespace && batch.sink == self.sink_name)
            // Nobody has run the others yet.
            .filter(|batch| batch.fence > 0)
            .collect();
        if let Some(elsewhere) = batches.iter().find(|it| it.artifacts != self.artifacts.url()) {
            let message = format!("batch {} has its parts in another store", elsewhere.id);
            return Err(Error::new(Code::Conflict, message)
                .hint(format!("run with --artifacts {}", elsewhere.artifacts)));
        }
        // Later runs write over earlier ones.
        batches.sort_by_key(|batch| batch.run);
        for record in &batches {
            self.restore(sink.as_ref(), record)?;
        }
        self.replay_edits(namespace, sink.as_ref())?;
        sink.flush(namespace)?;
        sink.restored(namespace).map(|()| true)
    }

    /// What the partitions of a batch have committed, and what its end deleted.
    fn restore(&self, sink: &dyn VectorSink, record: &BatchRecord) -> Result<()> {
        let folder = self.folder(record);
        let BatchManifest { plan, flattened, .. } = self.manifest(record)?;
        sink.prepare(&plan.namespace, &plan.layout()?)?;
        let batch = record.id.to_string();
        let mut dead: Vec<(PartitionKey, String)> = Vec::new();
        self.partitions(record, &mut |key, partition| {
            let timing = partition.timing.as_ref();
            let PartitionState::Committed { part, dead: letters, .. } = partition.state else {
                return Ok(true);
            };
            let collection = &plan.collections[key.collection];
            let (path, _) = schedule::path(&plan, &key);
            dead.extend(letters.map(|letters| (key, letters)));
            let Some(part) = part.filter(|_| collection.searchable) else { return Ok(true) };
            let origin = Origin { collection, path: &path, batch: &batch, run: record.run, timing };
            for rows in PartReader::read(&folder, &part, None, None)? {
                for from in (0..rows.num_rows()).step_by(UPSERT_DOCUMENTS) {
                    let rows = rows.slice(from, UPSERT_DOCUMENTS.min(rows.num_rows() - from));
                    sink.upsert(&plan.namespace, documents(&origin, &rows)?)?;
                }
            }
            Ok(true)
        })?;
        sink.flush(&plan.namespace)?;
        if matches!(record.status, BatchStatus::Completed | BatchStatus::CompletedWithErrors) {
            let ended = finish::Finished { plan: &plan, artifacts: &folder, run: record.run };
            ended.delete_stale(sink, &flattened, &dead, &mut |_, _| ())?;
        }
        Ok(())
    }
}
