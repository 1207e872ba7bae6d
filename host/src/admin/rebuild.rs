//! `quarry admin rebuild`: derives the state from what batches left in the object store, for when
//! `state/` is lost. Manifests and summaries say which batches there are, markers what was
//! committed; the sink gets documents of unfinished batches once more, under the same ids.

use super::{Home, file};
use crate::artifact::Artifacts;
use crate::engine::redo::{self, RedoNote};
use crate::engine::{self, BatchManifest, commit, kept};
use crate::error::{Code, Context, Error, Result};
use crate::model::{BatchId, BatchStatus, Name};
use crate::plugin;
use crate::store::{
    BatchRecord, CollectionState, Event, ExtractorRecord, NamespaceRecord, PartitionKey,
    PartitionRecord, Replaced, Rewrite, Store,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

#[derive(Debug, Clone, Default)]
pub struct Rebuild {
    /// Object stores besides the data directory's own.
    pub artifacts: Vec<String>,
    /// Although there is a state: it is kept beside the new one.
    pub force: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    pub batches: u64,
    /// Among them: `quarry run --resume` goes on with them.
    pub unfinished: u64,
    /// Committed ones of unfinished batches.
    pub partitions: u64,
    pub namespaces: u64,
    pub extractors: u64,
    /// What was there before and is kept.
    pub kept: Vec<PathBuf>,
    /// What was found and says nothing.
    pub skipped: Vec<Skipped>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    pub path: String,
    pub why: String,
}

/// A claim may take a new run, which only the state and documents know of. Numbers that are left
/// out do no harm, but a run that is given twice would take old documents for new ones.
const RUNS_LOST_MAX: u64 = 1_000_000;

/// What is known so far.
struct Rebuilding<'a> {
    home: &'a Home,
    state: Rewrite,
    seen: HashSet<BatchId>,
    /// Last run by namespace.
    runs: BTreeMap<Name, u64>,
    /// Namespaces with unfinished batches.
    open: BTreeSet<Name>,
    /// Namespaces whose documents users have changed.
    edited: BTreeSet<Name>,
    /// Collections that claimed batches wrote, by run: later ones took them over.
    written: BTreeMap<(Name, u64), Vec<(String, CollectionState)>>,
    /// Digest by name and version, with the last run that used it.
    pinned: HashMap<(String, String), (u64, String)>,
    done: Rebuilt,
}

impl Home {
    pub fn rebuild(&self, rebuild: &Rebuild) -> Result<Rebuilt> {
        let exists = Store::exists(&self.state());
        if exists && !rebuild.force && !Store::open_unversioned(&self.state())?.is_empty()? {
            let message = format!("there is a state in {}", self.data_dir.display());
            return Err(Error::new(Code::Conflict, message).hint(
                "set it aside with --force; `quarry admin verify` says what is wrong with it",
            ));
        }
        let mut state = Rewrite::begin(&self.state())?;
        state.put(Store::put_version()?)?;
        let mut rebuilding = Rebuilding {
            home: self,
            state,
            seen: HashSet::new(),
            runs: BTreeMap::new(),
            open: BTreeSet::new(),
            edited: BTreeSet::new(),
            written: BTreeMap::new(),
            pinned: HashMap::new(),
            done: Rebuilt::default(),
        };
        if self.own_objects().is_dir() {
            rebuilding.object_store(&self.own_url()?)?;
        }
        for url in &rebuild.artifacts {
            rebuilding.object_store(url)?;
        }
        rebuilding.namespaces()?;
        rebuilding.extractors()?;
        let Rebuilding { state, mut done, .. } = rebuilding;
        let aside = self.aside(&self.state());
        let replaced = match exists && rebuild.force {
            true => {
                done.kept.push(aside.clone());
                Replaced::Kept(aside)
            }
            false => Replaced::Removed,
        };
        state.finish(&replaced)?;
        Ok(done)
    }
}

impl Rebuilding<'_> {
    fn skip(&mut self, path: String, why: impl Into<String>) {
        self.done.skipped.push(Skipped { path, why: why.into() });
    }

    fn object_store(&mut self, url: &str) -> Result<()> {
        let root = self.home.artifacts(url)?;
        for namespace in root.folders()? {
            let batches = root.folder(&format!("{namespace}/batches"));
            if !root.list(&format!("{namespace}/{}", engine::EDITS))?.is_empty() {
                self.edited.extend(Name::parse(&namespace));
            }
            for batch in batches.folders()? {
                let folder = batches.folder(&batch);
                self.batch(&folder, root.url(), &namespace, &batch)?;
            }
        }
        Ok(())
    }

    fn batch(&mut self, folder: &Artifacts, root: &str, space: &str, name: &str) -> Result<()> {
        let names: Vec<String> = folder.objects()?.into_iter().map(|(name, _)| name).collect();
        if !names.iter().any(|name| name == engine::MANIFEST) {
            self.skip(folder.url().to_string(), "a draft that was never queued");
            return Ok(());
        }
        let manifest = engine::read_manifest(folder)?;
        let mut record = match self.summary(folder, &names)? {
            Some(summary) => summary,
            None => manifest.record.clone(),
        };
        if [record.id.as_str(), record.namespace.as_str()] != [name, space] {
            self.skip(folder.url().to_string(), format!("its record is of {}", record.id));
            return Ok(());
        }
        if !self.seen.insert(record.id.clone()) {
            self.skip(folder.url().to_string(), "the same batch was found before");
            return Ok(());
        }
        record.artifacts = root.to_string();
        let history = record.history.as_ref().is_some_and(|history| names.contains(history));
        if !record.status.is_terminal() || !history {
            self.unfinished(folder, &names, &manifest, &mut record)?;
        }
        self.note(&manifest, &record);
        self.done.batches += 1;
        self.state.put(Store::put_batch(&record)?)
    }

    /// The record of the end, unless the batch was taken up again since.
    fn summary(&self, folder: &Artifacts, names: &[String]) -> Result<Option<BatchRecord>> {
        if !names.iter().any(|name| name == engine::SUMMARY) {
            return Ok(None);
        }
        let bytes = folder.get(engine::SUMMARY)?;
        let record: BatchRecord = serde_json::from_slice(&bytes).context(Code::Corrupt, || {
            format!("{} can not be read", folder.name_of(engine::SUMMARY))
        })?;
        let round = names.iter().filter_map(|name| round_of(name)).max().unwrap_or(0);
        let mut record = record;
        if round > record.round {
            record.round = round;
            record.status = BatchStatus::Processing;
            (record.ended_at, record.history, record.discarded) = (None, None, false);
            record.collections.clear();
        }
        Ok(Some(record))
    }

    /// Partitions from the markers, and how far the claims had come.
    fn unfinished(
        &mut self,
        folder: &Artifacts,
        names: &[String],
        manifest: &BatchManifest,
        record: &mut BatchRecord,
    ) -> Result<()> {
        record.history = None;
        let fence = names.iter().filter_map(|name| fence_of(name)).max().unwrap_or(0);
        record.fence = record.fence.max(fence);
        let rounds: BTreeSet<u32> = names.iter().filter_map(|name| round_of(name)).collect();
        let mut partitions: HashMap<PartitionKey, PartitionRecord> = HashMap::new();
        if manifest.memo.as_ref().is_some_and(|memo| memo.kept > 0) {
            partitions.extend(kept::read(folder)?);
        }
        record.kept_in_place = false;
        for round in rounds {
            record.round = record.round.max(round);
            let note = commit::redo_name(round);
            if names.contains(&note) {
                let chosen = read_redo(folder, &note)?;
                let mut all: Vec<&PartitionKey> = partitions.keys().collect();
                all.sort_by_key(|key| key.collection);
                let gone = redo::with_descendants(&manifest.plan, &chosen, all.into_iter());
                partitions.retain(|key, _| !gone.contains(key));
            }
            let inside = format!("{}/", commit::folder(round));
            let markers = names.iter().filter(|name| name.starts_with(&inside));
            for name in markers.filter(|name| commit::is_name(name)) {
                let marker = commit::read(folder, name)?;
                record.fence = record.fence.max(marker.fence);
                let (key, partition) = marker.into_record()?;
                partitions.insert(key, partition);
            }
        }
        for (key, partition) in &partitions {
            self.state.put(Store::put_partition(&record.id, key, partition)?)?;
        }
        if record.status.is_terminal() {
            return Ok(());
        }
        if record.fence > 0 {
            record.status = BatchStatus::Processing;
        }
        self.done.unfinished += 1;
        self.done.partitions += partitions.len() as u64;
        let text = format!("{} committed partitions were found", partitions.len());
        let at = self.home.env.timestamp();
        let event = Event { at, kind: "rebuilt".to_string(), text };
        for op in Store::put_event(record, &event)? {
            self.state.put(op)?;
        }
        Ok(())
    }

    /// What a batch says about its namespace and extractors.
    fn note(&mut self, manifest: &BatchManifest, record: &BatchRecord) {
        let last = self.runs.entry(record.namespace.clone()).or_default();
        *last = record.run.max(*last);
        if !record.status.is_terminal() {
            self.open.insert(record.namespace.clone());
        }
        // Documents appear from the first claim on.
        if record.fence > 0 && record.sink != "none" {
            let states = engine::collection_states(&manifest.plan, record).collect();
            self.written.insert((record.namespace.clone(), record.run), states);
        }
        for collection in &manifest.plan.collections {
            let used = &collection.extractor;
            let key = (used.name.clone(), used.version.clone());
            let known = self.pinned.entry(key).or_default();
            if known.0 <= record.run {
                *known = (record.run, used.digest.clone());
            }
        }
    }

    fn namespaces(&mut self) -> Result<()> {
        for (name, last_run) in std::mem::take(&mut self.runs) {
            let lost = if self.open.contains(&name) { RUNS_LOST_MAX } else { 0 };
            let last_run = last_run + lost;
            let mut namespace = NamespaceRecord { last_run, ..NamespaceRecord::default() };
            let runs = self.written.range((name.clone(), 0)..=(name.clone(), u64::MAX));
            for (collection, state) in runs.flat_map(|(_, states)| states) {
                // Since when is not known any more.
                let edited = self.edited.contains(&name);
                let state = CollectionState { edited, ..state.clone() };
                namespace.collections.insert(collection.clone(), state);
            }
            self.done.namespaces += 1;
            self.state.put(Store::put_namespace(&name, &namespace)?)?;
        }
        Ok(())
    }

    /// One component for each name and version: where several files claim one, that of the last
    /// batch that used it.
    fn extractors(&mut self) -> Result<()> {
        let folder = self.home.data_dir.join("extractors");
        let mut claims: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for found in file::list(&folder)? {
            let shown = format!("extractors/{}", found.name);
            let Some(digest) = found.name.strip_suffix(".wasm") else { continue };
            let wasm = std::fs::read(folder.join(&found.name))
                .context(Code::Unavailable, || format!("can not read {shown}"))?;
            match plugin::inspect(&wasm) {
                Ok(stamp) if stamp.digest != digest => {
                    self.skip(shown, format!("its SHA-256 is {}", stamp.digest));
                }
                Ok(stamp) => match (stamp.name, stamp.version) {
                    (Some(name), Some(version)) => {
                        claims.entry((name, version)).or_default().push(digest.to_string());
                    }
                    _ => self.skip(shown, "it carries no name and version"),
                },
                Err(error) => self.skip(shown, error.chain()),
            }
        }
        for (key, digests) in claims {
            let pinned = self.pinned.get(&key).map(|(_, digest)| digest.clone());
            let chosen = pinned.filter(|digest| digests.contains(digest));
            let chosen = chosen.unwrap_or_else(|| digests[0].clone());
            for other in digests.iter().filter(|digest| **digest != chosen) {
                let why = format!("{}@{} is {chosen}", key.0, key.1);
                self.skip(format!("extractors/{other}.wasm"), why);
            }
            let registered_at = self.home.env.timestamp();
            let (name, version) = key;
            let record = ExtractorRecord { name, version, digest: chosen, registered_at };
            self.done.extractors += 1;
            self.state.put(Store::put_extractor(&record)?)?;
        }
        Ok(())
    }
}

/// `commits/RRR/…`
fn round_of(name: &str) -> Option<u32> {
    let (round, _) = name.strip_prefix("commits/")?.split_once('/')?;
    round.parse().ok()
}

/// `….fN.parquet`
fn fence_of(name: &str) -> Option<u64> {
    let (_, fence) = name.strip_suffix(".parquet")?.rsplit_once(".f")?;
    fence.parse().ok()
}

/// The partitions that a round chose to do again.
fn read_redo(folder: &Artifacts, name: &str) -> Result<HashSet<PartitionKey>> {
    let unreadable = || format!("{} can not be read", folder.name_of(name));
    let note: RedoNote =
        serde_json::from_slice(&folder.get(name)?).context(Code::Corrupt, unreadable)?;
    note.keys.iter().map(|key| PartitionKey::parse(key)).collect()
}
