use crate::support::story::Story;
use serde_json::{Value, json};

#[test]
fn a_batch_goes_from_draft_to_completed_and_says_what_it_did() {
    let story = Story::new();
    let objects = story.objects(&["freedom from fear", "freedom of speech"]);
    let batch = story.draft(&objects[..1]);
    let more = json!({ "object_ids": [objects[1], objects[0]] });
    let filled = story.bed.post(&format!("{batch}/objects"), more).ok();
    assert_eq!((&filled["status"], &filled["object_count"]), (&json!("DRAFT"), &json!(2)));
    let task = story.submit(&batch);
    let ended = story.ended(&batch);
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    assert_eq!(ended["task_id"], task["task_id"]);
    let progress = &ended["progress"];
    assert_eq!(
        (&progress["processed"], &progress["total"], &progress["percent"]),
        (&json!(2), &json!(2), &json!(100.0))
    );
    assert_eq!((&ended["total_tiers"], &ended["health"]), (&json!(2), &json!("healthy")));
    assert_eq!(ended["documents_written"], 4);
    assert_eq!(ended["status_message"], "Completed 2 objects, 4 documents");
    let tiers = ended["tier_tasks"].as_array().unwrap();
    assert_eq!(tiers[1]["source_collection_ids"], tiers[0]["collection_ids"]);
    assert!(tiers.iter().all(|tier| tier["audit"]["balanced"] == true), "{tiers:?}");
    let told = story.bed.get(&format!("/v1/tasks/{}", task["task_id"].as_str().unwrap())).ok();
    assert_eq!(told["status"], "COMPLETED");
}

#[test]
fn a_batch_is_submitted_once_however_often_it_is_asked_for() {
    let story = Story::new();
    let batch = story.draft(&story.objects(&["one"]));
    let first = story.submit(&batch);
    assert_eq!(story.submit(&batch)["task_id"], first["task_id"]);
    story.ended(&batch);
    assert_eq!(story.submit(&batch)["task_id"], first["task_id"]);
}

#[test]
fn what_can_not_be_run_is_refused_when_it_is_submitted() {
    let story = Story::new();
    let empty = story.draft(&[]);
    let error = story.bed.post(&format!("{empty}/submit"), json!({})).refused(422);
    assert_eq!(error["details"]["field"], "/object_ids");
    let unknown = json!({ "object_ids": ["obj_nothing"] });
    let error = story.bed.post(&story.batches(), unknown).refused(404);
    assert_eq!(error["details"]["field"], "/object_ids/0");
}

#[test]
fn a_canceled_draft_stays_canceled() {
    let story = Story::new();
    let batch = story.draft(&story.objects(&["one"]));
    story.bed.post(&format!("{batch}/cancel"), Value::Null).ok();
    story.bed.post(&format!("{batch}/cancel"), Value::Null).ok();
    assert_eq!(story.bed.get(&batch).ok()["status"], "CANCELED");
    story.bed.post(&format!("{batch}/submit"), json!({})).refused(409);
}

#[test]
fn everything_that_happens_is_told_in_order_without_gaps() {
    let story = Story::new();
    let batch = story.draft(&story.objects(&["one"]));
    story.submit(&batch);
    story.ended(&batch);
    let id = batch.rsplit('/').next().unwrap();
    let told = story.bed.api.control().occurrences(id, 0, 100).unwrap();
    let kinds: Vec<&str> = told.iter().map(|happened| happened.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "batch.submitted",
            "batch.processing",
            "batch.tier.completed",
            "batch.tier.completed",
            "collection.documents.written",
            "collection.documents.written",
            "batch.completed",
        ]
    );
    let sequence: Vec<u64> = told.iter().map(|happened| happened.sequence).collect();
    assert_eq!(sequence, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn two_hundred_batches_submitted_at_once_all_complete() {
    let story = Story::new();
    let objects = story.objects(&["first", "second", "third"]);
    let batches: Vec<String> = (0..200).map(|at| story.draft(&objects[at % 3..][..1])).collect();
    std::thread::scope(|scope| {
        for some in batches.chunks(20) {
            let story = &story;
            scope.spawn(move || some.iter().for_each(|batch| drop(story.submit(batch))));
        }
    });
    for batch in &batches {
        let ended = story.ended(batch);
        assert_eq!(
            (&ended["status"], &ended["documents_written"]),
            (&json!("COMPLETED"), &json!(2))
        );
    }
    let listed = story.bed.post(&format!("{}/list", story.batches()), json!({ "limit": 7 })).ok();
    assert_eq!(
        (&listed["total_count"], listed["results"].as_array().unwrap().len()),
        (&json!(200), 7)
    );
}

#[test]
fn everything_from_a_tier_on_runs_again_when_it_is_resubmitted() {
    let story = Story::new();
    let batch = story.draft(&story.objects(&["one", "two"]));
    let first = story.submit(&batch);
    story.ended(&batch);
    let again = story.bed.post(&format!("{batch}/resubmit?from_tier=1"), Value::Null).ok();
    assert_ne!(again["task_id"], first["task_id"]);
    let ended = story.until(&batch, |found| {
        found["task_id"] == again["task_id"] && found["status"] == "COMPLETED"
    });
    assert_eq!((&ended["retry_count"], &ended["documents_written"]), (&json!(1), &json!(4)));
    story.bed.post(&format!("{batch}/retry"), json!({ "retry_mode": "all" })).ok();
    story.bed.post(&format!("{batch}/resubmit?from_tier=7"), Value::Null).refused(422);
}

#[test]
fn a_batch_is_taken_up_again_or_deleted_the_moment_it_has_ended() {
    let story = Story::new();
    let batch = story.draft(&story.objects(&["one"]));
    story.submit(&batch);
    for _ in 0..25 {
        story.ended(&batch);
        story.bed.post(&format!("{batch}/resubmit?from_tier=1"), Value::Null).ok();
    }
    assert_eq!(story.ended(&batch)["retry_count"], 25);
    for _ in 0..25 {
        let batch = story.draft(&story.objects(&["two"]));
        story.submit(&batch);
        story.ended(&batch);
        story.bed.call("DELETE", &batch, Value::Null).ok();
    }
}

#[test]
fn documents_say_how_they_were_made_when_they_are_asked_to() {
    let story = Story::new();
    let batch = story.draft(&story.objects(&["one"]));
    story.submit(&batch);
    story.ended(&batch);
    let control = story.bed.api.control();
    let namespace = control.namespace("default").unwrap();
    let sink = control.engine.sink.as_ref().unwrap();
    let scroll = quarry::sink::Scroll { limit: 10, ..Default::default() };
    let page = sink.scroll(&namespace.key, &scroll).unwrap();
    assert_eq!(page.documents.len(), 2);
    for document in page.documents {
        let lineage = quarry::engine::lineage(&document).unwrap();
        let [made] = lineage.history.as_slice() else { panic!("{lineage:?}") };
        assert_eq!(format!("{}@{}", made.extractor, made.version), lineage.extractor);
        assert_eq!(made.digest, lineage.digest);
    }
}

#[test]
fn a_batch_that_is_resubmitted_without_submitting_is_a_draft_until_it_is_submitted() {
    let story = Story::new();
    let objects = story.objects(&["one", "two"]);
    let batch = story.draft(&objects);
    story.submit(&batch);
    story.ended(&batch);
    let resubmit = |query: &str| story.bed.post(&format!("{batch}/resubmit?{query}"), Value::Null);
    let wrong = resubmit("from_tier=7&auto_submit=false").refused(422);
    assert_eq!(wrong["details"]["field"], "from_tier");
    let draft = resubmit("from_tier=1&auto_submit=false").ok();
    assert_eq!((&draft["status"], &draft["task_id"]), (&json!("DRAFT"), &Value::Null));
    assert_eq!(story.bed.get(&batch).ok()["status"], "DRAFT");
    // What it ran over is decided, and it is taken up by submitting it alone.
    let more = json!({ "object_ids": objects });
    story.bed.post(&format!("{batch}/objects"), more).refused(409);
    resubmit("from_tier=0").refused(409);
    let wanted = json!({ "collection_ids": ["chunks"] });
    story.bed.post(&format!("{batch}/submit"), wanted).refused(409);
    let task = story.submit(&batch);
    assert_eq!(story.submit(&batch)["task_id"], task["task_id"]);
    let ended = story.ended(&batch);
    assert_eq!((&ended["status"], &ended["task_id"]), (&json!("COMPLETED"), &task["task_id"]));
    assert_eq!((&ended["retry_count"], &ended["documents_written"]), (&json!(1), &json!(4)));
    // One that is canceled instead is canceled.
    resubmit("from_tier=0&trigger_processing=false").ok();
    story.bed.post(&format!("{batch}/cancel"), Value::Null).ok();
    assert_eq!(story.bed.get(&batch).ok()["status"], "CANCELED");
}

#[test]
fn the_failed_rows_of_several_tiers_run_again_together() {
    let story = Story::new();
    let evil = json!({
        "feature_extractor_name": "hostile", "version": "0.1.0", "params": { "act": "trap" },
    });
    let bucket = json!({ "type": "bucket", "bucket_ids": [story.bucket] });
    story.collect("evil-texts", &bucket, evil.clone());
    let chunks = json!({ "type": "collection", "collection_id": "chunks" });
    story.collect("evil-chunks", &chunks, evil);
    let batch = story.draft(&story.objects(&["poison", "good"]));
    story.submit(&batch);
    assert_eq!(story.ended(&batch)["status"], "COMPLETED_WITH_ERRORS");
    let retry = |tiers: Value| {
        let body = json!({ "retry_mode": "all", "tier_nums": tiers });
        story.bed.post(&format!("{batch}/retry"), body)
    };
    let wrong = retry(json!([0, 7])).refused(422);
    assert_eq!(wrong["details"]["field"], "/tier_nums/1");
    for (tiers, rows) in [(json!([1]), 1), (json!([0, 1]), 2), (json!([]), 2)] {
        let again = retry(tiers.clone()).ok();
        assert_eq!(again["rows"], rows, "{tiers}: {again}");
        let ended = story.until(&batch, |found| {
            found["task_id"] == again["task_id"] && found["status"] == "COMPLETED_WITH_ERRORS"
        });
        assert_eq!(ended["progress"]["errors"], 2, "{tiers}");
    }
    let metrics = String::from_utf8(story.bed.get("/metrics").body).unwrap();
    for line in [
        "quarry_guest_traps_total{extractor=\"hostile@0.1.0\",reason=\"trap\"} ",
        "quarry_quarantined_rows_total{extractor=\"hostile@0.1.0\"} ",
        "quarry_partitions{state=\"leased\",tier=\"0\"} ",
    ] {
        assert!(metrics.lines().any(|found| found.starts_with(line)), "{line}: {metrics}");
    }
}
