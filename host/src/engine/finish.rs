//! After the last partition: the balance, the pieces that vanished, the final word.

use super::columns::{OBJECT_ID, strings};
use super::dead;
use super::flatten::{Flattened, artifact_name};
use super::kept::{self, Unit};
use super::plan::{Plan, Source};
use super::run::Run;
use super::schedule;
use crate::artifact::{Artifacts, PartReader};
use crate::error::Result;
use crate::model::{BatchEvent, Funnel};
use crate::sink::VectorSink;
use crate::store::{CollectionSummary, PartitionKey, PartitionState};
use std::collections::{BTreeMap, HashSet};

pub struct Verdict {
    pub event: BatchEvent,
    pub error: Option<String>,
    pub collections: Vec<CollectionSummary>,
}

/// Folds the partition records: they, not counters in memory, are what happened. Also answers how
/// often a partition was begun once more.
pub fn summarize(run: &Run) -> Result<(Vec<CollectionSummary>, u64)> {
    let mut summaries: Vec<CollectionSummary> = run
        .plan
        .collections
        .iter()
        .map(|collection| CollectionSummary {
            collection: collection.name.clone(),
            tier: collection.tier,
            extractor: collection.extractor.to_string(),
            partitions: 0,
            funnel: Funnel::default(),
            stale_deleted: 0,
        })
        .collect();
    let mut repeated = 0;
    for entry in run.store.partitions(&run.batch) {
        let (key, record) = entry?;
        repeated += u64::from(record.attempts.saturating_sub(1));
        if let PartitionState::Committed { funnel, .. } = record.state {
            let summary = &mut summaries[key.collection];
            summary.partitions += 1;
            summary.funnel.add(&funnel);
        }
    }
    Ok((summaries, repeated))
}

/// A batch that does not balance is failed, never completed.
pub fn verdict(run: &Run, flattened: &[Flattened], collections: Vec<CollectionSummary>) -> Verdict {
    let mut wrong = Vec::new();
    for (index, summary) in collections.iter().enumerate() {
        let given: u64 = run.plan.collections[index]
            .sources
            .iter()
            .enumerate()
            .map(|(source, from)| match from {
                Source::Bucket(_) => flattened
                    .iter()
                    .filter(|f| f.collection == index && f.source == source)
                    .map(|f| f.rows)
                    .sum(),
                Source::Collection(from) => collections[*from].funnel.documents,
            })
            .sum();
        if given != summary.funnel.fetched || !summary.funnel.balances() {
            wrong.push(format!(
                "collection `{}` does not balance: {given} rows were to be read, {:?}",
                summary.collection, summary.funnel
            ));
        }
    }
    let failed: u64 = collections.iter().map(|summary| summary.funnel.failed).sum();
    let event = match wrong.is_empty() {
        false => BatchEvent::Fail,
        true => BatchEvent::Complete { with_errors: failed > 0 },
    };
    let error = (!wrong.is_empty()).then(|| wrong.join("; "));
    Verdict { event, error, collections }
}

/// Deletes documents that earlier runs made of these objects and this one did not make again. The
/// documents of an object that failed somewhere stay: a trap must not delete what was good.
pub fn delete_stale(
    run: &Run,
    flattened: &[Flattened],
    summaries: &mut [CollectionSummary],
) -> Result<()> {
    let Some(sink) = &run.sink else { return Ok(()) };
    let (mut dead, mut in_place) = (Vec::new(), HashSet::new());
    for entry in run.store.partitions(&run.batch) {
        let (key, record) = entry?;
        in_place.extend(kept::unit_in_place(&run.plan, &key, &record));
        if let PartitionState::Committed { dead: Some(letters), .. } = record.state {
            dead.push((key, letters));
        }
    }
    let (plan, artifacts) = (&run.plan, &run.artifacts);
    let finished = Finished { plan, artifacts, run: run.run, dead, in_place };
    finished.delete_stale(sink.as_ref(), flattened, &mut |collection, deleted| {
        summaries[collection].stale_deleted += deleted;
    })
}

/// A batch whose partitions are all in the sink.
pub struct Finished<'a> {
    pub plan: &'a Plan,
    /// Its folder.
    pub artifacts: &'a Artifacts,
    pub run: u64,
    /// Files with dead letters.
    pub dead: Vec<(PartitionKey, String)>,
    /// Documents of an earlier run that are meant to stay.
    pub in_place: HashSet<Unit>,
}

impl Finished<'_> {
    /// `deleted` is told of each collection.
    pub fn delete_stale(
        &self,
        sink: &dyn VectorSink,
        flattened: &[Flattened],
        deleted: &mut dyn FnMut(usize, u64),
    ) -> Result<()> {
        let (collections, namespace) = (&self.plan.collections, &self.plan.namespace);
        let populated: Vec<usize> =
            (0..collections.len()).filter(|at| collections[*at].searchable).collect();
        // The first run of a namespace finds nothing of others.
        if populated.is_empty() || self.run == 1 {
            return Ok(());
        }
        let dead = self.by_root();
        let (mut seen, mut asked) = (HashSet::new(), false);
        for input in flattened.iter().filter(|f| seen.insert(f.bucket)) {
            let collection = collections[input.collection].name.as_str();
            for partition in 0..input.partitions {
                let written: Vec<usize> = populated
                    .iter()
                    .copied()
                    .filter(|at| !self.in_place.contains(&(*at, input.bucket, partition)))
                    .collect();
                if written.is_empty() {
                    continue;
                }
                let name = artifact_name(collection, input.source, partition);
                let columns = [OBJECT_ID.to_string()];
                let mut failed = HashSet::new();
                for file in dead.get(&(input.bucket, partition)).into_iter().flatten() {
                    failed.extend(dead::read(self.artifacts, file)?.into_iter().map(|l| l.object));
                }
                let mut objects = Vec::new();
                for rows in PartReader::read(self.artifacts, &name, Some(&columns), None)? {
                    let ids = strings(&rows, OBJECT_ID)?.iter().flatten();
                    objects.extend(ids.filter(|id| !failed.contains(*id)).map(str::to_string));
                }
                for at in &written {
                    let name = collections[*at].name.as_str();
                    deleted(*at, sink.delete_stale(namespace, name, &objects, self.run)?);
                    asked = true;
                }
            }
        }
        // Nothing was written where everything is in place: there is nothing to be made durable.
        if asked { sink.flush(namespace) } else { Ok(()) }
    }

    /// By bucket and number of the tier-0 partition that the rows come from.
    fn by_root(&self) -> BTreeMap<(usize, u32), Vec<&str>> {
        let mut files: BTreeMap<(usize, u32), Vec<&str>> = BTreeMap::new();
        for (key, letters) in &self.dead {
            let (_, bucket) = schedule::path(self.plan, key);
            let root = key.id.0.first().copied().unwrap_or(0);
            files.entry((bucket, root)).or_default().push(letters);
        }
        files
    }
}
