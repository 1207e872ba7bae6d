//! Partitions that a batch takes over whole from an earlier one, listed in its folder before it is
//! queued: their markers, in one object.

use super::partition::funnel;
use super::plan::Plan;
use super::{Engine, counts, history, schedule};
use crate::artifact::Artifacts;
use crate::error::Result;
use crate::model::{BatchStatus, Condition, Filter, LINEAGE_FIELD, Name, Operator};
use crate::store::{BatchRecord, NamespaceRecord, PartitionKey, PartitionRecord, PartitionState};
use crate::store::{Op, Store};
use std::collections::BTreeMap;

pub const NAME: &str = "kept.parquet";
/// Records of one commit.
const CHUNK: usize = 1_024;

pub type Partitions = Vec<(PartitionKey, PartitionRecord)>;

/// (collection, bucket, number of the artifact): what is kept or made as a whole.
pub type Unit = (usize, usize, u32);

pub(super) fn write(
    folder: &Artifacts,
    plan: &Plan,
    kept: &[(PartitionKey, PartitionRecord)],
) -> Result<()> {
    history::write_rows(folder, NAME, plan, kept)
}

/// As they were listed: nothing of them is in a sink.
pub fn read(folder: &Artifacts) -> Result<Partitions> {
    let mut kept = Vec::new();
    history::read(folder, NAME, &mut |key, record| {
        kept.push((key, record));
        Ok(true)
    })?;
    Ok(kept)
}

/// The unit of a partition whose documents are in the sink as an earlier run left them.
pub(super) fn unit_in_place(
    plan: &Plan,
    key: &PartitionKey,
    record: &PartitionRecord,
) -> Option<Unit> {
    let PartitionState::Committed { kept: Some(kept), .. } = &record.state else { return None };
    let (_, bucket) = schedule::path(plan, key);
    let root = key.id.0.first().copied().unwrap_or(0);
    kept.in_place.then_some((key.collection, bucket, root))
}

impl Engine {
    /// Whether the documents of what is kept are in the sink exactly as the earlier batch left
    /// them, so that nobody has to write them: it was the last to write these collections, nobody
    /// changed or deleted documents since, and the sink has not lost any. The caller holds the
    /// namespaces and is about to take them over.
    pub(super) fn kept_in_place(
        &self,
        record: &BatchRecord,
        namespace: &NamespaceRecord,
        plan: &Plan,
        memo: &super::memo::Memo,
        kept: &Partitions,
    ) -> Result<bool> {
        let Some(sink) = self.sink.as_ref().filter(|_| memo.same_sink) else { return Ok(false) };
        let Ok(earlier) = self.store.batch(&memo.batch) else { return Ok(false) };
        let complete =
            matches!(earlier.status, BatchStatus::Completed | BatchStatus::CompletedWithErrors);
        if !complete || (earlier.run, earlier.round) != (memo.run, memo.round) {
            return Ok(false);
        }
        let mut expected: BTreeMap<(usize, u64), u64> = BTreeMap::new();
        for (key, partition) in kept {
            if let PartitionState::Committed { funnel, kept: Some(kept), .. } = &partition.state
                && plan.collections[key.collection].searchable
            {
                *expected.entry((key.collection, kept.run)).or_default() += funnel.documents;
            }
        }
        for ((collection, run), documents) in expected {
            let name = plan.collections[collection].name.as_str();
            let untouched = namespace
                .collections
                .get(name)
                .is_some_and(|state| state.batch == memo.batch.as_str() && !state.edited);
            if !untouched {
                return Ok(false);
            }
            // A sink that can not say has to be written to in any case.
            let found = sink.count(&record.namespace, Some(&of_run(name, run))).unwrap_or(0);
            if found < documents {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Records what is kept, as far as that has not happened: in the first round, before anything
    /// runs.
    pub(super) fn take_over(
        &self,
        record: &BatchRecord,
        plan: &Plan,
        kept: Partitions,
    ) -> Result<()> {
        let mut ops: Vec<Op> = Vec::new();
        for (key, mut partition) in kept {
            if self.store.partition(&record.id, &key)?.is_some() {
                continue;
            }
            if record.kept_in_place
                && let PartitionState::Committed { sunk, kept: Some(kept), .. } =
                    &mut partition.state
            {
                (*sunk, kept.in_place) = (true, true);
            }
            ops.push(Store::put_partition(&record.id, &key, &partition)?);
            counts::committed(&plan.collections[key.collection], &funnel(&partition));
            if ops.len() >= CHUNK {
                self.store.commit(std::mem::take(&mut ops))?;
            }
        }
        match ops.is_empty() {
            true => Ok(()),
            false => self.store.commit(ops),
        }
    }

    /// Somebody else than a batch is about to change or delete documents of the namespace: what
    /// batches have left there is no longer what they made.
    pub fn disturb(&self, name: &Name) -> Result<()> {
        let _changing = self.store.hold_namespaces();
        let mut namespace = self.store.namespace(name)?;
        if namespace.collections.values().all(|state| state.edited) {
            return Ok(());
        }
        namespace.collections.values_mut().for_each(|state| state.edited = true);
        self.store.commit(vec![Store::put_namespace(name, &namespace)?])
    }
}

fn of_run(collection: &str, run: u64) -> Filter {
    let field = |name: &str, value: serde_json::Value| Condition::Field {
        field: format!("{LINEAGE_FIELD}.{name}"),
        operator: Operator::Eq,
        value,
    };
    let and = vec![field("collection", collection.into()), field("run", run.into())];
    Filter { and, case_sensitive: true, ..Filter::default() }
}
