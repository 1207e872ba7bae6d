//! Batches that are canceled after they have begun.

use crate::support::api::Bed;
use crate::support::story::Story;
use quarry::store::Store;
use quarry::store::catalog::{Batch, Cancel};
use serde_json::{Value, json};

/// A batch that has documents of its first tier in the sink and waits for its second run, in a
/// process that runs nothing; and where it is.
fn begun(folder: &tempfile::TempDir) -> (Story, String) {
    let data = folder.path().join("data");
    let (bucket, batch) = {
        let bed = Bed::over(&data);
        bed.api.control().start_dispatch(1).unwrap();
        let story = Story::on(bed);
        let batch = story.draft(&story.objects(&["one", "two"]));
        story.submit(&batch);
        assert_eq!(story.ended(&batch)["documents_written"], 4);
        (story.bucket.clone(), batch)
    };
    let story = Story { bed: Bed::over(&data), bucket };
    assert_eq!(documents(&story), [2, 2]);
    story.bed.post(&format!("{batch}/resubmit?from_tier=1"), Value::Null).ok();
    (story, batch)
}

fn documents(story: &Story) -> [u64; 2] {
    ["chunks", "vectors"].map(|name| {
        let found = story.bed.get(&format!("/v1/collections/{name}")).ok();
        found["document_count"].as_u64().unwrap_or_else(|| panic!("{found}"))
    })
}

fn record(story: &Story, batch: &str) -> Batch {
    let id = batch.rsplit('/').next().unwrap();
    story.bed.app.engine.store.find(id).unwrap().unwrap()
}

#[test]
fn a_batch_that_was_canceled_is_ended_by_the_process_that_takes_it_up() {
    for (cancel, left) in [(Cancel::Keep, [2, 2]), (Cancel::Discard, [0, 0])] {
        let folder = tempfile::tempdir().unwrap();
        let (story, batch) = begun(&folder);
        // As a process leaves it that dies after it has answered.
        let mut canceled = record(&story, &batch);
        canceled.cancel = Some(cancel);
        let op = Store::put(canceled.id.as_str(), &canceled).unwrap();
        story.bed.app.engine.store.commit(vec![op]).unwrap();
        story.bed.api.control().start_dispatch(1).unwrap();
        let ended = story.ended(&batch);
        assert_eq!(ended["status"], "CANCELED", "{ended}");
        assert_eq!(documents(&story), left, "{cancel:?}");
        let told = story.bed.api.control().occurrences(canceled.id.as_str(), 0, 100).unwrap();
        assert_eq!(told.last().unwrap().kind, "batch.canceled");
    }
}

#[test]
fn the_documents_of_a_batch_that_nobody_runs_go_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (story, batch) = begun(&folder);
    story.bed.post(&format!("{batch}/cancel?discard=true"), Value::Null).ok();
    assert_eq!(story.bed.get(&batch).ok()["status"], "CANCELED");
    assert_eq!(documents(&story), [0, 0]);
    // Nothing failed and nothing of the second tier was run: it goes on with that, and has all its
    // documents in the end.
    let again = story.bed.post(&format!("{batch}/retry"), json!({ "retry_mode": "all" })).ok();
    assert_eq!((&again["partitions"], &again["status"]), (&json!(0), &json!("QUEUED")));
    story.bed.api.control().start_dispatch(1).unwrap();
    assert_eq!(story.ended(&batch)["status"], "COMPLETED");
    assert_eq!(documents(&story), [2, 2]);
}

#[test]
fn the_documents_of_a_batch_are_deleted_and_counted() {
    let story = Story::new();
    let batch = story.draft(&story.objects(&["one", "two"]));
    story.submit(&batch);
    story.ended(&batch);
    assert_eq!(documents(&story), [2, 2]);
    let deleted = story.bed.call("DELETE", &format!("{batch}/documents"), Value::Null).ok();
    assert_eq!(deleted["documents_deleted"], 4);
    assert_eq!(documents(&story), [0, 0]);
}

#[test]
fn a_cancel_is_written_down_and_the_next_run_is_not_canceled_with_it() {
    let story = Story::new();
    story.collect(
        "stuck",
        &json!({ "type": "bucket", "bucket_ids": [story.bucket] }),
        json!({
            "feature_extractor_name": "hostile",
            "version": "0.1.0",
            "params": { "act": "loop" },
        }),
    );
    let batch = story.draft(&story.objects(&["poison"]));
    story.submit(&batch);
    story.until(&batch, |found| found["status"] == "PROCESSING");
    story.bed.post(&format!("{batch}/cancel"), Value::Null).ok();
    assert_eq!(record(&story, &batch).cancel, Some(Cancel::Keep));
    assert_eq!(story.ended(&batch)["status"], "CANCELED");
    // Another run is not canceled with it.
    story.bed.post(&format!("{batch}/resubmit?from_tier=0"), Value::Null).ok();
    assert_eq!(record(&story, &batch).cancel, None);
    story.bed.post(&format!("{batch}/cancel"), Value::Null).ok();
    assert_eq!(story.ended(&batch)["status"], "CANCELED");
}
