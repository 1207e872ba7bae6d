//! Other versions of a collection's extractor.

use crate::plugin::components::component;
use crate::support::quarry::reversioned;
use crate::support::story::Story;
use quarry::engine::lineage;
use quarry::model::{BatchId, Lineage};
use quarry::sink::{SCROLL_LIMIT_MAX, Scroll};
use quarry::store::BatchRecord;
use serde_json::{Value, json};

fn upload(story: &Story, wasm: &[u8]) {
    let mut request = story.bed.request("POST", "/v1/extractors", None);
    request.body = wasm.to_vec();
    story.bed.send(request).ok();
}

/// A run batch over two texts, with text-embed 2.0.0 at hand.
fn story() -> (Story, Vec<String>) {
    let story = Story::new();
    let objects = story.objects(&["a boat on a quiet lake", "one two three"]);
    let batch = story.draft(&objects);
    story.submit(&batch);
    assert_eq!(story.ended(&batch)["status"], "COMPLETED");
    upload(&story, &reversioned("text-embed", "2.0.0"));
    (story, objects)
}

fn upgrade(story: &Story, body: Value) -> Value {
    story.bed.post("/v1/collections/vectors/upgrade", body).ok()
}

/// Waits for the batches of an upgrade.
fn ended(story: &Story, upgraded: &Value) -> BatchRecord {
    let ids = upgraded["batch_ids"].as_array().unwrap();
    assert_eq!(ids.len(), 1, "{upgraded}");
    let id = ids[0].as_str().unwrap();
    let status = story.ended(&format!("{}/{id}", story.batches()));
    assert_eq!(status["status"], "COMPLETED", "{status}");
    story.bed.app.engine.store.batch(&BatchId::parse(id).unwrap()).unwrap()
}

fn lineages(story: &Story) -> Vec<Lineage> {
    let namespace = story.bed.api.control().namespace("default").unwrap().key;
    let scroll = Scroll { limit: SCROLL_LIMIT_MAX, ..Scroll::default() };
    let page = story.bed.app.engine.sink.as_ref().unwrap().scroll(&namespace, &scroll).unwrap();
    let of = |it: &quarry::model::Document| lineage(it).unwrap();
    page.documents.iter().map(of).filter(|it| it.collection == "vectors").collect()
}

fn made_by(story: &Story, extractor: &str) -> usize {
    let all = lineages(story);
    assert!(all.iter().all(|it| it.extractor == extractor), "{all:?}");
    all.len()
}

#[test]
fn a_version_of_the_same_shape_takes_the_place_of_the_old_one_and_gives_it_back() {
    let (story, _) = story();
    let documents = made_by(&story, "text-embed@1.0.0");
    let plan = upgrade(&story, json!({ "to": "text-embed@2", "dry_run": true }));
    assert_eq!(
        (&plan["from"], &plan["to"]),
        (&"text-embed@1.0.0".into(), &"text-embed@2.0.0".into())
    );
    assert_eq!(plan["collections"], json!(["vectors"]));
    assert_eq!((&plan["documents"], &plan["batch_ids"]), (&json!(documents), &json!([])));
    assert_eq!(made_by(&story, "text-embed@1.0.0"), documents);
    for (to, exact) in
        [("text-embed@2", "text-embed@2.0.0"), ("text-embed@1.0", "text-embed@1.0.0")]
    {
        let record = ended(&story, &upgrade(&story, json!({ "to": to })));
        // Only what is made with it has run: the chunks are those that were there.
        let [chunks, vectors] = &record.collections[..] else { panic!("{record:?}") };
        assert_eq!((chunks.funnel.succeeded, chunks.funnel.skipped), (0, 2));
        assert_eq!((vectors.funnel.skipped, vectors.funnel.failed), (0, 0));
        assert_eq!(made_by(&story, exact), documents);
        let shown = story.bed.get("/v1/collections/vectors").ok();
        assert_eq!(shown["document_count"], json!(documents), "{shown}");
    }
}

#[test]
fn a_batch_with_the_old_version_ends_and_the_upgrade_comes_after_it() {
    let (story, objects) = story();
    let documents = made_by(&story, "text-embed@1.0.0");
    let old = story.draft(&objects);
    story.submit(&old);
    let upgraded = upgrade(&story, json!({ "to": "text-embed@2.0.0" }));
    ended(&story, &upgraded);
    assert_eq!(story.ended(&old)["status"], "COMPLETED");
    assert_eq!(made_by(&story, "text-embed@2.0.0"), documents);
}

/// text-embed 3.0.0, which makes vectors of twelve numbers and nothing else. It can not run.
fn another_shape(version: &str, dimension: u32) -> Vec<u8> {
    let description = json!({
        "name": "text-embed", "version": version,
        "inputs": [{ "name": "text", "type": "utf8", "required": true }],
        "outputs": [
            { "name": "embedding", "type": "dense", "dimension": dimension, "distance": "cosine" },
        ],
    });
    component(&description.to_string())
}

#[test]
fn vectors_of_another_shape_are_made_beside_the_old_ones_until_somebody_switches() {
    let (story, _) = story();
    let documents = made_by(&story, "text-embed@1.0.0");
    // The same component; what its parameters make of it is another shape.
    let taken = json!({ "to": "text-embed@3" });
    upload(&story, &another_shape("3.0.0", 12));
    let plan = upgrade(&story, json!({ "to": "text-embed@3", "dry_run": true }));
    assert_eq!((&plan["same_shape"], &plan["step"]), (&json!(false), &json!("planned")));
    let begun = upgrade(&story, taken.clone());
    assert_eq!((&begun["step"], &begun["beside"]), (&json!("beside"), &json!("vectors-3.0.0")));
    let batch = begun["batch_ids"][0].as_str().unwrap();
    story.ended(&format!("{}/{batch}", story.batches()));
    assert_eq!(made_by(&story, "text-embed@1.0.0"), documents, "the old ones can be searched");
    let path = "/v1/collections/vectors/upgrade";
    story.bed.post(path, taken).refused(409);
    let switched = upgrade(&story, json!({ "switch": true }));
    assert_eq!(
        (&switched["to"], &switched["beside"]),
        (&json!("text-embed@3.0.0"), &json!("vectors-1.0.0"))
    );
    let version = |name: &str| {
        let shown = story.bed.get(&format!("/v1/collections/{name}")).ok();
        shown["feature_extractor"]["version"].clone()
    };
    assert_eq!((version("vectors"), version("vectors-1.0.0")), (json!("3.0.0"), json!("1.0.0")));
    let back = upgrade(&story, json!({ "switch": true }));
    assert_eq!(back["to"], "text-embed@1.0.0");
    assert_eq!(made_by(&story, "text-embed@1.0.0"), documents);
    let dropped = upgrade(&story, json!({ "drop_old": true }));
    assert_eq!((&dropped["step"], &dropped["beside"]), (&json!("dropped"), &Value::Null));
    story.bed.get("/v1/collections/vectors-3.0.0").refused(404);
    assert_eq!(made_by(&story, "text-embed@1.0.0"), documents);
    story.bed.post(path, json!({ "switch": true })).refused(409);
}

#[test]
fn what_can_not_be_upgraded_is_refused_and_changes_nothing() {
    let (story, _) = story();
    let path = "/v1/collections/vectors/upgrade";
    let refused = |body: Value| story.bed.post(path, body).refused(422);
    refused(json!({ "to": "text-embed@4" }));
    refused(json!({ "to": "text-embed" }));
    refused(json!({ "to": "text-chunk@1" }));
    refused(json!({}));
    refused(json!({ "to": "text-embed@2", "switch": true }));
    story.bed.post(path, json!({ "drop_old": true })).refused(409);
    made_by(&story, "text-embed@1.0.0");
    let shown = story.bed.get("/v1/collections/vectors").ok();
    assert_eq!(shown["feature_extractor"]["version"], "1.0.0", "{shown}");
}
