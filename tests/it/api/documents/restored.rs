//! Vectors that do not open are filled again from the parts, and users' changes are in none.

use crate::cli::{PIPELINE, notes};
use crate::support::api::Bed;
use crate::support::quarry::Bench;
use serde_json::{Value, json};

const ALL: &str = "/v1/collections/notes/documents";

/// The API over the data directory of a bench, with a record of the collection.
fn served(bench: &Bench) -> Bed {
    let bed = Bed::over(&bench.path("quarry-data"));
    if bed.api.control().namespace("test").is_err() {
        bed.post("/v1/namespaces", json!({ "namespace_name": "test" })).ok();
        super::collection(&bed, &super::namespace(&bed, "test"), "notes");
    }
    bed
}

fn call(bed: &Bed, method: &str, target: &str, body: Value) -> Value {
    let mut request = bed.request(method, target, (!body.is_null()).then_some(body));
    request.namespace = Some("test".to_string());
    bed.send(request).ok()
}

#[test]
fn what_users_gave_and_changed_survives_damaged_vectors() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    let long = "one two three four five six seven eight nine ten";
    notes(&bench, "m.parquet", &[("a", long), ("b", "a boat on a quiet lake at dawn")]);
    let run = ["run", "p.toml", "--manifest", "m.parquet"];
    bench.json(&run);
    {
        let bed = served(&bench);
        let all = call(&bed, "GET", ALL, Value::Null);
        let ids: Vec<&str> = all["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["document_id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), 5);
        call(&bed, "PATCH", &format!("{ALL}/{}", ids[0]), json!({ "seen": true }));
        call(&bed, "DELETE", &format!("{ALL}/{}", ids[1]), Value::Null);
        call(&bed, "POST", ALL, json!({ "document_id": "mine", "title": "kept" }));
        call(&bed, "POST", ALL, json!({ "document_id": "gone", "title": "not kept" }));
        let gone = call(&bed, "POST", ALL, json!({ "document_id": "gone", "title": "not kept" }));
        let gone = gone["document_id"].as_str().unwrap();
        call(&bed, "DELETE", &format!("{ALL}/{gone}"), Value::Null);
    }
    let list = ["documents", "list", "notes", "--limit", "100"];
    let expected = bench.json(&list);
    assert_eq!(expected.as_array().unwrap().len(), 5, "{expected}");
    for entry in std::fs::read_dir(bench.path("quarry-data/vectors/test/segments")).unwrap() {
        std::fs::write(entry.unwrap().path().join("segment.json"), "").unwrap();
    }
    bench.json(&run);
    assert_eq!(bench.json(&list), expected);
    let garbage = bench.json(&["admin", "gc", "--dry-run"]);
    let named = garbage.as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap());
    assert!(!named.into_iter().any(|path| path.contains("/documents/")), "{garbage}");
    // The next run writes over what was changed, and leaves what was given.
    notes(&bench, "n.parquet", &[("a", long)]);
    bench.json(&["run", "p.toml", "--manifest", "n.parquet"]);
    let titles = bench.json(&["documents", "list", "notes", "--filter", "title=kept"]);
    assert_eq!(titles.as_array().unwrap().len(), 1);
}
