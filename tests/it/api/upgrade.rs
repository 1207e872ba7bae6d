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

#[test]
fn what_can_not_take_its_place_is_refused_and_changes_nothing() {
    let (story, _) = story();
    let other = json!({
        "name": "text-embed", "version": "3.0.0",
        "inputs": [{ "name": "text", "type": "utf8", "required": true }],
        "outputs": [
            { "name": "embedding", "type": "dense", "dimension": 12, "distance": "cosine" },
        ],
    });
    upload(&story, &component(&other.to_string()));
    let path = "/v1/collections/vectors/upgrade";
    let refused = |to: &str, status: u16| story.bed.post(path, json!({ "to": to })).refused(status);
    let shape = refused("text-embed@3", 409);
    let message = shape["message"].as_str().unwrap();
    assert!(message.contains("text-embed@3.0.0 makes `embedding`"), "{shape}");
    assert!(shape["details"]["hint"].as_str().unwrap().contains("clone"), "{shape}");
    refused("text-embed@4", 422);
    refused("text-embed", 422);
    refused("text-chunk@1", 422);
    made_by(&story, "text-embed@1.0.0");
    let shown = story.bed.get("/v1/collections/vectors").ok();
    assert_eq!(shown["feature_extractor"]["version"], "1.0.0", "{shown}");
}
