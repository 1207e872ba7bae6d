use crate::support::api::Bed;
use serde_json::json;

#[test]
fn an_unknown_field_is_refused_with_its_pointer() {
    let bed = Bed::new();
    let body = json!({
        "bucket_name": "b",
        "bucket_schema": { "properties": { "text": { "type": "text", "kind": 1 } } },
    });
    let error = bed.post("/v1/buckets", body).refused(422);
    assert_eq!(error["type"], "validation_error");
    let pointer = &error["details"]["errors"][0]["pointer"];
    assert_eq!(pointer, "/bucket_schema/properties/text");
}

#[test]
fn a_query_parameter_that_does_not_fit_is_refused() {
    let bed = Bed::new();
    let error = bed.get("/v1/buckets?limit=many").refused(422);
    assert_eq!(error["details"]["field"], "/limit");
    bed.get("/v1/buckets?limit=1001").refused(422);
    bed.get("/v1/buckets?colour=red").refused(422);
}

#[test]
fn a_path_that_is_not_there_and_a_method_that_is_not_taken_say_so() {
    let bed = Bed::new();
    bed.get("/v1/nothing").refused(404);
    let reply = bed.call("PATCH", "/v1/buckets", json!({}));
    assert_eq!(reply.header("allow"), Some("GET, POST"));
    reply.refused(405);
}

#[test]
fn what_was_changed_since_it_was_read_is_not_written_over() {
    let bed = Bed::new();
    let read = bed.get("/v1/namespaces/default");
    let tag = read.header("etag").unwrap().to_string();
    let patch = |text: &str| {
        let mut request =
            bed.request("PATCH", "/v1/namespaces/default", Some(json!({ "description": text })));
        request.if_match = Some(tag.clone());
        bed.send(request)
    };
    patch("first").ok();
    patch("second").refused(412);
    assert_eq!(bed.get("/v1/namespaces/default").ok()["description"], "first");
}

#[test]
fn an_answer_that_is_known_is_not_sent_again() {
    let bed = Bed::new();
    let tag = bed.get("/v1/namespaces/default").header("etag").unwrap().to_string();
    let mut request = bed.request("GET", "/v1/namespaces/default", None);
    request.if_none_match = Some(tag);
    let reply = bed.send(request);
    assert_eq!((reply.status, reply.body.len()), (304, 0));
}
