use crate::support::api::{Bed, Reply, random_part};
use crate::support::live::{Live, send};
use crate::support::story::Story;
use quarry::store::Store;
use quarry::store::catalog::Replay;
use serde_json::{Value, json};

fn bucket(name: &str) -> Value {
    json!({ "bucket_name": name, "bucket_schema": { "properties": {} } })
}

fn post(bed: &Bed, key: &str, target: &str, body: Value) -> Reply {
    let mut request = bed.request("POST", target, Some(body));
    request.idempotency_key = Some(key.to_string());
    bed.send(request)
}

#[test]
fn a_thousand_equal_posts_at_once_are_done_once_and_all_get_the_answer() {
    let bed = Bed::new();
    let live = Live::start(&bed);
    let request = || {
        let request = live.request("POST", "/v1/buckets").json(&bucket("once"));
        request.header("idempotency-key", "one")
    };
    let answers =
        live.runtime.block_on(futures::future::join_all((0..1000).map(|_| send(request()))));
    let first = &answers[0];
    assert_eq!(first.status, 200, "{}", first.json());
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &first.body));
    }
    let replayed = answers.iter().filter(|one| one.header("idempotency-replayed").is_some());
    assert_eq!(replayed.count(), 999);
    assert_eq!(bed.get("/v1/buckets").ok()["total_count"], 1);
}

#[test]
fn a_thousand_equal_submits_at_once_make_one_task() {
    let story = Story::new();
    let batch = story.draft(&story.objects(&["one"]));
    let live = Live::start(&story.bed);
    let request = || {
        let request = live.request("POST", &format!("{batch}/submit")).json(&json!({}));
        request.header("idempotency-key", "one")
    };
    let answers =
        live.runtime.block_on(futures::future::join_all((0..1000).map(|_| send(request()))));
    let first = &answers[0];
    assert!(first.json()["task_id"].as_str().unwrap().starts_with("task_"));
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &first.body));
    }
    story.ended(&batch);
    let tasks = story.bed.post("/v1/tasks/list", json!({})).ok();
    assert_eq!(tasks["results"].as_array().unwrap().len(), 1);
}

#[test]
fn a_repetition_gets_the_answer_of_then() {
    let bed = Bed::new();
    let first = post(&bed, "k", "/v1/buckets", bucket("a"));
    assert_eq!(first.header("idempotency-replayed"), None);
    bed.call("DELETE", "/v1/buckets/a", json!(null)).ok();
    let again = post(&bed, "k", "/v1/buckets", bucket("a"));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!((again.status, again.json()), (first.status, first.json()));
    bed.get("/v1/buckets/a").refused(404);
}

#[test]
fn a_refusal_is_repeated_as_well() {
    let bed = Bed::new();
    bed.post("/v1/buckets", bucket("a")).ok();
    let first = post(&bed, "k", "/v1/buckets", bucket("a")).refused(409);
    bed.call("DELETE", "/v1/buckets/a", json!(null)).ok();
    assert_eq!(post(&bed, "k", "/v1/buckets", bucket("a")).refused(409), first);
}

#[test]
fn a_key_that_was_used_for_another_request_is_refused() {
    let bed = Bed::new();
    post(&bed, "k", "/v1/buckets", bucket("a")).ok();
    let error = post(&bed, "k", "/v1/buckets", bucket("b")).refused(422);
    assert_eq!(error["details"]["field"], "Idempotency-Key");
    let mut request = bed.request("POST", "/v1/buckets", Some(bucket("a")));
    request.idempotency_key = Some("k".to_string());
    request.namespace = Some("elsewhere".to_string());
    bed.send(request).refused(422);
    // Quotes do not count, the path does.
    post(&bed, "\"k\"", "/v1/buckets", bucket("a")).ok();
    post(&bed, "k", "/v1/namespaces", json!({ "namespace_name": "other" })).ok();
    post(&bed, "", "/v1/buckets", bucket("c")).refused(422);
    post(&bed, &"k".repeat(256), "/v1/buckets", bucket("c")).refused(422);
}

#[test]
fn an_answer_that_is_too_large_for_the_state_is_kept_all_the_same() {
    let bed = Bed::new();
    let mut body = bucket("large");
    body["metadata"] = json!({ "text": "x".repeat(50 << 10) });
    let first = post(&bed, "k", "/v1/buckets", body.clone());
    assert_eq!(first.status, 200);
    let again = post(&bed, "k", "/v1/buckets", body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json(), first.json());
}

#[test]
fn a_secret_is_shown_once_and_never_kept() {
    let bed = Bed::new();
    let body = json!({ "name": "ingest", "scopes": ["admin"] });
    let made = post(&bed, "k", "/v1/keys", body.clone()).ok();
    let secret = made["secret"].as_str().unwrap();
    let mut request = bed.request("POST", "/v1/keys", Some(body));
    request.authorization = Some(format!("Bearer {secret}"));
    request.idempotency_key = Some("k".to_string());
    // Somebody else's key: the operator used it before.
    let second = bed.send(request.clone()).ok();
    assert_ne!(second["key"]["key_id"], made["key"]["key_id"]);
    let error = bed.send(request).refused(409);
    assert!(error["message"].as_str().unwrap().contains("secret"), "{error}");
    let random = random_part(secret);
    for entry in bed.app.engine.store.entries() {
        let (key, bytes) = entry.unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(random), "{key}");
    }
}

#[test]
fn what_was_done_before_the_engine_died_is_not_done_again() {
    let bed = Bed::new();
    post(&bed, "k", "/v1/buckets", bucket("a")).ok();
    bed.call("DELETE", "/v1/buckets/a", json!(null)).ok();
    // As the commit of the bucket left it: the answer would have followed.
    let store = &bed.app.engine.store;
    let (place, mut record) = store.each::<Replay>("", None).next().unwrap().unwrap();
    assert!(record.answer.take().is_some());
    store.commit(vec![Store::put(&place, &record).unwrap()]).unwrap();
    let error = post(&bed, "k", "/v1/buckets", bucket("a")).refused(409);
    assert!(error["message"].as_str().unwrap().contains("was done"), "{error}");
    bed.get("/v1/buckets/a").refused(404);
}
