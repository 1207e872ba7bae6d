//! `/v1/schedules`.

use super::call::Call;
use super::listing::{ListRequest, Pagination, Paging, Wanted};
use super::operation::{NoQuery, Table};
use crate::control::{INTERVAL_S_MAX, INTERVAL_S_MIN, ScheduleDraft};
use crate::error::{Error, Result};
use crate::store::catalog::{
    Action, MissedRuns, Namespace, RunCause, RunStatus, Schedule, ScheduleRun, Timing,
};
use chrono::{DateTime, SecondsFormat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn declare(table: &mut Table) {
    table.tag("schedules");
    table.post("/v1/schedules", "create_schedule", "Create a schedule", create);
    table.get("/v1/schedules", "list_schedules_get", "List schedules", list_get);
    table.post("/v1/schedules/list", "list_schedules", "List schedules", list);
    let one = "/v1/schedules/{schedule_identifier}";
    table.get(one, "get_schedule", "Read a schedule", get);
    table.patch(one, "patch_schedule", "Change a schedule", change);
    table.delete(one, "delete_schedule", "Delete a schedule and its history", delete);
    table.post(
        "/v1/schedules/{schedule_identifier}/run",
        "run_schedule",
        "Submit the batch of a schedule now",
        run,
    );
    table.post(
        "/v1/schedules/{schedule_identifier}/pause",
        "pause_schedule",
        "Pause a schedule",
        pause,
    );
    table.post(
        "/v1/schedules/{schedule_identifier}/resume",
        "resume_schedule",
        "End the pause of a schedule",
        resume,
    );
    table.get(
        "/v1/schedules/{schedule_identifier}/history",
        "list_schedule_runs",
        "List the last 100 runs of a schedule, oldest first",
        history,
    );
}

/// The batch that is submitted each time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct ScheduleAction {
    /// Id or name.
    #[schemars(length(min = 1, max = 256))]
    bucket_id: String,
    /// A Parquet manifest in object storage; all objects that the bucket has at that time if
    /// absent.
    #[schemars(length(min = 1, max = 4_096))]
    manifest_uri: Option<String>,
    /// Only these collections and what they read; all that come from the bucket if absent or empty.
    #[serde(default)]
    #[schemars(length(max = 100))]
    collection_ids: Option<Vec<String>>,
    #[serde(default)]
    include_processing_history: Option<bool>,
}

/// What becomes of times at which the engine was not running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum MissedPolicy {
    /// The history says how many there were, and the next run is at its time.
    Skip,
    /// One run for all of them, as soon as the engine runs again.
    RunOnce,
}

#[derive(Deserialize, JsonSchema)]
struct CreateSchedule {
    /// Unique in the namespace.
    #[schemars(length(min = 1, max = 200))]
    schedule_name: String,
    #[schemars(length(max = 4_096))]
    description: Option<String>,
    /// Minute, hour, day of month, month, day of week. Either this or `interval_seconds`.
    #[schemars(length(min = 1, max = 256))]
    cron: Option<String>,
    /// IANA name (UTC); of a cron expression.
    #[schemars(length(min = 1, max = 64))]
    time_zone: Option<String>,
    #[schemars(range(min = INTERVAL_S_MIN, max = INTERVAL_S_MAX))]
    interval_seconds: Option<u64>,
    /// First time of an interval; one interval from now if absent.
    #[schemars(extend("format" = "date-time"))]
    starting_at: Option<String>,
    action: ScheduleAction,
    /// `skip` if absent. A run that is more than a minute late was missed.
    missed_runs: Option<MissedPolicy>,
    is_paused: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct ChangeSchedule {
    #[schemars(length(min = 1, max = 200))]
    schedule_name: Option<String>,
    #[schemars(length(max = 4_096))]
    description: Option<String>,
    #[schemars(length(min = 1, max = 256))]
    cron: Option<String>,
    #[schemars(length(min = 1, max = 64))]
    time_zone: Option<String>,
    #[schemars(range(min = INTERVAL_S_MIN, max = INTERVAL_S_MAX))]
    interval_seconds: Option<u64>,
    #[schemars(extend("format" = "date-time"))]
    starting_at: Option<String>,
    action: Option<ScheduleAction>,
    missed_runs: Option<MissedPolicy>,
    is_paused: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct ScheduleModel {
    schedule_id: String,
    schedule_name: String,
    description: Option<String>,
    cron: Option<String>,
    time_zone: Option<String>,
    interval_seconds: Option<u64>,
    starting_at: Option<String>,
    action: ScheduleAction,
    missed_runs: MissedPolicy,
    is_paused: bool,
    /// Null while it is paused, or if its time never comes again.
    next_run_at: Option<String>,
    last_run_at: Option<String>,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize, JsonSchema)]
struct ScheduleList {
    results: Vec<ScheduleModel>,
    pagination: Pagination,
    total_count: u64,
}

#[derive(Serialize, JsonSchema)]
struct ScheduleRunModel {
    run_id: String,
    schedule_id: String,
    /// `time`, `manual` or `missed`.
    cause: &'static str,
    due_at: Option<String>,
    started_at: String,
    /// `started`, `submitted`, `failed` or `skipped`.
    status: &'static str,
    batch_id: Option<String>,
    error: Option<String>,
    /// Times at which the engine was not running.
    missed_count: u64,
}

#[derive(Serialize, JsonSchema)]
struct ScheduleHistory {
    results: Vec<ScheduleRunModel>,
    pagination: Pagination,
    total_count: u64,
}

fn model(schedule: Schedule) -> ScheduleModel {
    let (cron, time_zone, interval_seconds, starting_at) = match schedule.timing {
        Timing::Cron { expression, time_zone } => (Some(expression), Some(time_zone), None, None),
        Timing::Interval { seconds, from } => (None, None, Some(seconds), Some(from)),
    };
    let collections = schedule.action.collections.iter().map(ToString::to_string).collect();
    ScheduleModel {
        schedule_id: schedule.id.to_string(),
        schedule_name: schedule.name,
        description: schedule.description,
        cron,
        time_zone,
        interval_seconds,
        starting_at,
        action: ScheduleAction {
            bucket_id: schedule.action.bucket.to_string(),
            manifest_uri: schedule.action.manifest,
            collection_ids: Some(collections),
            include_processing_history: Some(schedule.action.include_processing_history),
        },
        missed_runs: match schedule.missed {
            MissedRuns::Skip => MissedPolicy::Skip,
            MissedRuns::RunOnce => MissedPolicy::RunOnce,
        },
        is_paused: schedule.paused,
        next_run_at: schedule.next_at,
        last_run_at: schedule.last_at,
        created_at: schedule.created_at,
        updated_at: schedule.updated_at,
    }
}

fn run_model(run: ScheduleRun) -> ScheduleRunModel {
    ScheduleRunModel {
        run_id: run.id,
        schedule_id: run.schedule.to_string(),
        cause: match run.cause {
            RunCause::Time => "time",
            RunCause::Manual => "manual",
            RunCause::Missed => "missed",
        },
        due_at: run.due_at,
        started_at: run.started_at,
        status: match run.status {
            RunStatus::Started => "started",
            RunStatus::Submitted => "submitted",
            RunStatus::Failed => "failed",
            RunStatus::Skipped => "skipped",
        },
        batch_id: run.batch.map(|batch| batch.to_string()),
        error: run.error,
        missed_count: run.missed,
    }
}

fn missed(policy: MissedPolicy) -> MissedRuns {
    match policy {
        MissedPolicy::Skip => MissedRuns::Skip,
        MissedPolicy::RunOnce => MissedRuns::RunOnce,
    }
}

/// When, of what a body says about it.
struct When {
    cron: Option<String>,
    time_zone: Option<String>,
    interval_seconds: Option<u64>,
    starting_at: Option<String>,
}

impl When {
    fn says_nothing(&self) -> bool {
        self.cron.is_none()
            && self.time_zone.is_none()
            && self.interval_seconds.is_none()
            && self.starting_at.is_none()
    }

    fn timing(self, call: &Call, known: Option<&Timing>) -> Result<Timing> {
        let (known_cron, known_zone, known_interval) = match known {
            Some(Timing::Cron { expression, time_zone }) => {
                (Some(expression.clone()), Some(time_zone.clone()), None)
            }
            Some(Timing::Interval { seconds, .. }) => (None, None, Some(*seconds)),
            None => (None, None, None),
        };
        let (cron, interval) = match (self.cron, self.interval_seconds) {
            (None, None) => (known_cron, known_interval),
            given => given,
        };
        match (cron, interval) {
            (Some(expression), None) => {
                if self.starting_at.is_some() {
                    return Err(
                        Error::invalid("only an interval has a first time").field("/starting_at")
                    );
                }
                let zone = self.time_zone.or(known_zone);
                let time_zone = zone.unwrap_or_else(|| "UTC".to_string());
                Ok(Timing::Cron { expression, time_zone })
            }
            (None, Some(seconds)) => {
                if self.time_zone.is_some() {
                    return Err(Error::invalid("an interval is the same in all time zones")
                        .field("/time_zone"));
                }
                let from = match self.starting_at {
                    Some(text) => moment(&text)?,
                    None => call.control.engine.env.now(),
                };
                Ok(Timing::Interval {
                    seconds,
                    from: from.to_rfc3339_opts(SecondsFormat::Millis, true),
                })
            }
            (Some(_), Some(_)) => Err(Error::invalid("there are two times")
                .field("/interval_seconds")
                .hint("either `cron` or `interval_seconds`")),
            (None, None) => Err(Error::invalid("there is no time")
                .field("/cron")
                .hint("`cron` or `interval_seconds`")),
        }
    }
}

fn moment(text: &str) -> Result<DateTime<chrono::Utc>> {
    let read = DateTime::parse_from_rfc3339(text);
    read.map(|at| at.to_utc())
        .map_err(|error| Error::invalid("it is not a time").field("/starting_at").source(error))
}

fn action(call: &Call, namespace: &Namespace, body: ScheduleAction) -> Result<Action> {
    let bucket = call.control.bucket(namespace, &body.bucket_id);
    let mut collections = Vec::new();
    for (at, identifier) in body.collection_ids.unwrap_or_default().iter().enumerate() {
        let found = call.control.collection(namespace, identifier);
        let field = format!("/action/collection_ids/{at}");
        collections.push(found.map_err(|error| error.field(field))?.id);
    }
    Ok(Action {
        bucket: bucket.map_err(|error| error.field("/action/bucket_id"))?.id,
        manifest: body.manifest_uri,
        collections,
        include_processing_history: body.include_processing_history.unwrap_or(false),
    })
}

fn create(call: &Call, _: NoQuery, body: CreateSchedule) -> Result<ScheduleModel> {
    let namespace = call.namespace()?;
    let CreateSchedule { cron, time_zone, interval_seconds, starting_at, .. } = body;
    let when = When { cron, time_zone, interval_seconds, starting_at };
    let draft = ScheduleDraft {
        name: body.schedule_name,
        description: body.description,
        timing: when.timing(call, None)?,
        action: action(call, &namespace, body.action)?,
        missed: missed(body.missed_runs.unwrap_or(MissedPolicy::Skip)),
        paused: body.is_paused.unwrap_or(false),
    };
    call.control.create_schedule(&namespace, draft).map(model)
}

fn get(call: &Call, _: NoQuery) -> Result<ScheduleModel> {
    call.control.schedule(&call.namespace()?, call.path("schedule_identifier")).map(model)
}

fn change(call: &Call, _: NoQuery, body: ChangeSchedule) -> Result<ScheduleModel> {
    let namespace = call.namespace()?;
    let new_action = body.action.map(|body| action(call, &namespace, body)).transpose()?;
    let ChangeSchedule { cron, time_zone, interval_seconds, starting_at, .. } = body;
    let when = When { cron, time_zone, interval_seconds, starting_at };
    let identifier = call.path("schedule_identifier");
    let changed = call.control.change_schedule(&namespace, identifier, |schedule| {
        if !when.says_nothing() {
            schedule.timing = when.timing(call, Some(&schedule.timing))?;
        }
        if let Some(name) = body.schedule_name {
            schedule.name = name;
        }
        if body.description.is_some() {
            schedule.description = body.description;
        }
        if let Some(action) = new_action {
            schedule.action = action;
        }
        if let Some(policy) = body.missed_runs {
            schedule.missed = missed(policy);
        }
        schedule.paused = body.is_paused.unwrap_or(schedule.paused);
        Ok(())
    });
    changed.map(model)
}

fn set_paused(call: &Call, paused: bool) -> Result<ScheduleModel> {
    let identifier = call.path("schedule_identifier");
    let changed = call.control.change_schedule(&call.namespace()?, identifier, |schedule| {
        schedule.paused = paused;
        Ok(())
    });
    changed.map(model)
}

fn pause(call: &Call, _: NoQuery, (): ()) -> Result<ScheduleModel> {
    set_paused(call, true)
}

fn resume(call: &Call, _: NoQuery, (): ()) -> Result<ScheduleModel> {
    set_paused(call, false)
}

fn delete(call: &Call, _: NoQuery, (): ()) -> Result<()> {
    let identifier = call.path("schedule_identifier");
    call.control.delete_schedule(&call.namespace()?, identifier).map(|_| ())
}

fn run(call: &Call, _: NoQuery, (): ()) -> Result<ScheduleRunModel> {
    let identifier = call.path("schedule_identifier");
    call.control.run_schedule(&call.namespace()?, identifier).map(run_model)
}

fn page(call: &Call, wanted: &Wanted) -> Result<ScheduleList> {
    let all = call.control.schedules(&call.namespace()?)?;
    let all: Vec<ScheduleModel> = all.into_iter().map(model).collect();
    let listed = wanted.page(all, |schedule| &schedule.schedule_id)?;
    Ok(ScheduleList {
        results: listed.items,
        pagination: listed.pagination,
        total_count: listed.total,
    })
}

fn list_get(call: &Call, query: Paging) -> Result<ScheduleList> {
    page(call, &Wanted::new(&query, None)?)
}

fn list(call: &Call, query: Paging, body: Option<ListRequest>) -> Result<ScheduleList> {
    page(call, &Wanted::new(&query, body.as_ref())?)
}

fn history(call: &Call, query: Paging) -> Result<ScheduleHistory> {
    let identifier = call.path("schedule_identifier");
    let schedule = call.control.schedule(&call.namespace()?, identifier)?;
    let runs = call.control.schedule_runs(&schedule, None, usize::MAX)?;
    let all: Vec<ScheduleRunModel> = runs.into_iter().map(run_model).collect();
    let listed = Wanted::new(&query, None)?.page(all, |run| &run.run_id)?;
    Ok(ScheduleHistory {
        results: listed.items,
        pagination: listed.pagination,
        total_count: listed.total,
    })
}
