//! Schedules: made, changed, paused, deleted. What they do is in `runs`.

use super::outbox::written;
use super::timing::next_time;
use super::{Control, not_found, taken};
use crate::error::{Code, Error, Result};
use crate::model::{NamespaceId, ScheduleId};
use crate::store::catalog::{Action, MissedRuns, Namespace, Schedule, ScheduleRun, Timing};
use crate::store::{Op, Store};

/// Schedules of a namespace at most.
pub const SCHEDULES_MAX: usize = 100;

/// What a schedule is made from.
#[derive(Debug, Clone)]
pub struct ScheduleDraft {
    pub name: String,
    pub description: Option<String>,
    pub timing: Timing,
    pub action: Action,
    pub missed: MissedRuns,
    pub paused: bool,
}

pub(super) fn place(namespace: &NamespaceId, id: &str) -> String {
    format!("{namespace}/{id}")
}

/// Name of the lock of all schedules of a namespace, and of what happens to them.
pub(super) fn lock(namespace: &NamespaceId) -> String {
    format!("schedules/{namespace}")
}

impl Control {
    /// Oldest first.
    pub fn schedules(&self, namespace: &Namespace) -> Result<Vec<Schedule>> {
        self.engine.store.all(&format!("{}/", namespace.id))
    }

    /// By id or name.
    pub fn schedule(&self, namespace: &Namespace, identifier: &str) -> Result<Schedule> {
        let found = self.engine.store.find::<Schedule>(&place(&namespace.id, identifier))?;
        if let Some(found) = found {
            return Ok(found);
        }
        let named = self.schedules(namespace)?.into_iter().find(|found| found.name == identifier);
        named.ok_or_else(|| not_found("schedule", identifier))
    }

    /// Runs of a schedule after the one with this id, oldest first.
    pub fn schedule_runs(
        &self,
        schedule: &Schedule,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ScheduleRun>> {
        let prefix = format!("{}/", schedule.id);
        let after = after.map(|id| format!("{prefix}{id}"));
        let found = self.engine.store.each::<ScheduleRun>(&prefix, after.as_deref());
        found.take(limit).map(|entry| entry.map(|(_, run)| run)).collect()
    }

    pub fn create_schedule(&self, namespace: &Namespace, draft: ScheduleDraft) -> Result<Schedule> {
        self.check_action(namespace, &draft.action)?;
        let _lock = self.locks.hold(&lock(&namespace.id));
        let all = self.schedules(namespace)?;
        if all.iter().any(|other| other.name == draft.name) {
            return Err(taken("schedule", &draft.name).field("/schedule_name"));
        }
        if all.len() >= SCHEDULES_MAX {
            let message = format!("the namespace has {SCHEDULES_MAX} schedules already");
            return Err(Error::new(Code::Conflict, message).hint("delete one first"));
        }
        let now = self.now();
        let mut schedule = Schedule {
            id: ScheduleId::from_uuid(self.engine.env.uuid()),
            namespace: namespace.id.clone(),
            name: draft.name,
            description: draft.description,
            timing: draft.timing,
            action: draft.action,
            missed: draft.missed,
            paused: draft.paused,
            next_at: None,
            last_at: None,
            created_at: now.clone(),
            updated_at: now,
        };
        self.plan(&mut schedule)?;
        self.keep_schedule(&schedule)?;
        Ok(schedule)
    }

    /// A new time, or the end of a pause, counts from now: nothing that lies before is caught up.
    pub fn change_schedule(
        &self,
        namespace: &Namespace,
        identifier: &str,
        change: impl FnOnce(&mut Schedule) -> Result<()>,
    ) -> Result<Schedule> {
        let mut wanted = self.schedule(namespace, identifier)?;
        change(&mut wanted)?;
        self.check_action(namespace, &wanted.action)?;
        let _lock = self.locks.hold(&lock(&namespace.id));
        // What a run has written meanwhile stays.
        let known = self.schedule(namespace, wanted.id.as_str())?;
        if wanted.name != known.name
            && self.schedules(namespace)?.iter().any(|other| other.name == wanted.name)
        {
            return Err(taken("schedule", &wanted.name).field("/schedule_name"));
        }
        let replan = wanted.timing != known.timing || wanted.paused != known.paused;
        let mut schedule = Schedule {
            next_at: known.next_at,
            last_at: known.last_at,
            updated_at: self.now(),
            ..wanted
        };
        if replan {
            self.plan(&mut schedule)?;
        }
        self.keep_schedule(&schedule)?;
        Ok(schedule)
    }

    pub fn delete_schedule(&self, namespace: &Namespace, identifier: &str) -> Result<Schedule> {
        let _lock = self.locks.hold(&lock(&namespace.id));
        let schedule = self.schedule(namespace, identifier)?;
        self.engine.store.commit(self.schedule_removal(&schedule)?)?;
        Ok(schedule)
    }

    /// What has to be removed with a namespace.
    pub(super) fn schedule_removals(&self, namespace: &Namespace) -> Result<Vec<Op>> {
        let mut ops = Vec::new();
        for schedule in self.schedules(namespace)? {
            ops.extend(self.schedule_removal(&schedule)?);
        }
        Ok(ops)
    }

    fn schedule_removal(&self, schedule: &Schedule) -> Result<Vec<Op>> {
        let mut ops =
            vec![Store::remove::<Schedule>(&place(&schedule.namespace, schedule.id.as_str()))];
        // There are few: the history has a limit.
        let prefix = format!("{}/", schedule.id);
        for entry in self.engine.store.each::<ScheduleRun>(&prefix, None) {
            ops.push(Store::remove::<ScheduleRun>(&entry?.0));
        }
        Ok(ops)
    }

    fn plan(&self, schedule: &mut Schedule) -> Result<()> {
        // Even while it is paused: what can not be read is refused when it comes.
        let next = next_time(&schedule.timing, self.engine.env.now())?
            .ok_or_else(|| Error::invalid("this time never comes").field("/cron"))?;
        schedule.next_at = (!schedule.paused).then(|| written(next));
        Ok(())
    }

    fn keep_schedule(&self, schedule: &Schedule) -> Result<()> {
        let key = place(&schedule.namespace, schedule.id.as_str());
        self.engine.store.commit(vec![Store::put(&key, schedule)?])?;
        self.rang();
        Ok(())
    }

    fn check_action(&self, namespace: &Namespace, action: &Action) -> Result<()> {
        let bucket = action.bucket.as_str();
        self.bucket(namespace, bucket).map_err(|error| error.field("/action/bucket_id"))?;
        for (at, collection) in action.collections.iter().enumerate() {
            let field = format!("/action/collection_ids/{at}");
            self.collection(namespace, collection.as_str()).map_err(|error| error.field(field))?;
        }
        Ok(())
    }
}
