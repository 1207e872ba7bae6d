//! `quarry admin verify`: reads everything the state says and looks whether it is so. Changes
//! nothing.

use super::Home;
use crate::artifact::{Artifacts, PartReader};
use crate::engine::{self, BatchManifest, history};
use crate::error::{Error, Result};
use crate::model::{BatchStatus, Condition, Filter, Funnel, LINEAGE_FIELD, Name, Operator};
use crate::sink::VectorSink;
use crate::store::{
    BatchRecord, Entry, ExtractorRecord, NamespaceRecord, PartitionKey, PartitionRecord,
    PartitionState, Store,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap, HashSet};

const MISSING_OBJECT: &str = "restore the object store from a copy, or run the batch again with \
                              `quarry run --force`";
const DAMAGED_RECORD: &str = "`quarry admin restore` a backup, or set state/ aside and derive it \
                              again with `quarry admin rebuild`";

/// Something that is not as the state says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A key of the state, an object or a file.
    pub thing: String,
    pub problem: String,
    pub fix: String,
}

/// What was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub records: u64,
    pub batches: u64,
    pub objects: u64,
    /// Rows that were read back; 0 without `deep`.
    pub rows: u64,
    pub findings: Vec<Finding>,
}

impl Home {
    /// `deep` reads all parts and counts the documents in the sinks.
    pub fn verify(&self, deep: bool) -> Result<Verified> {
        // The version is one of the records: a wrong one is a finding, no error.
        self.existing_state()?;
        let store = Store::open_unversioned(&self.state())?;
        let mut verifying =
            Verifying { home: self, deep, sinks: HashMap::new(), seen: Verified::default() };
        let state = verifying.records(&store)?;
        for record in &state.batches {
            verifying.batch(&store, record);
        }
        for record in &state.extractors {
            verifying.extractor(record);
        }
        for (name, record) in &state.namespaces {
            verifying.namespace(name, record, &state.batches);
        }
        Ok(verifying.seen)
    }
}

/// What could be read of the state.
#[derive(Default)]
struct State {
    batches: Vec<BatchRecord>,
    namespaces: Vec<(Name, NamespaceRecord)>,
    extractors: Vec<ExtractorRecord>,
}

struct Verifying<'a> {
    home: &'a Home,
    deep: bool,
    /// Opened once: the embedded engine allows one opening a process.
    sinks: HashMap<String, Option<Box<dyn VectorSink>>>,
    seen: Verified,
}

impl Verifying<'_> {
    fn find(&mut self, thing: impl Into<String>, problem: impl Into<String>, fix: &str) {
        let (thing, problem) = (thing.into(), problem.into());
        self.seen.findings.push(Finding { thing, problem, fix: fix.to_string() });
    }

    /// An error is a finding: the next thing may be fine.
    fn failed(&mut self, thing: impl Into<String>, error: &Error, fix: &str) {
        let hint = error.hint_text().unwrap_or(fix).to_string();
        self.find(thing, error.chain(), &hint);
    }

    fn records(&mut self, store: &Store) -> Result<State> {
        let mut state = State::default();
        let mut versions = 0;
        // Batches come before what refers to them, in the order of the keys.
        let mut known = BTreeSet::new();
        for entry in store.entries() {
            let (key, bytes) = entry?;
            self.seen.records += 1;
            match Entry::parse(&key, &bytes) {
                Err(error) => {
                    if let Some(batch) = key.strip_prefix("batch/") {
                        known.insert(batch.to_string());
                    }
                    self.failed(key, &error, DAMAGED_RECORD);
                }
                Ok(Entry::Version(version)) => {
                    versions += 1;
                    if version != Store::version() {
                        let problem = format!("has version {version}, not {}", Store::version());
                        self.find(
                            key,
                            problem,
                            "start any other command: it upgrades, or says why not",
                        );
                    }
                }
                Ok(Entry::Batch(batch)) => {
                    known.insert(batch.id.to_string());
                    state.batches.push(*batch);
                }
                Ok(Entry::Namespace(name, namespace)) => state.namespaces.push((name, namespace)),
                Ok(Entry::Extractor(extractor)) => state.extractors.push(extractor),
                Ok(Entry::Catalog(_)) => {}
                Ok(Entry::Partition(batch, ..) | Entry::Event(batch, _)) => {
                    if !known.contains(batch.as_str()) {
                        self.find(key, format!("there is no batch {batch}"), DAMAGED_RECORD);
                    }
                }
            }
        }
        if versions == 0 {
            self.find("meta/version", "is missing", DAMAGED_RECORD);
        }
        Ok(state)
    }

    fn batch(&mut self, store: &Store, record: &BatchRecord) {
        self.seen.batches += 1;
        // A draft has promised nothing yet.
        if record.status == BatchStatus::Draft {
            return;
        }
        if let Err(error) = self.try_batch(store, record) {
            self.failed(format!("batch/{}", record.id), &error, MISSING_OBJECT);
        }
    }

    fn try_batch(&mut self, store: &Store, record: &BatchRecord) -> Result<()> {
        let root = self.home.artifacts(&record.artifacts)?;
        let folder = root.folder(&engine::batch_folder(record));
        let listed: HashSet<String> = folder.objects()?.into_iter().map(|(name, _)| name).collect();
        self.seen.objects += listed.len() as u64;
        // A draft that was canceled never got one.
        let begun = record.fence > 0 || !record.status.is_terminal();
        if !begun && !listed.contains(engine::MANIFEST) {
            return Ok(());
        }
        let manifest = engine::read_manifest(&folder)?;
        if manifest.batch != record.id {
            let thing = folder.name_of(engine::MANIFEST);
            self.find(thing, format!("is of the batch {}", manifest.batch), MISSING_OBJECT);
        }
        let mut counted = vec![(0u64, Funnel::default()); manifest.plan.collections.len()];
        let mut partition = |key: PartitionKey, partition: PartitionRecord| -> Result<bool> {
            let PartitionState::Committed { funnel, .. } = &partition.state else {
                return Ok(true);
            };
            match counted.get_mut(key.collection) {
                Some((partitions, sum)) => {
                    *partitions += 1;
                    sum.add(funnel);
                }
                None => {
                    let thing = format!("partition/{}/{key}", record.id);
                    self.find(thing, "is of a collection the plan has not", DAMAGED_RECORD);
                    return Ok(true);
                }
            }
            self.partition(&folder, &listed, record, &key, &partition);
            Ok(true)
        };
        match &record.history {
            Some(name) => history::read(&folder, name, &mut partition)?,
            None => {
                // Those that can not be read were found among the records.
                for (key, found) in store.partitions(&record.id).flatten() {
                    partition(key, found)?;
                }
            }
        }
        if record.status.is_terminal() && record.history.is_some() {
            self.ended(&folder, record, &listed, &counted);
        } else {
            self.pinned(&manifest);
        }
        Ok(())
    }

    fn partition(
        &mut self,
        folder: &Artifacts,
        listed: &HashSet<String>,
        record: &BatchRecord,
        key: &PartitionKey,
        partition: &PartitionRecord,
    ) {
        let PartitionState::Committed { funnel, part, dead, kept, .. } = &partition.state else {
            return;
        };
        let thing = format!("partition/{}/{key}", record.id);
        if !funnel.balances() {
            self.find(&thing, format!("its funnel does not balance: {funnel:?}"), MISSING_OBJECT);
        }
        if part.is_none() && funnel.documents > 0 {
            self.find(
                &thing,
                format!("has {} documents and no part", funnel.documents),
                DAMAGED_RECORD,
            );
        }
        if dead.is_none() && funnel.failed > 0 {
            self.find(
                &thing,
                format!("has {} failed rows and no dead letters", funnel.failed),
                DAMAGED_RECORD,
            );
        }
        let marker = engine::commit::name(partition.round, key);
        if record.history.is_none() && kept.is_none() && !listed.contains(&marker) {
            self.find(
                folder.name_of(&marker),
                "is missing: the marker of a committed partition",
                MISSING_OBJECT,
            );
        }
        for (name, rows) in [(part, funnel.documents), (dead, funnel.failed)] {
            let Some(name) = name else { continue };
            if !listed.contains(name) {
                self.find(
                    folder.name_of(name),
                    format!("is missing: {thing} names it"),
                    MISSING_OBJECT,
                );
            } else if self.deep {
                self.rows(folder, name, rows);
            }
        }
    }

    /// Every column of every row is decoded.
    fn rows(&mut self, folder: &Artifacts, name: &str, expected: u64) {
        match PartReader::read(folder, name, None, None) {
            Err(error) => self.failed(folder.name_of(name), &error, MISSING_OBJECT),
            Ok(batches) => {
                let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
                self.seen.rows += rows;
                if rows != expected {
                    let problem = format!("has {rows} rows, its record says {expected}");
                    self.find(folder.name_of(name), problem, MISSING_OBJECT);
                }
            }
        }
    }

    /// The summary says what the partitions add up to.
    fn ended(
        &mut self,
        folder: &Artifacts,
        record: &BatchRecord,
        listed: &HashSet<String>,
        counted: &[(u64, Funnel)],
    ) {
        if !listed.contains(engine::SUMMARY) {
            let thing = folder.name_of(engine::SUMMARY);
            self.find(thing, "is missing: the batch has ended", MISSING_OBJECT);
        }
        for (summary, (partitions, funnel)) in record.collections.iter().zip(counted) {
            if summary.partitions != *partitions || summary.funnel != *funnel {
                let problem = format!(
                    "says {} partitions and {:?} of {}, the partitions add up to {partitions} and \
                     {funnel:?}",
                    summary.partitions, summary.funnel, summary.collection
                );
                self.find(format!("batch/{}", record.id), problem, DAMAGED_RECORD);
            }
        }
    }

    /// What a batch that is not finished needs to go on.
    fn pinned(&mut self, manifest: &BatchManifest) {
        let digests: BTreeSet<&str> =
            manifest.plan.collections.iter().map(|c| c.extractor.digest.as_str()).collect();
        for digest in digests {
            if !self.home.component(digest).is_file() {
                let problem =
                    format!("is missing: the unfinished batch {} needs it", manifest.batch);
                self.find(format!("extractors/{digest}.wasm"), problem, "restore it from a backup");
            }
        }
    }

    fn extractor(&mut self, record: &ExtractorRecord) {
        let thing = format!("extractors/{}.wasm", record.digest);
        let named = format!("{}@{}", record.name, record.version);
        let fix = "restore it from a backup";
        match std::fs::read(self.home.component(&record.digest)) {
            Err(error) => self.find(thing, format!("is {named} and can not be read: {error}"), fix),
            Ok(wasm) => {
                let digest = format!("{:x}", Sha256::digest(&wasm));
                if digest != record.digest {
                    self.find(thing, format!("is {named} and has the SHA-256 {digest}"), fix);
                }
            }
        }
    }

    fn namespace(&mut self, name: &Name, record: &NamespaceRecord, batches: &[BatchRecord]) {
        let thing = format!("namespace/{name}");
        let own = || batches.iter().filter(|batch| batch.namespace == *name);
        let last = own().map(|batch| batch.run).max().unwrap_or(0);
        if record.last_run < last {
            let problem = format!("its last run is {}, a batch has {last}", record.last_run);
            self.find(&thing, problem, DAMAGED_RECORD);
        }
        for (collection, state) in &record.collections {
            let Some(batch) = own().find(|batch| batch.id.as_str() == state.batch) else {
                let problem =
                    format!("`{collection}` was written by {}, which is unknown", state.batch);
                self.find(&thing, problem, DAMAGED_RECORD);
                continue;
            };
            // Of an older run only some documents are left; while one runs they come and go.
            let later = own().any(|other| other.run > batch.run && other.fence > 0);
            let complete =
                matches!(batch.status, BatchStatus::Completed | BatchStatus::CompletedWithErrors);
            if self.deep && complete && !batch.discarded && !later {
                self.count(name, collection, &state.sink, batch);
            }
        }
    }

    /// The last batch of a collection has all its documents in the sink.
    fn count(&mut self, namespace: &Name, collection: &str, sink: &str, batch: &BatchRecord) {
        let thing = format!("{sink}: {namespace}/{collection}");
        let field = |name: &str, value: &str| Condition::Field {
            field: format!("{LINEAGE_FIELD}.{name}"),
            operator: Operator::Eq,
            value: value.into(),
        };
        let and = vec![field("collection", collection), field("batch", batch.id.as_str())];
        let filter = Filter { and, case_sensitive: true, ..Filter::default() };
        let counted = self.opened(sink).and_then(|sink| match sink {
            Some(sink) => sink.count(namespace, Some(&filter)).map(Some),
            None => Ok(None),
        });
        let made = batch.collections.iter().find(|c| c.collection.as_str() == collection);
        let kept = match self.kept_in_place(collection, batch) {
            Ok(kept) => kept,
            Err(error) => return self.failed(thing, &error, MISSING_OBJECT),
        };
        let expected = made.map_or(0, |summary| summary.funnel.documents.saturating_sub(kept));
        match counted {
            Ok(Some(found)) if found != expected => {
                let problem =
                    format!("has {found} documents of {}, which made {expected}", batch.id);
                self.find(thing, problem, "run the batch again with `quarry run --force`");
            }
            Ok(_) => {}
            Err(error) => self.failed(thing, &error, "start the sink, or restore vectors/"),
        }
    }

    /// Documents that the batch did not write, because they were there.
    fn kept_in_place(&self, collection: &str, batch: &BatchRecord) -> Result<u64> {
        let Some(name) = batch.history.as_ref().filter(|_| batch.kept_in_place) else {
            return Ok(0);
        };
        let root = self.home.artifacts(&batch.artifacts)?;
        let folder = root.folder(&engine::batch_folder(batch));
        let at = engine::read_manifest(&folder)?.plan.collection(collection);
        let mut documents = 0;
        history::read(&folder, name, &mut |key, partition| {
            if let PartitionState::Committed { funnel, kept: Some(kept), .. } = partition.state
                && kept.in_place
                && Some(key.collection) == at
            {
                documents += funnel.documents;
            }
            Ok(true)
        })?;
        Ok(documents)
    }

    fn opened(&mut self, name: &str) -> Result<Option<&dyn VectorSink>> {
        if !self.sinks.contains_key(name) {
            self.sinks.insert(name.to_string(), self.home.sink(name)?);
        }
        Ok(self.sinks.get(name).and_then(Option::as_deref))
    }
}
