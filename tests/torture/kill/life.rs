//! One data directory from its first process to its complete batch: what its processes said.

use super::super::batch::NAMESPACE;
use super::launch::Launch;
use anyhow::{Result, ensure};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

#[derive(Default)]
pub(crate) struct Life {
    pub(crate) data: PathBuf,
    /// Whether the next process continues a batch or begins one.
    pub(crate) resume: bool,
    pub(crate) launches: u64,
    pub(crate) kills: u64,
    acknowledged: Option<String>,
    guests: Passed,
    leases: Passed,
}

/// Who passed a step, launch by launch.
#[derive(Default)]
struct Passed {
    /// The last launch in which a partition did.
    last: HashMap<String, u64>,
    /// By launch: partitions whose work there was done once more.
    repeated: BTreeMap<u64, u64>,
}

impl Passed {
    fn note(&mut self, partition: &str, launch: u64) -> Result<()> {
        if let Some(earlier) = self.last.insert(partition.to_string(), launch) {
            ensure!(earlier != launch, "partition {partition} ran twice in one process");
            *self.repeated.entry(earlier).or_default() += 1;
        }
        Ok(())
    }
}

impl Life {
    pub(crate) fn new(data: PathBuf) -> Life {
        Life { data, ..Life::default() }
    }

    /// A batch that was acknowledged must be there from then on.
    pub(crate) fn note(&mut self, launch: &Launch) -> Result<()> {
        self.launches += 1;
        if let Some(batch) = &launch.batch {
            let known = self.acknowledged.get_or_insert_with(|| batch.clone());
            ensure!(
                known == batch,
                "batch {known} was acknowledged and is lost: now it is {batch}"
            );
        }
        for step in &launch.steps {
            match (step.name.as_str(), &step.partition) {
                ("guest", Some(partition)) => self.guests.note(partition, self.launches)?,
                ("lease", Some(partition)) => self.leases.note(partition, self.launches)?,
                ("guest" | "lease", None) => anyhow::bail!("a step names no partition"),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether its batch is queued, for all that can be seen from outside: the manifest is written
    /// right before.
    pub(crate) fn submitted(&self) -> Result<bool> {
        let batches = self.data.join("objects").join(NAMESPACE).join("batches");
        if self.acknowledged.is_some() || !batches.is_dir() {
            return Ok(self.acknowledged.is_some());
        }
        for entry in std::fs::read_dir(batches)? {
            if entry?.path().join("manifest.json").exists() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) fn acknowledged(&self) -> Option<&str> {
        self.acknowledged.as_deref()
    }

    /// Guest runs that were done once more because of one kill, at most.
    pub(crate) fn repeated_max(&self) -> u64 {
        self.guests.repeated.values().copied().max().unwrap_or(0)
    }

    /// Partitions that were begun once more, over all kills.
    pub(crate) fn leased_again(&self) -> u64 {
        self.leases.repeated.values().sum()
    }
}
