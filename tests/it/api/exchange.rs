//! Documents of a collection go out as files and come in from other systems.

use crate::support::api::Reply;
use crate::support::story::Story;
use serde_json::{Value, json};

fn story() -> Story {
    let story = Story::new();
    story.registered(&["freedom from fear", "a, \"quoted\" text"]);
    let batch = story.bed.post("/v1/collections/vectors/trigger", Value::Null).ok();
    story.ended(&format!("/v1/batches/{}", batch["batch_id"].as_str().unwrap()));
    story
}

fn file(story: &Story, exported: &Value, field: &str) -> Reply {
    story.bed.get(exported[field].as_str().unwrap())
}

#[test]
fn an_export_holds_every_document_in_each_format() {
    let story = story();
    for format in ["json", "csv", "parquet"] {
        let body = json!({
            "format": format, "include_vectors": false, "include_lineage": true,
            "include_media": false, "samples_per_shard": 1000,
        });
        let exported = story.bed.post("/v1/collections/chunks/export", body).ok();
        assert_eq!((&exported["document_count"], &exported["format"]), (&json!(2), &json!(format)));
        let reply = file(&story, &exported, "download_url");
        assert_eq!(json!(reply.body.len()), exported["file_size_bytes"], "{format}");
        let text = String::from_utf8_lossy(&reply.body);
        match format {
            "json" => {
                let rows: Vec<Value> =
                    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                assert!(rows.iter().any(|row| row["text"] == "freedom from fear"), "{text}");
                assert_eq!(rows[0]["lineage_chain"]["collection"], "chunks");
            }
            "csv" => assert!(text.contains("\"a, \"\"quoted\"\" text\""), "{text}"),
            _ => assert!(reply.body.starts_with(b"PAR1")),
        }
    }
    let body = json!({ "include_vectors": true, "sample_size": 1, "select_fields": ["tokens"] });
    let exported = story.bed.post("/v1/collections/vectors/export", body).ok();
    let reply = file(&story, &exported, "vectors_download_url");
    let first: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(first["vectors"]["embedding"].as_array().unwrap().len(), 384);
}

#[test]
fn an_export_that_can_not_be_made_says_so() {
    let story = Story::new();
    let export = |body: Value| story.bed.post("/v1/collections/chunks/export", body);
    assert_eq!(export(json!({ "format": "webdataset" })).refused(422)["type"], "unsupported");
    export(json!({ "destination": { "connection_id": "c" } })).refused(422);
    assert_eq!(export(Value::Null).ok()["document_count"], 0);
    story.bed.get("/v1/collections/chunks/exports/..%2Fsecret").refused(404);
    story.bed.get("/v1/collections/chunks/exports/nothing.csv").refused(404);
}

fn mapping() -> Value {
    let field = |source: &str, target: Value| json!({ "source_field": source, "target": target });
    json!({ "fields": [
        field("asset_id", json!({ "kind": "identity", "role": "root_object_id" })),
        field("title", json!({ "kind": "metadata", "path": "about.title" })),
        field("caption", json!({ "kind": "metadata", "path": "text" })),
        field("vector", json!({ "kind": "vector", "index": "embedding" })),
    ] })
}

#[test]
fn an_export_of_another_system_becomes_documents() {
    let story = Story::new();
    let vector: Vec<f32> = (0..384).map(|at| if at == 7 { 1.0 } else { 0.0 }).collect();
    let export = json!({
        "asset_id": "asset-1",
        "title": "A film",
        "scenes": [{ "caption": "a door", "vector": vector }, { "caption": "a wall" }, 7],
    });
    let body = |dry: bool| {
        json!({
            "export": export, "mapping": mapping(), "dry_run": dry, "seed_ledger": false,
            "explode": { "explode_axis": "scenes" },
        })
    };
    let target = "/v1/collections/vectors/import";
    let dry = story.bed.post(target, body(true)).ok();
    assert_eq!((&dry["imported"], &dry["reconstructed"]), (&json!(0), &json!(2)));
    let done = story.bed.post(target, body(false)).ok();
    assert_eq!((&done["imported"], &done["skipped"]), (&json!(2), &json!(1)), "{done}");
    assert_eq!(done["errors"][0]["row"], 2);
    let again = story.bed.post(target, body(false)).ok();
    assert_eq!(again["imported"], 2, "{again}");
    assert_eq!(story.bed.get("/v1/collections/vectors").ok()["document_count"], 2);
    let found = story.bed.post("/v1/collections/vectors/search", json!({ "vector": vector })).ok();
    assert_eq!(found["results"][0]["payload"]["text"], "a door");
    assert_eq!(found["results"][0]["payload"]["about"]["title"], "A film");
    let wrong =
        json!({ "export": export, "mapping": mapping(), "explode": { "explode_axis": "x" } });
    let error = story.bed.post(target, wrong).refused(422);
    assert_eq!(error["details"]["field"], "/explode/explode_axis");
}

#[test]
fn a_sample_shows_types_vectors_and_where_they_could_go() {
    let story = Story::new();
    let vector: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vector);
    let body = json!({
        "sample_rows": [
            { "name": "a", "year": 1, "at": "2026-01-01T00:00:00Z", "meta": { "on": true } },
            { "name": "b", "year": 1.5, "emb": encoded, "none": null },
        ],
        "sample_size": 100,
        "known_index_dims": { "embedding": 4 },
    });
    let inferred = story.bed.post("/v1/collections/import/infer", body).ok();
    let field = |path: &str| {
        let mut fields = inferred["fields"].as_array().unwrap().iter();
        fields.find(|field| field["path"] == path).unwrap().clone()
    };
    assert_eq!(field("year")["type"], "float");
    assert_eq!(field("at")["type"], "datetime");
    assert_eq!(field("meta.on")["type"], "boolean");
    assert_eq!(field("none")["suggested_target"]["kind"], "ignore");
    let emb = field("emb");
    assert_eq!((&emb["type"], &emb["dim"]), (&json!("vector"), &json!(4)));
    assert_eq!(emb["suggested_target"]["index"], "embedding");
}

#[test]
fn a_mapping_that_does_not_fit_is_told_field_by_field() {
    let story = Story::new();
    let sources = json!([
        { "path": "asset_id", "type": "string" }, { "path": "title", "type": "string" },
        { "path": "caption", "type": "string" }, { "path": "vector", "type": "vector" },
    ]);
    let target = "/v1/collections/import/validate-mapping";
    let body = json!({ "source_fields": sources, "mapping": mapping() });
    assert_eq!(story.bed.post(target, body).ok(), json!({ "ok": true, "errors": [] }));
    let mut wrong = mapping();
    wrong["fields"][0]["source_field"] = "nothing".into();
    wrong["fields"][2]["target"]["path"] = "about.title".into();
    wrong["fields"][3]["target"]["dim"] = 3.into();
    let body = json!({
        "source_fields": sources, "mapping": wrong, "known_index_dims": { "embedding": 384 },
    });
    let checked = story.bed.post(target, body).ok();
    let fields: Vec<&Value> =
        checked["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, [&json!("nothing"), &json!("caption"), &json!("vector")]);
}
