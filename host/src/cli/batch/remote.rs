//! Batches of a server.

use super::super::options::GlobalOptions;
use super::super::printer;
use super::super::reach::{Ask, Reach, encoded};
use crate::error::Result;
use serde_json::{Value, json};

/// Of a page of a list.
const PAGE: u64 = 500;

/// The batch, as the API shows it.
pub(super) fn batch(reach: &Reach, id: &str) -> Result<Value> {
    reach.ask(Ask::json("GET", format!("/v1/batches/{}", encoded(id)), None))
}

/// A request about the batch that the API has below its bucket.
fn below(reach: &Reach, id: &str, method: &str, rest: &str, body: Option<Value>) -> Result<Ask> {
    let batch = batch(reach, id)?;
    let text = |field: &str| batch[field].as_str().unwrap_or_default().to_string();
    let (bucket, id) = (encoded(&text("bucket_id")), encoded(&text("batch_id")));
    let mut ask =
        Ask::json(method, format!("/v1/buckets/{bucket}/batches/{id}{rest}"), body.as_ref());
    ask.namespace = Some(text("namespace_id"));
    Ok(ask)
}

/// Oldest first, as those of a data directory.
pub(super) fn list(options: &GlobalOptions, reach: &Reach) -> Result<()> {
    let mut all: Vec<Value> = Vec::new();
    let mut cursor = None;
    loop {
        let mut body = json!({ "limit": PAGE });
        if let Some(cursor) = cursor {
            body["cursor"] = cursor;
        }
        let mut page = reach.ask(Ask::json("POST", "/v1/batches/list", Some(&body)))?;
        if let Some(results) = page["results"].as_array_mut() {
            all.append(results);
        }
        let next = page["pagination"]["next_cursor"].take();
        if next.is_null() {
            break;
        }
        cursor = Some(next);
    }
    all.reverse();
    printer::list(options, &all, &LIST);
    Ok(())
}

pub(super) fn get(options: &GlobalOptions, reach: &Reach, id: &str) -> Result<()> {
    printer::one(options, &batch(reach, id)?, &GET);
    Ok(())
}

pub(super) fn errors(options: &GlobalOptions, reach: &Reach, id: &str, limit: usize) -> Result<()> {
    let mut failed = Vec::new();
    while failed.len() < limit {
        let mut page = below(reach, id, "GET", "/failed-documents", None)?;
        let count = (limit - failed.len()).min(1_000);
        page.query = format!("limit={count}&offset={}", failed.len());
        let mut answer = reach.ask(page)?;
        let before = failed.len();
        if let Some(rows) = answer["failed_documents"].as_array_mut() {
            failed.append(rows);
        }
        if failed.len() == before || failed.len() as u64 >= answer["total"].as_u64().unwrap_or(0) {
            break;
        }
    }
    printer::list(options, &failed, &ERRORS);
    Ok(())
}

/// Oldest first.
pub(super) fn events(reach: &Reach, id: &str) -> Result<Vec<Value>> {
    let mut told = reach.ask(below(reach, id, "GET", "/logs", None)?)?;
    Ok(told["events"].as_array_mut().map(std::mem::take).unwrap_or_default())
}

pub(super) fn cancel(
    options: &GlobalOptions,
    reach: &Reach,
    id: &str,
    discard: bool,
) -> Result<()> {
    let mut request = Ask::json("POST", format!("/v1/batches/{}/cancel", encoded(id)), None);
    request.query = format!("discard={discard}");
    reach.ask(request)?;
    get(options, reach, id)
}

/// Prints the task, which is the same when it is asked for again.
pub(super) fn submit(options: &GlobalOptions, reach: &Reach, id: &str) -> Result<()> {
    let task = reach.ask(below(reach, id, "POST", "/submit", Some(json!({})))?)?;
    printer::one(options, &task, &[("task", "/task_id"), ("status", "/status")]);
    Ok(())
}

pub(super) fn retry(
    options: &GlobalOptions,
    reach: &Reach,
    id: &str,
    transient_only: bool,
    tiers: &[usize],
) -> Result<()> {
    let mode = if transient_only { "transient_only" } else { "all" };
    let mut body = json!({ "retry_mode": mode });
    if !tiers.is_empty() {
        body["tier_nums"] = json!(tiers);
    }
    let again = reach.ask(below(reach, id, "POST", "/retry", Some(body))?)?;
    printer::one(options, &again, &AGAIN);
    Ok(())
}

pub(super) fn resubmit(
    options: &GlobalOptions,
    reach: &Reach,
    id: &str,
    from_tier: usize,
) -> Result<()> {
    let mut request = below(reach, id, "POST", "/resubmit", None)?;
    request.query = format!("from_tier={from_tier}");
    printer::one(options, &reach.ask(request)?, &AGAIN);
    Ok(())
}

const LIST: [printer::Column; 7] = [
    ("batch", "/batch_id"),
    ("status", "/status"),
    ("name", "/batch_name"),
    ("namespace", "/namespace_id"),
    ("documents", "/documents_written"),
    ("failed", "/progress/errors"),
    ("created", "/created_at"),
];

const GET: [printer::Column; 12] = [
    ("batch", "/batch_id"),
    ("status", "/status"),
    ("name", "/batch_name"),
    ("namespace", "/namespace_id"),
    ("bucket", "/bucket_id"),
    ("task", "/task_id"),
    ("objects", "/object_count"),
    ("documents", "/documents_written"),
    ("failed", "/progress/errors"),
    ("created", "/created_at"),
    ("state", "/status_message"),
    ("error", "/error"),
];

const AGAIN: [printer::Column; 5] = [
    ("batch", "/batch_id"),
    ("status", "/status"),
    ("task", "/task_id"),
    ("partitions", "/partitions"),
    ("message", "/message"),
];

const ERRORS: [printer::Column; 7] = [
    ("object", "/object_id"),
    ("parent", "/parent_document_id"),
    ("collection", "/collection_id"),
    ("extractor", "/extractor"),
    ("reason", "/error_code"),
    ("message", "/error"),
    ("attempts", "/attempts"),
];
