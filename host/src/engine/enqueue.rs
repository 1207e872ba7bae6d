//! Batches that somebody else keeps the book of: they come with their id and are run in any case,
//! whatever was run before.

use super::plan::Plan;
use super::submit::fingerprint;
use super::{Engine, step};
use crate::config::Pipeline;
use crate::error::{Code, Result};
use crate::model::{BatchEvent, BatchId, BatchStatus};
use crate::store::{BatchRecord, Store};

pub struct Order<'a> {
    pub id: &'a BatchId,
    /// What to call it.
    pub name: &'a str,
    pub pipeline: &'a Pipeline,
    /// Manifest by bucket; without a name where the pipeline has one bucket.
    pub manifests: &'a [(Option<String>, String)],
    /// See [`Plan::history`].
    pub history: bool,
    /// As in [`super::Submission`].
    pub memo: bool,
}

impl Engine {
    /// Everything that a submission refuses, without changing anything but the registry.
    pub fn check(&self, pipeline: &Pipeline) -> Result<Plan> {
        let plan = self.plan(pipeline)?;
        self.check_layout(&plan)?;
        Ok(plan)
    }

    /// Flattens and queues; goes on where a crash has left an earlier call. Afterwards
    /// [`Engine::run`] takes it.
    pub fn enqueue(&self, order: &Order<'_>, progress: &dyn Fn(u64)) -> Result<()> {
        let known = match self.store.batch(order.id) {
            Ok(record) if record.status != BatchStatus::Draft => return Ok(()),
            Ok(record) => Some(record),
            Err(error) if error.code() == Code::NotFound => None,
            Err(error) => return Err(error),
        };
        let mut plan = self.check(order.pipeline)?;
        plan.history = order.history;
        self.mend(&plan.namespace)?;
        let manifests = self.open_manifests(&plan, order.manifests)?;
        step::begin("submit");
        let record = match known {
            Some(record) => record,
            None => {
                let target = [self.sink_name.as_str(), self.artifacts.url(), order.id.as_str()];
                let fingerprint = fingerprint(&plan, &manifests, &target)?;
                self.create(order.id.clone(), order.name, &plan, &manifests, fingerprint)?
            }
        };
        self.prepare(record, plan, &manifests, order.memo, progress).map(|_| ())
    }

    /// Ends a batch that can not be run to its end, with the reason.
    pub fn give_up(&self, id: &BatchId, reason: &str) -> Result<BatchRecord> {
        let mut record = self.store.batch(id)?;
        record.status = record.status.after(BatchEvent::Fail)?;
        record.ended_at = Some(self.env.timestamp());
        record.error = Some(reason.to_string());
        let mut ops = self.event(&mut record, "failed", reason)?;
        ops.push(Store::put_batch(&record)?);
        self.store.commit(ops)?;
        Ok(record)
    }
}
