use crate::support::api::Bed;
use crate::support::quarry::root;
use serde_json::{Value, json};

#[test]
fn probes_and_descriptions_need_no_key() {
    let settings = quarry::api::Settings { keys_required: true, ..Default::default() };
    let bed = Bed::with(settings);
    bed.get("/v1/buckets").refused(401);
    bed.get("/metrics").refused(401);
    assert_eq!(bed.get("/healthz").ok(), json!({ "status": "ok" }));
    assert_eq!(bed.get("/version").ok()["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(bed.get("/openapi.json").ok()["openapi"], "3.1.0");
    assert_eq!(bed.get("/docs").header("content-type"), Some("text/html; charset=utf-8"));
}

#[test]
fn readiness_names_what_was_looked_at() {
    let bed = Bed::new();
    let ready = bed.get("/readyz").ok();
    assert_eq!(ready["status"], "ready");
    for check in ["state", "object_store", "sink", "disk"] {
        assert_eq!(ready["checks"][check]["status"], "ok", "{ready}");
    }
}

#[test]
fn an_object_store_that_can_not_be_written_is_not_ready() {
    let bed = Bed::new();
    let objects = bed.path("data").join("objects");
    std::fs::remove_dir_all(&objects).unwrap();
    std::fs::write(&objects, "a file where the folder was").unwrap();
    let reply = bed.get("/readyz");
    let body = reply.json();
    assert_eq!((reply.status, &body["status"]), (503, &json!("not_ready")), "{body}");
    assert_eq!(body["checks"]["object_store"]["status"], "failed");
    assert_eq!(body["checks"]["state"]["status"], "ok");
}

#[test]
fn metrics_count_requests_and_tell_what_the_state_knows() {
    let bed = Bed::new();
    bed.get("/v1/buckets").ok();
    let reply = bed.get("/metrics");
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4"));
    let text = String::from_utf8(reply.body).unwrap();
    for line in [
        "quarry_http_requests_total{operation=\"list_buckets_get\",status=\"200\"}",
        "quarry_http_request_seconds_bucket{operation=\"list_buckets_get\",le=\"0.001\"}",
        "quarry_batches{status=\"COMPLETED\"} 0",
        "quarry_state_bytes ",
        "quarry_commit_seconds_count ",
        "# HELP quarry_batches batches by status",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn the_reference_page_loads_nothing_from_elsewhere() {
    let bed = Bed::new();
    let page = String::from_utf8(bed.get("/docs").body).unwrap();
    for foreign in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("/openapi.json"));
}

#[test]
fn the_description_that_is_checked_in_is_the_one_that_is_served() {
    let text = std::fs::read_to_string(root().join("openapi.json")).unwrap();
    let checked_in: Value = serde_json::from_str(&text).unwrap();
    let served = quarry::api::description();
    assert!(checked_in == served, "the API changed: quarry api schema > openapi.json");
}

#[test]
fn operations_have_ids_of_their_own_and_are_described_wholly() {
    let mut seen = std::collections::BTreeSet::new();
    for operation in quarry::api::operations() {
        assert!(seen.insert(operation.id), "{} is there twice", operation.id);
        assert!(!operation.summary.is_empty() && !operation.tag.is_empty(), "{}", operation.id);
    }
}
