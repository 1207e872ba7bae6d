//! Two namespaces in which everything has the same name.

use crate::support::api::{Bed, Reply};
use serde_json::{Value, json};

fn call(bed: &Bed, namespace: &str, method: &str, target: &str, body: Value) -> Reply {
    let mut request = bed.request(method, target, (!body.is_null()).then_some(body));
    request.namespace = Some(namespace.to_string());
    bed.send(request)
}

/// Bucket, collection, object, batch and its documents; the ids of all of them.
fn fill(bed: &Bed, namespace: &str, text: &str) -> Vec<String> {
    let post = |target: &str, body: Value| call(bed, namespace, "POST", target, body).ok();
    let field = |value: &Value, name: &str| value[name].as_str().unwrap().to_string();
    let schema = json!({ "properties": { "text": { "type": "text" } } });
    let bucket = post("/v1/buckets", json!({ "bucket_name": "b", "bucket_schema": schema }));
    let collection = post(
        "/v1/collections",
        json!({
            "collection_name": "words",
            "source": { "type": "bucket", "bucket_ids": ["b"] },
            "feature_extractor": {
                "feature_extractor_name": "text-embed", "version": "1.0.0",
                "field_passthrough": [{ "source_path": "text" }],
            },
        }),
    );
    let object = post("/v1/buckets/b/objects", json!({ "text": text }));
    let ids = json!({ "object_ids": [object["object_id"]], "auto_submit": true });
    let batch = post("/v1/buckets/b/batches", ids);
    let id = field(&batch, "batch_id");
    let mut bell = bed.api.control().bell();
    loop {
        bell.mark_unchanged();
        let found = call(bed, namespace, "GET", &format!("/v1/batches/{id}"), Value::Null).ok();
        match found["status"].as_str().unwrap() {
            "COMPLETED" => break,
            "QUEUED" | "PROCESSING" => {}
            other => panic!("{other}: {found}"),
        }
        bed.app.runtime().block_on(bell.changed()).unwrap();
    }
    let documents = "/v1/collections/words/documents";
    let listed = call(bed, namespace, "GET", documents, Value::Null).ok();
    let document = &listed["results"][0];
    vec![
        field(&bucket, "bucket_id"),
        field(&collection, "collection_id"),
        field(&object, "object_id"),
        id.clone(),
        field(&batch, "task_id"),
        field(document, "document_id"),
    ]
}

#[test]
fn namespaces_with_the_same_names_never_see_each_other() {
    let bed = Bed::running();
    for name in ["left", "right"] {
        bed.post("/v1/namespaces", json!({ "namespace_name": name })).ok();
    }
    let left = fill(&bed, "left", "apples and pears");
    let right = fill(&bed, "right", "ships and harbours");
    let lists = [
        ("POST", "/v1/buckets/list"),
        ("POST", "/v1/collections/list"),
        ("POST", "/v1/buckets/b/objects/list"),
        ("POST", "/v1/batches/list"),
        ("POST", "/v1/buckets/b/batches/list"),
        ("POST", "/v1/tasks/list"),
        ("POST", "/v1/collections/words/documents/list"),
        ("GET", "/v1/batches/queue"),
    ];
    let search = json!({ "query": "ships and harbours apples", "limit": 10 });
    for (namespace, own, others) in [("left", &left, &right), ("right", &right, &left)] {
        let mut told = String::new();
        for (method, target) in lists {
            let body = if method == "POST" { json!({}) } else { Value::Null };
            let answer = call(&bed, namespace, method, target, body).ok();
            if let Some(results) = answer["results"].as_array() {
                assert_eq!(results.len(), 1, "{target} {answer}");
            }
            told.push_str(&answer.to_string());
        }
        let found =
            call(&bed, namespace, "POST", "/v1/collections/words/search", search.clone()).ok();
        assert_eq!(found["results"].as_array().unwrap().len(), 1, "{found}");
        told.push_str(&found.to_string());
        for (id, other) in own.iter().zip(others.iter()) {
            assert!(told.contains(id.as_str()), "{namespace} does not see its {id}");
            assert!(!told.contains(other.as_str()), "{namespace} sees {other}");
        }
        let [bucket, collection, object, batch, task, document] = others.as_slice() else {
            panic!("{others:?}")
        };
        let gets = [
            format!("/v1/buckets/{bucket}"),
            format!("/v1/collections/{collection}"),
            format!("/v1/buckets/b/objects/{object}"),
            format!("/v1/batches/{batch}"),
            format!("/v1/batches/{batch}/events"),
            format!("/v1/buckets/b/batches/{batch}"),
            format!("/v1/buckets/b/batches/{batch}/health"),
            format!("/v1/tasks/{task}"),
            format!("/v1/collections/words/documents/{document}"),
            format!("/v1/collections/words/documents/{document}/ancestors"),
        ];
        for target in gets {
            call(&bed, namespace, "GET", &target, Value::Null).refused(404);
        }
    }
}
