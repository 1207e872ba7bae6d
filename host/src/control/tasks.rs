//! Tasks: the durable handle of what goes on after an answer.

use super::{Control, not_found};
use crate::error::{Code, Error, Result};
use crate::store::catalog::{Batch, Namespace, Task};
use crate::store::{Op, Store};
use chrono::{DateTime, TimeDelta, Utc};

/// How long a task can be asked for after its end; the batch can be longer.
pub const TASK_RETENTION: TimeDelta = TimeDelta::hours(24);

impl Control {
    pub fn task(&self, id: &str) -> Result<Task> {
        self.engine.store.find(id)?.ok_or_else(|| not_found("task", id))
    }

    /// One that is still to be told; an old one names its batch.
    pub fn live_task(&self, namespace: &Namespace, id: &str) -> Result<Task> {
        let task = self.task(id)?;
        if task.namespace != namespace.id {
            return Err(not_found("task", id));
        }
        if !self.is_over(&task) {
            return Ok(task);
        }
        let message = match &task.batch {
            Some(batch) => format!("task `{id}` ended more than 24 hours ago; see batch {batch}"),
            None => format!("task `{id}` ended more than 24 hours ago"),
        };
        Err(Error::new(Code::NotFound, message))
    }

    fn is_over(&self, task: &Task) -> bool {
        let ended = task.ended_at.as_ref().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
        ended.is_some_and(|at| at.with_timezone(&Utc) + TASK_RETENTION < self.engine.env.now())
    }

    /// Oldest first, without those that are over.
    pub fn tasks(&self, namespace: &Namespace) -> Result<Vec<Task>> {
        let all = self.engine.store.all::<Task>("")?;
        Ok(all
            .into_iter()
            .filter(|task| task.namespace == namespace.id && !self.is_over(task))
            .collect())
    }

    /// The task of a batch has ended with it.
    pub(super) fn end_task(&self, batch: &Batch) -> Result<Vec<Op>> {
        let Some(id) = &batch.task else { return Ok(Vec::new()) };
        let Some(mut task) = self.engine.store.find::<Task>(id.as_str())? else {
            return Ok(Vec::new());
        };
        task.ended_at = Some(self.now());
        Ok(vec![Store::put(id.as_str(), &task)?])
    }
}
