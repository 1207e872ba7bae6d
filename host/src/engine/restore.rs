//! Writes the documents of a namespace into the vector sink again, from the parts.
//!
//! An engine in this process keeps its files mapped: what it wrote since its last flush reaches the
//! disk in any order, and after a power cut it may not open any more. The parts hold everything but
//! what users gave and changed, which `edits` keeps.

use super::documents::{Origin, documents};
use super::sinker::UPSERT_DOCUMENTS;
use super::{BatchManifest, Engine, finish, kept, schedule};
use crate::artifact::PartReader;
use crate::error::{Code, Error, Result};
use crate::model::{BatchStatus, Name};
use crate::sink::VectorSink;
use crate::store::{BatchRecord, PartitionState};
use std::collections::HashSet;

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
        let (mut dead, mut in_place) = (Vec::new(), HashSet::new());
        self.partitions(record, &mut |key, partition| {
            in_place.extend(kept::unit_in_place(&plan, &key, &partition));
            let timing = partition.timing.as_ref();
            let PartitionState::Committed { part, dead: letters, kept, .. } = partition.state
            else {
                return Ok(true);
            };
            // Those that were left as they were say so, until the rest was deleted.
            let left = record.discarded && record.kept_in_place;
            let kept = kept.filter(|kept| kept.in_place || left);
            let kept = kept.map(|kept| (kept.batch.to_string(), kept.run));
            let (batch, run) =
                kept.as_ref().map_or((&batch, record.run), |(batch, run)| (batch, *run));
            let collection = &plan.collections[key.collection];
            let (path, _) = schedule::path(&plan, &key);
            dead.extend(letters.map(|letters| (key, letters)));
            let Some(part) = part.filter(|_| collection.searchable) else { return Ok(true) };
            let origin = Origin { collection, path: &path, batch, run, timing };
            for rows in PartReader::read(&folder, &part, None, None)? {
                for from in (0..rows.num_rows()).step_by(UPSERT_DOCUMENTS) {
                    let rows = rows.slice(from, UPSERT_DOCUMENTS.min(rows.num_rows() - from));
                    sink.upsert(&plan.namespace, documents(&origin, &rows)?)?;
                }
            }
            Ok(true)
        })?;
        sink.flush(&plan.namespace)?;
        if record.discarded {
            // After they had taken the place of others.
            sink.delete_batch(&plan.namespace, &record.id)?;
        }
        if matches!(record.status, BatchStatus::Completed | BatchStatus::CompletedWithErrors) {
            let (plan, artifacts, run) = (&plan, &folder, record.run);
            let ended = finish::Finished { plan, artifacts, run, dead, in_place };
            ended.delete_stale(sink, &flattened, &mut |_, _| ())?;
        }
        Ok(())
    }
}
