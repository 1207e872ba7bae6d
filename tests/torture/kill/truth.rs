//! The documents of an undisturbed run, and what a tortured data directory has instead.

use super::super::batch::{NAMESPACE, each_document, hash, settings};
use anyhow::{Context, Result, ensure};
use arrow_array::{Array, FixedSizeBinaryArray};
use quarry::app::App;
use quarry::engine::DOCUMENT_ID;
use quarry::model::{BatchStatus, Name};
use quarry::sink::EdgeSink;
use quarry::store::BatchRecord;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;

/// Hash of payload and vectors by document.
pub(crate) struct Truth {
    documents: HashMap<u128, u128>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) missing: u64,
    /// Or of no right document at all.
    pub(crate) doubled: u64,
    pub(crate) different: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { missing, doubled, different } = self;
        write!(f, "{missing} missing, {doubled} doubled, {different} different")
    }
}

impl Truth {
    /// From the sink of a data directory that nobody has open.
    pub(crate) fn read(data: &Path) -> Result<Truth> {
        let mut documents = HashMap::new();
        let mut twice = 0;
        let sink = EdgeSink::open(&data.join("vectors"))?;
        each_document(&sink, &Name::parse(NAMESPACE)?, |document| {
            let known = documents.insert(document.id.0.as_u128(), hash(document));
            twice += u64::from(known.is_some());
        })?;
        ensure!(twice == 0, "the sink lists {twice} documents twice");
        Ok(Truth { documents })
    }

    pub(crate) fn documents(&self) -> u64 {
        self.documents.len() as u64
    }

    /// What is wrong in the sink of a data directory.
    pub(crate) fn compare(&self, found: &Truth) -> Damage {
        let mut damage = Damage::default();
        for (id, hash) in &self.documents {
            match found.documents.get(id) {
                None => damage.missing += 1,
                Some(other) => damage.different += u64::from(other != hash),
            }
        }
        let foreign = found.documents.keys().filter(|id| !self.documents.contains_key(id));
        damage.doubled = foreign.count() as u64;
        damage
    }

    /// What is wrong in the parts that the batch's records name: right documents, each once.
    pub(crate) fn compare_parts(&self, app: &App, record: &BatchRecord) -> Result<Damage> {
        let mut damage = Damage::default();
        let mut found = HashSet::new();
        for (at, summary) in record.collections.iter().enumerate() {
            let name = summary.collection.as_str();
            let mut documents = 0;
            for part in app.engine.parts(record, at)? {
                for rows in app.engine.read_part(record, &part)? {
                    let ids = rows.column_by_name(DOCUMENT_ID).context("a part without ids")?;
                    let ids = ids.as_any().downcast_ref::<FixedSizeBinaryArray>();
                    for id in ids.context("ids of a wrong type")?.iter().flatten() {
                        documents += 1;
                        let id = u128::from_be_bytes(id.try_into()?);
                        let right = self.documents.contains_key(&id) && found.insert(id);
                        damage.doubled += u64::from(!right);
                    }
                }
            }
            let counted = summary.funnel.documents;
            ensure!(documents == counted, "{name} counts {counted} documents, not {documents}");
        }
        damage.missing = self.documents() - found.len() as u64;
        Ok(damage)
    }
}

/// The batch of a data directory: the only one, complete.
pub(crate) fn complete(data: &Path, acknowledged: &str) -> Result<(App, BatchRecord)> {
    let app = App::open(&settings(data, "none", 1))?;
    let mut batches = app.engine.store.batches()?;
    let ids: Vec<&str> = batches.iter().map(|batch| batch.id.as_str()).collect();
    ensure!(ids == [acknowledged], "the batches are {ids:?}, acknowledged was {acknowledged}");
    let record = batches.remove(0);
    ensure!(record.status == BatchStatus::Completed, "the batch is {}", record.status.as_str());
    Ok((app, record))
}
