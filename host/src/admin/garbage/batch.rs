//! Which files of a batch's folder something refers to.

use crate::artifact::Artifacts;
use crate::engine::{self, BatchManifest, commit, history, kept};
use crate::error::Result;
use crate::store::{BatchRecord, PartitionRecord, PartitionState, Store};
use std::collections::HashSet;

pub(super) const STAGING: &str = "left by an upload that was cut off";
const LOSER: &str = "no partition names it";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Live,
    Orphan(&'static str),
    /// Not of a form that this program writes.
    Unknown,
}

/// Names, in the folder, of artifacts, parts and dead letters that count: for the history of a
/// batch that has ended, otherwise for the state and for the markers that it may trail behind.
pub(super) fn live(
    store: &Store,
    record: &BatchRecord,
    manifest: &BatchManifest,
    folder: &Artifacts,
) -> Result<HashSet<String>> {
    let mut live = HashSet::new();
    for input in &manifest.flattened {
        let collection = manifest.plan.collections[input.collection].name.as_str();
        live.extend(
            (0..input.partitions)
                .map(|number| engine::artifact_name(collection, input.source, number)),
        );
    }
    if let Some(name) = &record.history {
        history::read(folder, name, &mut |_, partition| {
            add(&mut live, partition);
            Ok(true)
        })?;
        return Ok(live);
    }
    for entry in store.partitions(&record.id) {
        add(&mut live, entry?.1);
    }
    let objects = folder.objects()?;
    if manifest.memo.as_ref().is_some_and(|memo| memo.kept > 0) {
        kept::read(folder)?.into_iter().for_each(|(_, partition)| add(&mut live, partition));
    }
    for (name, _) in objects.iter().filter(|(name, _)| commit::is_name(name)) {
        add(&mut live, commit::read(folder, name)?.into_record()?.1);
    }
    Ok(live)
}

fn add(live: &mut HashSet<String>, partition: PartitionRecord) {
    match partition.state {
        PartitionState::Committed { part, dead, .. } => live.extend(part.into_iter().chain(dead)),
        PartitionState::Leased { .. } => {}
    }
}

pub(super) fn judge(name: &str, live: &HashSet<String>) -> Verdict {
    let ledger = [engine::MANIFEST, engine::SUMMARY, kept::NAME].contains(&name);
    match is_staging(name) {
        true => Verdict::Orphan(STAGING),
        false if live.contains(name) || ledger => Verdict::Live,
        false if history::is_name(name) || name.starts_with("commits/") => Verdict::Live,
        false if is_row_file(name) => Verdict::Orphan(LOSER),
        false => Verdict::Unknown,
    }
}

/// `…#N`: the local object store writes there before it renames.
pub(super) fn is_staging(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, digits)| {
        !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// `tier-N/COLLECTION/rows-….parquet`, `…/part-….parquet`, and dead letters below `dead/`.
fn is_row_file(name: &str) -> bool {
    let words: Vec<&str> = name.split('/').collect();
    let (tier, file) = match words[..] {
        ["dead", tier, _, file] => (tier, file),
        [tier, _, file] if file.starts_with("part-") || file.starts_with("rows-") => (tier, file),
        _ => return false,
    };
    let number = tier.strip_prefix("tier-").unwrap_or("");
    !number.is_empty()
        && number.bytes().all(|digit| digit.is_ascii_digit())
        && file.ends_with(".parquet")
}
