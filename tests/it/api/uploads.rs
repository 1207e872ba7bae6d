use crate::support::api::{Bed, Reply};
use serde_json::{Value, json};

fn bed() -> Bed {
    let bed = Bed::new();
    let schema =
        json!({ "properties": { "photo": { "type": "image" }, "title": { "type": "string" } } });
    bed.post("/v1/buckets", json!({ "bucket_name": "b", "bucket_schema": schema })).ok();
    bed
}

fn announce(bed: &Bed, more: Value) -> Value {
    let mut body = json!({ "filename": "one.png", "content_type": "image/png" });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    bed.post("/v1/buckets/b/uploads", body).ok()
}

fn put(bed: &Bed, url: &Value, bytes: &[u8]) -> Reply {
    let mut request = bed.request("PUT", url.as_str().unwrap(), None);
    request.body = bytes.to_vec();
    bed.send(request)
}

fn path(upload: &Value) -> String {
    format!("/v1/buckets/b/uploads/{}", upload["upload_id"].as_str().unwrap())
}

fn confirm(bed: &Bed, upload: &Value, body: Value) -> Reply {
    bed.post(&format!("{}/confirm", path(upload)), body)
}

#[test]
fn a_file_is_announced_sent_and_confirmed_and_becomes_an_object() {
    let bed = bed();
    let upload = announce(
        &bed,
        json!({
            "file_size_bytes": 3, "object_metadata": { "title": "One", "shelf": 4 },
                "metadata": { "run": "x" },
            "presigned_url_expiration": 60, "create_object_on_confirm": true,
                "skip_duplicates": true,
        }),
    );
    assert_eq!((&upload["status"], &upload["blob_property"]), (&json!("PENDING"), &json!("photo")));
    confirm(&bed, &upload, json!({})).refused(409);
    put(&bed, &upload["presigned_url"], b"four").refused(422);
    let reply = put(&bed, &upload["presigned_url"], b"one");
    let tag = reply.header("etag").unwrap().to_string();
    assert_eq!(tag, format!("\"{}\"", reply.ok()["etag"].as_str().unwrap()));
    put(&bed, &upload["presigned_url"], b"one").ok();
    put(&bed, &upload["presigned_url"], b"two").refused(409);
    assert_eq!(bed.get(&path(&upload)).ok()["status"], "IN_PROGRESS");
    confirm(&bed, &upload, json!({ "etag": "wrong" })).refused(422);
    confirm(&bed, &upload, json!({ "file_size_bytes": 4 })).refused(422);
    let done = confirm(
        &bed,
        &upload,
        json!({ "etag": tag, "file_size_bytes": 3, "auto_submit_batch": false }),
    )
    .ok();
    assert_eq!(done["status"], "COMPLETED");
    assert_eq!(confirm(&bed, &upload, Value::Null).ok()["object_id"], done["object_id"]);
    let object =
        bed.get(&format!("/v1/buckets/b/objects/{}", done["object_id"].as_str().unwrap())).ok();
    assert_eq!((&object["title"], &object["metadata"]), (&json!("One"), &json!({ "shelf": 4 })));
    assert_eq!(object["blobs"][0]["properties"]["upload_id"], upload["upload_id"]);
    assert_eq!(object["blobs"][0]["details"]["size_bytes"], 3);
    let read = bed.get(&format!("{}?return_presigned_urls=true", path(&upload))).ok();
    assert_eq!(bed.get(read["presigned_url"].as_str().unwrap()).body, b"one");
    put(&bed, &upload["presigned_url"], b"one").refused(409);
    bed.call("DELETE", &path(&upload), Value::Null).refused(409);
    assert_eq!(bed.get("/v1/buckets/b").ok()["object_count"], 1);
}

#[test]
fn a_confirmed_upload_may_be_named_by_objects() {
    let bed = bed();
    let upload = announce(&bed, json!({ "create_object_on_confirm": false }));
    let object = json!({ "blobs": [{ "property": "photo", "type": "image",
        "upload_id": upload["upload_id"] }] });
    put(&bed, &upload["presigned_url"], b"one").ok();
    bed.post("/v1/buckets/b/objects", object.clone()).refused(409);
    assert_eq!(confirm(&bed, &upload, json!({})).ok()["object_id"], Value::Null);
    let made = bed.post("/v1/buckets/b/objects", object).ok();
    let one = format!("/v1/buckets/b/objects/{}", made["object_id"].as_str().unwrap());
    bed.call("DELETE", &one, Value::Null).ok();
    // The bytes are the upload's.
    let read = bed.get(&format!("{}?return_presigned_urls=true", path(&upload))).ok();
    assert_eq!(bed.get(read["presigned_url"].as_str().unwrap()).body, b"one");
}

#[test]
fn a_link_opens_one_upload_and_only_what_it_was_made_for() {
    let bed = bed();
    let (one, two) = (announce(&bed, json!({})), announce(&bed, json!({})));
    let token = |upload: &Value| {
        upload["presigned_url"].as_str().unwrap().split_once('?').unwrap().1.to_string()
    };
    let id = |upload: &Value| upload["upload_id"].as_str().unwrap().to_string();
    let crossed = json!(format!("/v1/uploads/{}/content?{}", id(&one), token(&two)));
    put(&bed, &crossed, b"x").refused(403);
    put(&bed, &json!(format!("/v1/uploads/{}/content", id(&one))), b"x").refused(422);
    bed.get(one["presigned_url"].as_str().unwrap()).refused(403);
    let mut request = bed.request("POST", "/v1/buckets/b/uploads", None);
    request.origin = Some("https://quarry.example:7700".to_string());
    request.body = br#"{"filename":"a.png","content_type":"image/png"}"#.to_vec();
    let upload = bed.send(request).ok();
    let url = upload["presigned_url"].as_str().unwrap();
    assert!(url.starts_with("https://quarry.example:7700/v1/uploads/upl_"), "{url}");
}

#[test]
fn bytes_that_are_here_are_not_sent_again() {
    let bed = bed();
    let first = announce(&bed, json!({}));
    put(&bed, &first["presigned_url"], b"one").ok();
    let done = confirm(&bed, &first, json!({})).ok();
    let known = announce(&bed, json!({ "file_hash": done["file_hash"] }));
    assert_eq!((&known["is_duplicate"], &known["upload_id"]), (&json!(true), &first["upload_id"]));
    assert_eq!(known["presigned_url"], Value::Null);
    let second = announce(&bed, json!({}));
    put(&bed, &second["presigned_url"], b"one").ok();
    let again = confirm(&bed, &second, json!({})).ok();
    assert_eq!(again["object_id"], done["object_id"]);
    assert_eq!(bed.get(&path(&second)).ok()["duplicate_of_upload_id"], first["upload_id"]);
    let third = announce(&bed, json!({ "skip_duplicates": false }));
    put(&bed, &third["presigned_url"], b"one").ok();
    assert_ne!(confirm(&bed, &third, json!({})).ok()["object_id"], done["object_id"]);
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_sent() {
    let bed = bed();
    let check = |more: Value, pointer: &str| {
        let mut body = json!({ "filename": "one.png", "content_type": "image/png" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let error = bed.post("/v1/buckets/b/uploads", body).refused(422);
        assert_eq!(error["details"]["field"], pointer, "{more} {error}");
    };
    check(json!({ "filename": "../one.png" }), "/filename");
    check(json!({ "content_type": "picture" }), "/content_type");
    check(json!({ "content_type": "application/pdf" }), "/content_type");
    check(json!({ "blob_property": "colour" }), "/blob_property");
    check(json!({ "blob_property": "title" }), "/blob_property");
    check(json!({ "blob_type": "VIDEO" }), "/blob_type");
    check(json!({ "presigned_url_expiration": 5 }), "/presigned_url_expiration");
    check(json!({ "file_hash": "abc" }), "/file_hash");
}

#[test]
fn uploads_are_listed_newest_first_and_canceled() {
    let bed = bed();
    let body = json!({
        "uploads": [
            { "filename": "a.png", "content_type": "image/png", "metadata": { "n": 1 } },
            { "filename": "b.png", "content_type": "image/png", "file_size_bytes": 8 },
        ],
        "shared_metadata": { "n": 0, "run": "summer" },
    });
    let made = bed.post("/v1/buckets/b/uploads/batch", body).ok();
    assert_eq!(
        (&made["total"], &made["uploads"][0]["metadata"]),
        (&json!(2), &json!({ "n": 1, "run": "summer" }))
    );
    let list = |body: Value| bed.post("/v1/buckets/b/uploads/list", body).ok();
    let listed = list(json!({ "limit": 20, "offset": 0, "return_presigned_urls": false }));
    assert_eq!(listed["results"][0]["filename"], "b.png");
    assert_eq!(
        listed["stats"],
        json!({
            "total_uploads": 2, "total_size_bytes": 8, "uploads_by_status": { "PENDING": 2 },
            "avg_file_size_bytes": 4.0, "unique_buckets": 1,
        })
    );
    assert_eq!(list(json!({ "filters": { "metadata.n": 1 } }))["stats"]["total_uploads"], 1);
    assert_eq!(list(json!({ "search": "SUMMER", "limit": 1 }))["pagination"]["total"], 2);
    let (one, two) = (path(&made["uploads"][0]), path(&made["uploads"][1]));
    assert_eq!(
        bed.call("DELETE", &format!("{one}?delete_s3_object=false"), Value::Null).status,
        204
    );
    assert_eq!(bed.get(&one).ok()["status"], "CANCELED");
    put(&bed, &made["uploads"][0]["presigned_url"], b"x").refused(409);
    bed.call("DELETE", &two, Value::Null).ok();
    bed.get(&two).refused(404);
    put(&bed, &made["uploads"][1]["presigned_url"], b"12345678").refused(404);
}

#[test]
fn many_uploads_are_confirmed_under_one_task() {
    let bed = bed();
    let (one, two) = (announce(&bed, json!({})), announce(&bed, json!({})));
    put(&bed, &one["presigned_url"], b"one").ok();
    let body = json!({ "confirmations": [{ "upload_id": one["upload_id"] },
        { "upload_id": two["upload_id"] }] });
    let answer = bed.post("/v1/buckets/b/uploads/confirm/batch", body).ok();
    assert_eq!(
        (&answer["status"], &answer["confirmations_count"]),
        (&json!("COMPLETED_WITH_ERRORS"), &json!(2))
    );
    let outputs = &answer["task"]["outputs"];
    assert_eq!(
        (&outputs[0]["status"], &outputs[1]["status"]),
        (&json!("COMPLETED"), &json!("FAILED"))
    );
    assert!(outputs[0]["object_id"].is_string());
}

#[test]
fn uploads_of_two_namespaces_never_meet() {
    let bed = bed();
    bed.post("/v1/namespaces", json!({ "namespace_name": "other" })).ok();
    let there = |method: &str, target: &str, body: Option<Value>| {
        let mut request = bed.request(method, target, body);
        request.namespace = Some("other".to_string());
        bed.send(request)
    };
    let schema = json!({ "properties": { "photo": { "type": "image" } } });
    there("POST", "/v1/buckets", Some(json!({ "bucket_name": "b", "bucket_schema": schema }))).ok();
    let upload = announce(&bed, json!({}));
    put(&bed, &upload["presigned_url"], b"one").ok();
    there("GET", &path(&upload), None).refused(404);
    there("DELETE", &path(&upload), None).refused(404);
    there("POST", &format!("{}/confirm", path(&upload)), None).refused(404);
    let listed = there("POST", "/v1/buckets/b/uploads/list", None).ok();
    assert_eq!(listed["stats"]["total_uploads"], 0);
    confirm(&bed, &upload, json!({})).ok();
    let object = json!({ "blobs": [{ "property": "photo", "upload_id": upload["upload_id"] }] });
    there("POST", "/v1/buckets/b/objects", Some(object)).refused(404);
    let own = json!({ "filename": "x.png", "content_type": "image/png" });
    let own = there("POST", "/v1/buckets/b/uploads", Some(own)).ok();
    put(&bed, &own["presigned_url"], b"one").ok();
    let done = there("POST", &format!("{}/confirm", path(&own)), None).ok();
    assert_eq!(done["message"], "confirmed; the object can be put into a batch");
}
