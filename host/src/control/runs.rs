//! Runs of schedules: when it is time, when it was missed, when somebody asks.
//!
//! A run is committed as started, with the id of its batch, before the batch is made; one that a
//! crash interrupted goes on with the same id, so a batch is submitted once.

use super::outbox::written;
use super::schedules::{lock, place};
use super::timing::{MISSED_AFTER_S, next_time, times_until};
use super::{BatchDraft, Control, Submission, not_found};
use crate::error::{Code, Error, Result};
use crate::model::{BatchId, NamespaceId};
use crate::store::catalog::{
    Action, MissedRuns, Namespace, RunCause, RunStatus, Schedule, ScheduleRun,
};
use crate::store::{Op, Store};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;

/// Runs of a schedule that are remembered.
pub const RUNS_KEPT: usize = 100;
/// The clock on the wall may be set.
const LOOK_AGAIN: Duration = Duration::from_secs(20);
const ERROR_BYTES_MAX: usize = 2 << 10;
const AFTER_AN_ERROR: Duration = Duration::from_secs(5);

/// What a schedule asks for.
#[derive(Debug)]
pub struct ScheduledBatch<'a> {
    pub namespace: &'a Namespace,
    pub schedule: &'a Schedule,
    pub action: &'a Action,
    /// The batch's id: where there is such a batch already, only what is missing is done.
    pub batch: &'a BatchId,
}

/// Makes and submits a batch.
pub type Trigger = dyn Fn(&Control, &ScheduledBatch) -> Result<()> + Send + Sync;

/// Until `stop` says so.
pub(super) fn work(control: &Control, mut stop: watch::Receiver<bool>) {
    let mut bell = control.bell();
    let mut resumed = false;
    while !*stop.borrow_and_update() {
        bell.borrow_and_update();
        let looked = match resumed {
            true => control.fire_due(),
            false => control.resume_runs().and_then(|()| {
                resumed = true;
                control.fire_due()
            }),
        };
        let wait = looked.unwrap_or_else(|error| {
            tracing::error!("schedules: {}", error.chain());
            AFTER_AN_ERROR
        });
        control.engine.runtime.block_on(async {
            tokio::select! {
                _ = stop.changed() => {}
                _ = bell.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        });
    }
}

impl Control {
    /// Set once: how batches of schedules are submitted, where it is not in the usual way.
    pub fn set_trigger(&self, trigger: Box<Trigger>) {
        // A second call changes nothing, as documented.
        let _ = self.trigger.set(trigger);
    }

    /// Both halves may be done already: the batch has the id of its run.
    fn submit_scheduled(&self, wanted: &ScheduledBatch) -> Result<()> {
        let (namespace, action) = (wanted.namespace, wanted.action);
        let bucket = self.bucket(namespace, action.bucket.as_str())?;
        if let Err(error) = self.batch(wanted.batch.as_str()) {
            if error.code() != Code::NotFound {
                return Err(error);
            }
            let mut objects = Vec::new();
            if action.manifest.is_none() {
                for object in self.objects_of(&bucket, None) {
                    objects.push(object?.id.to_string());
                }
            }
            let draft = BatchDraft {
                name: Some(wanted.schedule.name.clone()),
                objects,
                manifest_uri: action.manifest.clone(),
                collections: action.collections.clone(),
                metadata: Default::default(),
                dedup_strategy: None,
            };
            self.create_batch_as(namespace, &bucket, wanted.batch.clone(), draft)?;
        }
        let submission = Submission {
            include_processing_history: action.include_processing_history,
            no_memo: false,
            ..Submission::default()
        };
        self.submit_batch(namespace, &bucket, wanted.batch, submission).map(|_| ())
    }

    fn trigger(&self, wanted: &ScheduledBatch) -> Result<()> {
        match self.trigger.get() {
            Some(trigger) => trigger(self, wanted),
            None => self.submit_scheduled(wanted),
        }
    }

    /// Runs what it is time for and answers how long there is nothing else to do.
    pub fn fire_due(&self) -> Result<Duration> {
        let mut wait = LOOK_AGAIN;
        for entry in self.engine.store.each::<Schedule>("", None) {
            let (_, schedule) = entry?;
            let Some(due) = schedule.next_at.as_deref().filter(|_| !schedule.paused) else {
                continue;
            };
            let due = read(due)?;
            let now = self.engine.env.now();
            if due > now {
                wait = wait.min((due - now).to_std().unwrap_or_default());
                continue;
            }
            // What goes wrong with one does not keep the others from running.
            if let Err(error) = self.come_due(&schedule, due, now) {
                tracing::warn!(schedule = %schedule.id, "a run failed: {}", error.chain());
            }
        }
        Ok(wait)
    }

    fn come_due(&self, schedule: &Schedule, due: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
        let late = now - due > TimeDelta::seconds(MISSED_AFTER_S);
        let missed = if late { times_until(&schedule.timing, due, now)? } else { 0 };
        let started = match (late, schedule.missed) {
            (false, _) => self.begin(schedule, RunCause::Time, Some(due), 0)?,
            (true, MissedRuns::RunOnce) => {
                self.begin(schedule, RunCause::Missed, Some(due), missed)?
            }
            (true, MissedRuns::Skip) => return self.skip(schedule, due, missed),
        };
        match started {
            Some(run) => self.carry_out(schedule, run).map(|_| ()),
            None => Ok(()),
        }
    }

    /// A run right now, besides those at their times.
    pub fn run_schedule(&self, namespace: &Namespace, identifier: &str) -> Result<ScheduleRun> {
        let schedule = self.schedule(namespace, identifier)?;
        let run = self.begin(&schedule, RunCause::Manual, None, 0)?;
        let run = run.ok_or_else(|| not_found("schedule", identifier))?;
        self.carry_out(&schedule, run)
    }

    /// Runs that a process began and did not end: the last one of a schedule can be one, and those
    /// that somebody asked for.
    pub fn resume_runs(&self) -> Result<()> {
        for entry in self.engine.store.each::<Schedule>("", None) {
            let (_, schedule) = entry?;
            let runs = self.schedule_runs(&schedule, None, usize::MAX)?;
            for run in runs.into_iter().filter(|run| run.status == RunStatus::Started) {
                if let Err(error) = self.carry_out(&schedule, run) {
                    tracing::warn!(schedule = %schedule.id, "a run failed: {}", error.chain());
                }
            }
        }
        Ok(())
    }

    /// `None` if the schedule is gone, or somebody else was first.
    fn begin(
        &self,
        schedule: &Schedule,
        cause: RunCause,
        due: Option<DateTime<Utc>>,
        missed: u64,
    ) -> Result<Option<ScheduleRun>> {
        let _lock = self.locks.hold(&lock(&schedule.namespace));
        let uuid = self.engine.env.uuid();
        let run = ScheduleRun {
            id: uuid.simple().to_string(),
            schedule: schedule.id.clone(),
            cause,
            due_at: due.map(written),
            started_at: self.now(),
            status: RunStatus::Started,
            batch: Some(BatchId::from_uuid(uuid)),
            error: None,
            missed,
        };
        let Some(ops) = self.note_run(schedule, &run)? else { return Ok(None) };
        self.engine.store.commit(ops)?;
        Ok(Some(run))
    }

    /// The caller holds the lock.
    fn note_run(&self, schedule: &Schedule, run: &ScheduleRun) -> Result<Option<Vec<Op>>> {
        let store = &self.engine.store;
        let key = place(&schedule.namespace, schedule.id.as_str());
        let Some(mut known) = store.find::<Schedule>(&key)? else { return Ok(None) };
        if run.cause != RunCause::Manual {
            if known.paused || known.next_at != schedule.next_at {
                return Ok(None);
            }
            known.next_at = next_time(&known.timing, self.engine.env.now())?.map(written);
        }
        if run.status != RunStatus::Skipped {
            known.last_at = Some(run.started_at.clone());
        }
        let prefix = format!("{}/", schedule.id);
        let mut ops =
            vec![Store::put(&key, &known)?, Store::put(&format!("{prefix}{}", run.id), run)?];
        let past: Vec<String> = store
            .each::<ScheduleRun>(&prefix, None)
            .map(|entry| entry.map(|(key, _)| key))
            .collect::<Result<_>>()?;
        let surplus = (past.len() + 1).saturating_sub(RUNS_KEPT);
        ops.extend(past.iter().take(surplus).map(|key| Store::remove::<ScheduleRun>(key)));
        Ok(Some(ops))
    }

    fn skip(&self, schedule: &Schedule, due: DateTime<Utc>, missed: u64) -> Result<()> {
        let _lock = self.locks.hold(&lock(&schedule.namespace));
        let run = ScheduleRun {
            id: self.engine.env.uuid().simple().to_string(),
            schedule: schedule.id.clone(),
            cause: RunCause::Missed,
            due_at: Some(written(due)),
            started_at: self.now(),
            status: RunStatus::Skipped,
            batch: None,
            error: None,
            missed,
        };
        let Some(mut ops) = self.note_run(schedule, &run)? else { return Ok(()) };
        ops.extend(self.tell_run(&schedule.namespace, &run, "schedule.missed")?);
        self.engine.store.commit(ops)?;
        self.rang();
        Ok(())
    }

    /// Submits the batch of a run that was begun. An error is in the history, too.
    fn carry_out(&self, schedule: &Schedule, run: ScheduleRun) -> Result<ScheduleRun> {
        // No lock is held: submitting takes those of what it changes.
        let submitted = self.submit_for(schedule, &run);
        let mut run = run;
        let kind = match &submitted {
            Ok(()) => {
                run.status = RunStatus::Submitted;
                "schedule.fired"
            }
            Err(error) => {
                run.status = RunStatus::Failed;
                let mut text = error.chain();
                text.truncate(text.floor_char_boundary(ERROR_BYTES_MAX));
                run.error = Some(text);
                run.batch = None;
                "schedule.failed"
            }
        };
        let _lock = self.locks.hold(&lock(&schedule.namespace));
        let key = place(&schedule.namespace, schedule.id.as_str());
        if self.engine.store.find::<Schedule>(&key)?.is_some() {
            let mut ops = self.tell_run(&schedule.namespace, &run, kind)?;
            ops.push(Store::put(&format!("{}/{}", schedule.id, run.id), &run)?);
            self.engine.store.commit(ops)?;
            self.rang();
        }
        submitted.map(|()| run)
    }

    fn submit_for(&self, schedule: &Schedule, run: &ScheduleRun) -> Result<()> {
        let namespace = self.namespace(schedule.namespace.as_str())?;
        let batch = run.batch.as_ref().ok_or_else(|| Error::internal("the run has no batch"))?;
        self.trigger(&ScheduledBatch {
            namespace: &namespace,
            schedule,
            action: &schedule.action,
            batch,
        })
    }

    /// The caller holds the lock.
    fn tell_run(&self, namespace: &NamespaceId, run: &ScheduleRun, kind: &str) -> Result<Vec<Op>> {
        let data = json!({
            "schedule_id": run.schedule,
            "run_id": run.id,
            "cause": run.cause,
            "due_at": run.due_at,
            "batch_id": run.batch,
            "error": run.error,
            "missed": run.missed,
        });
        self.occur(namespace, run.schedule.as_str(), kind, data)
    }
}

fn read(text: &str) -> Result<DateTime<Utc>> {
    let read = DateTime::parse_from_rfc3339(text);
    read.map(|at| at.to_utc())
        .map_err(|error| Error::internal(format!("`{text}` is not a time")).source(error))
}
