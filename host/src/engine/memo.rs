//! What a batch need not do again, decided when it is submitted.
//!
//! Documents are a function of the rows and of what is planned for them, so the last complete batch
//! that planned the same is the memo: there is no other index, and a first run pays nothing.
//! What comes from an artifact that did not change is kept whole, here; in the others the run
//! compares row by row ([`super::reuse`]).
//!
//! **Invariant:** a unit, all partitions of a collection that descend from one artifact, is kept as
//! a whole or not at all, and only if nothing below that artifact failed: what is kept has no stale
//! documents.

use super::columns::{OBJECT_ID, strings};
use super::flatten::{Flattened, artifact_name};
use super::patience::retry;
use super::plan::{Plan, PlannedCollection, RowKind, Source};
use super::{BatchManifest, Engine, history, kept, read_manifest, schedule};
use crate::artifact::{Artifacts, PartReader, Slice};
use crate::error::{Code, Result};
use crate::model::{BatchId, BatchStatus};
use crate::store::{BatchRecord, Kept, PartitionKey, PartitionRecord, PartitionState};
use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Complete batches that are looked at, from the last one back.
const BATCHES_MAX: usize = 8;
/// Capabilities that leave an extractor a function of its rows.
const PURE: [&str; 3] = ["assets", "kernels", "log"];

/// The batch whose documents may be taken, as `manifest.json` keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memo {
    pub batch: BatchId,
    /// Of that batch, when this one was submitted.
    pub run: u64,
    pub round: u32,
    pub history: String,
    /// By collection: the same one in that batch's plan, where documents can not differ.
    pub collections: Vec<Option<usize>>,
    /// Partitions that are kept whole; [`kept::NAME`] lists them.
    pub kept: u64,
    /// Whether documents would look the same in the sink, too.
    pub same_sink: bool,
}

/// An earlier batch while it is compared with.
struct Earlier {
    record: BatchRecord,
    plan: Plan,
    flattened: Vec<Flattened>,
    folder: Artifacts,
    history: String,
}

impl Engine {
    /// Finds the memo of a batch that was just flattened and links what is kept into its folder.
    /// `inherited` names the batch that all its artifacts were taken from.
    pub(super) fn memorize(
        &self,
        record: &BatchRecord,
        plan: &Plan,
        flattened: &[Flattened],
        inherited: Option<&BatchId>,
    ) -> Result<Option<Memo>> {
        retry(&self.env, &self.patience, || {
            let found = self.earlier(record, plan, flattened, inherited)?;
            let Some((earlier, collections)) = found else { return Ok(None) };
            let (folder, same) = (self.folder(record), inherited == Some(&earlier.record.id));
            let keeping = Keeping { plan, flattened, folder: &folder, earlier: &earlier, same };
            let kept = keeping.partitions(&collections, self.sink.is_some())?;
            let Some(kept) = kept else { return Ok(None) };
            let memo = Memo {
                batch: earlier.record.id.clone(),
                run: earlier.record.run,
                round: earlier.record.round,
                history: earlier.history.clone(),
                collections,
                kept: kept.len() as u64,
                // Stale documents are told by their object, which may be in two buckets.
                same_sink: earlier.record.sink == record.sink
                    && earlier.plan.history == plan.history
                    && plan.buckets.len() == 1,
            };
            if !kept.is_empty() {
                kept::write(&folder, plan, &kept)?;
            }
            Ok(Some(memo))
        })
    }

    /// The last complete batch that planned one of these collections in the same way, if possible
    /// one of the same objects: a bucket may be run in several batches.
    fn earlier(
        &self,
        own: &BatchRecord,
        plan: &Plan,
        flattened: &[Flattened],
        inherited: Option<&BatchId>,
    ) -> Result<Option<(Earlier, Vec<Option<usize>>)>> {
        let folder = self.folder(own);
        let mut last = None;
        let mut batches: Vec<BatchRecord> = self.store.batches()?;
        batches.retain(|batch| {
            complete(batch)
                && batch.history.is_some()
                && batch.namespace == own.namespace
                && batch.artifacts == own.artifacts
        });
        batches.sort_by_key(|batch| std::cmp::Reverse(batch.run));
        for record in batches.into_iter().take(BATCHES_MAX) {
            let from = self.folder(&record);
            let manifest = match read_manifest(&from) {
                Ok(manifest) if manifest.is_current() => manifest,
                Ok(_) => continue,
                // Somebody removed it, or it is damaged: it costs time and nothing else.
                Err(error) if gone(error.code()) => continue,
                Err(error) => return Err(error),
            };
            let BatchManifest { plan: old, flattened: known, .. } = manifest;
            let collections = matches(plan, &old);
            let history = record.history.clone().unwrap_or_default();
            if collections.iter().any(Option::is_some) {
                let earlier =
                    Earlier { record, plan: old, flattened: known, folder: from, history };
                let same = inherited == Some(&earlier.record.id);
                if same || begins_alike(&folder, plan, flattened, &earlier)? {
                    return Ok(Some((earlier, collections)));
                }
                // Rows may have moved on by whole artifacts; smaller batches are other objects.
                let many = |inputs: &[Flattened]| inputs.iter().any(|input| input.partitions > 1);
                if many(flattened) && many(&earlier.flattened) {
                    last.get_or_insert((earlier, collections));
                }
            }
        }
        Ok(last)
    }
}

pub(super) fn complete(batch: &BatchRecord) -> bool {
    matches!(batch.status, BatchStatus::Completed | BatchStatus::CompletedWithErrors)
}

/// Whether an object of the first artifact was in the first one of the same collection then.
fn begins_alike(
    folder: &Artifacts,
    plan: &Plan,
    flattened: &[Flattened],
    earlier: &Earlier,
) -> Result<bool> {
    let Some(input) = flattened.iter().find(|input| input.partitions > 0) else {
        return Ok(false);
    };
    let name = artifact_name(plan.collections[input.collection].name.as_str(), input.source, 0);
    let objects = |folder: &Artifacts| -> Result<HashSet<String>> {
        let mut objects = HashSet::new();
        for rows in PartReader::read(folder, &name, Some(&[OBJECT_ID.to_string()]), None)? {
            objects.extend(strings(&rows, OBJECT_ID)?.iter().flatten().map(str::to_string));
        }
        Ok(objects)
    };
    match objects(&earlier.folder) {
        Err(error) if gone(error.code()) => Ok(false),
        known => Ok(!known?.is_disjoint(&objects(folder)?)),
    }
}

/// Errors of what is not there any more or can not be read.
pub(super) fn gone(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::Corrupt)
}

/// For each collection the one of the old plan that makes the same documents of the same rows.
fn matches(plan: &Plan, old: &Plan) -> Vec<Option<usize>> {
    let find = |collection: &PlannedCollection| {
        let at = old.collection(collection.name.as_str())?;
        let same = is_function(plan, collection) && same(plan, collection, old, at);
        same.then_some(at)
    };
    plan.collections.iter().map(find).collect()
}

fn same(plan: &Plan, new: &PlannedCollection, old_plan: &Plan, old: usize) -> bool {
    let old = &old_plan.collections[old];
    source_names(plan, new) == source_names(old_plan, old)
        && new.extractor.digest == old.extractor.digest
        && new.parameters == old.parameters
        && new.description == old.description
        && new.inputs == old.inputs
        && new.outputs == old.outputs
        && new.passthrough == old.passthrough
        && new.filter == old.filter
        && new.vectors == old.vectors
        && new.searchable == old.searchable
}

fn source_names<'a>(plan: &'a Plan, collection: &PlannedCollection) -> Vec<(bool, &'a str)> {
    let name = |source: &Source| match source {
        Source::Bucket(at) => (true, plan.buckets[*at].name.as_str()),
        Source::Collection(at) => (false, plan.collections[*at].name.as_str()),
    };
    collection.sources.iter().map(name).collect()
}

/// Whether documents depend on nothing but what stands in the rows: the extractor is granted no
/// clock, chance or network, and what it reads by reference is named by its content.
fn is_function(plan: &Plan, collection: &PlannedCollection) -> bool {
    let description = &collection.description;
    let pure = description.deterministic
        && description.capabilities.iter().all(|name| PURE.contains(&name.as_str()));
    let mut read = collection.inputs.iter().flatten();
    pure && read.all(|field| {
        field.kind() != RowKind::Reference
            || collection.sources.iter().all(|source| match source {
                Source::Bucket(_) => false,
                // What an extractor made is stored under its digest.
                Source::Collection(at) => {
                    let outputs = &plan.collections[*at].outputs;
                    outputs.iter().any(|output| output.name == field.root)
                }
            })
    })
}

/// An artifact as its bucket's name and its number.
type Root = (String, u32);

struct Keeping<'a> {
    plan: &'a Plan,
    flattened: &'a [Flattened],
    folder: &'a Artifacts,
    earlier: &'a Earlier,
    /// Whether the artifacts are those of the earlier batch.
    same: bool,
}

impl Keeping<'_> {
    /// Records of the partitions that are kept, their parts linked; `None` when the earlier batch
    /// is gone meanwhile.
    fn partitions(
        &self,
        collections: &[Option<usize>],
        sink: bool,
    ) -> Result<Option<Vec<(PartitionKey, PartitionRecord)>>> {
        let mut all = Vec::new();
        let read =
            history::read(&self.earlier.folder, &self.earlier.history, &mut |key, record| {
                all.push((key, record));
                Ok(true)
            });
        match read {
            Err(error) if gone(error.code()) => return Ok(None),
            read => read?,
        }
        let old = &self.earlier.plan;
        let root = |key: &PartitionKey| -> Root {
            let (_, bucket) = schedule::path(old, key);
            (old.buckets[bucket].name.to_string(), key.id.0.first().copied().unwrap_or(0))
        };
        let failed = |record: &PartitionRecord| {
            !matches!(record.state, PartitionState::Committed { dead: None, .. })
        };
        let failed: HashSet<Root> =
            all.iter().filter(|(_, record)| failed(record)).map(|(key, _)| root(key)).collect();
        let units = self.units(collections, &failed)?;
        let mut kept = Vec::new();
        for (key, record) in all {
            let Some(at) = collections.iter().position(|old| *old == Some(key.collection)) else {
                continue;
            };
            if units.contains(&(at, root(&key))) {
                kept.push((PartitionKey { collection: at, ..key }, record));
            }
        }
        match self.link(kept, sink) {
            Err(error) if gone(error.code()) => Ok(None),
            kept => kept.map(Some),
        }
    }

    /// The collections and artifacts where nothing changed from the bucket on.
    fn units(
        &self,
        collections: &[Option<usize>],
        failed: &HashSet<Root>,
    ) -> Result<HashSet<(usize, Root)>> {
        let mut units: HashSet<(usize, Root)> = HashSet::new();
        for (bucket, planned) in self.plan.buckets.iter().enumerate() {
            let own = || self.flattened.iter().filter(move |it| it.bucket == bucket);
            let partitions = own().map(|input| input.partitions).max().unwrap_or(0);
            for number in 0..partitions {
                let root = (planned.name.to_string(), number);
                if failed.contains(&root) {
                    continue;
                }
                // By tier: sources come first.
                for (at, old) in collections.iter().enumerate() {
                    let Some(old) = old else { continue };
                    if self.unchanged(at, *old, bucket, &root, &units)? {
                        units.insert((at, root.clone()));
                    }
                }
            }
        }
        Ok(units)
    }

    fn unchanged(
        &self,
        at: usize,
        old: usize,
        bucket: usize,
        root: &Root,
        units: &HashSet<(usize, Root)>,
    ) -> Result<bool> {
        let mut concerned = false;
        for (number, source) in self.plan.collections[at].sources.iter().enumerate() {
            let kept = match source {
                Source::Bucket(from) if *from == bucket => {
                    self.same_artifact(at, old, number, root.1)?
                }
                Source::Collection(from) if self.reads(*from, bucket) => {
                    units.contains(&(*from, root.clone()))
                }
                Source::Bucket(_) | Source::Collection(_) => continue,
            };
            if !kept {
                return Ok(false);
            }
            concerned = true;
        }
        Ok(concerned)
    }

    /// Whether documents of the collection come from the bucket, directly or not.
    fn reads(&self, collection: usize, bucket: usize) -> bool {
        self.plan.collections[collection].sources.iter().any(|source| match source {
            Source::Bucket(from) => *from == bucket,
            Source::Collection(from) => self.reads(*from, bucket),
        })
    }

    fn same_artifact(&self, at: usize, old: usize, source: usize, number: u32) -> Result<bool> {
        let own = |input: &&Flattened| input.collection == old && input.source == source;
        let known = self.earlier.flattened.iter().find(own);
        if known.is_none_or(|input| number >= input.partitions) {
            return Ok(false);
        }
        if self.same {
            return Ok(true);
        }
        // A collection has the same name in both plans.
        let name = artifact_name(self.plan.collections[at].name.as_str(), source, number);
        match same_rows(self.folder, &self.earlier.folder, &name) {
            Err(error) if gone(error.code()) => Ok(false),
            same => same,
        }
    }

    fn link(
        &self,
        kept: Vec<(PartitionKey, PartitionRecord)>,
        sink: bool,
    ) -> Result<Vec<(PartitionKey, PartitionRecord)>> {
        let mut links: Vec<(String, String)> = Vec::new();
        let mut records = Vec::new();
        for (key, record) in kept {
            let PartitionState::Committed { mut funnel, part, slice_rows, kept, .. } = record.state
            else {
                continue;
            };
            let collection = &self.plan.collections[key.collection];
            (funnel.skipped, funnel.succeeded) = (funnel.skipped + funnel.succeeded, 0);
            let part = part.map(|old| {
                // No claim has the fence 0.
                let file = format!("part-{:02}-{}.f0.parquet", key.source, key.id);
                let name = format!("tier-{}/{}/{file}", collection.tier, collection.name);
                links.push((old, name.clone()));
                name
            });
            let own = &self.earlier.record;
            let origin = kept.filter(|kept| kept.in_place);
            let kept = Some(Box::new(Kept {
                batch: origin.as_ref().map_or_else(|| own.id.clone(), |it| it.batch.clone()),
                run: origin.as_ref().map_or(own.run, |it| it.run),
                in_place: false,
            }));
            let sunk = part.is_none() || !sink || !collection.searchable;
            let state =
                PartitionState::Committed { funnel, part, dead: None, slice_rows, sunk, kept };
            let timing = record.timing;
            records.push((key, PartitionRecord { state, attempts: 0, round: 0, timing }));
        }
        self.folder.link_all(&self.earlier.folder, &links)?;
        Ok(records)
    }
}

/// Whether two artifacts hold the same. Mostly they are the same bytes; where the manifests are
/// laid out otherwise, their pages end elsewhere.
fn same_rows(new: &Artifacts, old: &Artifacts, name: &str) -> Result<bool> {
    if old.get(name)? == new.get(name)? {
        return Ok(true);
    }
    let equal = |columns: Option<&[String]>, slice: Option<Slice>| -> Result<bool> {
        let [new, old] = [new, old].map(|folder| PartReader::read(folder, name, columns, slice));
        Ok(joined(&new?) == joined(&old?))
    };
    // Most that differ do so in their first row, or in their objects.
    let first = Slice { from: 0, rows: 1 };
    Ok(equal(None, Some(first))?
        && equal(Some(&[OBJECT_ID.to_string()]), None)?
        && equal(None, None)?)
}

fn joined(batches: &[RecordBatch]) -> Option<RecordBatch> {
    let first = batches.first()?;
    arrow_select::concat::concat_batches(&first.schema(), batches).ok()
}
