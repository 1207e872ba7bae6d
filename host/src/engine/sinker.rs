//! Writes committed parts into the vector sink. One thread: the embedded engine serialises writers
//! anyway, and a single one bounds what is held.

use super::documents::{Origin, documents};
use super::partition::timed;
use super::run::Run;
use super::schedule;
use crate::artifact::PartReader;
use crate::error::{Code, Context, Error, Result};
use crate::store::{Op, PartitionKey, PartitionRecord, PartitionState, Store};
use arrow_array::RecordBatch;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Parts that wait; a worker blocks above.
const QUEUE_MAX: usize = 2;
/// Documents in one call of the sink.
const UPSERT_DOCUMENTS: usize = 1024;
/// Documents between two flushes: what a power cut may make the sink receive once more.
const FLUSH_DOCUMENTS: usize = 16 << 10;

pub struct Item {
    pub key: PartitionKey,
    pub record: PartitionRecord,
    /// Read back from the part when absent.
    pub rows: Option<Vec<RecordBatch>>,
}

/// The receiving end, for the thread that runs [`drain`].
pub fn queue() -> (SyncSender<Item>, Receiver<Item>) {
    sync_channel(QUEUE_MAX)
}

/// Ends when all senders are gone; then everything received is durable and recorded.
pub fn drain(run: &Run, items: &Receiver<Item>) -> Result<()> {
    let mut pending = Pending { run, ops: Vec::new(), documents: 0 };
    for item in items {
        timed(&run.progress.times.sink, || pending.write(item))?;
    }
    timed(&run.progress.times.sink, || pending.flush())
}

/// Written but not flushed yet.
struct Pending<'a> {
    run: &'a Run,
    ops: Vec<Op>,
    documents: usize,
}

impl Pending<'_> {
    fn write(&mut self, item: Item) -> Result<()> {
        let run = self.run;
        let Some(sink) = &run.sink else { return Ok(()) };
        let PartitionState::Committed { funnel, part, dead, slice_rows, .. } = item.record.state
        else {
            return Err(Error::internal("only committed partitions go to the sink"));
        };
        let collection = &run.plan.collections[item.key.collection];
        if let Some(name) = &part
            && collection.searchable
        {
            let rows = match item.rows {
                Some(rows) => rows,
                None => PartReader::read(&run.artifacts, name, None, None)?,
            };
            let (path, _) = schedule::path(&run.plan, &item.key);
            let batch = run.batch.to_string();
            let origin = Origin { collection, path: &path, batch: &batch, run: run.run };
            for rows in rows {
                for from in (0..rows.num_rows()).step_by(UPSERT_DOCUMENTS) {
                    let count = UPSERT_DOCUMENTS.min(rows.num_rows() - from);
                    let documents = documents(&origin, &rows.slice(from, count))?;
                    sink.upsert(&run.plan.namespace, documents)?;
                    self.documents += count;
                }
            }
        }
        let state = PartitionState::Committed { funnel, part, dead, slice_rows, sunk: true };
        let record = PartitionRecord { state, attempts: item.record.attempts };
        self.ops.push(Store::put_partition(&run.batch, &item.key, &record)?);
        if self.documents >= FLUSH_DOCUMENTS {
            self.flush()?;
        }
        Ok(())
    }

    /// First the sink, then the record that says so.
    fn flush(&mut self) -> Result<()> {
        if self.ops.is_empty() {
            return Ok(());
        }
        if let Some(sink) = &self.run.sink {
            sink.flush(&self.run.plan.namespace)
                .context(Code::Unavailable, || format!("can not flush {}", sink.location()))?;
        }
        self.run.store.commit(std::mem::take(&mut self.ops))?;
        self.run.progress.sunk.fetch_add(self.documents as u64, Ordering::Relaxed);
        self.documents = 0;
        Ok(())
    }
}
