//! Artifacts of tier 0 that an earlier batch flattened from the very same manifests for the very
//! same plan: they are linked instead of being read, checked and written once more.

use super::flatten::Flattened;
use super::memo::{complete, gone};
use super::patience::retry;
use super::{BatchManifest, Engine, read_manifest};
use crate::error::Result;
use crate::manifest::Manifest;
use crate::model::BatchId;
use crate::store::BatchRecord;
use chrono::{DateTime, TimeDelta};

/// A file that is written again within the resolution of its times may look as before, so one that
/// was written so shortly before the earlier batch is read again. FAT's times are the coarsest.
const SETTLED: TimeDelta = TimeDelta::seconds(2);

pub(super) struct Inherited {
    pub from: BatchId,
    pub flattened: Vec<Flattened>,
}

impl Engine {
    pub(super) fn inherit(
        &self,
        record: &BatchRecord,
        manifests: &[(usize, Manifest)],
    ) -> Result<Option<Inherited>> {
        retry(&self.env, &self.patience, || {
            // Equal fingerprints: the plan, the files of the manifests, the object store.
            let mut batches = self.store.batches()?;
            batches.retain(|batch| {
                batch.fingerprint == record.fingerprint
                    && complete(batch)
                    && settled(manifests, batch)
            });
            let Some(earlier) = batches.iter().max_by_key(|batch| batch.run) else {
                return Ok(None);
            };
            match self.link_artifacts(earlier, record) {
                Err(error) if gone(error.code()) => Ok(None),
                linked => linked,
            }
        })
    }

    fn link_artifacts(
        &self,
        earlier: &BatchRecord,
        record: &BatchRecord,
    ) -> Result<Option<Inherited>> {
        let from = self.folder(earlier);
        let manifest = read_manifest(&from)?;
        if !manifest.is_current() {
            return Ok(None);
        }
        let BatchManifest { flattened, plan, .. } = manifest;
        let names = flattened.iter().flat_map(|input| input.artifacts(&plan));
        let links: Vec<(String, String)> = names.map(|name| (name.clone(), name)).collect();
        self.folder(record).link_all(&from, &links)?;
        Ok(Some(Inherited { from: earlier.id.clone(), flattened }))
    }
}

fn settled(manifests: &[(usize, Manifest)], earlier: &BatchRecord) -> bool {
    DateTime::parse_from_rfc3339(&earlier.created_at).is_ok_and(|read| {
        manifests.iter().all(|(_, manifest)| manifest.modified() + SETTLED < read)
    })
}
