//! Runs what was submitted: woken by the submission itself, several batches at a time, one of a
//! namespace after the other, namespaces in turn.

use super::Control;
use super::running::Running;
use crate::error::{Code, Error, Result};
use crate::model::{BatchId, BatchStatus, NamespaceId};
use crate::store::catalog::{Batch, Input, Namespace, Phase, Queued};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Nothing depends on it: whoever submits wakes the dispatcher. A batch that could not be run for a
/// passing reason is looked at again after that time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A batch that fails inside so often is given up.
const FAILURES_MAX: u32 = 3;

/// What is being run.
#[derive(Default)]
pub struct Dispatch {
    board: Mutex<Board>,
    changed: Condvar,
}

#[derive(Default)]
struct Board {
    running: BTreeMap<BatchId, Arc<Running>>,
    /// Which turn a namespace had last.
    turns: BTreeMap<NamespaceId, u64>,
    turn: u64,
    /// Runs that ended with a failure inside.
    failures: BTreeMap<BatchId, u32>,
    /// Batches that have to wait until the next look.
    waiting: BTreeSet<BatchId>,
    /// Something was submitted since the queue was read.
    rung: bool,
    stopping: bool,
    /// Batches at once.
    batches_max: usize,
}

impl Dispatch {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Look at the queue.
    pub fn ring(&self) {
        self.lock().rung = true;
        self.changed.notify_all();
    }

    pub fn running(&self, batch: &BatchId) -> Option<Arc<Running>> {
        self.lock().running.get(batch).cloned()
    }

    pub fn all_running(&self) -> Vec<Arc<Running>> {
        self.lock().running.values().cloned().collect()
    }

    /// Waits until this run has left the board.
    pub fn wait_for(&self, running: &Arc<Running>) {
        let on_board = |board: &mut Board| {
            let found = board.running.get(&running.batch);
            found.is_some_and(|found| Arc::ptr_eq(found, running))
        };
        drop(self.changed.wait_while(self.lock(), on_board));
    }

    pub fn batches_max(&self) -> usize {
        self.lock().batches_max
    }

    /// Begins nothing new; the partitions that were begun are finished.
    pub fn stop(&self) {
        let mut board = self.lock();
        board.stopping = true;
        for running in board.running.values() {
            running.stop.drain();
        }
        self.changed.notify_all();
    }

    pub fn stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Stops, and waits so long for what was begun; whether that was enough.
    pub fn drained_within(&self, patience: Duration) -> bool {
        self.stop();
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), patience, |board| !board.running.is_empty());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Control {
    /// Starts the thread that runs batches; it ends with [`Dispatch::stop`].
    pub fn start_dispatch(self: &Arc<Self>, batches_max: usize) -> Result<()> {
        self.dispatch.lock().batches_max = batches_max;
        self.requeue()?;
        let control = self.clone();
        let started = std::thread::Builder::new().name("dispatch".to_string()).spawn(move || {
            control.dispatch_all();
        });
        started.map(|_| ()).map_err(|error| {
            Error::new(Code::Unavailable, "can not start the dispatcher").source(error)
        })
    }

    /// Batches that were taken up again in the engine when the process died before the queue knew.
    fn requeue(&self) -> Result<()> {
        let batches = self.engine.store.all::<Batch>("")?;
        for batch in batches.into_iter().filter(|batch| batch.phase == Phase::Ended) {
            let record = self.engine.store.batch(&batch.id);
            if record.is_ok_and(|record| record.status == BatchStatus::Queued) {
                self.go_on(batch)?;
            }
        }
        Ok(())
    }

    fn dispatch_all(self: &Arc<Self>) {
        loop {
            // Before the look, so that what is submitted during it is seen by the next.
            self.dispatch.lock().rung = false;
            let next = self.next_queued().unwrap_or_else(|error| {
                tracing::error!("can not read the queue: {}", error.chain());
                None
            });
            if let Some((queued, batch)) = next {
                self.begin_batch(queued, batch);
                continue;
            }
            let board = self.dispatch.lock();
            if board.stopping {
                return;
            }
            let (mut board, timeout) = self
                .dispatch
                .changed
                .wait_timeout_while(board, LOOK_AGAIN, |board| !board.rung && !board.stopping)
                .unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                board.waiting.clear();
            }
            if board.stopping {
                return;
            }
        }
    }

    /// The oldest one of the namespace whose turn it is.
    fn next_queued(&self) -> Result<Option<(String, Batch)>> {
        let (busy, waiting, turns) = {
            let board = self.dispatch.lock();
            if board.stopping || board.running.len() >= board.batches_max {
                return Ok(None);
            }
            let busy = board.running.values().map(|running| running.namespace.clone());
            (busy.collect::<BTreeSet<_>>(), board.waiting.clone(), board.turns.clone())
        };
        let mut best: Option<(u64, String, BatchId)> = None;
        let mut seen = BTreeSet::new();
        for entry in self.engine.store.each::<Queued>("", None) {
            let (key, queued) = entry?;
            if busy.contains(&queued.namespace)
                || waiting.contains(&queued.batch)
                || !seen.insert(queued.namespace.clone())
            {
                continue;
            }
            let turn = turns.get(&queued.namespace).copied().unwrap_or(0);
            if best.as_ref().is_none_or(|(least, ..)| turn < *least) {
                best = Some((turn, key, queued.batch));
            }
        }
        let Some((_, key, id)) = best else { return Ok(None) };
        match self.engine.store.find::<Batch>(id.as_str())? {
            Some(batch) => Ok(Some((key, batch))),
            None => {
                // Its namespace or bucket was deleted with it.
                self.engine.store.commit(vec![crate::store::Store::remove::<Queued>(&key)])?;
                self.dispatch.ring();
                Ok(None)
            }
        }
    }

    /// What waits in a namespace, in its order, and what runs.
    pub fn queue_of(&self, namespace: &Namespace) -> Result<(Vec<BatchId>, Vec<BatchId>)> {
        let running: Vec<BatchId> = self
            .dispatch
            .all_running()
            .iter()
            .filter(|running| running.namespace == namespace.id)
            .map(|running| running.batch.clone())
            .collect();
        let mut waiting = Vec::new();
        for entry in self.engine.store.each::<Queued>("", None) {
            let queued = entry?.1;
            if queued.namespace == namespace.id && !running.contains(&queued.batch) {
                waiting.push(queued.batch);
            }
        }
        Ok((waiting, running))
    }

    /// From 1, among all that wait; `None` once it does not.
    pub fn queue_position(&self, batch: &Batch) -> Result<Option<u64>> {
        if self.dispatch.running(&batch.id).is_some() {
            return Ok(None);
        }
        let mut position = 0;
        for entry in self.engine.store.each::<Queued>("", None) {
            position += 1;
            if entry?.1.batch == batch.id {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    fn begin_batch(self: &Arc<Self>, queued: String, batch: Batch) {
        let objects = match batch.input {
            Input::Objects(count) => count,
            Input::Manifest(_) => 0,
        };
        let running = Running::new(batch.id.clone(), batch.namespace.clone(), objects);
        let running = Arc::new(running);
        {
            let mut board = self.dispatch.lock();
            board.turn += 1;
            let turn = board.turn;
            board.turns.insert(batch.namespace.clone(), turn);
            board.running.insert(batch.id.clone(), running.clone());
        }
        let (control, id) = (self.clone(), batch.id.clone());
        let started = std::thread::Builder::new().name("batch".to_string()).spawn(move || {
            crate::env::stand_back();
            let work = std::panic::AssertUnwindSafe(|| control.work(&queued, &batch, &running));
            let worked = std::panic::catch_unwind(work)
                .unwrap_or_else(|_| Err(Error::internal("running the batch panicked")));
            control.ended(&queued, &batch, &running, worked);
        });
        if let Err(error) = started {
            tracing::error!("can not start a thread for batch {id}: {error}");
            let mut board = self.dispatch.lock();
            board.running.remove(&id);
            board.waiting.insert(id);
        }
    }

    /// What is to happen after a run: nothing more, another one later, or giving up.
    fn ended(&self, queued: &str, batch: &Batch, running: &Running, worked: Result<()>) {
        let id = &batch.id;
        let mut again = false;
        if let Err(error) = worked {
            let passing = matches!(
                error.code(),
                Code::Unavailable | Code::StorageFull | Code::Interrupted | Code::StateFailed
            );
            let failures = {
                let mut board = self.dispatch.lock();
                let failures = board.failures.entry(id.clone()).or_default();
                *failures += u32::from(!passing);
                *failures
            };
            again = passing || failures < FAILURES_MAX;
            if error.code() != Code::Interrupted {
                tracing::warn!("batch {id} stopped: {}", error.chain());
            }
            if !again && let Err(error) = self.give_up(queued, batch, &error) {
                tracing::error!("batch {id} can not be given up: {}", error.chain());
                again = true;
            }
        }
        let mut board = self.dispatch.lock();
        if again {
            board.waiting.insert(id.clone());
        } else {
            board.failures.remove(id);
        }
        board.running.remove(&running.batch);
        board.rung = true;
        drop(board);
        self.dispatch.changed.notify_all();
        self.rang();
    }
}
