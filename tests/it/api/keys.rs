use crate::support::api::{Bed, Reply, random_part};
use serde_json::{Value, json};

fn make(bed: &Bed, body: Value) -> (String, String) {
    let mut request = bed.request("POST", "/v1/keys", Some(body));
    request.authorization = Some("Bearer operator".to_string());
    let made = bed.send(request).ok();
    let text = |value: &Value| value.as_str().unwrap().to_string();
    (text(&made["key"]["key_id"]), text(&made["secret"]))
}

pub(super) fn bed() -> Bed {
    Bed::with(quarry::api::Settings {
        operator: Some("operator".to_string()),
        ..quarry::api::Settings::default()
    })
}

pub(super) fn secret(bed: &Bed, body: Value) -> String {
    make(bed, body).1
}

pub(super) fn with(bed: &Bed, secret: &str, method: &str, target: &str, body: Value) -> Reply {
    let body = (!body.is_null()).then_some(body);
    let mut request = bed.request(method, target, body);
    request.authorization = Some(format!("Bearer {secret}"));
    bed.send(request)
}

#[test]
fn from_the_first_key_on_a_key_is_asked_for() {
    let bed = bed();
    bed.get("/v1/buckets").ok();
    let (_, secret) = make(&bed, json!({ "name": "ingest" }));
    let reply = bed.get("/v1/buckets");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    reply.refused(401);
    with(&bed, &secret, "GET", "/v1/buckets", json!(null)).ok();
    with(&bed, "operator", "GET", "/v1/buckets", json!(null)).ok();
    let mut wrong = secret.clone();
    wrong.pop();
    with(&bed, &wrong, "GET", "/v1/buckets", json!(null)).refused(401);
}

#[test]
fn a_key_may_do_what_its_scopes_say() {
    let bed = bed();
    let (_, reads) = make(&bed, json!({ "name": "reads", "scopes": ["read"] }));
    let bucket = json!({ "bucket_name": "b", "bucket_schema": { "properties": {} } });
    with(&bed, &reads, "GET", "/v1/buckets", json!(null)).ok();
    with(&bed, &reads, "POST", "/v1/buckets", bucket.clone()).refused(403);
    with(&bed, &reads, "POST", "/v1/buckets/list", json!({})).ok();
    with(&bed, &reads, "GET", "/v1/keys", json!(null)).refused(403);
    with(&bed, &reads, "GET", "/metrics", json!(null)).refused(403);
    let (_, usual) = make(&bed, json!({ "name": "usual" }));
    with(&bed, &usual, "POST", "/v1/buckets", bucket).ok();
    with(&bed, &usual, "POST", "/v1/keys", json!({ "name": "more" })).refused(403);
}

#[test]
fn a_secret_is_shown_when_it_is_made_and_never_again() {
    let bed = bed();
    let (id, secret) = make(&bed, json!({ "name": "ingest" }));
    let read = with(&bed, "operator", "GET", &format!("/v1/keys/{id}"), json!(null)).ok();
    assert_eq!((&read["status"], &read["name"]), (&json!("active"), &json!("ingest")));
    let listed = with(&bed, "operator", "GET", "/v1/keys", json!(null)).ok();
    assert_eq!(listed["total_count"], 1);
    let random = random_part(&secret);
    assert!(!read.to_string().contains(random) && !listed.to_string().contains(random));
}

#[test]
fn a_rotated_key_has_two_secrets_for_a_while() {
    let bed = bed();
    let (id, old) = make(&bed, json!({ "name": "ingest" }));
    let rotate = |seconds: u64| {
        let body = json!({ "grace_seconds": seconds });
        let path = format!("/v1/keys/{id}/rotate");
        let rotated = with(&bed, "operator", "POST", &path, body).ok();
        rotated["secret"].as_str().unwrap().to_string()
    };
    let opens = |secret: &str| with(&bed, secret, "GET", "/v1/buckets", json!(null)).status == 200;
    let new = rotate(3600);
    assert!(opens(&old) && opens(&new));
    let newest = rotate(0);
    assert!(!opens(&old) && !opens(&new) && opens(&newest));
}

#[test]
fn a_revoked_or_expired_key_opens_nothing() {
    let bed = bed();
    let (id, secret) = make(&bed, json!({ "name": "ingest" }));
    let path = format!("/v1/keys/{id}");
    let revoked = with(&bed, "operator", "DELETE", &path, json!(null)).ok();
    assert_eq!(revoked["status"], "revoked");
    with(&bed, &secret, "GET", "/v1/buckets", json!(null)).refused(401);
    with(&bed, "operator", "POST", &format!("{path}/rotate"), json!({})).refused(409);
    // Nobody gets in again without a key, although no live one is left.
    bed.get("/v1/buckets").refused(401);
    let past = json!({ "name": "old", "expires_at": "2020-01-01T00:00:00Z" });
    let error = with(&bed, "operator", "POST", "/v1/keys", past).refused(422);
    assert_eq!(error["details"]["field"], "/expires_at");
    let (id, secret) =
        make(&bed, json!({ "name": "new", "expires_at": "2999-01-01T01:00:00+01:00" }));
    with(&bed, &secret, "GET", "/v1/buckets", json!(null)).ok();
    let read = with(&bed, "operator", "GET", &format!("/v1/keys/{id}"), json!(null)).ok();
    assert_eq!(read["secrets"][0]["expires_at"], "2999-01-01T00:00:00.000Z");
}
