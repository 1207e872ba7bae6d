//! Counters of a running batch, for people who watch. The truth is in the partition records.

use super::plan::Plan;
use crate::model::Funnel;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    /// Finish what was begun, begin nothing new; the batch can be resumed.
    pub drain: AtomicBool,
    /// End before the next guest call; the batch is canceled.
    pub cancel: AtomicBool,
}

impl Stop {
    pub fn draining(&self) -> bool {
        self.drain.load(Ordering::Relaxed) || self.canceled()
    }

    pub fn canceled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}
