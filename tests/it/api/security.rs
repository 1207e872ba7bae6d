use super::keys::{bed, secret, with};
use crate::support::api::Bed;
use crate::support::live::Live;
use serde_json::{Value, json};

/// Two namespaces; the key is bound to the first.
fn two() -> (Bed, String, Value) {
    let bed = bed();
    bed.post("/v1/namespaces", json!({ "namespace_name": "mine" })).ok();
    let theirs = bed.post("/v1/namespaces", json!({ "namespace_name": "theirs" })).ok();
    let body = json!({ "name": "bound", "scopes": ["admin"], "namespace": "mine" });
    let key = secret(&bed, body);
    (bed, key, theirs)
}

#[test]
fn a_bound_key_can_not_learn_that_another_namespace_exists() {
    let (bed, key, theirs) = two();
    let ask = |method: &str, target: &str, body: Value| with(&bed, &key, method, target, body);
    let listed = ask("GET", "/v1/namespaces", json!(null)).ok();
    assert_eq!(listed["total_count"], 1);
    assert_eq!(listed["results"][0]["namespace_name"], "mine");
    // One that is there and one that is not get the same answer, but for the name that was asked.
    let id = theirs["namespace_id"].as_str().unwrap();
    let same = |there: Value, not: Value| {
        let plain = |error: &Value, name: &str| error.to_string().replace(name, "NAME");
        assert_eq!(plain(&there, "theirs"), plain(&not, "nobody"));
    };
    for (method, path, body) in [
        ("GET", "/v1/namespaces/NAME", json!(null)),
        ("GET", "/v1/namespaces/NAME/stats", json!(null)),
        ("PATCH", "/v1/namespaces/NAME", json!({ "description": "x" })),
        ("DELETE", "/v1/namespaces/NAME", json!(null)),
    ] {
        let of = |name: &str| ask(method, &path.replace("NAME", name), body.clone()).refused(404);
        same(of("theirs"), of("nobody"));
        of(id);
    }
    let create =
        |name: &str| ask("POST", "/v1/namespaces", json!({ "namespace_name": name })).refused(403);
    same(create("theirs"), create("nobody"));
    let rename = |name: &str| {
        ask("PATCH", "/v1/namespaces/mine", json!({ "namespace_name": name })).refused(403)
    };
    same(rename("theirs"), rename("nobody"));
    let key_for = |name: &str| {
        ask("POST", "/v1/keys", json!({ "name": "more", "namespace": name })).refused(404)
    };
    same(key_for("theirs"), key_for("nobody"));
    let within = |name: &str| {
        let mut request = bed.request("GET", "/v1/buckets", None);
        request.authorization = Some(format!("Bearer {key}"));
        request.namespace = Some(name.to_string());
        bed.send(request).refused(404)
    };
    same(within("theirs"), within("nobody"));
    ask("GET", "/metrics", json!(null)).refused(403);
}

#[test]
fn a_bound_key_makes_and_sees_keys_of_its_namespace_only() {
    let (bed, key, _) = two();
    let other = json!({ "name": "other", "namespace": "theirs" });
    let other = with(&bed, "operator", "POST", "/v1/keys", other).ok();
    let made = with(&bed, &key, "POST", "/v1/keys", json!({ "name": "more" })).ok();
    let own = with(&bed, &key, "GET", "/v1/namespaces/mine", json!(null)).ok();
    assert_eq!(made["key"]["namespace_id"], own["namespace_id"]);
    assert_eq!(with(&bed, &key, "GET", "/v1/keys", json!(null)).ok()["total_count"], 2);
    let path = format!("/v1/keys/{}", other["key"]["key_id"].as_str().unwrap());
    with(&bed, &key, "GET", &path, json!(null)).refused(404);
    with(&bed, &key, "DELETE", &path, json!(null)).refused(404);
    with(&bed, &key, "POST", &format!("{path}/rotate"), json!({})).refused(404);
}

#[test]
fn names_in_two_namespaces_do_not_meet() {
    let (bed, key, _) = two();
    let bucket = json!({ "bucket_name": "same", "bucket_schema": { "properties": {} } });
    let mut request = bed.request("POST", "/v1/buckets", Some(bucket.clone()));
    request.authorization = Some("Bearer operator".to_string());
    request.namespace = Some("theirs".to_string());
    bed.send(request).ok();
    with(&bed, &key, "GET", "/v1/buckets/same", json!(null)).refused(404);
    with(&bed, &key, "POST", "/v1/buckets", bucket).ok();
    assert_eq!(with(&bed, &key, "GET", "/v1/buckets", json!(null)).ok()["total_count"], 1);
}

#[test]
fn a_page_of_another_origin_can_do_nothing() {
    let bed = Bed::new();
    let live = Live::start(&bed);
    let from = |origin: &str| {
        let body = json!({ "bucket_name": "b", "bucket_schema": { "properties": {} } });
        live.send(live.request("POST", "/v1/buckets").header("origin", origin).json(&body)).status
    };
    assert_eq!(from("https://evil.example"), 403);
    assert_eq!(from("null"), 403);
    assert_eq!(bed.get("/v1/buckets").ok()["total_count"], 0);
    assert_eq!(from(&live.url), 200);
}

#[test]
fn a_name_that_was_made_to_point_here_opens_nothing_without_a_key() {
    let bed = bed();
    let live = Live::start(&bed);
    let by = |host: &str| live.send(live.request("GET", "/v1/buckets").header("host", host)).status;
    assert_eq!((by("rebound.example"), by("localhost:1"), by("[::1]:1")), (403, 200, 200));
    let key = secret(&bed, json!({ "name": "k" }));
    let keyed = live.request("GET", "/v1/buckets").header("host", "quarry.example");
    assert_eq!(live.send(keyed.bearer_auth(key)).status, 200);
}

#[test]
fn an_origin_that_is_allowed_may_ask() {
    let bed = Bed::new();
    let live = Live::start_with(&bed, |settings| {
        settings.origins = vec!["https://console.example".to_string()];
    });
    let origin = |method: &str| {
        live.send(live.request(method, "/v1/buckets").header("origin", "https://console.example"))
    };
    let asked = origin("OPTIONS");
    assert_eq!(asked.status, 204);
    assert!(asked.header("access-control-allow-methods").unwrap().contains("PATCH"));
    let answer = origin("GET");
    let allowed = answer.header("access-control-allow-origin");
    assert_eq!((answer.status, allowed), (200, Some("https://console.example")));
}
