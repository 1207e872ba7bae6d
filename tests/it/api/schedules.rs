use crate::support::api::Bed;
use chrono::{DateTime, Utc};
use quarry::control::next_time;
use quarry::store::catalog::{RunStatus, ScheduleRun, Timing};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A Sunday.
const START: &str = "2026-11-22T10:00:00Z";

/// An engine that notes which batches its schedules submit.
fn laboratory() -> (Bed, Arc<Mutex<Vec<String>>>) {
    let bed = Bed::at(START);
    let submitted: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = submitted.clone();
    bed.api.control().set_trigger(Box::new(move |_, wanted| {
        noted.lock().unwrap().push(wanted.batch.to_string());
        Ok(())
    }));
    make_bucket(&bed);
    (bed, submitted)
}

fn make_bucket(bed: &Bed) {
    let body = json!({ "bucket_name": "b", "bucket_schema": { "properties": {} } });
    bed.post("/v1/buckets", body).ok();
}

fn hourly() -> Value {
    json!({ "schedule_name": "hourly", "cron": "0 * * * *", "action": { "bucket_id": "b" } })
}

fn wait(bed: &Bed, seconds: u64) {
    bed.app.engine.env.pause(Duration::from_secs(seconds), |_| ());
}

fn history(bed: &Bed) -> Vec<Value> {
    bed.get("/v1/schedules/hourly/history").ok()["results"].as_array().unwrap().clone()
}

#[test]
fn a_schedule_is_made_read_changed_paused_and_deleted() {
    let (bed, _) = laboratory();
    let made = bed.post("/v1/schedules", hourly()).ok();
    assert_eq!(
        (&made["next_run_at"], &made["time_zone"]),
        (&json!("2026-11-22T11:00:00.000Z"), &json!("UTC"))
    );
    assert_eq!(made["missed_runs"], "skip");
    let id = made["schedule_id"].as_str().unwrap();
    assert_eq!(bed.get(&format!("/v1/schedules/{id}")).ok(), made);
    bed.post("/v1/schedules", hourly()).refused(409);
    let body = json!({ "cron": "30 6 * * MON-FRI", "time_zone": "Europe/Berlin" });
    let changed = bed.call("PATCH", "/v1/schedules/hourly", body).ok();
    assert_eq!(changed["next_run_at"], "2026-11-23T05:30:00.000Z");
    let paused = bed.post("/v1/schedules/hourly/pause", Value::Null).ok();
    assert_eq!((&paused["is_paused"], &paused["next_run_at"]), (&json!(true), &json!(null)));
    assert_eq!(
        bed.post("/v1/schedules/hourly/resume", Value::Null).ok(),
        json!({
            "schedule_id": id, "schedule_name": "hourly", "description": null,
            "cron": "30 6 * * MON-FRI", "time_zone": "Europe/Berlin",
            "interval_seconds": null, "starting_at": null,
            "action": changed["action"], "missed_runs": "skip", "is_paused": false,
            "next_run_at": "2026-11-23T05:30:00.000Z", "last_run_at": null,
            "created_at": made["created_at"], "updated_at": changed["updated_at"],
        })
    );
    assert_eq!(bed.get("/v1/schedules").ok()["total_count"], 1);
    assert_eq!(bed.call("DELETE", "/v1/schedules/hourly", json!(null)).status, 204);
    bed.get(&format!("/v1/schedules/{id}")).refused(404);
}

#[test]
fn a_schedule_submits_a_batch_each_time() {
    let (bed, submitted) = laboratory();
    let mut body = hourly();
    body["cron"] = json!(null);
    body["interval_seconds"] = json!(3_600);
    bed.post("/v1/schedules", body).ok();
    let control = bed.api.control();
    assert_eq!(control.fire_due().unwrap(), Duration::from_secs(20));
    wait(&bed, 3_590);
    assert_eq!(control.fire_due().unwrap(), Duration::from_secs(10));
    wait(&bed, 10);
    control.fire_due().unwrap();
    control.fire_due().unwrap();
    let runs = history(&bed);
    assert_eq!(runs.len(), 1);
    assert_eq!((&runs[0]["cause"], &runs[0]["status"]), (&json!("time"), &json!("submitted")));
    assert_eq!(runs[0]["batch_id"], submitted.lock().unwrap()[0]);
    let read = bed.get("/v1/schedules/hourly").ok();
    assert_eq!(read["last_run_at"], "2026-11-22T11:00:00.000Z");
    assert_eq!(read["next_run_at"], "2026-11-22T12:00:00.000Z");
    let run = bed.post("/v1/schedules/hourly/run", Value::Null).ok();
    assert_eq!((&run["cause"], &run["due_at"]), (&json!("manual"), &json!(null)));
    assert_eq!(submitted.lock().unwrap().len(), 2);
    let told = control.occurrences(read["schedule_id"].as_str().unwrap(), 0, 10).unwrap();
    let kinds: Vec<&str> = told.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["schedule.fired", "schedule.fired"]);
}

#[test]
fn runs_that_were_missed_are_noted_or_caught_up_once() {
    let check = |policy: &str, status: &str, batches: usize| {
        let (bed, submitted) = laboratory();
        let mut body = hourly();
        body["missed_runs"] = json!(policy);
        bed.post("/v1/schedules", body).ok();
        wait(&bed, 3 * 3_600 + 120);
        bed.api.control().fire_due().unwrap();
        let runs = history(&bed);
        assert_eq!(runs.len(), 1, "{policy}");
        assert_eq!((&runs[0]["cause"], &runs[0]["status"]), (&json!("missed"), &json!(status)));
        assert_eq!(runs[0]["missed_count"], 3);
        assert_eq!(submitted.lock().unwrap().len(), batches);
        let next = &bed.get("/v1/schedules/hourly").ok()["next_run_at"];
        assert_eq!(*next, "2026-11-22T14:00:00.000Z");
    };
    check("skip", "skipped", 0);
    check("run_once", "submitted", 1);
}

#[test]
fn a_run_that_fails_is_in_the_history_with_its_reason() {
    let bed = Bed::at(START);
    make_bucket(&bed);
    bed.post("/v1/schedules", hourly()).ok();
    bed.post("/v1/schedules/hourly/run", Value::Null).refused(422);
    let runs = history(&bed);
    assert_eq!((&runs[0]["status"], &runs[0]["batch_id"]), (&json!("failed"), &json!(null)));
    assert!(runs[0]["error"].as_str().unwrap().contains("the batch has no objects"));
}

#[test]
fn a_run_that_a_crash_interrupted_goes_on_with_the_same_batch() {
    let (bed, submitted) = laboratory();
    let made = bed.post("/v1/schedules", hourly()).ok();
    let run: ScheduleRun = serde_json::from_value(json!({
        "id": "1", "schedule": made["schedule_id"], "cause": "time", "status": "started",
        "due_at": "2026-11-22T10:00:00.000Z", "started_at": "2026-11-22T10:00:00.000Z",
        "batch": "btch_1",
    }))
    .unwrap();
    let key = format!("{}/1", run.schedule);
    let put = quarry::store::Store::put(&key, &run).unwrap();
    bed.app.engine.store.commit(vec![put]).unwrap();
    let control = bed.api.control();
    control.resume_runs().unwrap();
    control.resume_runs().unwrap();
    assert_eq!(*submitted.lock().unwrap(), ["btch_1"]);
    let run: ScheduleRun = bed.app.engine.store.find(&key).unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Submitted);
}

#[test]
fn only_the_last_hundred_runs_are_remembered() {
    let (bed, submitted) = laboratory();
    bed.post("/v1/schedules", hourly()).ok();
    for _ in 0..103 {
        bed.post("/v1/schedules/hourly/run", Value::Null).ok();
    }
    let batches = submitted.lock().unwrap();
    let runs = bed.get("/v1/schedules/hourly/history?limit=1000").ok();
    assert_eq!(runs["total_count"], 100);
    assert_eq!(runs["results"][99]["batch_id"], batches[102]);
}

#[test]
fn what_can_not_be_a_schedule_is_refused_with_its_pointer() {
    let (bed, _) = laboratory();
    let check = |change: Value, status: u16, field: &str| {
        let mut body = hourly();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let error = bed.post("/v1/schedules", body).refused(status);
        assert_eq!(error["details"]["field"], field, "{change}");
    };
    check(json!({ "cron": "every day" }), 422, "/cron");
    check(json!({ "cron": "0 0 0 * * *" }), 422, "/cron");
    check(json!({ "cron": "0 0 30 2 *" }), 422, "/cron");
    check(json!({ "time_zone": "Mars/Olympus" }), 422, "/time_zone");
    check(json!({ "interval_seconds": 60 }), 422, "/interval_seconds");
    check(json!({ "cron": null }), 422, "/cron");
    check(json!({ "cron": null, "interval_seconds": 59 }), 422, "/interval_seconds");
    check(json!({ "action": { "bucket_id": "nowhere" } }), 404, "/action/bucket_id");
    check(json!({ "starting_at": START }), 422, "/starting_at");
}

#[test]
fn schedules_of_other_namespaces_do_not_exist() {
    let (bed, _) = laboratory();
    bed.post("/v1/schedules", hourly()).ok();
    bed.post("/v1/namespaces", json!({ "namespace_name": "other" })).ok();
    for (method, target) in [
        ("GET", "/v1/schedules/hourly"),
        ("GET", "/v1/schedules/hourly/history"),
        ("POST", "/v1/schedules/hourly/run"),
        ("DELETE", "/v1/schedules/hourly"),
    ] {
        let mut request = bed.request(method, target, None);
        request.namespace = Some("other".to_string());
        bed.send(request).refused(404);
    }
}

#[test]
fn a_clock_that_is_set_leaves_no_run_out_and_doubles_none() {
    let times = |expression: &str, from: &str, count: usize| -> Vec<String> {
        let timing = Timing::Cron {
            expression: expression.to_string(),
            time_zone: "Europe/Berlin".to_string(),
        };
        let mut now: DateTime<Utc> = from.parse().unwrap();
        (0..count)
            .map(|_| {
                now = next_time(&timing, now).unwrap().unwrap();
                now.format("%d %H:%M").to_string()
            })
            .collect()
    };
    // On 28 March 2027 there is no time between 2:00 and 3:00.
    let spring = times("30 2 * * *", "2027-03-26T12:00:00Z", 3);
    assert_eq!(spring, ["27 01:30", "28 01:00", "29 00:30"]);
    // On 31 October 2027 there is 2:30 twice: at 0:30 and at 1:30 UTC.
    let autumn = times("30 2 * * *", "2027-10-29T12:00:00Z", 3);
    assert_eq!(autumn, ["30 00:30", "31 00:30", "01 01:30"]);
    let never = Timing::Cron { expression: "0 0 30 2 *".to_string(), time_zone: "UTC".to_string() };
    assert_eq!(next_time(&never, "2027-01-01T00:00:00Z".parse().unwrap()).unwrap(), None);
}
