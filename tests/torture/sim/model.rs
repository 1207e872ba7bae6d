//! What must be true after every step, and the little that has to be remembered to know it.

use super::super::world::World;
use super::super::world::faults::Plan;
use super::super::world::guest::{FLAKY, POISON};
use super::super::world::sink::{SinkDisk, is_of};
use anyhow::{Result, ensure};
use quarry::engine::Engine;
use quarry::model::{BatchId, BatchStatus, Document, LINEAGE_FIELD};
use quarry::store::{BatchRecord, PartitionState};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

type Rows = Vec<(String, String)>;

/// The documents of each object, by manifest, from undisturbed runs.
pub(super) struct Expected {
    rows: Vec<Rows>,
    /// By manifest, before and after flaky rows were healed.
    documents: Vec<[BTreeMap<String, BTreeSet<String>>; 2]>,
}

impl Expected {
    pub(super) fn new(folder: &Path, rows: &[Rows]) -> Result<Expected> {
        let mut documents = Vec::new();
        for (number, rows) in rows.iter().enumerate() {
            let mut both = Vec::new();
            for healed in [false, true] {
                let world = World::new(&folder.join(format!("{number}-{healed}")))?;
                if healed {
                    world.heal();
                }
                let manifest = world.manifest("notes", rows)?;
                let engine = world.open(Plan::Calm)?;
                world.drive(&engine, &manifest)?;
                world.close(engine);
                both.push(by_object(&world.sink));
            }
            let [before, after] = <[_; 2]>::try_from(both).map_err(|_| anyhow::anyhow!("two"))?;
            documents.push([before, after]);
        }
        Ok(Expected { rows: rows.to_vec(), documents })
    }
}

/// Without what differs between two batches.
fn by_object(sink: &SinkDisk) -> BTreeMap<String, BTreeSet<String>> {
    let mut objects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for document in sink.documents() {
        let (object, text) = shown(document);
        objects.entry(object).or_default().insert(text);
    }
    objects
}

fn shown(mut document: Document) -> (String, String) {
    let mut object = String::new();
    let lineage = document.payload.get_mut(LINEAGE_FIELD);
    if let Some(lineage) = lineage.and_then(|lineage| lineage.as_object_mut()) {
        object = lineage["object"].as_str().unwrap_or_default().to_string();
        ["batch", "run"].iter().for_each(|field| drop(lineage.remove(*field)));
    }
    let payload = serde_json::Value::Object(document.payload);
    (object, format!("{} {payload} {:?}", document.id, document.vectors))
}

/// A document of the batch, if there is one.
pub(super) fn left_of(sink: &SinkDisk, batch: &BatchId) -> Option<Document> {
    sink.documents().into_iter().find(|document| is_of(document, batch))
}

pub(super) struct Model<'a> {
    expected: &'a Expected,
    healed: bool,
    /// Manifest of every batch that was acknowledged, and how it was last seen.
    batches: BTreeMap<String, (usize, Option<Seen>)>,
    /// Which manifest an object's documents must be of, where that is certain.
    certain: BTreeMap<String, (usize, bool)>,
    written: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    status: BatchStatus,
    fence: u64,
    round: u32,
    run: u64,
}

impl<'a> Model<'a> {
    pub(super) fn new(expected: &'a Expected) -> Model<'a> {
        Model {
            expected,
            healed: false,
            batches: BTreeMap::new(),
            certain: BTreeMap::new(),
            written: BTreeSet::new(),
        }
    }

    pub(super) fn heal(&mut self) {
        self.healed = true;
    }

    pub(super) fn acknowledged(&mut self, id: BatchId, manifest: usize) {
        self.batches.entry(id.to_string()).or_insert((manifest, None));
    }

    fn manifest(&self, engine: &Engine, id: &BatchId) -> Result<Option<usize>> {
        if let Some((manifest, _)) = self.batches.get(id.as_str()) {
            return Ok(Some(*manifest));
        }
        let record = engine.store.batch(id)?;
        let url = record.manifests.first().map(|(_, url)| url.clone()).unwrap_or_default();
        Ok(super::MANIFESTS.iter().position(|name| url.contains(name)))
    }

    /// From here on its objects may be of this batch or of what was there before.
    pub(super) fn begun(&mut self, engine: &Engine, id: &BatchId) -> Result<()> {
        if let Some(manifest) = self.manifest(engine, id)? {
            for (object, _) in &self.expected.rows[manifest] {
                self.certain.remove(object);
                self.written.insert(object.clone());
            }
        }
        Ok(())
    }

    pub(super) fn ended(&mut self, engine: &Engine, record: &BatchRecord) -> Result<()> {
        let complete =
            matches!(record.status, BatchStatus::Completed | BatchStatus::CompletedWithErrors);
        ensure!(complete, "a run ended {}: {:?}", record.status.as_str(), record.error);
        let Some(manifest) = self.manifest(engine, &record.id)? else { return Ok(()) };
        let dead: BTreeSet<String> =
            engine.dead_letters(record, 1_000)?.into_iter().map(|letter| letter.object).collect();
        for (object, text) in &self.expected.rows[manifest] {
            ensure!(
                !text.contains(POISON) || dead.contains(object),
                "{object} is poisoned, but not among the dead letters {dead:?}"
            );
            // A row that failed earlier stays failed until it is retried.
            let settled = !text.contains(POISON) && !text.contains(FLAKY);
            ensure!(!settled || !dead.contains(object), "{object} is dead: {text}");
            if !dead.contains(object) {
                self.certain.insert(object.clone(), (manifest, true));
            }
        }
        Ok(())
    }

    pub(super) fn check(&mut self, engine: &Engine, sink: &SinkDisk) -> Result<()> {
        self.check_batches(engine)?;
        let found = by_object(sink);
        for (object, (manifest, healed)) in &self.certain {
            let expected = self.expected.documents[*manifest][usize::from(*healed)].get(object);
            let none = BTreeSet::new();
            let (expected, found) = (expected.unwrap_or(&none), found.get(object).unwrap_or(&none));
            let missing: Vec<_> = expected.difference(found).collect();
            let extra: Vec<_> = found.difference(expected).collect();
            ensure!(
                missing.is_empty() && extra.is_empty(),
                "{object}: missing {missing:#?}\nnot expected {extra:#?}"
            );
        }
        let unknown: Vec<_> = found.keys().filter(|o| !self.written.contains(*o)).collect();
        ensure!(unknown.is_empty(), "documents of {unknown:?}, which nobody wrote");
        Ok(())
    }

    fn check_batches(&mut self, engine: &Engine) -> Result<()> {
        let records = engine.store.batches()?;
        let mut runs = BTreeSet::new();
        for record in &records {
            ensure!(record.run == 0 || runs.insert(record.run), "run {} twice", record.run);
            self.check_end(engine, record)?;
        }
        for (id, (_, seen)) in &mut self.batches {
            let Some(record) = records.iter().find(|record| record.id.as_str() == id) else {
                anyhow::bail!("the acknowledged batch {id} is lost");
            };
            ensure!(record.status != BatchStatus::Draft, "{id} was acknowledged and is a draft");
            if let Some(seen) = seen {
                let kept = record.fence >= seen.fence
                    && record.round >= seen.round
                    && record.run >= seen.run;
                ensure!(kept, "{id} went back from {seen:?} to {record:?}");
                let reopened = seen.status.is_terminal() && !record.status.is_terminal();
                ensure!(
                    !reopened || record.round > seen.round,
                    "{id} was {seen:?} and lives again"
                );
            }
            let BatchRecord { status, fence, round, run, .. } = *record;
            *seen = Some(Seen { status, fence, round, run });
        }
        Ok(())
    }

    /// A batch that is complete balances, and all of it is in the sink.
    fn check_end(&self, engine: &Engine, record: &BatchRecord) -> Result<()> {
        if !matches!(record.status, BatchStatus::Completed | BatchStatus::CompletedWithErrors) {
            return Ok(());
        }
        for summary in &record.collections {
            ensure!(summary.funnel.balances(), "{summary:?}");
        }
        let mut open = Vec::new();
        engine.partitions(record, &mut |key, partition| {
            if !matches!(partition.state, PartitionState::Committed { sunk: true, .. }) {
                open.push(key.to_string());
            }
            Ok(true)
        })?;
        ensure!(open.is_empty(), "{} is complete without {open:?}", record.id);
        let failed: u64 = record.collections.iter().map(|summary| summary.funnel.failed).sum();
        let with_errors = record.status == BatchStatus::CompletedWithErrors;
        ensure!(with_errors == (failed > 0), "{failed} failed rows in {}", record.status.as_str());
        Ok(())
    }
}
