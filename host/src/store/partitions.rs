//! The unit of work, retry and commit.

use super::{Op, Store};
use crate::error::{Code, Error, Result};
use crate::model::{BatchId, Funnel};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which slice of a collection's input: the number of the artifact in tier 0, and below that the
/// slice of each part on the way, so a partition is named the same in every run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId(pub Vec<u32>);

impl PartitionId {
    pub fn root(number: u32) -> Self {
        PartitionId(vec![number])
    }

    /// Slice `slice` of the part that this partition writes.
    pub fn child(&self, slice: u32) -> Self {
        let mut path = self.0.clone();
        path.push(slice);
        PartitionId(path)
    }

    pub fn slice(&self) -> u32 {
        self.0.last().copied().unwrap_or(0)
    }

    pub fn parse(text: &str) -> Result<Self> {
        let numbers: std::result::Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        match numbers {
            Ok(numbers) => Ok(PartitionId(numbers)),
            Err(_) => Err(Error::new(Code::Corrupt, format!("`{text}` is not a partition"))),
        }
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, number) in self.0.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            write!(f, "{dot}{number:05}")?;
        }
        Ok(())
    }
}

/// A partition of a collection of a batch. `source` tells the sources of one collection apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionKey {
    /// Index of the collection in the plan.
    pub collection: usize,
    /// Index among the collection's sources.
    pub source: usize,
    pub id: PartitionId,
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}/{:02}/{}", self.collection, self.source, self.id)
    }
}

impl PartitionKey {
    pub fn parse(text: &str) -> Result<Self> {
        let mut words = text.splitn(3, '/');
        let mut next = || words.next().unwrap_or("");
        let (collection, source, id) = (next().parse(), next().parse(), next());
        let wrong = || Error::new(Code::Corrupt, format!("`{text}` is not a partition key"));
        let (Ok(collection), Ok(source)) = (collection, source) else { return Err(wrong()) };
        let key = PartitionKey { collection, source, id: PartitionId::parse(id)? };
        // What is written in another way would never be found under its name.
        if key.to_string() == text { Ok(key) } else { Err(wrong()) }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionRecord {
    pub state: PartitionState,
    /// Times it was started.
    pub attempts: u32,
    /// Round of the batch that it was last run in.
    #[serde(default)]
    pub round: u32,
    /// Of the extraction, where the batch wants to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// ISO 8601 in UTC.
    pub started_at: String,
    pub duration_ms: u64,
}

/// Which row is running, so that a row that kills its host is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Among those that are given to the extractor.
    pub row: u32,
    /// Times that it was begun without an end.
    pub begun: u32,
    /// Rows that are not begun any more.
    pub buried: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PartitionState {
    /// Started by the claim `fence`; nothing of it counts.
    Leased {
        fence: u64,
        /// Rows run one by one, because hosts died here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        watch: Option<Watch>,
    },
    /// The part is in the object store; its documents count.
    Committed {
        funnel: Funnel,
        /// Part relative to the batch's folder; `None` without documents.
        part: Option<String>,
        /// Dead letters relative to the batch's folder.
        dead: Option<String>,
        /// Rows of a slice of the part for the collections that read it.
        slice_rows: u32,
        /// Whether the documents are durable in the vector sink.
        sunk: bool,
        /// Nothing was run: an earlier batch made the part.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<Box<Kept>>,
    },
}

/// Where a partition comes from that was taken over whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// That wrote the documents.
    pub batch: BatchId,
    pub run: u64,
    /// The documents are in the sink as that batch left them, and say so.
    pub in_place: bool,
}

impl PartitionState {
    /// The documents are to go to the sink, whoever wrote them before. Whether that changes
    /// anything.
    pub fn unsink(&mut self, searchable: bool) -> bool {
        let PartitionState::Committed { part, sunk, kept, .. } = self else { return false };
        let moved = kept.as_mut().is_some_and(|kept| std::mem::take(&mut kept.in_place));
        let wanted = part.is_none() || !searchable;
        std::mem::replace(sunk, wanted) != wanted || moved
    }
}

fn prefix(batch: &BatchId) -> String {
    format!("partition/{batch}/")
}

impl Store {
    pub fn partition(
        &self,
        batch: &BatchId,
        key: &PartitionKey,
    ) -> Result<Option<PartitionRecord>> {
        self.get(&format!("{}{key}", prefix(batch)))
    }

    pub fn put_partition(
        batch: &BatchId,
        key: &PartitionKey,
        record: &PartitionRecord,
    ) -> Result<Op> {
        Op::put(format!("{}{key}", prefix(batch)), record)
    }

    pub fn delete_partition(batch: &BatchId, key: &PartitionKey) -> Op {
        Op::Delete { key: format!("{}{key}", prefix(batch)) }
    }

    /// All partitions of the batch, by collection, source and id.
    pub fn partitions<'a>(
        &'a self,
        batch: &BatchId,
    ) -> impl Iterator<Item = Result<(PartitionKey, PartitionRecord)>> + use<'a> {
        self.scan(&prefix(batch)).map(|entry| {
            let (key, record) = entry?;
            Ok((PartitionKey::parse(&key)?, record))
        })
    }

    /// The first partition of the collection after `after`, in the order of their keys.
    pub fn next_partition(
        &self,
        batch: &BatchId,
        collection: usize,
        after: Option<&PartitionKey>,
    ) -> Result<Option<(PartitionKey, PartitionRecord)>> {
        let head = format!("{}{collection:03}/", prefix(batch));
        let skipped = after.map(|key| format!("{}{key}", prefix(batch)));
        self.scan_from(&head, skipped.as_deref())
            .map(|entry| {
                let (key, record) = entry?;
                Ok((PartitionKey::parse(&format!("{collection:03}/{key}"))?, record))
            })
            .next()
            .transpose()
    }
}
