use super::{PIPELINE, ROWS, column, notes};
use crate::support::quarry::Bench;
use arrow_array::{ArrayRef, BinaryArray, StringArray};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

fn collection<'a>(summary: &'a Value, name: &str) -> &'a Value {
    let all = summary["batch"]["collections"].as_array().unwrap();
    all.iter().find(|c| c["collection"] == name).unwrap()
}

#[test]
fn two_tiers_account_for_every_row_and_find_what_was_said() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    notes(&bench, "m.parquet", &ROWS);
    let summary = bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    assert_eq!(summary["batch"]["status"], "COMPLETED");
    let chunks = collection(&summary, "chunks");
    assert_eq!((&chunks["fetched"], &chunks["succeeded"]), (&3.into(), &3.into()));
    // 9, 8 and 3 words in chunks of 4.
    assert_eq!(chunks["documents"], 3 + 2 + 1);
    assert_eq!(collection(&summary, "notes")["documents"], 6);
    let hits = bench.json(&["search", "notes", "quiet lake"]);
    assert_eq!(hits[0]["lineage"]["object"], "b");
    assert_eq!(hits[0]["lineage"]["path"], "notes/chunks/notes");
    let filtered = bench.json(&["search", "notes", "quiet lake", "--filter", "_quarry.object=a"]);
    assert!(filtered.as_array().unwrap().iter().all(|hit| hit["lineage"]["object"] == "a"));
    let like = bench.json(&["search", "notes", "--like", "b", "--mode", "dense"]);
    assert!(like.as_array().unwrap().iter().all(|hit| hit["lineage"]["object"] != "b"));
    let id = hits[0]["document_id"].as_str().unwrap();
    assert_eq!(bench.json(&["documents", "get", id])["payload"], hits[0]["payload"]);
}

#[test]
fn json_that_no_sink_takes_costs_its_row() {
    let bench = Bench::new();
    let pipeline = PIPELINE
        .replace("text = \"text\"", "text = \"text\"\nfacts = \"json\"")
        .replace("searchable = false", "passthrough = [\"facts\"]\nsearchable = false")
        .replace("passthrough = [\"text\"]", "passthrough = [\"text\", \"facts\"]");
    bench.write("p.toml", &pipeline);
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let facts = [&deep(23), &deep(30), r#"{"n": 9223372036854775807}"#, "[9223372036854775808]"];
    let columns = vec![
        ("object_id", column(&["a", "b", "c", "d"])),
        ("text", column(&["one", "two", "three", "four"])),
        ("facts", column(&facts)),
    ];
    bench.parquet("m.parquet", columns);
    let summary = bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    assert_eq!(summary["batch"]["status"], "COMPLETED_WITH_ERRORS");
    let batch = summary["batch"]["id"].as_str().unwrap();
    let mut dead: Vec<(String, String)> = bench
        .json(&["batch", "errors", batch])
        .as_array()
        .unwrap()
        .iter()
        .map(|letter| (letter["object"].to_string(), letter["message"].to_string()))
        .collect();
    dead.sort();
    assert_eq!(dead.len(), 2, "{dead:?}");
    assert!(dead[0].0.contains('b') && dead[0].1.contains("`facts`") && dead[0].1.contains("24"));
    assert!(dead[1].0.contains('d') && dead[1].1.contains("9223372036854775807"), "{dead:?}");
    assert_eq!(bench.documents("notes").len(), 2);
}

/// UUIDv5 over namespace, collection, object and position: a document is the same on every machine
/// and in every version.
#[test]
fn a_document_s_id_depends_on_where_it_comes_from_and_nothing_else() {
    let bench = Bench::new();
    let pipeline = "namespace = \"n\"\n[buckets.b.schema]\ntext = \"text\"\n[collections.c]\n\
        source = \"bucket:b\"\nextractor = \"text-embed\"\n";
    bench.write("p.toml", pipeline);
    notes(&bench, "m.parquet", &[("\u{e4}", "some text")]);
    bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    let root = Uuid::from_u128(0x6b1e_7f0a_51c8_5d0e_9a3c_0f4f_2d87_b6e1);
    let collection = Uuid::new_v5(&Uuid::new_v5(&root, b"n"), b"c");
    let name = [&2u32.to_le_bytes()[..], "\u{e4}".as_bytes(), &0i64.to_le_bytes()].concat();
    let documents = bench.documents("c");
    assert_eq!(documents.len(), 1);
    let id = Uuid::new_v5(&collection, &name).simple();
    assert_eq!(documents[0]["document_id"], format!("doc_{id}"));
}

#[test]
fn outputs_go_by_the_names_that_the_pipeline_gives_them() {
    let bench = Bench::new();
    let pipeline = PIPELINE
        .replace("searchable = false", "outputs = { text = \"passage\" }\nsearchable = false")
        .replace(
            "passthrough = [\"text\"]",
            "inputs = { text = \"passage\" }\noutputs = { embedding = \"meaning\" }\n\
             passthrough = [\"passage\"]",
        );
    bench.write("p.toml", &pipeline);
    notes(&bench, "m.parquet", &ROWS);
    bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    let hits = bench.json(&["search", "notes", "quiet lake"]);
    assert_eq!(hits[0]["lineage"]["object"], "b");
    assert!(hits[0]["payload"]["passage"].as_str().unwrap().contains("lake"), "{}", hits[0]);
    assert!(hits[0]["payload"].get("text").is_none(), "{}", hits[0]);
    let document = &bench.documents("notes")[0];
    assert!(document["vectors"].get("meaning").is_some(), "{document}");
}

#[test]
fn the_same_again_changes_nothing_and_a_forced_run_makes_the_same_documents() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    notes(&bench, "m.parquet", &ROWS);
    let run = ["run", "p.toml", "--manifest", "m.parquet"];
    assert_eq!(bench.json(&run)["changed"], true);
    let first = bench.documents("notes");
    let again = bench.json(&run);
    assert_eq!(again["changed"], false);
    let forced = bench.json(&["run", "p.toml", "--manifest", "m.parquet", "--force"]);
    assert_ne!(forced["batch"]["id"], again["batch"]["id"]);
    assert_eq!(bench.documents("notes"), first);
}

#[test]
fn pieces_that_vanished_are_deleted_after_the_run_that_no_longer_makes_them() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    notes(&bench, "m.parquet", &ROWS);
    bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    notes(&bench, "m2.parquet", &[("a", "the quick brown fox"), ("d", "new")]);
    let summary = bench.json(&["run", "p.toml", "--manifest", "m2.parquet"]);
    assert_eq!(collection(&summary, "notes")["stale_deleted"], 2);
    let objects: Vec<String> = bench
        .documents("notes")
        .iter()
        .map(|d| d["lineage"]["object"].as_str().unwrap().to_string())
        .collect();
    let count = |id: &str| objects.iter().filter(|object| *object == id).count();
    // Objects that were not in the second batch keep theirs.
    assert_eq!((count("a"), count("b"), count("c"), count("d")), (1, 2, 1, 1));
}

#[test]
fn nulls_are_counted_as_missing_and_bytes_that_are_no_text_as_failed() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    let cells: Vec<Option<&[u8]>> = vec![Some(b"good words"), None, Some(b"\xff\xfe")];
    let bytes: ArrayRef = Arc::new(BinaryArray::from(cells));
    bench.parquet("m.parquet", vec![("object_id", column(&["a", "b", "c"])), ("text", bytes)]);
    let summary = bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    let chunks = collection(&summary, "chunks");
    assert_eq!(summary["batch"]["status"], "COMPLETED_WITH_ERRORS");
    assert_eq!((&chunks["missing"], &chunks["failed"]), (&1.into(), &1.into()));
    assert_eq!(chunks["succeeded"], 1);
    let batch = summary["batch"]["id"].as_str().unwrap();
    let dead = bench.json(&["batch", "errors", batch]);
    assert_eq!((&dead[0]["object"], &dead[0]["code"]), (&"c".into(), &"invalid_utf8".into()));
}

#[test]
fn a_row_of_ten_megabytes_is_a_row() {
    let bench = Bench::new();
    bench.write("p.toml", &PIPELINE.replace("size = 4", "size = 100000"));
    let long = "word ".repeat(2 << 20);
    notes(&bench, "m.parquet", &[("a", &long), ("b", "short")]);
    let summary = bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    assert_eq!(summary["batch"]["status"], "COMPLETED", "{summary}");
    assert_eq!(collection(&summary, "chunks")["documents"], 21 + 1);
}

#[test]
fn a_filter_a_diamond_and_passed_through_fields_come_out_as_planned() {
    let bench = Bench::new();
    let pipeline = r#"
namespace = "diamond"
[buckets.b.schema]
text = "text"
info = "json"
[collections.left]
source = "bucket:b"
extractor = "text-chunk"
parameters = { by = "words", size = 2 }
filter = { AND = [{ field = "info.keep", operator = "eq", value = true }] }
passthrough = [{ source = "info.who", target = "who", default = "nobody" }]
searchable = false
[collections.right]
source = "bucket:b"
extractor = "text-chunk"
parameters = { by = "words", size = 3 }
passthrough = [{ source = "info.who", target = "who", default = "nobody" }]
searchable = false
[collections.bottom]
source = ["collection:left", "collection:right"]
extractor = "text-embed"
parameters = { dimensions = 8 }
passthrough = ["text", "who"]
"#;
    bench.write("p.toml", pipeline);
    let info: ArrayRef = Arc::new(StringArray::from(vec![
        Some(r#"{"keep": true, "who": "ada"}"#),
        Some(r#"{"keep": false}"#),
    ]));
    let columns = vec![
        ("object_id", column(&["a", "b"])),
        ("text", column(&["one two three four", "five six seven"])),
        ("info", info),
    ];
    bench.parquet("m.parquet", columns);
    let summary = bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    assert_eq!(collection(&summary, "left")["filtered"], 1);
    assert_eq!(collection(&summary, "left")["documents"], 2);
    assert_eq!(collection(&summary, "right")["documents"], 2 + 1);
    assert_eq!(collection(&summary, "bottom")["fetched"], 5);
    let documents = bench.documents("bottom");
    assert_eq!(documents.len(), 5);
    let who = |path: &str| -> Vec<&Value> {
        let of = documents.iter().filter(|d| d["lineage"]["path"] == path);
        of.map(|d| &d["payload"]["who"]).collect()
    };
    assert_eq!(who("b/left/bottom"), vec!["ada", "ada"]);
    assert_eq!(who("b/right/bottom").iter().filter(|who| **who == "nobody").count(), 1);
}
