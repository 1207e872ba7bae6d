//! Things that happened, in the order in which they did for each subject.

use super::Control;
use crate::error::Result;
use crate::model::{EventId, NamespaceId};
use crate::store::catalog::{Occurrence, Outgoing};
use crate::store::{Op, Store};
use serde_json::Value;

fn place(subject: &str, sequence: u64) -> String {
    format!("{subject}/{sequence:012}")
}

impl Control {
    /// What to commit together with the change that it tells of. The caller holds the subject's
    /// lock until then, so that sequences have no gaps; [`Control::rang`] after the commit wakes
    /// those who watch.
    pub fn occur(
        &self,
        namespace: &NamespaceId,
        subject: &str,
        kind: &str,
        data: Value,
    ) -> Result<Vec<Op>> {
        self.occur_many(namespace, subject, vec![(kind.to_string(), data)])
    }

    /// The same for several things that happened at once.
    pub fn occur_many(
        &self,
        namespace: &NamespaceId,
        subject: &str,
        happened: Vec<(String, Value)>,
    ) -> Result<Vec<Op>> {
        let mut sequence = self.last_occurrence(subject)?;
        let mut ops = Vec::new();
        for (kind, data) in happened {
            sequence += 1;
            let occurrence = Occurrence {
                id: EventId::from_uuid(self.engine.env.uuid()),
                kind,
                namespace: namespace.clone(),
                subject: subject.to_string(),
                sequence,
                at: self.now(),
                data,
            };
            let key = place(subject, sequence);
            ops.push(Store::put(&key, &occurrence)?);
            let outgoing = Outgoing { occurrence: key };
            ops.push(Store::put(occurrence.id.as_str(), &outgoing)?);
        }
        Ok(ops)
    }

    /// Those after the sequence, oldest first, so many at most.
    pub fn occurrences(&self, subject: &str, after: u64, limit: usize) -> Result<Vec<Occurrence>> {
        let after = (after > 0).then(|| place(subject, after));
        self.engine
            .store
            .each::<Occurrence>(&format!("{subject}/"), after.as_deref())
            .take(limit)
            .map(|entry| entry.map(|(_, occurrence)| occurrence))
            .collect()
    }

    fn last_occurrence(&self, subject: &str) -> Result<u64> {
        let last = self.engine.store.last::<Occurrence>(&format!("{subject}/"))?;
        Ok(last.map_or(0, |(_, occurrence)| occurrence.sequence))
    }

    /// Something happened: whoever waits looks again.
    pub fn rang(&self) {
        self.bell.send_modify(|rings| *rings += 1);
    }

    /// Counts what happened, for those who wait for the next thing.
    pub fn bell(&self) -> tokio::sync::watch::Receiver<u64> {
        self.bell.subscribe()
    }
}
