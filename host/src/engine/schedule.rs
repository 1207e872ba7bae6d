//! What runs next. Holds cursors, never lists of partitions: memory does not grow with the batch.
//!
//! Deeper tiers go first, so that what was just made is used up before more is made. A collection
//! with one source follows it partition by partition; one with several starts when all are
//! complete.

use super::flatten::Flattened;
use super::plan::{Plan, Source};
use crate::error::Result;
use crate::model::BatchId;
use crate::store::{PartitionId, PartitionKey, PartitionRecord, PartitionState, Store, Watch};
use arrow_array::RecordBatch;
use std::sync::Arc;

/// One partition to run.
#[derive(Debug, Clone)]
pub struct Job {
    pub key: PartitionKey,
    pub input: JobInput,
    pub attempts: u32,
    /// Where an earlier process that ran it row by row died.
    pub watch: Option<Watch>,
}

#[derive(Debug, Clone)]
pub enum JobInput {
    /// Number of the tier-0 artifact.
    Artifact(u32),
    /// A slice of a part; `held` are the part's rows when they are still in memory.
    Part { part: String, from: usize, rows: usize, held: Option<Arc<RecordBatch>> },
}

pub enum Next {
    Run(Box<Job>),
    /// Committed by an earlier claim; `unsunk` when its documents may not be in the sink.
    Done {
        key: PartitionKey,
        record: Box<PartitionRecord>,
        unsunk: bool,
    },
    /// Nothing to do until something in flight ends.
    Wait,
    /// Everything is committed.
    Finished,
}

/// Where jobs come from.
enum Feed {
    /// Artifacts of a tier-0 source.
    Artifacts { collection: usize, source: usize, next: u32, end: u32 },
    /// Slices of one part.
    Slices(Slices),
    /// All committed parts of a source collection, in the order of their keys.
    Parts { collection: usize, source: usize, from: usize, after: Option<PartitionKey> },
}

struct Slices {
    collection: usize,
    source: usize,
    /// Of the part; already carries the part's source where that is ambiguous.
    parent: PartitionId,
    part: String,
    documents: usize,
    slice_rows: usize,
    next: u32,
    held: Option<Arc<RecordBatch>>,
}

pub struct Schedule {
    plan: Arc<Plan>,
    batch: BatchId,
    flattened: Vec<Flattened>,
    /// By tier; the last feed of a tier goes first.
    feeds: Vec<Vec<Feed>>,
    in_flight: Vec<usize>,
    complete: Vec<bool>,
    started: Vec<bool>,
}

impl Schedule {
    pub fn new(plan: Arc<Plan>, batch: BatchId, flattened: Vec<Flattened>) -> Schedule {
        let collections = plan.collections.len();
        let mut schedule = Schedule {
            feeds: (0..plan.tiers()).map(|_| Vec::new()).collect(),
            plan,
            batch,
            flattened,
            in_flight: vec![0; collections],
            complete: vec![false; collections],
            started: vec![false; collections],
        };
        // Backwards, because the last feed goes first.
        for index in (0..collections).rev() {
            let bucket_only =
                matches!(schedule.plan.collections[index].sources[..], [Source::Bucket(_)]);
            if bucket_only {
                schedule.start(index);
            }
        }
        schedule.settle();
        schedule
    }

    /// The next thing to do. Looks partitions up in the store, so a resumed batch passes over what
    /// is committed.
    pub fn next(&mut self, store: &Store) -> Result<Next> {
        for tier in (0..self.feeds.len()).rev() {
            while let Some(mut feed) = self.feeds[tier].pop() {
                let Some((key, input)) = self.draw(&mut feed, tier, store)? else {
                    // Exhausted; something may be complete now.
                    self.settle();
                    if self.feeds[tier + 1..].iter().any(|feeds| !feeds.is_empty()) {
                        return self.next(store);
                    }
                    continue;
                };
                self.feeds[tier].push(feed);
                let record = store.partition(&self.batch, &key)?;
                self.in_flight[key.collection] += 1;
                return Ok(match record {
                    Some(record) => match record.state {
                        PartitionState::Committed { sunk, .. } => {
                            Next::Done { key, record: Box::new(record), unsunk: !sunk }
                        }
                        PartitionState::Leased { watch, .. } => {
                            let attempts = record.attempts;
                            Next::Run(Box::new(Job { key, input, attempts, watch }))
                        }
                    },
                    None => Next::Run(Box::new(Job { key, input, attempts: 0, watch: None })),
                });
            }
        }
        let idle = self.in_flight.iter().all(|count| *count == 0);
        Ok(if idle { Next::Finished } else { Next::Wait })
    }

    /// Takes one partition out of a feed; `None` when it is exhausted. A feed of parts turns into
    /// slices on the way.
    fn draw(
        &mut self,
        feed: &mut Feed,
        tier: usize,
        store: &Store,
    ) -> Result<Option<(PartitionKey, JobInput)>> {
        match feed {
            Feed::Artifacts { collection, source, next, end } => {
                if next == end {
                    return Ok(None);
                }
                let number = *next;
                *next += 1;
                let id = PartitionId::root(number);
                let key = PartitionKey { collection: *collection, source: *source, id };
                Ok(Some((key, JobInput::Artifact(number))))
            }
            Feed::Slices(slices) => Ok(slices.draw()),
            Feed::Parts { collection, source, from, after } => {
                if after.is_none() {
                    // What the state is still to be told of would be passed over.
                    store.settle()?;
                }
                let found = store.next_partition(&self.batch, *from, after.as_ref())?;
                let Some((key, record)) = found else { return Ok(None) };
                *after = Some(key.clone());
                let slices = self.slices(*collection, *source, &key, &record, None);
                let again = std::mem::replace(feed, Feed::Slices(slices));
                self.feeds[tier].push(again);
                self.draw(feed, tier, store)
            }
        }
    }

    fn slices(
        &self,
        collection: usize,
        source: usize,
        key: &PartitionKey,
        record: &PartitionRecord,
        held: Option<Arc<RecordBatch>>,
    ) -> Slices {
        let (part, documents, slice_rows) = match &record.state {
            PartitionState::Committed { funnel, part, slice_rows, .. } => {
                let documents = part.as_ref().map_or(0, |_| funnel.documents as usize);
                (part.clone().unwrap_or_default(), documents, (*slice_rows).max(1) as usize)
            }
            PartitionState::Leased { .. } => (String::new(), 0, 1),
        };
        let parent = match self.plan.waits(key.collection) {
            // Its sources number their partitions alike: the source becomes part of the name.
            true => key.id.child(key.source as u32),
            false => key.id.clone(),
        };
        Slices { collection, source, parent, part, documents, slice_rows, next: 0, held }
    }

    /// A partition is committed: those that read its part may start.
    pub fn committed(
        &mut self,
        key: &PartitionKey,
        record: &PartitionRecord,
        held: Option<Arc<RecordBatch>>,
    ) {
        for reader in self.plan.readers(key.collection) {
            if !self.plan.waits(reader) {
                let slices = self.slices(reader, 0, key, record, held.clone());
                let tier = self.plan.collections[reader].tier;
                self.feeds[tier].push(Feed::Slices(slices));
            }
        }
        self.in_flight[key.collection] -= 1;
        self.settle();
    }

    /// Collections whose input is known to have ended, in the order of the plan.
    fn settle(&mut self) {
        for index in 0..self.plan.collections.len() {
            let sources_complete = self.sources_complete(index);
            if self.plan.waits(index) && !self.started[index] && sources_complete {
                self.start(index);
            }
            let fed = self.feeds.iter().flatten().any(|feed| feed.collection() == index);
            let begun = self.started[index] || !self.plan.waits(index);
            self.complete[index] = begun && sources_complete && !fed && self.in_flight[index] == 0;
        }
    }

    fn sources_complete(&self, index: usize) -> bool {
        self.plan.collections[index].sources.iter().all(|source| match source {
            Source::Bucket(_) => true,
            Source::Collection(from) => self.complete[*from],
        })
    }

    fn start(&mut self, index: usize) {
        let collection = &self.plan.collections[index];
        for (source, from) in collection.sources.iter().enumerate().rev() {
            let feed = match from {
                Source::Bucket(_) => {
                    let found =
                        self.flattened.iter().find(|f| f.collection == index && f.source == source);
                    let end = found.map_or(0, |f| f.partitions);
                    Feed::Artifacts { collection: index, source, next: 0, end }
                }
                Source::Collection(from) => {
                    Feed::Parts { collection: index, source, from: *from, after: None }
                }
            };
            self.feeds[collection.tier].push(feed);
        }
        self.started[index] = true;
    }
}

impl Feed {
    fn collection(&self) -> usize {
        match self {
            Feed::Artifacts { collection, .. } | Feed::Parts { collection, .. } => *collection,
            Feed::Slices(slices) => slices.collection,
        }
    }
}

impl Slices {
    fn draw(&mut self) -> Option<(PartitionKey, JobInput)> {
        let from = self.next as usize * self.slice_rows;
        if from >= self.documents {
            return None;
        }
        let rows = self.slice_rows.min(self.documents - from);
        let key = PartitionKey {
            collection: self.collection,
            source: self.source,
            id: self.parent.child(self.next),
        };
        self.next += 1;
        let (part, held) = (self.part.clone(), self.held.clone());
        Some((key, JobInput::Part { part, from, rows, held }))
    }
}

/// The bucket and collections that a partition's rows went through, and the bucket's index.
pub fn path(plan: &Plan, key: &PartitionKey) -> (String, usize) {
    let mut names = vec![plan.collections[key.collection].name.as_str()];
    let (mut collection, mut source) = (key.collection, key.source);
    let mut id = key.id.0.as_slice();
    loop {
        match plan.collections[collection].sources[source] {
            Source::Bucket(bucket) => {
                names.push(plan.buckets[bucket].name.as_str());
                names.reverse();
                return (names.join("/"), bucket);
            }
            Source::Collection(from) => {
                id = &id[..id.len() - 1];
                source = 0;
                if plan.waits(from) {
                    source = id.last().copied().unwrap_or(0) as usize;
                    id = &id[..id.len() - 1];
                }
                collection = from;
                names.push(plan.collections[from].name.as_str());
            }
        }
    }
}
