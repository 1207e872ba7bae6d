//! Counters of a running batch, for people who watch. The truth is in the partition records.

use super::plan::Plan;
use crate::model::Funnel;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub struct Counters {
    /// Rows known to come; grows while the tier above is working.
    pub rows_known: AtomicU64,
    pub rows_done: AtomicU64,
    pub documents: AtomicU64,
    pub failed: AtomicU64,
}

pub struct Progress {
    /// By collection, as in the plan.
    pub collections: Vec<Counters>,
    /// Rows flattened so far; the first thing that happens.
    pub rows_flattened: AtomicU64,
    /// Documents that are durable in the sink.
    pub sunk: AtomicU64,
    /// Guest calls.
    pub calls: AtomicU64,
    /// What the batch waits for, when it can not go on.
    pub parked: Mutex<Option<String>>,
    pub times: Times,
}

/// Nanoseconds that workers spent, added up.
#[derive(Default)]
pub struct Times {
    pub read: AtomicU64,
    pub extract: AtomicU64,
    pub assemble: AtomicU64,
    pub write: AtomicU64,
    pub commit: AtomicU64,
    pub sink: AtomicU64,
}

impl Progress {
    pub fn new(plan: &Plan) -> Progress {
        Progress {
            collections: plan.collections.iter().map(|_| Counters::default()).collect(),
            rows_flattened: AtomicU64::new(0),
            sunk: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            parked: Mutex::default(),
            times: Times::default(),
        }
    }

    pub(super) fn committed(&self, collection: usize, funnel: &Funnel, readers: &[usize]) {
        let counters = &self.collections[collection];
        counters.rows_done.fetch_add(funnel.fetched, Ordering::Relaxed);
        counters.documents.fetch_add(funnel.documents, Ordering::Relaxed);
        counters.failed.fetch_add(funnel.failed, Ordering::Relaxed);
        for reader in readers {
            let known = &self.collections[*reader].rows_known;
            known.fetch_add(funnel.documents, Ordering::Relaxed);
        }
    }
}

/// How a run is asked to end early.
#[derive(Default)]
pub struct Stop {
    drain: AtomicBool,
    /// Running guests look at it, too.
    cancel: Arc<AtomicBool>,
    discard: AtomicBool,
    lock: Mutex<()>,
    asked: Condvar,
}

impl Stop {
    /// Finish what was begun, begin nothing new; the batch can be resumed.
    pub fn drain(&self) {
        self.set(&self.drain);
    }

    /// End at once, in the middle of guest calls; the batch is canceled.
    pub fn cancel(&self) {
        self.set(&self.cancel);
    }

    /// The same, and delete what the batch has written.
    pub fn cancel_and_discard(&self) {
        self.discard.store(true, Ordering::SeqCst);
        self.cancel();
    }

    pub fn discarding(&self) -> bool {
        self.discard.load(Ordering::SeqCst)
    }

    fn set(&self, flag: &AtomicBool) {
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        flag.store(true, Ordering::SeqCst);
        self.asked.notify_all();
    }

    pub fn draining(&self) -> bool {
        self.drain.load(Ordering::SeqCst) || self.canceled()
    }

    pub fn canceled(&self) -> bool {
        self.cancel.load(Ordering::SeqCst)
    }

    /// Becomes true when the batch is canceled.
    pub fn cancel_flag(&self) -> Arc<AtomicBool> {
        self.cancel.clone()
    }

    /// Waits that long, or until somebody asks to stop.
    pub fn wait(&self, duration: Duration) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.draining() {
            let _ = self.asked.wait_timeout_while(lock, duration, |()| !self.draining());
        }
    }
}
