use crate::support::api::Bed;
use crate::torture::kinds::webhooks::receiver::{Answer, Received, Receiver};
use quarry::control::Background;
use quarry::store::catalog::Outgoing;
use quarry::webhook::{Reach, Secret};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

mod policy;

const HOOKS: &str = "/v1/organizations/webhooks";
const HOOK: &str = "/v1/organizations/webhooks/hook";

/// An engine that may tell this machine, with a clock that stands still.
fn laboratory() -> (Bed, Background) {
    let bed = Bed::at("2026-11-22T10:00:00Z");
    bed.api.control().set_outbound(Reach::Private, None);
    let background = bed.api.control().start_background().unwrap();
    (bed, background)
}

fn hook(url: &str) -> Value {
    json!({
        "webhook_name": "hook",
        "event_types": ["bucket.created", "bucket.deleted"],
        "channels": [{ "channel": "webhook", "configs": { "url": url } }],
    })
}

fn make_bucket(bed: &Bed, name: &str) -> String {
    let body = json!({ "bucket_name": name, "bucket_schema": { "properties": {} } });
    bed.post("/v1/buckets", body).ok()["bucket_id"].as_str().unwrap().to_string()
}

#[track_caller]
fn eventually(what: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < limit, "it never happened");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Until everything that happened has become deliveries, if anybody listened.
fn nothing_is_outgoing(bed: &Bed) {
    eventually(|| bed.app.engine.store.each::<Outgoing>("", None).next().is_none());
}

/// Sets the clock forward and says so.
fn wait(bed: &Bed, seconds: u64) {
    bed.app.engine.env.pause(Duration::from_secs(seconds), |_| ());
    bed.api.control().rang();
}

fn deliveries(bed: &Bed) -> Vec<Value> {
    bed.get(&format!("{HOOK}/deliveries")).ok()["results"].as_array().unwrap().clone()
}

/// The status of the only delivery there is, once it has had so many attempts.
#[track_caller]
fn settled(bed: &Bed, attempts: u64) -> Value {
    eventually(|| deliveries(bed).first().is_some_and(|one| one["attempt_count"] == attempts));
    deliveries(bed).remove(0)
}

fn ids(heard: &[Received]) -> Vec<String> {
    heard.iter().map(|one| one.header("webhook-id").to_string()).collect()
}

#[test]
fn a_webhook_is_made_read_changed_and_deleted() {
    let bed = Bed::new();
    let mut body = hook("https://example.com/hook?token=1");
    let made = bed.post(HOOKS, body.clone()).ok();
    let id = made["webhook_id"].as_str().unwrap().to_string();
    let (prefix, digits) = id.split_at(3);
    assert_eq!((prefix, digits.len()), ("wh_", 16));
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let read = bed.get(&format!("{HOOKS}/{id}")).ok();
    assert_eq!(read["secret"], Value::Null);
    assert_eq!(read["channels"][0]["configs"]["signing_secret"], "redacted");
    assert_eq!(read["channels"][0]["configs"]["timeout"], 10.0);
    assert_eq!(read["delivery_health"]["status"], "healthy");
    bed.post(HOOKS, body.clone()).refused(409);
    // What was read may be sent back.
    body["webhook_id"] = read["webhook_id"].clone();
    body["delivery_health"] = read["delivery_health"].clone();
    body["created_at"] = read["created_at"].clone();
    body["channels"] = read["channels"].clone();
    body["is_active"] = json!(false);
    let changed = bed.call("PUT", HOOK, body).ok();
    assert_eq!((&changed["webhook_id"], &changed["is_active"]), (&json!(id), &json!(false)));
    let listed = bed.post(&format!("{HOOKS}/list"), json!({ "is_active": false })).ok();
    assert_eq!((&listed["total"], &listed["results"][0]), (&json!(1), &changed));
    let none = bed.post(&format!("{HOOKS}/list"), json!({ "event_type": "batch.failed" })).ok();
    assert_eq!(none["total"], 0);
    assert_eq!(bed.call("DELETE", HOOK, json!(null)).status, 204);
    bed.get(HOOK).refused(404);
}

#[test]
fn what_happens_is_told_once_and_the_signature_verifies() {
    let (bed, _background) = laboratory();
    let receiver = Receiver::start(0, |_| Answer::status(204)).unwrap();
    let mut body = hook(&receiver.url("/hook"));
    body["channels"][0]["configs"]["headers"] = json!({ "x-colour": "red" });
    body["channels"][0]["configs"]["signing_secret"] = json!("between us");
    let secret = bed.post(HOOKS, body).ok()["secret"].as_str().unwrap().to_string();
    let bucket = make_bucket(&bed, "b");
    bed.call("DELETE", "/v1/buckets/b", json!(null)).ok();
    eventually(|| {
        let all = deliveries(&bed);
        all.len() == 2 && all.iter().all(|one| one["status"] == "delivered")
    });
    let mut heard = receiver.heard();
    heard.sort_by_key(|one| one.json()["sequence"].as_u64());
    assert!(heard.iter().all(|one| one.verifies(&secret)));
    assert!(!heard[0].verifies("whsec_AAAA"));
    assert!(heard[0].header("x-mixpeek-signature").starts_with("t=1795341600,v1="));
    assert_eq!(heard[0].header("x-colour"), "red");
    let told = heard[1].json();
    assert_eq!((&told["type"], &told["sequence"]), (&json!("bucket.deleted"), &json!(2)));
    assert_eq!((&told["subject"], &told["batch_id"]), (&json!(bucket), &json!(null)));
    assert_eq!(told["data"]["bucket_name"], "b");
    assert_eq!(told["id"], heard[1].header("webhook-id"));
}

#[test]
fn a_receiver_that_fails_is_told_again_later_under_the_same_id() {
    let (bed, _background) = laboratory();
    let times = AtomicUsize::new(0);
    let receiver = Receiver::start(0, move |_| match times.fetch_add(1, Ordering::SeqCst) {
        0 => Answer { body: "no\u{0}good".to_string(), ..Answer::status(500) },
        1 => Answer { headers: vec![("retry-after", "1800".to_string())], ..Answer::status(503) },
        _ => Answer::status(200),
    });
    let receiver = receiver.unwrap();
    bed.post(HOOKS, hook(&receiver.url("/"))).ok();
    make_bucket(&bed, "b");
    let failed = settled(&bed, 1);
    assert_eq!(
        (&failed["status"], &failed["attempts"][0]["status"]),
        (&json!("pending"), &json!(500))
    );
    assert_eq!(failed["attempts"][0]["response"], "no good");
    assert_eq!(bed.get(HOOK).ok()["delivery_health"]["consecutive_failures"], 1);
    // Five seconds and a tenth at most.
    wait(&bed, 6);
    let failed = settled(&bed, 2);
    assert_eq!(failed["next_attempt_at"], "2026-11-22T10:30:06.000Z");
    wait(&bed, 1_800);
    let told = settled(&bed, 3);
    assert_eq!((&told["status"], &told["next_attempt_at"]), (&json!("delivered"), &json!(null)));
    let ids = ids(&receiver.heard());
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]));
    assert_eq!(bed.get(HOOK).ok()["delivery_health"]["status"], "healthy");
}

#[test]
fn a_redirect_is_not_followed() {
    let (bed, _background) = laboratory();
    let receiver = Receiver::start(0, |_| Answer {
        headers: vec![("location", "/elsewhere".to_string())],
        ..Answer::status(302)
    });
    let receiver = receiver.unwrap();
    bed.post(HOOKS, hook(&receiver.url("/hook"))).ok();
    make_bucket(&bed, "b");
    let failed = settled(&bed, 1);
    assert_eq!(
        (&failed["status"], &failed["attempts"][0]["status"]),
        (&json!("pending"), &json!(302))
    );
    assert!(receiver.heard().iter().all(|one| one.path == "/hook"));
}

#[test]
fn a_receiver_that_is_too_slow_has_not_heard() {
    let (bed, _background) = laboratory();
    let receiver = Receiver::start(0, |_| {
        std::thread::park_timeout(Duration::from_secs(3));
        Answer::status(200)
    });
    let receiver = receiver.unwrap();
    let mut body = hook(&receiver.url("/"));
    body["channels"][0]["configs"]["timeout"] = json!(0.2);
    bed.post(HOOKS, body).ok();
    make_bucket(&bed, "b");
    let failed = settled(&bed, 1);
    assert_eq!(failed["attempts"][0]["status"], Value::Null);
    let error = failed["attempts"][0]["error"].as_str().unwrap().to_string();
    assert!(error.contains("timed out"), "{error}");
    assert!(!error.contains("127.0.0.1"), "{error}");
}

#[test]
fn a_receiver_that_is_gone_for_good_switches_the_webhook_off() {
    let (bed, _background) = laboratory();
    let receiver = Receiver::start(0, |_| Answer::status(410)).unwrap();
    let body = hook(&receiver.url("/"));
    bed.post(HOOKS, body.clone()).ok();
    make_bucket(&bed, "b");
    assert_eq!(settled(&bed, 1)["status"], "failed");
    let off = bed.get(HOOK).ok();
    assert_eq!(
        (&off["is_active"], &off["delivery_health"]["status"]),
        (&json!(false), &json!("paused"))
    );
    make_bucket(&bed, "unheard");
    nothing_is_outgoing(&bed);
    bed.post(&format!("{HOOK}/replay"), json!({ "since": "2026-01-01T00:00:00Z" })).refused(409);
    let on = bed.call("PUT", HOOK, body).ok();
    assert_eq!(
        (&on["is_active"], &on["delivery_health"]["status"]),
        (&json!(true), &json!("healthy"))
    );
    assert_eq!(deliveries(&bed).len(), 1);
}

#[test]
fn what_happened_before_is_told_when_somebody_asks() {
    let (bed, _background) = laboratory();
    let receiver = Receiver::start(0, |_| Answer::status(200)).unwrap();
    let early = make_bucket(&bed, "early");
    wait(&bed, 60);
    make_bucket(&bed, "late");
    nothing_is_outgoing(&bed);
    bed.post(HOOKS, hook(&receiver.url("/"))).ok();
    let replay = |since: &str, only_failed: bool| {
        let body = json!({ "since": since, "only_failed": only_failed });
        bed.post(&format!("{HOOK}/replay"), body).ok()["scheduled"].clone()
    };
    assert_eq!(replay("2026-11-22T11:00:30+01:00", false), 1);
    assert_ne!(settled(&bed, 1)["subject"], early);
    assert_eq!(replay("2026-11-22T10:00:00Z", true), 1);
    eventually(|| receiver.heard().len() == 2 && deliveries(&bed).len() == 2);
    eventually(|| deliveries(&bed).iter().all(|one| one["status"] == "delivered"));
    assert_eq!(replay("2026-11-22T10:00:00Z", false), 2);
    eventually(|| receiver.heard().len() == 4);
    let mut ids = ids(&receiver.heard());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2);
}

#[test]
fn while_a_secret_is_rotated_both_sign() {
    let (bed, _background) = laboratory();
    let receiver = Receiver::start(0, |_| Answer::status(200)).unwrap();
    let old = bed.post(HOOKS, hook(&receiver.url("/"))).ok()["secret"].clone();
    let rotated =
        bed.post(&format!("{HOOK}/rotate-secret"), json!({ "old_valid_seconds": 60 })).ok();
    let (old, new) = (old.as_str().unwrap(), rotated["secret"].as_str().unwrap());
    assert_ne!(old, new);
    let tried = bed.post(&format!("{HOOK}/test"), Value::Null).ok();
    assert_eq!(
        (&tried["delivered"], &tried["attempt"]["response"]),
        (&json!(true), &json!("heard"))
    );
    wait(&bed, 61);
    bed.post(&format!("{HOOK}/test"), json!({})).ok();
    let heard = receiver.heard();
    assert!(heard[0].verifies(old) && heard[0].verifies(new));
    assert!(!heard[1].verifies(old) && heard[1].verifies(new));
    let given = json!({ "secret": "whsec_c2hvcnQ=" });
    let error = bed.post(&format!("{HOOK}/rotate-secret"), given).refused(422);
    assert_eq!(error["details"]["field"], "/secret");
}

#[test]
fn a_batch_may_name_a_url_of_its_own() {
    let bed = Bed::at("2026-11-22T10:00:00Z");
    let control = bed.api.control();
    let secret = Secret::generate();
    control.set_outbound(Reach::Private, Some(secret.clone()));
    let receiver = Receiver::start(0, |_| Answer::status(200)).unwrap();
    let namespace = control.namespace("default").unwrap();
    let bucket = make_bucket(&bed, "b");
    let batch: quarry::store::catalog::Batch = serde_json::from_value(json!({
        "id": "btch_1", "namespace": namespace.id, "bucket": bucket, "phase": "draft",
        "input": { "objects": 0 }, "webhook_url": receiver.url("/mine"),
        "created_at": "2026-11-22T10:00:00.000Z", "updated_at": "2026-11-22T10:00:00.000Z",
    }))
    .unwrap();
    let mut ops = control.occur(&namespace.id, "btch_1", "batch.completed", json!({})).unwrap();
    ops.push(quarry::store::Store::put("btch_1", &batch).unwrap());
    bed.app.engine.store.commit(ops).unwrap();
    let _background = control.start_background().unwrap();
    eventually(|| !receiver.heard().is_empty());
    let heard = &receiver.heard()[0];
    assert_eq!((heard.path.as_str(), &heard.json()["batch_id"]), ("/mine", &json!("btch_1")));
    assert!(heard.verifies(&secret.text()));
}

#[test]
fn data_that_is_too_large_is_left_out() {
    let (bed, _background) = laboratory();
    let receiver = Receiver::start(0, |_| Answer::status(200)).unwrap();
    let mut body = hook(&receiver.url("/"));
    body["event_types"] = json!(["*"]);
    bed.post(HOOKS, body).ok();
    let control = bed.api.control();
    let namespace = control.namespace("default").unwrap();
    let data = json!({ "text": "a".repeat(30_000) });
    let ops = control.occur(&namespace.id, "btch_1", "batch.failed", data).unwrap();
    bed.app.engine.store.commit(ops).unwrap();
    control.rang();
    eventually(|| !receiver.heard().is_empty());
    let heard = &receiver.heard()[0];
    assert!(heard.body.len() < quarry::control::BODY_BYTES_MAX);
    assert_eq!(heard.json()["data"]["text"], Value::Null);
    assert_eq!(heard.json()["type"], "batch.failed");
}
