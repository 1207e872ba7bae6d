//! For how long what happened is remembered: these limits are part of the documentation.

use super::Control;
use super::deliveries::{ended, is_webhook, make_due};
use super::outbox::written;
use super::webhooks::{lock, place as webhook_place};
use crate::error::Result;
use crate::model::{BatchId, BucketId, CollectionId, NamespaceId, ScheduleId};
use crate::store::catalog::{
    Batch, Bucket, Collection, Delivery, DeliveryStatus, Due, Noun, Occurrence, Schedule, Webhook,
};
use crate::store::{Op, Store};
use chrono::TimeDelta;
use std::collections::VecDeque;

/// Deliveries that are over are remembered for so long,
pub const DELIVERY_DAYS: i64 = 7;
/// and so many of each webhook.
pub const DELIVERIES_KEPT: usize = 1_000;
/// Deliveries that may wait for one webhook: above, the oldest are given up.
pub const DELIVERIES_WAITING_MAX: usize = 10_000;
/// What happened is remembered for so long,
pub const OCCURRENCE_DAYS: i64 = 30;
/// and so much of each subject. The last one stays as long as its subject: sequences go on.
pub const OCCURRENCES_KEPT: usize = 10_000;

const CHUNK: usize = 256;

impl Control {
    /// Removes what is too old or too much. What it misses the next one finds.
    pub fn sweep(&self) -> Result<()> {
        self.sweep_deliveries()?;
        self.sweep_occurrences()
    }

    fn sweep_deliveries(&self) -> Result<()> {
        let store = &self.engine.store;
        let mut after: Option<String> = None;
        while let Some((key, first)) =
            store.each::<Delivery>("", after.as_deref()).next().transpose()?
        {
            let endpoint = key.split('/').next().unwrap_or(&key).to_string();
            after = Some(format!("{endpoint}/~"));
            let place = webhook_place(&first.namespace, &endpoint);
            if is_webhook(&endpoint) && store.find::<Webhook>(&place)?.is_none() {
                self.forget_deliveries(&endpoint)?;
                continue;
            }
            self.sweep_waiting(&endpoint)?;
            self.sweep_ended(&endpoint, &first.namespace)?;
        }
        Ok(())
    }

    fn sweep_ended(&self, endpoint: &str, namespace: &NamespaceId) -> Result<()> {
        let store = &self.engine.store;
        let horizon = written(self.engine.env.now() - TimeDelta::days(DELIVERY_DAYS));
        let mut kept: VecDeque<String> = VecDeque::new();
        let mut surplus: Vec<String> = Vec::new();
        for entry in store.each::<Delivery>(&format!("{endpoint}/"), None) {
            let (key, delivery) = entry?;
            let Some(ended_at) = &delivery.ended_at else { continue };
            if *ended_at < horizon {
                surplus.push(key);
            } else {
                kept.push_back(key);
            }
            if kept.len() > DELIVERIES_KEPT {
                surplus.extend(kept.pop_front());
            }
            if surplus.len() >= CHUNK {
                self.forget_ended(namespace, &std::mem::take(&mut surplus))?;
            }
        }
        self.forget_ended(namespace, &surplus)
    }

    /// Those that are not waiting again: somebody may have replayed them meanwhile.
    fn forget_ended(&self, namespace: &NamespaceId, keys: &[String]) -> Result<()> {
        let store = &self.engine.store;
        let _lock = self.locks.hold(&lock(namespace));
        let mut ops = Vec::new();
        for key in keys {
            let found = store.find::<Delivery>(key)?;
            if found.is_some_and(|found| found.status != DeliveryStatus::Pending) {
                ops.push(Store::remove::<Delivery>(key));
            }
        }
        match ops.is_empty() {
            true => Ok(()),
            false => store.commit(ops),
        }
    }

    fn sweep_waiting(&self, endpoint: &str) -> Result<()> {
        let store = &self.engine.store;
        let prefix = format!("{endpoint}/");
        let mut waiting = 0_usize;
        for entry in store.each::<Due>(&prefix, None) {
            entry?;
            waiting += 1;
        }
        let mut surplus = waiting.saturating_sub(DELIVERIES_WAITING_MAX);
        let mut after: Option<String> = None;
        while surplus > 0 {
            // Keys of deliveries sort by event, so the oldest come first.
            let Some((key, delivery)) =
                store.each::<Delivery>(&prefix, after.as_deref()).next().transpose()?
            else {
                return Ok(());
            };
            if delivery.status == DeliveryStatus::Pending {
                let _lock = self.locks.hold(&lock(&delivery.namespace));
                self.forget_event(&key)?;
                surplus -= 1;
            }
            after = Some(key);
        }
        Ok(())
    }

    /// The caller holds the lock.
    fn forget_event(&self, key: &str) -> Result<()> {
        let store = &self.engine.store;
        let found = store.find::<Delivery>(key)?;
        let Some(delivery) = found.filter(|found| found.status == DeliveryStatus::Pending) else {
            return Ok(());
        };
        let given_up = ended(delivery.clone(), DeliveryStatus::Failed, self.engine.env.now());
        store.commit(make_due(&given_up, Some(&delivery))?)
    }

    fn sweep_occurrences(&self) -> Result<()> {
        let store = &self.engine.store;
        let horizon = written(self.engine.env.now() - TimeDelta::days(OCCURRENCE_DAYS));
        let mut surplus = Surplus::default();
        let mut last: Option<(String, Occurrence)> = None;
        let mut kept: VecDeque<String> = VecDeque::new();
        for entry in store.each::<Occurrence>("", None) {
            let (key, occurrence) = entry?;
            if let Some((last_key, before)) = last.take() {
                if before.subject != occurrence.subject {
                    kept.clear();
                    self.sweep_last(&last_key, &before, &horizon, &mut surplus)?;
                } else if before.at < horizon {
                    surplus.remove::<Occurrence>(store, &last_key)?;
                } else {
                    kept.push_back(last_key);
                }
            }
            if kept.len() >= OCCURRENCES_KEPT
                && let Some(oldest) = kept.pop_front()
            {
                surplus.remove::<Occurrence>(store, &oldest)?;
            }
            last = Some((key, occurrence));
        }
        if let Some((key, occurrence)) = last {
            self.sweep_last(&key, &occurrence, &horizon, &mut surplus)?;
        }
        surplus.finish(store)
    }

    fn sweep_last(
        &self,
        key: &str,
        occurrence: &Occurrence,
        horizon: &str,
        surplus: &mut Surplus,
    ) -> Result<()> {
        if occurrence.at.as_str() < horizon && !self.is_there(occurrence)? {
            surplus.remove::<Occurrence>(&self.engine.store, key)?;
        }
        Ok(())
    }

    /// Whether the subject can still have something happen to it; of those whose kind is not known
    /// here that is taken for granted.
    fn is_there(&self, occurrence: &Occurrence) -> Result<bool> {
        let store = &self.engine.store;
        let subject = occurrence.subject.as_str();
        let inside = format!("{}/{subject}", occurrence.namespace);
        let kind = subject.split_inclusive('_').next().unwrap_or_default();
        Ok(match kind {
            BucketId::PREFIX => store.find::<Bucket>(&inside)?.is_some(),
            CollectionId::PREFIX => store.find::<Collection>(&inside)?.is_some(),
            ScheduleId::PREFIX => store.find::<Schedule>(&inside)?.is_some(),
            BatchId::PREFIX => store.find::<Batch>(subject)?.is_some(),
            _ => true,
        })
    }
}

/// Removals that are committed some hundred at a time.
#[derive(Default)]
struct Surplus(Vec<Op>);

impl Surplus {
    fn remove<T: Noun>(&mut self, store: &Store, key: &str) -> Result<()> {
        self.0.push(Store::remove::<T>(key));
        match self.0.len() >= CHUNK {
            true => store.commit(std::mem::take(&mut self.0)),
            false => Ok(()),
        }
    }

    fn finish(self, store: &Store) -> Result<()> {
        match self.0.is_empty() {
            true => Ok(()),
            false => store.commit(self.0),
        }
    }
}
