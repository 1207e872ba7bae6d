use crate::support::api::Bed;
use serde_json::json;

#[test]
fn a_bucket_is_made_read_changed_and_deleted() {
    let bed = Bed::new();
    let schema = json!({ "properties": { "text": { "type": "text", "required": true } } });
    let made =
        bed.post("/v1/buckets", json!({ "bucket_name": "Speeches", "bucket_schema": schema })).ok();
    assert_eq!(made["bucket_schema"]["properties"]["text"]["type"], "text");
    assert_eq!((&made["object_count"], &made["total_size_bytes"]), (&json!(0), &json!(0)));
    let id = made["bucket_id"].as_str().unwrap();
    let renamed = bed.call("PUT", &format!("/v1/buckets/{id}"), json!({ "bucket_name": "talks" }));
    assert_eq!(renamed.ok()["bucket_name"], "talks");
    assert_eq!(bed.get("/v1/buckets?search=tal").ok()["total_count"], 1);
    bed.call("DELETE", "/v1/buckets/talks", json!(null)).ok();
    bed.get(&format!("/v1/buckets/{id}")).refused(404);
}

#[test]
fn the_schema_may_be_called_schema() {
    let bed = Bed::new();
    let body = json!({ "bucket_name": "b", "schema": { "properties": {} } });
    bed.post("/v1/buckets", body).ok();
}

#[test]
fn a_unique_key_of_an_unknown_field_is_refused() {
    let bed = Bed::new();
    let body = json!({
        "bucket_name": "b",
        "bucket_schema": { "properties": {} },
        "unique_key": { "fields": ["url"] },
    });
    let error = bed.post("/v1/buckets", body).refused(422);
    assert_eq!(error["details"]["field"], "/unique_key/fields");
}
