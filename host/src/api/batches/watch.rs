//! What happens to a batch, as server-sent events. One call gives what there is; the server calls
//! again whenever something happened, with the id of the last event.

use super::find;
use super::model::{Names, model};
use crate::api::call::Call;
use crate::api::operation::{Plainly, Table};
use crate::error::Result;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

pub(in crate::api) const EVENT_STREAM: &str = "text/event-stream";
/// The last one of a batch that has ended: nothing comes after it.
pub(in crate::api) const END: &str = "event: end\n";
const EVENTS_MAX: usize = 1_000;

pub(super) fn declare(table: &mut Table) {
    table.download(
        "/v1/batches/{batch_id}/events",
        "watch_batch",
        "Watch a batch: server-sent events, from the one after `Last-Event-ID` on",
        EVENT_STREAM,
        watch,
    );
}

#[derive(Deserialize, JsonSchema)]
struct WatchQuery {
    /// Like the header `Last-Event-ID`, which counts where both are given: events after this one.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    after: Option<u64>,
}

fn watch(call: &Call, query: WatchQuery) -> Result<Plainly> {
    let (namespace, view) = find(call)?;
    let named = call.last_event_id.and_then(|id| id.trim().parse::<u64>().ok());
    let after = named.or(query.after).unwrap_or(0);
    let id = view.batch.id.as_str();
    let told = call.control.occurrences(id, after, EVENTS_MAX)?;
    let complete = told.len() < EVENTS_MAX;
    let mut text = String::new();
    for happened in told {
        let data = json!({
            "id": happened.id, "type": happened.kind, "timestamp": happened.at,
            "sequence": happened.sequence, "data": happened.data,
        });
        let (sequence, kind) = (happened.sequence, &happened.kind);
        text.push_str(&format!("id: {sequence}\nevent: {kind}\ndata: {data}\n\n"));
    }
    if view.running.is_some() {
        let shown = model(call, &Names::of(call, &namespace)?, &view)?;
        let data = json!({
            "batch_id": id,
            "progress": shown.progress(),
            "status_message": shown.status_message(),
        });
        text.push_str(&format!("event: progress\ndata: {data}\n\n"));
    } else if complete && view.status().is_terminal() {
        let data = json!({ "batch_id": id, "status": view.status().as_str() });
        text.push_str(&format!("{END}data: {data}\n\n"));
    }
    Ok(Plainly::Bytes { content_type: EVENT_STREAM.to_string(), bytes: text.into_bytes() })
}
