//! Writes committed parts into the vector sink. One thread: the embedded engine serialises writers
//! anyway, and a single one bounds what is held.

use super::counts;
use super::documents::Origin;
use super::partition::timed;
use super::run::Run;
use super::schedule;
use super::step;
use crate::artifact::PartReader;
use crate::error::{Error, Result};
use crate::store::{Op, PartitionKey, PartitionRecord, PartitionState, Store};
use arrow_array::RecordBatch;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

/// Parts that wait; a worker blocks above.
const QUEUE_MAX: usize = 2;
/// Documents in one call of the sink.
pub const UPSERT_DOCUMENTS: usize = 1024;
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
    let mut pending = Pending::new(run);
    for item in items {
        pending.write(item)?;
    }
    pending.flush()
}

/// Written but not flushed yet.
pub struct Pending<'a> {
    run: &'a Run,
    ops: Vec<Op>,
    documents: usize,
}

impl<'a> Pending<'a> {
    pub fn new(run: &'a Run) -> Pending<'a> {
        Pending { run, ops: Vec::new(), documents: 0 }
    }

    pub fn write(&mut self, item: Item) -> Result<()> {
        let run = self.run;
        let started = Instant::now();
        self.documents += timed(&run.progress.times.sink, || upsert(run, &item))?;
        counts::sunk(started.elapsed());
        let mut record = item.record;
        let PartitionState::Committed { sunk, .. } = &mut record.state else {
            return Err(Error::internal("only committed partitions go to the sink"));
        };
        *sunk = true;
        self.ops.push(Store::put_partition(&run.batch, &item.key, &record)?);
        if self.documents >= FLUSH_DOCUMENTS {
            self.flush()?;
        }
        Ok(())
    }

    /// First the sink, then the record that says so.
    pub fn flush(&mut self) -> Result<()> {
        let run = self.run;
        if self.ops.is_empty() {
            return Ok(());
        }
        if let Some(sink) = &run.sink {
            timed(&run.progress.times.sink, || {
                run.patiently("flush the vector sink", || sink.flush(&run.plan.namespace))
            })?;
        }
        run.patiently("record what is in the sink", || run.store.commit(self.ops.clone()))?;
        self.ops.clear();
        run.progress.sunk.fetch_add(self.documents as u64, Ordering::Relaxed);
        self.documents = 0;
        Ok(())
    }
}

/// Writes the documents of a part into the sink and counts them.
fn upsert(run: &Run, item: &Item) -> Result<usize> {
    step::of(&item.key, "sink");
    let Some(sink) = &run.sink else { return Ok(0) };
    let PartitionState::Committed { part: Some(part), .. } = &item.record.state else {
        return Ok(0);
    };
    let read;
    let rows = match &item.rows {
        Some(rows) => rows,
        None => {
            read = run
                .patiently("read a part", || PartReader::read(&run.artifacts, part, None, None))?;
            &read
        }
    };
    let (path, _) = schedule::path(&run.plan, &item.key);
    let batch = run.batch.to_string();
    let timing = item.record.timing.as_ref();
    let collection = &run.plan.collections[item.key.collection];
    let origin = Origin { collection, path: &path, batch: &batch, run: run.run, timing };
    let mut documents = 0;
    for rows in rows {
        for from in (0..rows.num_rows()).step_by(UPSERT_DOCUMENTS) {
            let rows = rows.slice(from, UPSERT_DOCUMENTS.min(rows.num_rows() - from));
            run.patiently("write to the vector sink", || {
                sink.upsert(&run.plan.namespace, super::documents::documents(&origin, &rows)?)
            })?;
            documents += rows.num_rows();
        }
    }
    Ok(documents)
}
