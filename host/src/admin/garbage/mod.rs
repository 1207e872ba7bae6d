//! `quarry admin gc`: finds what nothing refers to any more and removes it.
//!
//! Everything is marked before anything is removed, and whatever can not be read ends it before
//! that. **Invariant:** only what has the form of something this program writes is an orphan;
//! everything else is kept and named.

mod batch;
mod blobs;
mod exports;
mod local;

use super::{Home, file};
use crate::engine::{self, BatchManifest};
use crate::error::{Code, Context, Result};
use crate::model::{BatchId, CollectionId, Name};
use crate::store::catalog::{Collection, Replay};
use crate::store::{BatchRecord, Store};
use batch::Verdict;
use blobs::Blobs;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

#[derive(Debug, Clone, Copy, Default)]
pub struct Sweep {
    /// Only report.
    pub dry_run: bool,
    /// Batches that have a manifest and no record: the state may have been lost, so they are kept
    /// otherwise.
    pub unknown_batches: bool,
}

/// Something that nothing refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Orphan {
    /// Relative to the data directory, or a URL.
    pub path: String,
    pub bytes: u64,
    pub why: &'static str,
}

/// Something that is neither referred to nor removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    pub path: String,
    pub why: &'static str,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Whether the orphans are gone.
    pub removed: bool,
    pub bytes: u64,
    pub orphans: Vec<Orphan>,
    pub kept: Vec<Kept>,
}

/// What the state knows, and what was found so far.
struct Marking<'a> {
    home: &'a Home,
    sweep: Sweep,
    store: &'a Store,
    batches: BTreeMap<BatchId, BatchRecord>,
    collections: BTreeSet<CollectionId>,
    /// Extractors that something may need.
    digests: BTreeSet<String>,
    found: Collected,
}

impl Home {
    pub fn collect_garbage(&self, sweep: Sweep) -> Result<Collected> {
        let store = self.store()?;
        let batches = store.batches()?;
        let mut marking = Marking {
            home: self,
            sweep,
            store: &store,
            batches: batches.into_iter().map(|batch| (batch.id.clone(), batch)).collect(),
            collections: store
                .all::<Collection>("")?
                .into_iter()
                .map(|collection| collection.id)
                .collect(),
            digests: store.extractors()?.into_iter().map(|extractor| extractor.digest).collect(),
            found: Collected::default(),
        };
        for (_, namespace) in store.namespaces()? {
            marking.digests.extend(namespace.collections.into_values().map(|state| state.digest));
        }
        marking.own_objects()?;
        let elsewhere = marking.elsewhere()?;
        marking.extractors()?;
        marking.cache()?;
        marking.leftovers()?;
        let mut found = marking.found;
        found.bytes = found.orphans.iter().map(|orphan| orphan.bytes).sum();
        if !sweep.dry_run {
            self.remove(&found.orphans, &elsewhere)?;
            found.removed = true;
        }
        Ok(found)
    }

    fn remove(&self, orphans: &[Orphan], elsewhere: &HashSet<String>) -> Result<()> {
        for orphan in orphans {
            if elsewhere.contains(&orphan.path) {
                let (folder, name) = orphan.path.rsplit_once('/').unwrap_or(("", &orphan.path));
                self.artifacts(folder)?.delete(name)?;
                continue;
            }
            let path = self.data_dir.join(&orphan.path);
            std::fs::remove_file(&path)
                .context(Code::Unavailable, || format!("can not remove {}", path.display()))?;
            self.remove_empty_folders(&path);
        }
        Ok(())
    }

    /// Above a file that is gone, but not the folders of the data directory itself.
    fn remove_empty_folders(&self, path: &Path) {
        let mut folder = path.parent();
        while let Some(current) = folder.filter(|f| f.parent() != Some(&self.data_dir)) {
            // One that is not empty is not removed, and neither are those above it.
            if current == self.data_dir || std::fs::remove_dir(current).is_err() {
                return;
            }
            folder = current.parent();
        }
    }
}

impl Marking<'_> {
    fn orphan(&mut self, path: String, bytes: u64, why: &'static str) {
        self.found.orphans.push(Orphan { path, bytes, why });
    }

    fn keep(&mut self, path: String, why: &'static str) {
        self.found.kept.push(Kept { path, why });
    }

    /// The data directory's own object store: nobody else writes to it, so all of it is judged.
    fn own_objects(&mut self) -> Result<()> {
        let root = self.home.own_objects();
        let own = self.home.own_url()?;
        let mut folders: BTreeMap<(String, String), Vec<file::Found>> = BTreeMap::new();
        let mut blobs: BTreeMap<String, Vec<file::Found>> = BTreeMap::new();
        for found in file::list(&root)? {
            let words: Vec<&str> = found.name.splitn(4, '/').collect();
            match words[..] {
                [namespace, "batches", batch, rest] => {
                    let key = (namespace.to_string(), batch.to_string());
                    let name = rest.to_string();
                    folders.entry(key).or_default().push(file::Found { name, ..found });
                }
                [namespace, "blobs", ..] => {
                    blobs.entry(namespace.to_string()).or_default().push(found);
                }
                [_, "exports", collection, name] => {
                    let now = self.home.env.now();
                    let path = format!("objects/{}", found.name);
                    match exports::judge(collection, name, &self.collections, now) {
                        Verdict::Live => {}
                        Verdict::Orphan(why) => self.orphan(path, found.bytes, why),
                        Verdict::Unknown => self.keep(path, "not of a known form"),
                    }
                }
                // Objects and uploads name them: they are deleted with those.
                [_, "uploads", ..] => {}
                [_, "documents", ..] => {}
                ["_readyz", "probe"] => {}
                ["_replays", place] => {
                    if self.store.find::<Replay>(place)?.is_none() {
                        let path = format!("objects/{}", found.name);
                        self.orphan(path, found.bytes, "an answer that nobody can ask for again");
                    }
                }
                _ => self.keep(format!("objects/{}", found.name), "not of a known form"),
            }
        }
        let mut marked = Blobs::default();
        for ((namespace, batch), files) in &folders {
            let wanted = blobs.contains_key(namespace).then_some(&mut marked);
            self.batch_folder(&own, namespace, batch, files, wanted)?;
        }
        for (namespace, files) in &blobs {
            for found in files {
                let path = format!("objects/{}", found.name);
                match blobs::judge(&found.name, namespace, &marked) {
                    Verdict::Live => {}
                    Verdict::Orphan(why) => self.orphan(path, found.bytes, why),
                    Verdict::Unknown => self.keep(path, "not of a known form"),
                }
            }
        }
        Ok(())
    }

    fn batch_folder(
        &mut self,
        own: &str,
        namespace: &str,
        batch: &str,
        files: &[file::Found],
        blobs: Option<&mut Blobs>,
    ) -> Result<()> {
        let at = format!("objects/{namespace}/batches/{batch}");
        let known = BatchId::parse(batch).is_ok() && Name::parse(namespace).is_ok();
        if !known {
            self.keep(at, "not of a known form");
            return Ok(());
        }
        let record = self.batches.values().find(|record| {
            record.id.as_str() == batch
                && record.namespace.as_str() == namespace
                && record.artifacts == own
        });
        let has_manifest = files.iter().any(|found| found.name == engine::MANIFEST);
        let folder = self.home.artifacts(own)?.folder(&format!("{namespace}/batches/{batch}"));
        let manifest: Option<BatchManifest> =
            has_manifest.then(|| engine::read_manifest(&folder)).transpose()?;
        let judge: Box<dyn Fn(&str) -> Verdict> = match (record, &manifest) {
            (Some(record), Some(manifest)) => {
                let live = batch::live(self.store, record, manifest, &folder)?;
                if let Some(blobs) = blobs {
                    blobs.mark(
                        namespace,
                        &manifest.plan,
                        &folder,
                        live.iter().map(String::as_str),
                    )?;
                }
                Box::new(move |name| batch::judge(name, &live))
            }
            // Flattening goes on under the same names.
            (Some(record), None) if !record.status.is_terminal() => {
                Box::new(|name| match batch::is_staging(name) {
                    true => Verdict::Orphan(batch::STAGING),
                    false => Verdict::Live,
                })
            }
            (Some(_), None) => Box::new(|_| Verdict::Orphan("of a batch that never began")),
            (None, Some(_)) if self.sweep.unknown_batches => {
                Box::new(|_| Verdict::Orphan("of a batch that the state does not know"))
            }
            (None, Some(manifest)) => {
                if let Some(blobs) = blobs {
                    blobs.mark(
                        namespace,
                        &manifest.plan,
                        &folder,
                        files.iter().map(|f| f.name.as_str()),
                    )?;
                }
                let why = "the state does not know this batch: `quarry admin rebuild` takes it up, \
                           --unknown-batches removes it";
                self.keep(at.clone(), why);
                Box::new(|_| Verdict::Live)
            }
            (None, None) => Box::new(|_| Verdict::Orphan("of a batch that was never queued")),
        };
        if let Some(manifest) = &manifest {
            let pinned = manifest.plan.collections.iter().map(|c| c.extractor.digest.clone());
            self.digests.extend(pinned);
        }
        for found in files {
            let path = format!("{at}/{}", found.name);
            match judge(&found.name) {
                Verdict::Live => {}
                Verdict::Orphan(why) => self.orphan(path, found.bytes, why),
                Verdict::Unknown => self.keep(path, "not of a known form"),
            }
        }
        Ok(())
    }

    /// Object stores that others may use as well: only within the folders of this state's batches.
    /// Answers with the URLs of the orphans.
    fn elsewhere(&mut self) -> Result<HashSet<String>> {
        let own = self.home.own_url()?;
        let mut urls = HashSet::new();
        let foreign: Vec<BatchRecord> =
            self.batches.values().filter(|record| record.artifacts != own).cloned().collect();
        for record in foreign {
            let root = self.home.artifacts(&record.artifacts)?;
            let folder = root.folder(&engine::batch_folder(&record));
            let objects = folder.objects()?;
            if !objects.iter().any(|(name, _)| name == engine::MANIFEST) {
                continue;
            }
            let manifest = engine::read_manifest(&folder)?;
            let pinned = manifest.plan.collections.iter().map(|c| c.extractor.digest.clone());
            self.digests.extend(pinned);
            let live = batch::live(self.store, &record, &manifest, &folder)?;
            for (name, bytes) in objects {
                if let Verdict::Orphan(why) = batch::judge(&name, &live) {
                    let url = folder.name_of(&name);
                    urls.insert(url.clone());
                    self.orphan(url, bytes, why);
                }
            }
        }
        Ok(urls)
    }
}
