//! Documents are put straight into the sink, as a batch would leave them there.

mod given;
mod lists;
mod restored;

use crate::support::api::Bed;
use quarry::error::Code;
use quarry::model::{CollectionId, Distance, Document, DocumentId, ExtractorRef, Name, Vector};
use quarry::sink::{IndexKind, IndexSpec, Layout, VectorKind, VectorSink, VectorSpec};
use quarry::store::Store;
use quarry::store::catalog::{Collection, Namespace, Source};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub(super) fn namespace(bed: &Bed, name: &str) -> Namespace {
    bed.api.control().namespace(name).unwrap()
}

pub(super) fn sink(bed: &Bed) -> &dyn VectorSink {
    bed.app.engine.sink.as_deref().unwrap()
}

/// The record of a collection, and the namespace's vectors.
pub(super) fn collection(bed: &Bed, namespace: &Namespace, name: &str) -> Collection {
    let now = "2026-05-01T00:00:00Z".to_string();
    let made = Collection {
        id: CollectionId::from_uuid(Uuid::new_v4()),
        namespace: namespace.id.clone(),
        name: name.to_string(),
        key: Name::parse(name).unwrap(),
        description: None,
        source: Source::Buckets(Vec::new()),
        extractor: ExtractorRef::parse("echo@1.0.0").unwrap(),
        parameters: Map::new(),
        inputs: Default::default(),
        passthrough: Vec::new(),
        filter: None,
        all_fields: false,
        vectors: Default::default(),
        shape: Default::default(),
        enabled: true,
        metadata: Map::new(),
        settings: Map::new(),
        beside: None,
        created_at: now.clone(),
        updated_at: now,
    };
    let place = format!("{}/{}", namespace.id, made.id);
    bed.app.engine.store.commit(vec![Store::put(&place, &made).unwrap()]).unwrap();
    let kind = VectorKind::Dense { dimension: 2, distance: Distance::Dot };
    let index = IndexSpec { path: "kind".to_string(), kind: IndexKind::Keyword };
    let layout = Layout::new(vec![VectorSpec { name: "v".into(), kind }], vec![index]).unwrap();
    sink(bed).prepare(&namespace.key, &layout).unwrap();
    made
}

pub(super) fn id(number: u64) -> DocumentId {
    let spread = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    DocumentId(Uuid::from_u128(spread))
}

/// As an extractor leaves it.
pub(super) fn document(
    collection: &str,
    number: u64,
    parent: Option<DocumentId>,
    fields: Value,
) -> Document {
    let mut payload = fields.as_object().unwrap().clone();
    let mut lineage = json!({
        "collection": collection,
        "object": "obj_1",
        "position": number,
        "path": format!("files/{collection}"),
        "extractor": "echo@1.0.0",
        "digest": "d1",
        "batch": "btch_gone",
        "run": 1,
    });
    if let Some(parent) = parent {
        lineage["parent"] = parent.to_string().into();
    }
    payload.insert("_quarry".to_string(), lineage);
    let vectors = vec![("v".to_string(), Vector::Dense(vec![number as f32, 1.0]))];
    Document { id: id(number), payload, vectors }
}

pub(super) fn write(bed: &Bed, namespace: &Namespace, documents: Vec<Document>) {
    sink(bed).upsert(&namespace.key, documents).unwrap();
}

/// A collection `pages` with the documents.
pub(super) fn stage(fields: Vec<Value>) -> (Bed, Namespace) {
    let bed = Bed::new();
    let space = namespace(&bed, "default");
    collection(&bed, &space, "pages");
    let documents = (1..).zip(fields).map(|(n, fields)| document("pages", n, None, fields));
    write(&bed, &space, documents.collect());
    (bed, space)
}

#[test]
fn a_document_is_shown_with_what_made_it() {
    let (bed, space) = stage(vec![json!({ "title": "one", "metadata": { "a": 1 } })]);
    let target = format!("/v1/collections/pages/documents/{}", id(1));
    let shown = bed.get(&target).ok();
    assert_eq!((&shown["title"], &shown["metadata"]), (&json!("one"), &json!({ "a": 1 })));
    assert_eq!(shown["document_id"], id(1).to_string());
    assert!(shown["collection_id"].as_str().unwrap().starts_with("col_"));
    assert_eq!(shown["_internal"]["namespace_id"], space.id.to_string());
    assert_eq!(shown["_internal"]["lineage"]["root_object_id"], "obj_1");
    assert_eq!(shown["_internal"]["lineage"]["source_type"], "bucket");
    let made = &shown["internal_metadata"];
    assert_eq!((&made["batch_id"], &made["run"]), (&json!("btch_gone"), &json!(1)));
    assert_eq!(made["feature_extractor_id"], "echo@1.0.0");
    assert!(shown.get("_quarry").is_none() && shown.get("_vectors").is_none());
    let shown = bed.get(&format!("{target}?return_vectors=true")).ok();
    assert_eq!(shown["_vectors"], json!({ "v": [1.0, 1.0] }));
    let shown = bed.get(&format!("{target}?return_vector_names=other")).ok();
    assert_eq!(shown["_vectors"], json!({}));
}

#[test]
fn a_document_is_in_its_own_collection_and_namespace_only() {
    let (bed, space) = stage(vec![json!({ "title": "mine" })]);
    collection(&bed, &space, "others");
    bed.post("/v1/namespaces", json!({ "namespace_name": "next-door" })).ok();
    let door = namespace(&bed, "next-door");
    collection(&bed, &door, "pages");
    let there = |method: &str, target: &str, body: Value| {
        let body = (!body.is_null()).then_some(body);
        let mut request = bed.request(method, target, body);
        request.namespace = Some("next-door".to_string());
        bed.send(request)
    };
    bed.get(&format!("/v1/collections/others/documents/{}", id(1))).refused(404);
    let target = format!("/v1/collections/pages/documents/{}", id(1));
    there("GET", &target, Value::Null).refused(404);
    there("PATCH", &target, json!({ "title": "theirs" })).refused(404);
    there("DELETE", &target, Value::Null).refused(404);
    let everything = json!({ "filters": { "title": "mine" } });
    let deleted = there("DELETE", "/v1/collections/pages/documents/batch", everything).ok();
    assert_eq!(deleted["deleted_count"], 0);
    let listed = there("POST", "/v1/collections/pages/documents/list", Value::Null).ok();
    assert_eq!(listed["results"], json!([]));
    let counted = there("GET", "/v1/collections/pages/documents/count", Value::Null).ok();
    assert_eq!(counted["count"], 0);
    assert_eq!(bed.get(&target).ok()["title"], "mine");
}

#[test]
fn lineage_is_followed_up_and_down() {
    let (bed, space) = stage(vec![json!({})]);
    collection(&bed, &space, "lines");
    collection(&bed, &space, "words");
    write(
        &bed,
        &space,
        vec![
            document("lines", 2, Some(id(1)), json!({})),
            document("lines", 3, Some(id(1)), json!({})),
            document("words", 4, Some(id(2)), json!({ "page": id(1).to_string() })),
        ],
    );
    let ids = |reply: Value| -> Vec<String> {
        let all = reply.as_array().unwrap().iter();
        let mut ids: Vec<_> =
            all.map(|it| it["document_id"].as_str().unwrap().to_string()).collect();
        ids.sort();
        ids
    };
    let sorted = |numbers: &[u64]| {
        let mut ids: Vec<String> = numbers.iter().map(|n| id(*n).to_string()).collect();
        ids.sort();
        ids
    };
    let word = format!("/v1/collections/words/documents/{}", id(4));
    let up = bed.get(&format!("{word}/ancestors")).ok();
    assert_eq!(up[0]["document_id"], id(1).to_string(), "the root comes first");
    assert_eq!(ids(up), sorted(&[1, 2]));
    let page = format!("/v1/collections/pages/documents/{}", id(1));
    assert_eq!(ids(bed.get(&format!("{page}/descendants")).ok()), sorted(&[2, 3]));
    let all = bed.get(&format!("{page}/descendants?depth=9")).ok();
    assert_eq!(ids(all), sorted(&[2, 3, 4]));
    let some = bed.get(&format!("{page}/descendants?depth=9&limit=2")).ok();
    assert_eq!(some.as_array().unwrap().len(), 2);
    let shown = bed.get(&format!("{word}?expand=page")).ok();
    assert_eq!(shown["_expanded"]["page"]["document_id"], id(1).to_string());
    let shown = bed.get(&format!("{page}?expand=children")).ok();
    assert_eq!(ids(shown["_expanded"]["children"].clone()), sorted(&[2, 3]));
}

#[test]
fn the_bytes_of_a_document_can_be_fetched() {
    let digest = "ab".repeat(32);
    let fields = json!({ "frame": format!("blob:{digest}"), "start_time": 1.5, "end_time": 2.5 });
    let (bed, space) = stage(vec![fields, json!({ "frame": "none" })]);
    let blobs = bed.app.engine.artifacts.folder(&format!("{}/blobs", space.key));
    blobs.put(&format!("ab/{digest}"), bytes::Bytes::from_static(b"pixels")).unwrap();
    let target = format!("/v1/collections/pages/documents/{}", id(1));
    let download = bed.get(&format!("{target}/download")).ok();
    assert_eq!((&download["start_time"], &download["end_time"]), (&json!(1.5), &json!(2.5)));
    let url = download["download_url"].as_str().unwrap();
    let reply = bed.get(url);
    assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"pixels".as_slice()));
    let shown = bed.get(&format!("{target}?return_presigned_urls=true")).ok();
    assert_eq!(shown["document_blobs"][0]["presigned_url"], url);
    let other = format!("/v1/collections/pages/documents/{}", id(2));
    bed.get(&format!("{other}/download")).refused(404);
    bed.get(&format!("{other}/blobs/frame")).refused(404);
}

#[test]
fn diagnostics_tell_what_is_known() {
    let (bed, _) = stage(vec![json!({})]);
    let target = format!("/v1/collections/pages/documents/{}/diagnostics", id(1));
    let told = bed.get(&target).ok();
    assert_eq!(told["visibility_reason"]["searchable"], true);
    assert_eq!(told["source_object_id"], "obj_1");
    let reason = told["recent_failures"]["reason"].as_str().unwrap();
    assert_eq!(reason, "batch btch_gone is not there any more");
}

#[test]
fn what_is_not_enforced_is_not_accepted() {
    let (bed, _) = stage(vec![json!({})]);
    let target = format!("/v1/collections/pages/documents/{}/acl", id(1));
    let error = bed.call("PATCH", &target, json!({ "read": ["somebody"] })).refused(422);
    assert_eq!(error["type"], "unsupported");
}

#[test]
fn a_document_can_be_checked_without_writing_it() {
    let (bed, _) = stage(vec![]);
    let check =
        |body: Value| bed.post("/v1/collections/pages/documents/schema/validate", body).ok();
    let fine = check(json!({ "title": "x", "vectors": { "v": [1, 2] } }));
    assert_eq!((&fine["valid"], &fine["violations"]), (&json!(true), &json!([])));
    let wrong = check(json!({ "_internal": 1, "vectors": { "v": [1, 2, 3] } }));
    let fields: Vec<&Value> =
        wrong["violations"].as_array().unwrap().iter().map(|it| &it["field"]).collect();
    assert_eq!(fields, ["/_internal", "/vectors/v"]);
    assert_eq!(bed.get("/v1/collections/pages/documents/count").ok()["count"], 0);
}

#[test]
fn nothing_there_yet_is_empty_and_no_failure() {
    let bed = Bed::new();
    let space = namespace(&bed, "default");
    collection(&bed, &space, "pages");
    sink(&bed).remove(&space.key).unwrap();
    assert_eq!(bed.get("/v1/collections/pages/documents").ok()["results"], json!([]));
    assert_eq!(bed.get("/v1/collections/pages/documents/count").ok()["count"], 0);
    bed.get(&format!("/v1/collections/pages/documents/{}", id(1))).refused(404);
    bed.get("/v1/collections/pages/documents/7").refused(404);
    let given = bed.post("/v1/collections/pages/documents", json!({ "title": "first" })).ok();
    assert_eq!(given["title"], "first");
    let error = sink(&bed).count(&Name::parse("elsewhere").unwrap(), None).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
}
