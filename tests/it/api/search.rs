use crate::support::story::Story;
use serde_json::{Value, json};

const TEXTS: [&str; 3] =
    ["freedom from fear", "the quick brown fox jumps", "a lazy dog sleeps in the sun"];

fn story() -> (Story, Vec<String>) {
    let story = Story::new();
    let objects = story.registered(&TEXTS);
    let batch = story.draft(&objects);
    story.submit(&batch);
    let ended = story.ended(&batch);
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    (story, objects)
}

fn search(story: &Story, body: Value) -> Value {
    story.bed.post("/v1/collections/vectors/search", body).ok()
}

#[test]
fn a_text_finds_what_is_like_it_best_first() {
    let (story, objects) = story();
    for mode in ["hybrid", "dense", "sparse"] {
        let found = search(&story, json!({ "query": "brown fox", "mode": mode, "limit": 2 }));
        let first = &found["results"][0];
        assert_eq!(
            (&first["object_id"], &first["rank"]),
            (&json!(objects[1]), &json!(1)),
            "{mode}"
        );
    }
    let found = search(&story, json!({ "query": "brown fox", "return_vectors": true }));
    assert_eq!(found["vectors"], json!(["embedding", "sparse"]));
    let vectors = &found["results"][0]["vectors"];
    assert_eq!(vectors["embedding"].as_array().unwrap().len(), 384);
    assert_eq!(found["results"][0]["lineage"]["collection"], "vectors");
}

#[test]
fn a_vector_or_a_document_finds_its_neighbours() {
    let (story, objects) = story();
    let found = search(&story, json!({ "query": "lazy dog", "return_vectors": true, "limit": 1 }));
    let vector = found["results"][0]["vectors"]["embedding"].clone();
    let near = search(&story, json!({ "vector": vector, "limit": 1 }));
    assert_eq!(near["results"][0]["object_id"], objects[2]);
    let sparse = found["results"][0]["vectors"]["sparse"].clone();
    let near = search(&story, json!({ "vector": sparse, "vector_name": "sparse", "limit": 1 }));
    assert_eq!(near["results"][0]["object_id"], objects[2]);
    let like = search(&story, json!({ "like": objects[2] }));
    let ids: Vec<&Value> =
        like["results"].as_array().unwrap().iter().map(|hit| &hit["object_id"]).collect();
    assert!(!ids.contains(&&json!(objects[2])), "{ids:?}");
}

#[test]
fn a_filter_narrows_what_is_found() {
    let (story, objects) = story();
    let filter =
        json!({ "AND": [{ "field": "_quarry.object", "operator": "eq", "value": objects[0] }] });
    let found = search(&story, json!({ "query": "fox", "filter": filter, "mode": "dense" }));
    let hits = found["results"].as_array().unwrap();
    assert!(hits.iter().all(|hit| hit["object_id"] == json!(objects[0])), "{found}");
}

#[test]
fn a_search_that_can_not_be_done_says_why() {
    let story = Story::new();
    let refuse =
        |target: &str, body: Value, status: u16| story.bed.post(target, body).refused(status);
    let vectors = "/v1/collections/vectors/search";
    refuse(vectors, json!({}), 422);
    refuse(vectors, json!({ "query": "a", "like": "b" }), 422);
    refuse(vectors, json!({ "query": "a", "limit": 0 }), 422);
    refuse("/v1/collections/nothing/search", json!({ "query": "a" }), 404);
    let empty = search(&story, json!({ "query": "a" }));
    assert_eq!(empty["results"], json!([]));
    story.registered(&TEXTS);
    let batch = story.bed.post("/v1/collections/vectors/trigger", Value::Null).ok();
    story.ended(&format!("/v1/batches/{}", batch["batch_id"].as_str().unwrap()));
    refuse(vectors, json!({ "vector": [1.0, 2.0] }), 422);
    refuse(vectors, json!({ "vector": [1.0], "vector_name": "colour" }), 422);
    refuse(vectors, json!({ "like": "obj_nothing" }), 404);
    refuse("/v1/collections/chunks/search", json!({ "query": "a" }), 422);
}
