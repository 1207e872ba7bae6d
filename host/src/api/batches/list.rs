//! Batches are read and listed.

use super::model::{BatchModel, Names, model};
use super::{READ, find, find_in_bucket, shown};
use crate::api::call::Call;
use crate::api::listing::Wanted;
use crate::api::listing::{Pagination, decode_cursor};
use crate::api::operation::{NoQuery, Table};
use crate::error::{Code, Error, Result};
use crate::model::BatchStatus;
use crate::store::catalog::{Bucket, Namespace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) fn declare(table: &mut Table) {
    let one = "/v1/buckets/{bucket_identifier}/batches/{batch_id}";
    table.get(one, "get_batch_buckets_batches", "Read a batch", get_in_bucket);
    table.get("/v1/batches/{batch_id}", "get_batch_by_id_batches", "Read a batch", get);
    table
        .post(
            "/v1/buckets/{bucket_identifier}/batches/list",
            "list_batches_buckets",
            "List the batches of a bucket",
            list_in_bucket,
        )
        .scope(READ);
    table.post("/v1/batches/list", "list_all_batches", "List batches", list).scope(READ);
    table.get("/v1/batches/queue", "get_queue_status_batches", "What waits and what runs", queue);
}

fn get(call: &Call, _: NoQuery) -> Result<BatchModel> {
    let (namespace, view) = find(call)?;
    shown(call, &namespace, &view)
}

fn get_in_bucket(call: &Call, _: NoQuery) -> Result<BatchModel> {
    let (namespace, _, view) = find_in_bucket(call)?;
    shown(call, &namespace, &view)
}

/// A status of the client's; those that no batch here ever has find nothing.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    Pending,
    Queued,
    InProgress,
    Processing,
    Completed,
    CompletedWithErrors,
    Failed,
    Canceled,
    Interrupted,
    Unknown,
    Skipped,
    Draft,
    Active,
    Archived,
    Suspended,
    Deactivated,
}

impl Status {
    fn is(self, status: BatchStatus) -> bool {
        match self {
            Status::Draft => status == BatchStatus::Draft,
            Status::Pending | Status::Queued => status == BatchStatus::Queued,
            Status::InProgress | Status::Processing => status == BatchStatus::Processing,
            Status::Completed => status == BatchStatus::Completed,
            Status::CompletedWithErrors => status == BatchStatus::CompletedWithErrors,
            Status::Failed => status == BatchStatus::Failed,
            Status::Canceled => status == BatchStatus::Canceled,
            Status::Interrupted
            | Status::Unknown
            | Status::Skipped
            | Status::Active
            | Status::Archived
            | Status::Suspended
            | Status::Deactivated => false,
        }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
struct ListBatches {
    status: Option<Status>,
    collection_id: Option<String>,
    bucket_id: Option<String>,
    /// Another than the one of the request finds nothing.
    namespace_id: Option<String>,
    #[schemars(range(min = 0, max = 1_000_000))]
    offset: Option<u64>,
    #[schemars(range(min = 1, max = 1_000))]
    limit: Option<u64>,
    cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct BatchList {
    results: Vec<BatchModel>,
    total_count: u64,
    pagination: Pagination,
}

/// Newest first: what somebody looks for has mostly just been made.
fn page(
    call: &Call,
    namespaces: &[Namespace],
    bucket: Option<&Bucket>,
    body: ListBatches,
) -> Result<BatchList> {
    let wanted = Wanted {
        limit: body.limit.unwrap_or(100),
        offset: body.offset.unwrap_or(0),
        after: body.cursor.as_deref().map(decode_cursor).transpose()?,
        ..Wanted::default()
    };
    let named = |namespace: &Namespace| {
        let wanted = body.namespace_id.as_deref();
        wanted.is_none_or(|id| id == namespace.id.as_str() || id == namespace.name)
    };
    let collection = match &body.collection_id {
        Some(identifier) => {
            Some(in_one(namespaces, |namespace| call.control.collection(namespace, identifier))?)
        }
        None => None,
    };
    let mut batches = Vec::new();
    let mut names = BTreeMap::new();
    for namespace in namespaces.iter().filter(|namespace| named(namespace)) {
        batches.extend(call.control.batches(namespace, bucket)?);
        names.insert(namespace.id.clone(), Names::of(call, namespace)?);
    }
    batches.sort_by(|a, b| b.id.cmp(&a.id));
    let mut found = Vec::new();
    for batch in batches {
        let view = call.control.view(batch)?;
        let reads = |view: &crate::control::BatchView| {
            collection.as_ref().is_none_or(|collection| {
                let recorded = view.record.iter().flat_map(|record| &record.collections);
                view.batch.collections.contains(&collection.id)
                    || recorded.into_iter().any(|summary| summary.collection == collection.key)
            })
        };
        if body.status.is_none_or(|status| status.is(view.status())) && reads(&view) {
            found.push(view);
        }
    }
    let total = found.len() as u64;
    // Ids sort by time, so a place in the list is known although its batch is gone.
    let start = match &wanted.after {
        Some(after) => found.iter().filter(|view| view.batch.id.as_str() >= after.as_str()).count(),
        None => wanted.offset.min(total) as usize,
    };
    let end = start.saturating_add(wanted.limit as usize).min(found.len());
    let results = found[start..end].iter().filter_map(|view| {
        let names = names.get(&view.batch.namespace)?;
        Some(model(call, names, view))
    });
    let results: Vec<BatchModel> = results.collect::<Result<_>>()?;
    let next = (end < found.len() && end > start).then(|| found[end - 1].batch.id.as_str());
    Ok(BatchList { results, total_count: total, pagination: wanted.pagination(Some(total), next) })
}

/// What is found in the first of the namespaces that has it.
fn in_one<T>(namespaces: &[Namespace], find: impl Fn(&Namespace) -> Result<T>) -> Result<T> {
    let mut last = Error::new(Code::NotFound, "there is no namespace");
    for namespace in namespaces {
        match find(namespace) {
            Err(error) if error.code() == Code::NotFound => last = error,
            found => return found,
        }
    }
    Err(last)
}

fn list(call: &Call, _: NoQuery, body: Option<ListBatches>) -> Result<BatchList> {
    let namespaces = call.namespaces()?;
    let body = body.unwrap_or_default();
    let bucket = match &body.bucket_id {
        Some(identifier) => {
            Some(in_one(&namespaces, |namespace| call.control.bucket(namespace, identifier))?)
        }
        None => None,
    };
    page(call, &namespaces, bucket.as_ref(), body)
}

fn list_in_bucket(call: &Call, _: NoQuery, body: Option<ListBatches>) -> Result<BatchList> {
    let (namespace, bucket) = call.bucket()?;
    page(call, &[namespace], Some(&bucket), body.unwrap_or_default())
}

#[derive(Serialize, JsonSchema)]
struct Queue {
    /// Of the namespace that was named, in their order; of all that the key may see if none was.
    queued: Vec<String>,
    processing: Vec<String>,
    queue_length: u64,
    /// Batches that run at once, of all namespaces; one of a namespace after the other.
    max_concurrent_batches: u64,
    running_batches: u64,
}

fn queue(call: &Call, _: NoQuery) -> Result<Queue> {
    let (mut queued, mut processing) = (Vec::new(), Vec::new());
    for namespace in call.namespaces()? {
        let (waiting, running) = call.control.queue_of(&namespace)?;
        queued.extend(waiting);
        processing.extend(running);
    }
    Ok(Queue {
        queue_length: queued.len() as u64,
        queued: queued.iter().map(ToString::to_string).collect(),
        running_batches: processing.len() as u64,
        processing: processing.iter().map(ToString::to_string).collect(),
        max_concurrent_batches: call.control.dispatch.batches_max() as u64,
    })
}
