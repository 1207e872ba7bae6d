//! A batch that can not go on says why, and goes on by itself.

use super::run::Run;
use crate::error::{Code, Error, Result};
use crate::store::{BatchRecord, Event, Parked, Store};
use std::sync::{MutexGuard, PoisonError};

impl Run {
    pub fn record(&self) -> MutexGuard<'_, BatchRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes that the batch waits, and why. Several workers may wait for the same thing.
    pub(super) fn park(&self, what: &str, error: &Error) -> Result<()> {
        let reason = format!("can not {what}: {}", error.chain());
        self.show(Some(reason.clone()));
        let mut record = self.record();
        if record.parked.is_none() {
            record.parked = Some(Parked { reason: reason.clone(), since: self.env.timestamp() });
            return self.tell(&mut record, "parked", &reason);
        }
        Ok(())
    }

    pub(super) fn unpark(&self, what: &str) -> Result<()> {
        self.show(None);
        let mut record = self.record();
        match record.parked.take() {
            Some(_) => self.tell(&mut record, "resumed", &format!("could {what} again")),
            None => Ok(()),
        }
    }

    fn show(&self, reason: Option<String>) {
        *self.progress.parked.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// An event, and the record that goes with it, in one commit. Where the state's own disk is
    /// full, that has to wait: the next event takes the record along.
    fn tell(&self, record: &mut BatchRecord, kind: &str, text: &str) -> Result<()> {
        let event = Event { at: self.env.timestamp(), kind: kind.to_string(), text: text.into() };
        let mut ops = Store::put_event(record, &event)?;
        ops.push(Store::put_batch(record)?);
        match self.store.commit(ops) {
            Err(error) if error.code() == Code::StorageFull => Ok(()),
            done => done,
        }
    }
}
