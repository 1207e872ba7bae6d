//! A batch at work in this process: what can be seen of it and how it is stopped.

use crate::engine::plan::Plan;
use crate::engine::{Progress, Stop};
use crate::model::{BatchId, NamespaceId};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The rate is that of so much time.
const WINDOW: Duration = Duration::from_secs(30);
const SAMPLES_MAX: usize = 256;

pub struct Running {
    pub batch: BatchId,
    pub namespace: NamespaceId,
    pub stop: Arc<Stop>,
    /// Objects of the batch; 0 where it reads a manifest.
    pub objects: u64,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    work: Option<(Arc<Plan>, Arc<Progress>)>,
    /// When, and how many objects were done by then.
    samples: VecDeque<(Duration, f64)>,
    /// Never goes back, although more rows come to be known.
    done: f64,
}

/// What a look at a running batch shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sight {
    /// Objects that went through all collections.
    pub processed: u64,
    pub total: u64,
    /// Of the last half minute; `None` while nothing is done.
    pub per_second: Option<f64>,
    pub eta_seconds: Option<f64>,
    /// What it is doing, and which step that is.
    pub stage: Stage,
    /// Rows that failed.
    pub errors: u64,
    pub documents: u64,
    pub parked: Option<String>,
    /// By collection, as in the plan.
    pub collections: Vec<CollectionSight>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stage {
    pub name: String,
    /// From 1.
    pub index: u64,
    pub total: u64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct CollectionSight {
    pub key: String,
    pub tier: usize,
    pub extractor: String,
    pub rows_known: u64,
    pub rows_done: u64,
    pub documents: u64,
    pub failed: u64,
    /// No more rows will come, and all are done.
    pub complete: bool,
}

impl Running {
    pub fn new(batch: BatchId, namespace: NamespaceId, objects: u64) -> Running {
        let board = Mutex::default();
        Running { batch, namespace, stop: Arc::new(Stop::default()), objects, board }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine has begun.
    pub fn attach(&self, plan: &Arc<Plan>, progress: &Arc<Progress>) {
        self.lock().work = Some((plan.clone(), progress.clone()));
    }

    pub fn plan(&self) -> Option<Arc<Plan>> {
        self.lock().work.as_ref().map(|(plan, _)| plan.clone())
    }

    /// Notes how far it is; `now` is the environment's uptime.
    pub fn look(&self, now: Duration) -> Sight {
        let mut board = self.lock();
        let Some((plan, progress)) = board.work.clone() else {
            let stage = Stage { name: "preparing".to_string(), index: 1, total: 3 };
            return Sight { total: self.objects, stage, ..Sight::default() };
        };
        let collections = collections(&plan, &progress);
        let share = share(&plan, &collections);
        let first = collections.iter().filter(|seen| seen.tier == 0);
        let objects = match self.objects {
            // A manifest: as many as it has rows.
            0 => first.map(|seen| seen.rows_known).max().unwrap_or(0),
            count => count,
        };
        board.done = board.done.max(share * objects as f64);
        let done = board.done;
        board.samples.push_back((now, done));
        while board.samples.len() > SAMPLES_MAX
            || board.samples.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) > WINDOW)
        {
            board.samples.pop_front();
        }
        let per_second = rate(&board.samples);
        let left = objects as f64 - done;
        let eta_seconds = per_second.filter(|rate| *rate > 0.0).map(|rate| left.max(0.0) / rate);
        let tiers = plan.tiers() as u64;
        let open = collections.iter().filter(|seen| !seen.complete).map(|seen| seen.tier).min();
        let (name, index) = match open {
            Some(tier) => (tier_name(&plan, tier), tier as u64 + 2),
            None => ("finishing".to_string(), tiers + 2),
        };
        let parked = progress.parked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Sight {
            processed: done.floor() as u64,
            total: objects,
            per_second,
            eta_seconds,
            stage: Stage { name, index, total: tiers + 2 },
            errors: collections.iter().map(|seen| seen.failed).sum(),
            documents: collections.iter().map(|seen| seen.documents).sum(),
            parked,
            collections,
        }
    }
}

fn tier_name(plan: &Plan, tier: usize) -> String {
    let mut names = plan.collections.iter().filter(|collection| collection.tier == tier);
    let first = names.next().map(|collection| collection.extractor.to_string());
    match names.count() {
        0 => format!("tier {tier}: {}", first.unwrap_or_default()),
        more => format!("tier {tier}: {} and {more} more", first.unwrap_or_default()),
    }
}

fn collections(plan: &Plan, progress: &Progress) -> Vec<CollectionSight> {
    let mut seen: Vec<CollectionSight> = Vec::new();
    for (collection, counters) in plan.collections.iter().zip(&progress.collections) {
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        // Done first: rows are known before they are done.
        let rows_done = load(&counters.rows_done);
        let rows_known = load(&counters.rows_known).max(rows_done);
        let fed = collection.sources.iter().all(|source| match source {
            crate::engine::plan::Source::Bucket(_) => true,
            crate::engine::plan::Source::Collection(above) => seen[*above].complete,
        });
        seen.push(CollectionSight {
            key: collection.name.to_string(),
            tier: collection.tier,
            extractor: collection.extractor.to_string(),
            rows_known,
            rows_done,
            documents: load(&counters.documents),
            failed: load(&counters.failed),
            complete: fed && rows_done == rows_known,
        });
    }
    seen
}

/// The share of the objects that is through: the least of all collections, where each is at most
/// as far as what it reads.
fn share(plan: &Plan, seen: &[CollectionSight]) -> f64 {
    let mut shares: Vec<f64> = Vec::new();
    for (collection, seen) in plan.collections.iter().zip(seen) {
        let above = collection.sources.iter().map(|source| match source {
            crate::engine::plan::Source::Bucket(_) => 1.0,
            crate::engine::plan::Source::Collection(above) => shares[*above],
        });
        let above = above.fold(1.0, f64::min);
        shares.push(match (seen.complete, seen.rows_known) {
            (true, _) => above,
            (false, 0) => 0.0,
            (false, known) => above * seen.rows_done as f64 / known as f64,
        });
    }
    shares.into_iter().fold(1.0, f64::min)
}

/// Objects a second between the first and the last sample; never negative.
fn rate(samples: &VecDeque<(Duration, f64)>) -> Option<f64> {
    let ((first, before), (last, after)) = (samples.front()?, samples.back()?);
    let seconds = last.saturating_sub(*first).as_secs_f64();
    (seconds > 0.0).then(|| ((after - before) / seconds).max(0.0))
}
