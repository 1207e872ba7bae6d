//! Drives a claimed batch: worker threads take partitions from the schedule until it is finished.

use super::Memo;
use super::flatten::Flattened;
use super::partition::{Done, Worker, funnel};
use super::patience::Patience;
use super::plan::Plan;
use super::progress::{Progress, Stop};
use super::reuse::Previous;
use super::schedule::{Next, Schedule};
use super::sinker::{self, Item};
use crate::artifact::Artifacts;
use crate::env::Env;
use crate::error::{Code, Context, Error, Result};
use crate::model::BatchId;
use crate::plugin::Extractor;
use crate::sink::VectorSink;
use crate::store::{BatchRecord, Store};
use crate::telemetry;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::runtime::Handle;

/// Everything that the threads of one batch share.
pub struct Run {
    pub batch: BatchId,
    pub plan: Arc<Plan>,
    /// As it was last written.
    pub record: Mutex<BatchRecord>,
    pub env: Env,
    pub patience: Patience,
    pub partition_rows: usize,
    /// By collection.
    pub extractors: Vec<Arc<dyn Extractor>>,
    pub store: Arc<Store>,
    /// Folder of the batch.
    pub artifacts: Artifacts,
    /// Folder of the namespace's blobs.
    pub blobs: Artifacts,
    pub sink: Option<Arc<dyn VectorSink>>,
    pub fence: u64,
    pub round: u32,
    /// Number of the run in the namespace.
    pub run: u64,
    pub workers: usize,
    pub storage_options: Vec<(String, String)>,
    pub runtime: Handle,
    pub progress: Arc<Progress>,
    pub earlier: Option<Earlier>,
    pub stop: Arc<Stop>,
    /// The batch's span.
    pub trace: Option<telemetry::Context>,
}

/// The earlier batch that rows are looked for in, opened when the first partition asks.
pub struct Earlier {
    pub memo: Memo,
    /// Of that batch.
    pub folder: Artifacts,
    /// Of this one.
    pub flattened: Vec<Flattened>,
    pub opened: OnceLock<Option<Previous>>,
}

impl Earlier {
    pub fn open(&self) -> Result<Option<&Previous>> {
        if self.opened.get().is_none() {
            let opened = Previous::open(self.folder.clone(), &self.memo, &self.flattened)?;
            // Two that do it at once do the same.
            let _ = self.opened.set(opened);
        }
        Ok(self.opened.get().and_then(Option::as_ref))
    }
}

/// How the workers ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every partition is committed and in the sink.
    Finished,
    /// Asked to stop; what was begun is committed.
    Drained,
    Canceled,
}

/// The schedule and what ended it early.
struct Shared {
    schedule: Mutex<Board>,
    changed: Condvar,
}

struct Board {
    schedule: Schedule,
    failure: Option<Error>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: Error) {
        self.lock().failure.get_or_insert(error);
        self.changed.notify_all();
    }
}

fn panicked(who: &str, panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::internal(format!("{who} panicked: {text}"))
}

impl Run {
    pub fn work(&self, schedule: Schedule) -> Result<Ended> {
        if self.workers == 0 {
            return self.work_alone(schedule);
        }
        let board = Board { schedule, failure: None };
        let shared = Shared { schedule: Mutex::new(board), changed: Condvar::new() };
        let (queue, items) = sinker::queue();
        std::thread::scope(|scope| -> Result<()> {
            let sinker = std::thread::Builder::new()
                .name("sink".to_string())
                .spawn_scoped(scope, || {
                    match catch_unwind(AssertUnwindSafe(|| sinker::drain(self, &items))) {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => shared.fail(error),
                        Err(panic) => shared.fail(panicked("the sink thread", panic.as_ref())),
                    }
                    // Dropping the receiver makes the workers' sends fail, which ends them.
                    drop(items);
                })
                .context(Code::Unavailable, || "can not start the sink thread".to_string())?;
            for number in 0..self.workers {
                let (queue, shared) = (queue.clone(), &shared);
                std::thread::Builder::new()
                    .name(format!("worker-{number}"))
                    .spawn_scoped(scope, move || {
                        // A panic here must end the run, not leave the others waiting for it.
                        let worked = catch_unwind(AssertUnwindSafe(|| self.worker(shared, &queue)));
                        match worked {
                            Ok(Ok(())) => {}
                            Ok(Err(error)) => shared.fail(error),
                            Err(panic) => shared.fail(panicked("a worker", panic.as_ref())),
                        }
                    })
                    .context(Code::Unavailable, || "can not start a worker thread".to_string())?;
            }
            drop(queue);
            // The scope waits for the workers; the sink thread ends after the last of them.
            let _ = sinker;
            Ok(())
        })?;
        if let Some(error) = shared.lock().failure.take() {
            return Err(error);
        }
        Ok(self.ended())
    }

    fn worker(&self, shared: &Shared, queue: &SyncSender<Item>) -> Result<()> {
        let mut worker = Worker::new(self);
        loop {
            let next = {
                let mut board = shared.lock();
                loop {
                    if board.failure.is_some() || self.stop.draining() {
                        shared.changed.notify_all();
                        return Ok(());
                    }
                    match board.schedule.next(&self.store)? {
                        Next::Wait => {
                            board =
                                shared.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
                        }
                        other => break other,
                    }
                }
            };
            let Some((done, unsunk)) = self.perform(&mut worker, next)? else {
                shared.changed.notify_all();
                return Ok(());
            };
            let item = self.committed(&mut shared.lock().schedule, done, unsunk);
            shared.changed.notify_all();
            if let Some(item) = item
                && queue.send(item).is_err()
            {
                // The sink thread has failed and said why.
                return Ok(());
            }
        }
    }

    /// Everything in this thread: the order of all effects depends on nothing but the input.
    fn work_alone(&self, mut schedule: Schedule) -> Result<Ended> {
        let mut worker = Worker::new(self);
        let mut sink = sinker::Pending::new(self);
        while !self.stop.draining() {
            let next = schedule.next(&self.store)?;
            if matches!(next, Next::Wait) {
                return Err(Error::internal("the schedule waits for itself"));
            }
            let Some((done, unsunk)) = self.perform(&mut worker, next)? else { break };
            if let Some(item) = self.committed(&mut schedule, done, unsunk) {
                sink.write(item)?;
            }
        }
        sink.flush()?;
        Ok(self.ended())
    }

    fn ended(&self) -> Ended {
        match (self.stop.canceled(), self.stop.draining()) {
            (true, _) => Ended::Canceled,
            (false, true) => Ended::Drained,
            (false, false) => Ended::Finished,
        }
    }

    /// Runs what is to be run; whether its documents are still to go to the sink comes with it.
    /// `None` when there is nothing left to do for this worker.
    fn perform(&self, worker: &mut Worker<'_>, next: Next) -> Result<Option<(Done, bool)>> {
        Ok(match next {
            Next::Run(job) => worker.process(&job)?.map(|done| (done, true)),
            Next::Done { key, record, unsunk } => {
                Some((Done { key, record: *record, held: None, rows: None }, unsunk))
            }
            Next::Wait | Next::Finished => None,
        })
    }

    /// Lets the readers start; what is to go to the sink comes back.
    fn committed(&self, schedule: &mut Schedule, done: Done, unsunk: bool) -> Option<Item> {
        let Done { key, record, held, rows } = done;
        let readers = self.plan.readers(key.collection);
        self.progress.committed(key.collection, &funnel(&record), &readers);
        schedule.committed(&key, &record, held);
        let wanted = self.sink.is_some() && self.plan.collections[key.collection].searchable;
        (unsunk && wanted).then_some(Item { key, record, rows })
    }
}
