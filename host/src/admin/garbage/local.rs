//! Files of the data directory besides objects.

use super::{Marking, file};
use crate::error::{Code, Context, Result};
use crate::model::BatchId;
use crate::plugin::{CACHE_KEY, Host, Limits, SIGNATURE_SUFFIX, inspect};
use std::collections::BTreeSet;

impl Marking<'_> {
    /// Components that no record and no batch names, their signatures and files.
    pub(super) fn extractors(&mut self) -> Result<()> {
        let assets = self.assets();
        for found in file::list(&self.home.data_dir.join("extractors"))? {
            let path = format!("extractors/{}", found.name);
            if let Some(asset) = found.name.strip_prefix("assets/").filter(|name| is_digest(name)) {
                if assets.as_ref().is_ok_and(|assets| !assets.contains(asset)) {
                    self.orphan(path, found.bytes, "no registered extractor names it");
                }
                continue;
            }
            let component = found.name.strip_suffix(SIGNATURE_SUFFIX).unwrap_or(&found.name);
            match component.strip_suffix(".wasm").filter(|digest| is_digest(digest)) {
                Some(digest) if self.digests.contains(digest) => {}
                Some(_) => self.orphan(path, found.bytes, "no extractor record names it"),
                None if found.name.contains(".tmp-") => {
                    self.orphan(path, found.bytes, "left by a registration that was cut off");
                }
                None => self.keep(path, "not of a known form"),
            }
        }
        Ok(())
    }

    /// Files that registered components name; not known as long as one of those can not be read.
    fn assets(&self) -> Result<BTreeSet<String>> {
        let mut assets = BTreeSet::new();
        for digest in &self.digests {
            let path = self.home.component(digest);
            if !path.exists() {
                continue;
            }
            let named = || format!("can not read {}", path.display());
            let wasm = std::fs::read(&path).context(Code::Unavailable, named)?;
            let entries = inspect(&wasm)?.assets;
            assets.extend(entries.iter().map(|entry| entry.sha256().to_string()));
        }
        Ok(assets)
    }

    /// Compiled components of other engines, or of extractors that are gone.
    pub(super) fn cache(&mut self) -> Result<()> {
        let folder = self.home.data_dir.join("cache");
        let files = file::list(&folder)?;
        if files.is_empty() {
            return Ok(());
        }
        let host = Host::new(Some(folder), Limits::default())?;
        let live: Vec<_> = self.digests.iter().filter_map(|d| host.cached_as(d)).collect();
        for found in files {
            let path = format!("cache/{}", found.name);
            let form = found.name.ends_with(".cwasm") || found.name.ends_with(".tmp");
            match live.contains(&found.name) || found.name == CACHE_KEY {
                true => {}
                false if form => {
                    self.orphan(path, found.bytes, "compiled by another engine or for nobody");
                }
                false => self.keep(path, "not of a known form"),
            }
        }
        Ok(())
    }

    /// Nothing runs, so nothing needs temporary files or asks a process for anything.
    pub(super) fn leftovers(&mut self) -> Result<()> {
        for folder in ["tmp", "restore.building"] {
            for found in file::list(&self.home.data_dir.join(folder))? {
                let path = format!("{folder}/{}", found.name);
                self.orphan(path, found.bytes, "a temporary file of a process that is gone");
            }
        }
        for found in file::list(&self.home.data_dir.join("control"))? {
            let batch = found.name.strip_prefix("cancel-").and_then(|id| BatchId::parse(id).ok());
            let waits = batch.as_ref().and_then(|id| self.batches.get(id));
            let path = format!("control/{}", found.name);
            match (batch, waits) {
                (Some(_), Some(record)) if !record.status.is_terminal() => {}
                (Some(_), _) => self.orphan(path, found.bytes, "a request that nobody will read"),
                (None, _) if found.name.starts_with("server.json") => {
                    self.orphan(path, found.bytes, "the address of a server that is gone");
                }
                (None, _) => self.keep(path, "not of a known form"),
            }
        }
        for name in ["state", "objects", "vectors"] {
            for aside in self.home.set_aside(name)? {
                self.keep(aside, "set aside by a restore or rebuild; remove it by hand");
            }
        }
        Ok(())
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}
