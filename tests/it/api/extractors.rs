use crate::support::api::Bed;
use crate::support::quarry::components;
use quarry::control::NewKey;
use quarry::model::Scope;
use serde_json::{Value, json};

fn component(variable: &str, folder: &str, name: &str) -> Vec<u8> {
    std::fs::read(components(variable, folder).join(name)).unwrap()
}

fn upload(bed: &Bed, wasm: &[u8]) -> crate::support::api::Reply {
    let mut request = bed.request("POST", "/v1/extractors", None);
    request.body = wasm.to_vec();
    bed.send(request)
}

#[test]
fn extractors_say_what_they_take_and_give() {
    let bed = Bed::new();
    let listed = bed.get("/v1/collections/features/extractors").ok();
    let ids: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["feature_extractor_id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"text-embed@1.0.0") && ids.contains(&"text-chunk@1.0.0"), "{ids:?}");
    let one = bed.get("/v1/collections/features/extractors/text-embed@1.0.0").ok();
    assert_eq!(one["input_schema"]["required"], json!(["text"]));
    assert_eq!(one["default_parameters"]["dimensions"], 384);
    let vector = &one["required_vector_indexes"][0];
    assert_eq!(vector["feature_uri"], "quarry://text-embed@1.0.0/embedding");
    assert_eq!(vector["index"]["dimensions"], 384);
    assert_eq!(bed.get("/v1/collections/features/extractors/text-embed_1.0.0").ok(), one);
    bed.get("/v1/collections/features/extractors/ocr@1.0.0").refused(404);
    let mine = bed.get("/v1/namespaces/default/extractors?source=builtin").ok();
    assert_eq!(mine["total"], mine["builtin_count"]);
    assert_eq!(bed.get("/v1/namespaces/default/extractors/text-embed").ok(), one);
    bed.get("/v1/namespaces/nowhere/extractors").refused(404);
}

#[test]
fn a_component_is_inspected() {
    let bed = Bed::new();
    let found = bed.get("/v1/extractors/text-chunk@1.0.0").ok();
    let wasm = component("QUARRY_EXTRACTORS", "extractors", "text-chunk.wasm");
    assert_eq!(found["bytes"], wasm.len());
    assert_eq!(found["deployed"], true);
    assert!(bed.get("/v1/extractors?limit=2").ok()["pagination"]["next_cursor"].is_string());
}

#[test]
fn an_uploaded_extractor_is_registered_once_and_taken_back_when_nothing_uses_it() {
    let bed = Bed::new();
    let wasm = component("QUARRY_EXTRACTORS", "extractors", "text-chunk.wasm");
    let made = upload(&bed, &wasm).ok();
    assert_eq!(upload(&bed, &wasm).ok(), made);
    assert_eq!(made["feature_extractor_id"], "text-chunk@1.0.0");
    let schema = json!({ "properties": { "text": { "type": "text" } } });
    bed.post("/v1/buckets", json!({ "bucket_name": "b", "bucket_schema": schema })).ok();
    let body = json!({
        "collection_name": "chunks",
        "source": { "type": "bucket", "bucket_id": "b" },
        "feature_extractor": { "feature_extractor_name": "text-chunk", "version": "1.0.0" },
    });
    bed.post("/v1/collections", body).ok();
    bed.call("DELETE", "/v1/extractors/text-chunk@1.0.0", Value::Null).refused(409);
    bed.call("DELETE", "/v1/collections/chunks", Value::Null).ok();
    bed.call("DELETE", "/v1/extractors/text-chunk@1.0.0", Value::Null).ok();
    // It still lies in the folder; nothing of it is registered.
    let found = bed.get("/v1/extractors/text-chunk").ok();
    assert!(found.get("created_at").is_none(), "{found}");
    bed.call("DELETE", "/v1/extractors/text-chunk@1.0.0", Value::Null).refused(409);
}

#[test]
fn what_is_no_extractor_is_refused() {
    let bed = Bed::new();
    let error = upload(&bed, b"MZ\x90\x00").refused(422);
    assert_eq!(error["code"], "extractor");
    upload(&bed, b"").refused(422);
    let wasm = component("QUARRY_EXTRACTORS", "extractors", "text-chunk.wasm");
    upload(&bed, &wasm[..wasm.len() / 2]).refused(422);
}

#[test]
fn a_key_of_one_namespace_brings_no_extractor_to_all() {
    let bed = Bed::new();
    let control = bed.api.control();
    let namespace = control.namespace("default").unwrap().id;
    let made = control
        .create_key(NewKey {
            name: "bound".to_string(),
            scopes: vec![Scope::Admin],
            namespace: Some(namespace),
            expires_at: None,
        })
        .unwrap();
    let mut request = bed.request("POST", "/v1/extractors", None);
    request.authorization = Some(format!("Bearer {}", made.secret));
    request.body = component("QUARRY_EXTRACTORS", "extractors", "text-chunk.wasm");
    bed.send(request).refused(403);
}
