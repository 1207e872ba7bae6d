//! Who is told what, where messages may go, and for how long it is tried.

use super::{HOOK, HOOKS, deliveries, eventually, hook, laboratory, make_bucket, wait};
use crate::support::api::Bed;
use crate::torture::kinds::webhooks::receiver::{Answer as Said, Receiver};
use chrono::{DateTime, Utc};
use quarry::control::attempted;
use quarry::net::is_public;
use quarry::store::catalog::{Attempt, Delivery, DeliveryStatus};
use quarry::webhook::{Answer, Outcome};
use serde_json::{Value, json};

#[test]
fn a_target_that_is_not_public_is_refused() {
    let bed = Bed::new();
    let refused = [
        "http://example.com/hook",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://user:word@example.com/",
        "https://example.com:22/",
        "https://",
    ];
    for url in refused {
        let error = bed.post(HOOKS, hook(url)).refused(422);
        let field = error["details"]["field"].as_str().unwrap();
        assert_eq!(field, "/channels/0/configs/url", "{url}");
    }
    bed.post(HOOKS, hook("ftp://example.com/")).refused(422);
}

#[test]
fn a_name_that_leads_to_this_machine_is_found_out_when_connecting() {
    let bed = Bed::new();
    bed.post(HOOKS, hook("https://localhost/hook")).ok();
    let tried = bed.post(&format!("{HOOK}/test"), Value::Null).ok();
    assert_eq!((&tried["delivered"], &tried["attempt"]["status"]), (&json!(false), &json!(null)));
    let error = tried["attempt"]["error"].as_str().unwrap();
    assert!(error.contains("no public address"), "{error}");
}

#[test]
fn only_addresses_of_the_internet_are_public() {
    let check = |address: &str, expected: bool| {
        assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
    };
    for address in ["93.184.216.34", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
        check(address, true);
    }
    let private = [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.2",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.8",
        "192.168.1.1",
        "198.19.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "64:ff9b::1.1.1.1",
        "2002:7f00:1::",
        "::7f00:1",
        "2001:db8::1",
        "2001::1",
        "::ffff:192.168.0.1",
    ];
    for address in private {
        check(address, false);
    }
}

#[test]
fn other_channels_are_unsupported_and_mistakes_have_their_pointer() {
    let bed = Bed::new();
    let mut body = hook("https://example.com/");
    let mail = json!({ "channel": "email", "configs": { "to_addresses": ["a@example.com"] } });
    body["channels"] = json!([mail]);
    let error = bed.post(HOOKS, body.clone()).refused(422);
    assert_eq!(
        (&error["code"], &error["details"]["field"]),
        (&json!("unsupported"), &json!("/channels/0/channel"))
    );
    let wrong = json!({ "url": "https://example.com/", "colour": "red" });
    body["channels"] = json!([{ "channel": "webhook", "configs": wrong }]);
    let error = bed.post(HOOKS, body.clone()).refused(422);
    assert_eq!(error["details"]["field"], "/channels/0/configs");
    body = hook("https://example.com/");
    body["event_types"] = json!(["bucket.exploded"]);
    let error = bed.post(HOOKS, body.clone()).refused(422);
    assert_eq!(error["details"]["field"], "/event_types/0");
    body = hook("https://example.com/");
    body["channels"][0]["configs"]["headers"] = json!({ "Webhook-Id": "mine" });
    bed.post(HOOKS, body).refused(422);
}

#[test]
fn a_webhook_hears_what_it_asked_for_and_nothing_of_other_namespaces() {
    let (bed, _background) = laboratory();
    let receiver = Receiver::start(0, |_| Said::status(200)).unwrap();
    bed.post("/v1/namespaces", json!({ "namespace_name": "other" })).ok();
    let in_other = |method: &str, target: &str, body: Option<Value>| {
        let mut request = bed.request(method, target, body);
        request.namespace = Some("other".to_string());
        bed.send(request)
    };
    let mut body = hook(&receiver.url("/"));
    body["event_types"] = json!(["bucket.created"]);
    // Without a namespace it would hear of all of them.
    let in_own = |body: Value| {
        let mut request = bed.request("POST", HOOKS, Some(body));
        request.namespace = Some("default".to_string());
        bed.send(request).ok()
    };
    in_own(body.clone());
    in_other("GET", HOOK, None).refused(404);
    in_other("DELETE", HOOK, None).refused(404);
    assert_eq!(in_other("POST", &format!("{HOOKS}/list"), None).ok()["total"], 0);
    // Of the same name, and for one bucket only.
    body["webhook_name"] = json!("all");
    body["resource_types"] = json!(["batch"]);
    body["event_types"] = json!(["*"]);
    in_own(body);
    let bucket = json!({ "bucket_name": "b", "bucket_schema": { "properties": {} } });
    in_other("POST", "/v1/buckets", Some(bucket)).ok();
    make_bucket(&bed, "b");
    bed.call("DELETE", "/v1/buckets/b", json!(null)).ok();
    make_bucket(&bed, "c");
    eventually(|| receiver.heard().len() == 2);
    let mut names: Vec<Value> =
        receiver.heard().iter().map(|one| one.json()["data"]["bucket_name"].clone()).collect();
    names.sort_by_key(Value::to_string);
    assert_eq!(names, ["b", "c"]);
    assert_eq!(deliveries(&bed).len(), 2);
    let all = bed.get(&format!("{HOOKS}/all/deliveries")).ok();
    assert_eq!(all["results"], json!([]));
}

#[test]
fn a_webhook_may_be_about_one_thing() {
    let (bed, _background) = laboratory();
    let receiver = Receiver::start(0, |_| Said::status(200)).unwrap();
    let first = make_bucket(&bed, "first");
    make_bucket(&bed, "second");
    let mut body = hook(&receiver.url("/"));
    body["resource_ids"] = json!([first]);
    bed.post(HOOKS, body).ok();
    bed.call("DELETE", "/v1/buckets/second", json!(null)).ok();
    bed.call("DELETE", "/v1/buckets/first", json!(null)).ok();
    eventually(|| !receiver.heard().is_empty());
    wait(&bed, 1);
    assert_eq!(deliveries(&bed).len(), 1);
    assert_eq!(receiver.heard()[0].json()["subject"], first);
}

#[test]
fn a_log_is_read_page_by_page() {
    let (bed, _background) = laboratory();
    let receiver = Receiver::start(0, |_| Said::status(200)).unwrap();
    bed.post(HOOKS, hook(&receiver.url("/"))).ok();
    for number in 0..5 {
        make_bucket(&bed, &format!("b{number}"));
    }
    eventually(|| deliveries(&bed).iter().filter(|one| one["status"] == "delivered").count() == 5);
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = bed.get(&format!("{HOOK}/deliveries?status=delivered&limit=2&cursor={cursor}"));
        let page = page.ok();
        seen.extend(page["results"].as_array().unwrap().clone());
        let Some(next) = page["pagination"]["next_cursor"].as_str() else { break };
        cursor = next.to_string();
    }
    assert_eq!(seen, deliveries(&bed));
    assert_eq!(bed.get(&format!("{HOOK}/deliveries?status=failed")).ok()["results"], json!([]));
}

#[test]
fn a_receiver_that_never_answers_is_tried_ten_times_in_three_days() {
    let start: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().unwrap();
    let mut delivery: Delivery = serde_json::from_value(json!({
        "endpoint": "wh_1", "namespace": "ns_1", "event": "evt_1", "kind": "batch.completed",
        "occurrence": "btch_1/000000000001", "subject": "btch_1", "sequence": 1,
        "status": "pending", "failures": 0, "attempts_total": 0, "attempts": [],
        "created_at": "2026-11-22T10:00:00.000Z",
    }))
    .unwrap();
    let failed = Outcome::Failed("nobody is there".to_string());
    let attempt = Attempt {
        at: String::new(),
        duration_ms: 1,
        status: None,
        response: String::new(),
        error: None,
    };
    let mut now = start;
    let mut times = 0;
    while delivery.status == DeliveryStatus::Pending {
        times += 1;
        delivery = attempted(&delivery, attempt.clone(), &failed, now, 0.5);
        if let Some(next) = &delivery.next_at {
            now = next.parse().unwrap();
        }
    }
    assert_eq!((times, delivery.status), (10, DeliveryStatus::Failed));
    assert_eq!((now - start).num_hours(), 75);
    // What a receiver asks for is kept, within an hour.
    let busy = |text: &str| {
        Outcome::Answered(Answer {
            status: 429,
            retry_after: Some(text.to_string()),
            body: String::new(),
        })
    };
    let fresh = Delivery { status: DeliveryStatus::Pending, failures: 0, ..delivery };
    let check = |text: &str, chance: f64, expected: &str| {
        let after = attempted(&fresh, attempt.clone(), &busy(text), start, chance);
        assert_eq!(after.next_at.unwrap(), format!("2026-11-22T{expected}Z"), "{text}");
    };
    check("120", 0.5, "10:02:00.000");
    check("86400", 0.5, "11:00:00.000");
    check("Sun, 22 Nov 2026 10:10:00 GMT", 0.5, "10:10:00.000");
    check("Sun, 22 Nov 2026 09:10:00 GMT", 0.5, "10:00:05.000");
    check("soon", 0.0, "10:00:04.500");
    check("1", 1.0, "10:00:05.500");
}
