//! `/v1/tasks`.

use super::call::Call;
use super::listing::{Pagination, Paging, Sort, Wanted};
use super::operation::{NoQuery, Table};
use crate::control::BatchView;
use crate::error::{Code, Error, Result};
use crate::store::catalog::Task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(super) fn declare(table: &mut Table) {
    table.tag("tasks");
    table.post("/v1/tasks/list", "list_tasks", "List tasks", list);
    table.get("/v1/tasks/{task_id}", "get_task", "Read a task", get);
    table.delete("/v1/tasks/{task_id}", "kill_task", "Cancel what a task stands for", kill);
}

#[derive(Serialize, JsonSchema)]
pub(super) struct TaskModel {
    task_id: String,
    /// What it does: a word of the client's list.
    task_type: String,
    /// Of the batch, where it stands for one.
    status: String,
    /// Ids of what it works on.
    inputs: Vec<String>,
    outputs: Vec<String>,
    /// `batch_id`, `bucket_id`, `status_message`, …
    additional_data: Map<String, Value>,
    error: Option<String>,
    /// From 1, while it waits.
    queue_position: Option<u64>,
}

impl TaskModel {
    pub(super) fn of(call: &Call, task: Task) -> Result<TaskModel> {
        let mut model = TaskModel {
            task_id: task.id.to_string(),
            task_type: task.kind,
            status: task.status,
            inputs: Vec::new(),
            outputs: Vec::new(),
            additional_data: task.details,
            error: task.error,
            queue_position: None,
        };
        let mut keep = |name: &str, value: Value| {
            model.additional_data.insert(name.to_string(), value);
        };
        keep("created_at", task.created_at.into());
        keep("ended_at", task.ended_at.into());
        if let Some(id) = &task.batch {
            keep("batch_id", id.as_str().into());
            // Where the batch was deleted, the task says what it said last.
            if let Ok(view) = call.control.batch(id.as_str()) {
                model.follow(call, &view)?;
            }
        }
        Ok(model)
    }

    /// Of a batch that never was submitted.
    pub(super) fn without(view: &BatchView) -> TaskModel {
        let mut model = TaskModel {
            task_id: format!("task_{}", view.batch.id),
            task_type: "api_buckets_batches_process".to_string(),
            status: view.status().as_str().to_string(),
            inputs: vec![view.batch.id.to_string()],
            outputs: Vec::new(),
            additional_data: Map::new(),
            error: view.error().map(str::to_string),
            queue_position: None,
        };
        let id: Value = view.batch.id.as_str().into();
        model.additional_data.insert("batch_id".to_string(), id);
        model
    }

    fn follow(&mut self, call: &Call, view: &BatchView) -> Result<()> {
        self.status = view.status().as_str().to_string();
        self.error = view.error().map(str::to_string);
        self.inputs = vec![view.batch.id.to_string()];
        let bucket: Value = view.batch.bucket.as_str().into();
        self.additional_data.insert("bucket_id".to_string(), bucket);
        if view.status() == crate::model::BatchStatus::Queued {
            self.queue_position = call.control.queue_position(&view.batch)?;
        }
        Ok(())
    }
}

/// `{task_id}`, as long as it is kept.
fn find(call: &Call) -> Result<Task> {
    let id = call.path("task_id");
    let namespace = call.namespace_of(&call.control.task(id)?.namespace)?;
    let missing = || Error::new(Code::NotFound, format!("there is no task `{id}`"));
    call.control.live_task(&namespace.ok_or_else(missing)?, id)
}

fn get(call: &Call, _: NoQuery) -> Result<TaskModel> {
    let task = find(call)?;
    TaskModel::of(call, task)
}

#[derive(Default, Deserialize, JsonSchema)]
struct ListTasks {
    status: Option<String>,
    task_type: Option<String>,
    filters: Option<Map<String, Value>>,
    sort: Option<Sort>,
    search: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct TaskList {
    results: Vec<TaskModel>,
    pagination: Pagination,
    total_count: u64,
}

fn list(call: &Call, query: Paging, body: Option<ListTasks>) -> Result<TaskList> {
    let body = body.unwrap_or_default();
    let mut all = Vec::new();
    for namespace in call.namespaces()? {
        all.extend(call.control.tasks(&namespace)?);
    }
    all.sort_by(|a, b| a.id.cmp(&b.id));
    let mut tasks = Vec::new();
    for task in all {
        let model = TaskModel::of(call, task)?;
        let fits =
            |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| wanted == own);
        if fits(&body.status, &model.status) && fits(&body.task_type, &model.task_type) {
            tasks.push(model);
        }
    }
    let mut wanted = Wanted::new(&query, None)?;
    wanted.filters = body.filters;
    wanted.sorts = body.sort.into_iter().collect();
    wanted.search = body.search.filter(|text| !text.is_empty());
    let listed = wanted.page(tasks, |task| &task.task_id)?;
    Ok(TaskList { results: listed.items, pagination: listed.pagination, total_count: listed.total })
}

#[derive(Serialize, JsonSchema)]
struct Killed {
    message: String,
    success: bool,
}

fn kill(call: &Call, _: NoQuery, (): ()) -> Result<Killed> {
    let task = find(call)?;
    if let Some(batch) = &task.batch {
        call.control.cancel_batch(batch, false, Some("its task was killed"))?;
    }
    Ok(Killed { message: format!("task {} is canceled", task.id), success: true })
}
