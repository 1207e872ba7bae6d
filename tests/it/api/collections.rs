use crate::support::api::Bed;
use crate::support::story::Story;
use serde_json::{Value, json};

fn bucket(bed: &Bed, name: &str, fields: Value) -> String {
    let schema = json!({ "properties": fields });
    let made = bed.post("/v1/buckets", json!({ "bucket_name": name, "bucket_schema": schema }));
    made.ok()["bucket_id"].as_str().unwrap().to_string()
}

fn texts(bed: &Bed) -> String {
    bucket(bed, "texts", json!({ "body": { "type": "text" }, "year": { "type": "integer" } }))
}

fn chunks(source: &str) -> Value {
    json!({
        "collection_name": "Chunks of texts",
        "source": { "type": "bucket", "bucket_ids": [source] },
        "feature_extractor": {
            "feature_extractor_name": "text-chunk",
            "version": "v1",
            "params": { "by": "sentences" },
            "input_mappings": { "text": "body" },
            "field_passthrough": [{ "source_path": "year" }],
        },
    })
}

fn vectors(name: &str, source: &str, dimensions: u32) -> Value {
    json!({
        "collection_name": name,
        "source": { "type": "collection", "collection_id": source },
        "feature_extractor": {
            "feature_extractor_name": "text-embed",
            "version": "1.0.0",
            "parameters": { "extractor_type": "text-embed", "dimensions": dimensions },
            "input_mappings": [{ "input_key": "text", "source_type": "payload", "path": "text" }],
        },
    })
}

#[test]
fn a_collection_is_made_read_changed_and_deleted() {
    let bed = Bed::new();
    let texts = texts(&bed);
    let made = bed.post("/v1/collections", chunks("texts")).ok();
    assert_eq!(made["source"]["bucket_ids"], json!([texts]));
    assert_eq!(made["feature_extractor"]["feature_extractor_id"], "text-chunk@1.0.0");
    assert_eq!(made["output_schema"]["properties"]["text"]["type"], "string");
    assert_eq!(made["output_schema"]["properties"]["year"]["type"], "integer");
    assert_eq!((&made["document_count"], &made["schema_version"]), (&json!(0), &json!(1)));
    let id = made["collection_id"].as_str().unwrap();
    assert_eq!(bed.get("/v1/collections/Chunks%20of%20texts").ok(), made);
    let target = format!("/v1/collections/{id}");
    let renamed = bed.call("PATCH", &target, json!({ "collection_name": "chunks" })).ok();
    assert_eq!(
        (&renamed["collection_name"], &renamed["schema_version"]),
        (&json!("chunks"), &json!(1))
    );
    let mut extractor = chunks("texts")["feature_extractor"].clone();
    extractor["params"]["by"] = "words".into();
    let changed = bed.call("PATCH", &target, json!({ "feature_extractor": extractor })).ok();
    assert_eq!(changed["schema_version"], 2);
    assert_ne!(changed["index_signature"], made["index_signature"]);
    assert_eq!(bed.get("/v1/collections?search=chun").ok()["total_count"], 1);
    let body = json!({ "include_system": false, "case_sensitive": false });
    let listed = bed.post("/v1/collections/list", body).ok();
    assert_eq!((&listed["total_count"], &listed["results"][0]), (&json!(1), &changed));
    bed.call("DELETE", &target, Value::Null).ok();
    bed.get(&target).refused(404);
}

#[test]
fn what_can_not_work_is_refused_with_a_pointer_into_the_request() {
    let bed = Bed::new();
    texts(&bed);
    let check = |change: &dyn Fn(&mut Value), pointer: &str| {
        let mut body = chunks("texts");
        change(&mut body);
        let error = bed.post("/v1/collections", body).refused(422);
        assert_eq!(error["details"]["field"], pointer, "{error}");
    };
    let extractor = |body: &mut Value, name: &str, value: Value| {
        body["feature_extractor"][name] = value;
    };
    check(
        &|body| extractor(body, "feature_extractor_name", "ocr".into()),
        "/feature_extractor/feature_extractor_name",
    );
    check(
        &|body| extractor(body, "version", "9.9.9".into()),
        "/feature_extractor/feature_extractor_name",
    );
    check(
        &|body| extractor(body, "params", json!({ "by": "pages" })),
        "/feature_extractor/params/by",
    );
    check(
        &|body| extractor(body, "params", json!({ "colour": 1 })),
        "/feature_extractor/params/colour",
    );
    check(
        &|body| extractor(body, "input_mappings", json!({ "text": "title" })),
        "/feature_extractor/input_mappings/text",
    );
    check(
        &|body| extractor(body, "input_mappings", json!({ "text": "year" })),
        "/feature_extractor/input_mappings/text",
    );
    check(
        &|body| extractor(body, "field_passthrough", json!([{ "source_path": "author" }])),
        "/feature_extractor/field_passthrough/0",
    );
    check(
        &|body| body["source"]["bucket_ids"] = json!(["texts", "pictures"]),
        "/source/bucket_ids/1",
    );
    check(&|body| body["source"]["type"] = "collection".into(), "/source/collection_ids");
    check(&|body| body["source"]["type"] = "taxonomy".into(), "/source/type");
    check(&|body| body["collection_name"] = "ab".into(), "/collection_name");
    check(
        &|body| {
            let filter = json!({ "AND": [{ "field": "month", "operator": "eq", "value": 1 }] });
            body["source"]["source_filters"] = json!({ "filters": filter });
        },
        "/source/source_filters/filters/AND/0",
    );
}

#[test]
fn a_cycle_is_refused_and_names_its_path() {
    let bed = Bed::new();
    texts(&bed);
    let mut first = chunks("texts");
    first["collection_name"] = "first".into();
    bed.post("/v1/collections", first).ok();
    let mut second = chunks("texts");
    second["collection_name"] = "second".into();
    second["source"] = json!({ "type": "collection", "collection_id": "first" });
    second["feature_extractor"]["input_mappings"] = json!({ "text": "text" });
    bed.post("/v1/collections", second).ok();
    let change = json!({ "source": { "type": "collection", "collection_ids": ["second"] } });
    let error = bed.call("PATCH", "/v1/collections/first", change).refused(422);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("first -> second -> first"), "{message}");
}

#[test]
fn a_change_that_would_break_a_reader_is_refused() {
    let bed = Bed::new();
    texts(&bed);
    let mut first = chunks("texts");
    first["collection_name"] = "pieces".into();
    bed.post("/v1/collections", first).ok();
    let mut reader = vectors("vectors", "pieces", 16);
    reader["feature_extractor"]["field_passthrough"] = json!([{ "source_path": "year" }]);
    bed.post("/v1/collections", reader).ok();
    let mut extractor = chunks("texts")["feature_extractor"].clone();
    extractor["field_passthrough"] = json!([]);
    let change = json!({ "feature_extractor": extractor });
    let error = bed.call("PATCH", "/v1/collections/pieces", change).refused(409);
    assert!(error["message"].as_str().unwrap().contains("`vectors`"), "{error}");
}

#[test]
fn a_collection_that_others_read_goes_with_them_or_not_at_all() {
    let bed = Bed::new();
    texts(&bed);
    let mut first = chunks("texts");
    first["collection_name"] = "pieces".into();
    bed.post("/v1/collections", first).ok();
    bed.post("/v1/collections", vectors("vectors", "pieces", 16)).ok();
    let error = bed.call("DELETE", "/v1/collections/pieces", Value::Null).refused(409);
    assert!(error["message"].as_str().unwrap().contains("vectors"), "{error}");
    let gone = bed.call("DELETE", "/v1/collections/pieces?cascade=true", Value::Null).ok();
    assert_eq!(gone["deleted_collection_ids"].as_array().unwrap().len(), 2);
    assert_eq!(bed.get("/v1/collections").ok()["total_count"], 0);
}

#[test]
fn features_of_different_dimensions_get_different_names() {
    let bed = Bed::new();
    texts(&bed);
    let mut first = chunks("texts");
    first["collection_name"] = "pieces".into();
    bed.post("/v1/collections", first).ok();
    let small = bed.post("/v1/collections", vectors("small", "pieces", 16)).ok();
    let same = bed.post("/v1/collections", vectors("same", "pieces", 16)).ok();
    let large = bed.post("/v1/collections", vectors("large", "pieces", 32)).ok();
    assert_eq!(small["index_map"]["embedding"], "embedding");
    assert_eq!(same["index_map"]["embedding"], "embedding");
    assert_eq!(large["index_map"]["embedding"], "embedding_large");
    assert_eq!(large["index_map"]["sparse"], "sparse");
    let features = bed.get("/v1/collections/large/features").ok();
    let first = &features["features"][0];
    assert_eq!(first["feature_uri"], "quarry://text-embed@1.0.0/embedding");
    assert_eq!(first["vector_index"]["dimensions"], 32);
}

#[test]
fn all_fields_of_the_source_can_be_passed_through() {
    let bed = Bed::new();
    texts(&bed);
    let mut body = chunks("texts");
    body["feature_extractor"]["include_all_source_fields"] = true.into();
    let made = bed.post("/v1/collections", body).ok();
    let properties = made["output_schema"]["properties"].as_object().unwrap();
    assert!(properties.contains_key("body") && properties.contains_key("year"), "{made}");
}

#[test]
fn a_clone_has_everything_but_the_documents() {
    let bed = Bed::new();
    texts(&bed);
    let made = bed.post("/v1/collections", chunks("texts")).ok();
    let target = "/v1/collections/Chunks%20of%20texts/clone";
    let cloned = bed.post(target, json!({ "collection_name": "copy" })).ok();
    assert_eq!(cloned["source_collection_id"], made["collection_id"]);
    assert_eq!(cloned["collection"]["output_schema"], made["output_schema"]);
    bed.post(target, json!({ "collection_name": "copy" })).refused(409);
}

#[test]
fn a_trigger_runs_the_objects_and_the_reconciliation_balances() {
    let story = Story::new();
    story.registered(&["freedom from fear", "freedom of speech"]);
    let before = story.bed.get("/v1/collections/vectors/reconciliation?limit=1").ok();
    assert_eq!((&before["delta"], &before["discrepancies_truncated"]), (&json!(2), &json!(true)));
    let reply = story.bed.post("/v1/collections/vectors/trigger", Value::Null);
    assert_eq!(reply.status, 202);
    let triggered = reply.ok();
    assert_eq!((&triggered["object_count"], &triggered["total_tiers"]), (&json!(2), &json!(2)));
    let batch = triggered["batch_id"].as_str().unwrap();
    let ended = story.ended(&format!("/v1/batches/{batch}"));
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    let after = story.bed.get("/v1/collections/vectors/reconciliation").ok();
    assert_eq!((&after["delta"], &after["produced_object_count"]), (&json!(0), &json!(2)));
    let read = story.bed.get("/v1/collections/vectors").ok();
    assert_eq!(read["document_count"], 2);
    story.bed.call("DELETE", "/v1/collections/vectors", Value::Null).ok();
    let documents = story.bed.get("/v1/namespaces/default/stats").ok();
    assert_eq!(documents["document_count"], 2, "the chunks stay");
}

#[test]
fn a_trigger_takes_only_what_it_is_told() {
    let story = Story::new();
    let objects = story.registered(&["one", "two", "three"]);
    let trigger = |body: Value| story.bed.post("/v1/collections/chunks/trigger", body);
    assert_eq!(trigger(json!({ "object_ids": objects[..2] })).ok()["object_count"], 2);
    let filter = json!({ "AND": [{ "field": "text", "operator": "starts_with", "value": "t" }] });
    assert_eq!(trigger(json!({ "source_filters": filter })).ok()["object_count"], 2);
    trigger(json!({ "object_ids": ["obj_nothing"] })).refused(409);
    let error = trigger(json!({ "include_buckets": ["nothing"] })).refused(422);
    assert_eq!(error["details"]["field"], "/include_buckets/0");
}

#[test]
fn collections_of_another_namespace_do_not_exist() {
    let bed = Bed::new();
    texts(&bed);
    let made = bed.post("/v1/collections", chunks("texts")).ok();
    bed.post("/v1/namespaces", json!({ "namespace_name": "other" })).ok();
    let there = |method: &str, target: &str, body: Option<Value>| {
        let mut request = bed.request(method, target, body);
        request.namespace = Some("other".to_string());
        bed.send(request)
    };
    let target = format!("/v1/collections/{}", made["collection_id"].as_str().unwrap());
    there("GET", &target, None).refused(404);
    there("DELETE", &target, None).refused(404);
    there("GET", &format!("{target}/features"), None).refused(404);
    there("POST", &format!("{target}/search"), Some(json!({ "query": "x" }))).refused(404);
    assert_eq!(there("GET", "/v1/collections", None).ok()["total_count"], 0);
    let error = there("POST", "/v1/collections", Some(chunks("texts"))).refused(422);
    assert_eq!(error["details"]["field"], "/source/bucket_ids/0");
}
