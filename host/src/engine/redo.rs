//! A batch that has ended is taken up again: its failed rows, or everything from a tier on.
//!
//! The unit is the partition, and what was made of it goes with it: ids are deterministic, so rows
//! that were good are written over by themselves. A round of its own keeps old and new markers
//! apart.

use super::patience::Class;
use super::plan::{Plan, Source};
use super::{BatchManifest, Engine, commit, dead};
use crate::error::{Code, Context, Error, Result};
use crate::model::{BatchEvent, BatchId, BatchStatus};
use crate::store::{
    BatchRecord, PartitionId, PartitionKey, PartitionRecord, PartitionState, Store,
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// A batch that was taken up more often is better submitted anew.
const ROUNDS_MAX: u32 = 999;

/// What is to run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redo {
    /// Partitions with dead letters.
    Failed {
        /// Only where a row failed for something that passes by itself.
        transient_only: bool,
        /// Only in these tiers; in all of them if empty.
        tiers: Vec<usize>,
        /// Dead letters to retry at most; the partition that exceeds it is still taken whole.
        limit: u64,
    },
    /// Every partition of this tier and of those below it.
    FromTier(usize),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Redone {
    /// Partitions that were chosen.
    pub partitions: u64,
    /// Dead letters in them that were asked for.
    pub rows: u64,
    /// Partitions in all, with those made from the chosen ones.
    pub dropped: u64,
}

/// `commits/RRR/redo.json`: what a round set aside before it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedoNote {
    pub round: u32,
    /// Partitions that were chosen; everything made from them goes, too.
    pub keys: Vec<String>,
}

impl Engine {
    /// Queues the batch again without those partitions. Nothing changes when there are none, save
    /// for a batch that did not get to its end: that goes on with what it never ran.
    pub fn redo(&self, id: &BatchId, redo: Redo) -> Result<(BatchRecord, Redone)> {
        let mut record = self.store.batch(id)?;
        let status = record.status.after(BatchEvent::Redo)?;
        if record.round >= ROUNDS_MAX {
            let message = format!("batch {id} was taken up {ROUNDS_MAX} times");
            return Err(Error::new(Code::Conflict, message).hint("submit it anew"));
        }
        let BatchManifest { plan, .. } = self.manifest(&record)?;
        match &redo {
            Redo::FromTier(tier) => plan.check_tier(*tier)?,
            Redo::Failed { tiers, .. } => {
                tiers.iter().try_for_each(|tier| {
                    plan.check_tier(*tier).map_err(|error| error.field("tier"))
                })?;
            }
        }
        let mut all: Vec<(PartitionKey, PartitionRecord)> = Vec::new();
        self.partitions(&record, &mut |key, partition| {
            all.push((key, partition));
            Ok(true)
        })?;
        let (chosen, mut redone) = self.choose(&record, &plan, &redo, &all)?;
        let complete =
            matches!(record.status, BatchStatus::Completed | BatchStatus::CompletedWithErrors);
        if chosen.is_empty() && complete {
            return Ok((record, redone));
        }
        let discarded = std::mem::take(&mut record.discarded);
        let gone = with_descendants(&plan, &chosen, all.iter().map(|(key, _)| key));
        redone.dropped = gone.len() as u64;
        record.round += 1;
        let keys = chosen.iter().map(ToString::to_string).collect();
        let note = serde_json::to_vec(&RedoNote { round: record.round, keys })
            .context(Code::Internal, || "can not encode a redo".to_string())?;
        // A crash before the commit leaves a note of a round that never began: the next attempt
        // writes over it.
        self.folder(&record).put(&commit::redo_name(record.round), note.into())?;
        (record.status, record.ended_at, record.history, record.error) = (status, None, None, None);
        record.collections = Vec::new();
        let text = format!("{} partitions run again in round {}", gone.len(), record.round);
        let mut ops = self.event(&mut record, "redo", &text)?;
        ops.push(Store::put_batch(&record)?);
        for (key, mut partition) in all.into_iter().filter(|(key, _)| !gone.contains(key)) {
            let searchable = self.sink.is_some() && plan.collections[key.collection].searchable;
            if discarded {
                partition.state.unsink(searchable);
            }
            ops.push(Store::put_partition(id, &key, &partition)?);
        }
        // Where the batch was canceled from outside, its records are still in the state.
        ops.extend(gone.iter().map(|key| Store::delete_partition(id, key)));
        self.store.commit(ops)?;
        Ok((record, redone))
    }

    fn choose(
        &self,
        record: &BatchRecord,
        plan: &Plan,
        redo: &Redo,
        all: &[(PartitionKey, PartitionRecord)],
    ) -> Result<(HashSet<PartitionKey>, Redone)> {
        let folder = self.folder(record);
        let mut chosen = HashSet::new();
        let mut redone = Redone::default();
        for (key, partition) in all {
            let at = plan.collections[key.collection].tier;
            let rows = match redo {
                Redo::FromTier(tier) if at >= *tier => 0,
                Redo::FromTier(_) => continue,
                Redo::Failed { tiers, .. } if !tiers.is_empty() && !tiers.contains(&at) => continue,
                Redo::Failed { limit, .. } if redone.rows >= *limit => break,
                Redo::Failed { transient_only, .. } => {
                    let PartitionState::Committed { dead: Some(name), .. } = &partition.state
                    else {
                        continue;
                    };
                    let letters = dead::read(&folder, name)?;
                    let wanted =
                        |code: &str| !transient_only || Class::of_dead(code) == Class::Transient;
                    match letters.iter().filter(|letter| wanted(&letter.code)).count() {
                        0 => continue,
                        rows => rows as u64,
                    }
                }
            };
            redone.rows += rows;
            redone.partitions += 1;
            chosen.insert(key.clone());
        }
        Ok((chosen, redone))
    }
}

/// The chosen partitions and everything that was made from their parts. Collections are ordered by
/// tier, and so are their keys.
pub fn with_descendants<'a>(
    plan: &Plan,
    chosen: &HashSet<PartitionKey>,
    all: impl Iterator<Item = &'a PartitionKey>,
) -> HashSet<PartitionKey> {
    let mut gone = chosen.clone();
    for key in all {
        if parent(plan, key).is_some_and(|parent| gone.contains(&parent)) {
            gone.insert(key.clone());
        }
    }
    gone
}

/// The partition whose part this one reads; none in tier 0.
pub(super) fn parent(plan: &Plan, key: &PartitionKey) -> Option<PartitionKey> {
    let Source::Collection(collection) = plan.collections[key.collection].sources[key.source]
    else {
        return None;
    };
    let (_, above) = key.id.0.split_last()?;
    match (plan.waits(collection), above.split_last()) {
        // Its sources number their partitions alike, so the source is part of the name.
        (true, Some((source, above))) => {
            let id = PartitionId(above.to_vec());
            Some(PartitionKey { collection, source: *source as usize, id })
        }
        _ => Some(PartitionKey { collection, source: 0, id: PartitionId(above.to_vec()) }),
    }
}
