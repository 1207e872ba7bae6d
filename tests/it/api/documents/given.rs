use super::{id, sink, stage};
use quarry::model::DocumentId;
use serde_json::{Value, json};

const ALL: &str = "/v1/collections/pages/documents";

#[test]
fn the_same_content_or_id_is_the_same_document() {
    let (bed, space) = stage(vec![]);
    let body = json!({ "title": "a", "metadata": { "x": 1 }, "vectors": { "v": [1, 2.5] } });
    let first = bed.post(ALL, body.clone()).ok();
    let again = bed.post(ALL, body).ok();
    assert_eq!(first["document_id"], again["document_id"]);
    assert_eq!(first["_internal"]["lineage"]["source_type"], "direct_upsert");
    assert_eq!(first["_internal"]["created_at"], again["_internal"]["created_at"]);
    let named = bed.post(ALL, json!({ "document_id": "readme", "title": "b" })).ok();
    let replaced = bed.post(ALL, json!({ "document_id": "readme", "title": "c" })).ok();
    assert_eq!(named["document_id"], replaced["document_id"]);
    assert_eq!(bed.get("/v1/collections/pages/documents/count").ok()["count"], 2);
    let target = format!("{ALL}/{}?return_vectors=true", first["document_id"].as_str().unwrap());
    assert_eq!(bed.get(&target).ok()["_vectors"], json!({ "v": [1.0, 2.5] }));
    let stats = bed.api.control().collection(&space, "pages").unwrap();
    let stats = bed.api.control().collection_stats(&stats).unwrap();
    assert_eq!(stats.documents, 2);
    assert!(!stats.index_signature.is_empty());
}

#[test]
fn a_given_document_stays_when_a_batch_cleans_up() {
    let (bed, space) = stage(vec![json!({})]);
    let body = json!({ "document_id": "kept", "root_object_id": "obj_1" });
    let given = bed.post(ALL, body).ok();
    let objects = ["obj_1".to_string()];
    let deleted = sink(&bed).delete_stale(&space.key, "pages", &objects, 1 << 40).unwrap();
    assert_eq!(deleted, 1, "the extracted one is older");
    let left = bed.get(ALL).ok();
    assert_eq!(left["results"].as_array().unwrap().len(), 1);
    assert_eq!(left["results"][0]["document_id"], given["document_id"]);
    assert!(left["results"][0]["internal_metadata"].get("run").is_none());
}

#[test]
fn a_document_that_does_not_fit_is_refused() {
    let (bed, _) = stage(vec![json!({})]);
    let field = |body: Value| bed.post(ALL, body).refused(422)["details"]["field"].clone();
    assert_eq!(field(json!({ "vectors": { "v": [1, 2, 3] } })), "/vectors/v");
    assert_eq!(field(json!({ "vectors": { "w": [1] } })), "/vectors/w");
    assert_eq!(field(json!({ "_quarry": {} })), "/_quarry");
    assert_eq!(field(json!({ "collection_id": "col_other" })), "/collection_id");
    assert_eq!(field(json!({ "source_document_id": id(7).to_string() })), "/source_document_id");
    let taken = bed.post(ALL, json!({ "document_id": id(1).to_string() }));
    assert_eq!(taken.refused(409)["details"]["field"], "/document_id");
    let child = bed.post(ALL, json!({ "source_document_id": id(1).to_string() })).ok();
    assert_eq!(child["_internal"]["lineage"]["root_object_id"], "obj_1");
    let own = child["document_id"].as_str().unwrap();
    let circle = json!({ "document_id": own, "source_document_id": own });
    assert_eq!(field(circle), "/source_document_id");
    let below = bed.get(&format!("{ALL}/{}/descendants", id(1))).ok();
    assert_eq!(below[0]["document_id"], child["document_id"]);
}

#[test]
fn fields_change_and_lineage_and_vectors_stay() {
    let fields = json!({ "title": "a", "body": "x", "metadata": { "x": 1, "y": 2 } });
    let (bed, space) = stage(vec![fields]);
    let target = format!("{ALL}/{}", id(1));
    let update = json!({
        "title": "b", "body": null, "new.deep": [1], "metadata": { "y": null, "z": 3 },
    });
    let changed = bed.call("PATCH", &target, update).ok();
    assert_eq!((&changed["title"], &changed["new"]), (&json!("b"), &json!({ "deep": [1] })));
    assert_eq!(changed["metadata"], json!({ "x": 1, "z": 3 }));
    assert!(changed.get("body").is_none());
    assert_eq!(changed["internal_metadata"]["feature_extractor_id"], "echo@1.0.0");
    let put = bed.call("PUT", &target, json!({ "metadata.x": 7 })).ok();
    assert_eq!((&put["title"], &put["metadata"]), (&json!("b"), &json!({ "x": 7, "z": 3 })));
    let stored = sink(&bed).get(&space.key, &[id(1)], true).unwrap().remove(0);
    assert_eq!(stored.vectors, super::document("pages", 1, None, json!({})).vectors);
    for name in ["_quarry", "document_id", "_internal", "vectors", "_quarry.run"] {
        let mut update = json!({});
        update[name] = json!(1);
        let error = bed.call("PATCH", &target, update).refused(422);
        assert_eq!(error["details"]["field"], format!("/{name}"));
    }
    bed.call("PATCH", &target, json!({ "title.x": 1 })).refused(422);
}

#[test]
fn many_documents_change_and_go_at_once() {
    let all = (0..6).map(|n| json!({ "title": format!("t{n}"), "n": n, "metadata": { "a": 1 } }));
    let (bed, space) = stage(all.collect());
    let batch = format!("{ALL}/batch");
    let missing = DocumentId::parse("doc_00000000000000000000000000000001").unwrap().to_string();
    let body = json!({ "updates": [
        { "document_id": id(1).to_string(), "update_data": { "metadata": { "b": 2 } } },
        { "document_id": missing, "update_data": { "title": "x" } },
        { "document_id": id(2).to_string(), "update_data": { "_quarry": {} } },
    ] });
    let updated = bed.post(&batch, body).ok();
    assert_eq!((&updated["updated_count"], &updated["failed_count"]), (&json!(1), &json!(2)));
    assert_eq!(updated["results"][0], json!({ "document_id": id(1).to_string(), "success": true }));
    assert!(updated["results"][1]["error"].as_str().unwrap().contains("there is no document"));
    let first = bed.get(&format!("{ALL}/{}", id(1))).ok();
    assert_eq!(first["metadata"], json!({ "b": 2 }), "the field is replaced here");
    let blind = json!({ "AND": [{ "field": "title", "operator": "in", "value": ["T1", "T2"] }],
        "case_sensitive": false });
    let body = json!({ "filters": blind, "update_data": { "metadata.a": 5 } });
    assert_eq!(bed.post(&batch, body).ok()["updated_count"], 2);
    let bulk = json!({ "update_data": { "seen": true } });
    let bulk = bed.call("PATCH", &format!("{ALL}/bulk"), bulk).ok();
    assert_eq!((&bulk["updated_count"], &bulk["status"]), (&json!(6), &json!("COMPLETED")));
    let count = |filters: Value| {
        let body = json!({ "filters": filters, "include_total": true });
        bed.post(&format!("{ALL}/list"), body).ok()["total_documents"].clone()
    };
    assert_eq!(
        (count(json!({ "seen": true })), count(json!({ "metadata.a": 5 }))),
        (json!(6), json!(2))
    );
    bed.post(&batch, json!({ "updates": [], "filters": {} })).refused(422);
    bed.post(&batch, json!({})).refused(422);

    let body = json!({ "document_ids": [id(1).to_string(), missing] });
    let deleted = bed.call("DELETE", &batch, body).ok();
    assert_eq!((&deleted["deleted_count"], &deleted["failed_count"]), (&json!(1), &json!(1)));
    bed.call("DELETE", &batch, json!({ "filters": {} })).refused(422);
    bed.call("DELETE", &batch, json!({ "filters": { "case_sensitive": false } })).refused(422);
    let body = json!({ "filters": { "AND": [{ "field": "n", "operator": "gte", "value": 3 }] } });
    assert_eq!(bed.call("DELETE", &batch, body).ok()["deleted_count"], 3);
    let one = format!("{ALL}/{}", id(2));
    assert_eq!(bed.call("DELETE", &one, json!(null)).ok()["success"], true);
    bed.call("DELETE", &one, json!(null)).refused(404);
    assert_eq!(bed.get(&format!("{ALL}/count")).ok()["count"], 1);
    let control = bed.api.control();
    let pages = control.collection(&space, "pages").unwrap();
    assert_eq!(control.collection_stats(&pages).unwrap().documents, 1);
    let told = control.occurrences(pages.id.as_str(), 0, 100).unwrap();
    assert!(told.iter().all(|it| it.kind == "collection.documents.written"));
    assert_eq!(told.last().unwrap().data["document_count"], 1);
}
