//! `quarry apply`: what a pipeline file says becomes what the catalog holds.

use super::api::Serving;
use crate::support::quarry::Bench;
use serde_json::{Value, json};

const FILE: &str = r#"
namespace = "shop"

[buckets.notes.schema]
text = "text"
lang = "string"

[collections.chunks]
source = "bucket:notes"
extractor = "text-chunk"
parameters = { by = "words", size = 4 }
passthrough = ["lang"]

[collections.chunks.filter]
AND = [{ field = "lang", operator = "eq", value = "en" }]

[collections.aa-vectors]
source = "collection:chunks"
extractor = "text-embed@1.0.0"
parameters = { dimensions = 16 }
passthrough = ["text", { source = "lang", target = "language", default = "en" }]

[collections.aa-vectors.vectors]
embedding = "passage"
"#;

/// `action noun name` of each step.
fn steps(answer: &Value) -> Vec<String> {
    let text = |step: &Value, field: &str| step[field].as_str().unwrap().to_string();
    let one = |step: &Value| {
        format!("{} {} {}", text(step, "action"), text(step, "noun"), text(step, "name"))
    };
    answer["steps"].as_array().unwrap().iter().map(one).collect()
}

fn get(bench: &Bench, operation: &str, part: &str, name: &str) -> Value {
    let part = format!("{part}={name}");
    bench.json(&["api", operation, "--namespace", "shop", "--path", &part])
}

fn collection(bench: &Bench, name: &str) -> Value {
    get(bench, "get_collection", "collection_identifier", name)
}

const ALL: [&str; 4] =
    ["namespace shop", "bucket notes", "collection chunks", "collection aa-vectors"];

#[test]
fn a_pipeline_is_planned_applied_and_found_unchanged() {
    let bench = Bench::new();
    bench.write("p.toml", FILE);
    let created = ALL.map(|thing| format!("create {thing}"));
    let dry = bench.json(&["apply", "p.toml", "--dry-run"]);
    // Sources come before what reads them, whatever their names are.
    assert_eq!(steps(&dry), created);
    assert_eq!((&dry["dry_run"], &dry["applied"]), (&json!(true), &json!(0)));
    let missing = ["api", "get_namespace", "--path", "namespace_identifier=shop"];
    assert_eq!(bench.quarry(&missing).code, 4);
    let applied = bench.json(&["apply", "p.toml"]);
    assert_eq!((steps(&applied), &applied["applied"]), (created.to_vec(), &json!(4)));
    let again = bench.json(&["apply", "p.toml"]);
    assert_eq!(steps(&again), ALL.map(|thing| format!("unchanged {thing}")));
    assert_eq!(again["applied"], 0);
    let chunks = collection(&bench, "chunks");
    assert_eq!(chunks["feature_extractor"]["version"], "1.0.0");
    assert_eq!(chunks["source"]["source_filters"]["filters"]["AND"][0]["value"], "en");
    let vectors = collection(&bench, "aa-vectors");
    assert_eq!(vectors["index_map"]["embedding"], "passage");
    let fields = &vectors["output_schema"]["properties"];
    assert!(fields["text"].is_object() && fields["language"].is_object(), "{fields}");
    // For people, with a line for each.
    let told = bench.quarry(&["apply", "p.toml"]).ok().stdout;
    assert_eq!(told.lines().filter(|line| line.starts_with("unchanged ")).count(), 4, "{told}");
    assert!(told.ends_with("0 of 0 changes applied, 4 unchanged, 0 refused\n"), "{told}");
}

#[test]
fn what_differs_is_reconciled_and_what_the_file_does_not_have_is_left_alone() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, &[]);
    let words = |more: &'static [&'static str]| [&["apply", "p.toml"], more].concat();
    bench.write("p.toml", FILE);
    let server = ["--server", &serving.url];
    bench.json(&[&words(&[])[..], &server].concat());
    let other = json!({
        "collection_name": "more",
        "source": { "type": "bucket", "bucket_ids": ["notes"] },
        "feature_extractor": { "feature_extractor_name": "text-embed", "version": "1.0.0" },
    });
    let create = ["api", "create_collection", "--namespace", "shop", "--body", &other.to_string()];
    bench.json(&create);
    let changed = FILE
        .replace("lang = \"string\"", "lang = \"string\"\nsize = \"integer\"")
        .replace("size = 4", "size = 6")
        .replace("[collections.chunks.filter]", "[collections.chunks.inputs]\ntext = \"text\"\n#")
        .replace("AND =", "#");
    bench.write("p.toml", &changed);
    let dry = bench.json(&words(&["--dry-run"]));
    let expected = [
        "unchanged namespace shop",
        "change bucket notes",
        "change collection chunks",
        "unchanged collection aa-vectors",
        "left_alone collection more",
    ];
    assert_eq!(steps(&dry), expected);
    assert_eq!(
        dry["steps"][1]["differences"],
        json!([{ "field": "schema.size", "from": null, "to": "integer" }])
    );
    let fields = |step: &Value| -> Vec<String> {
        let all = step["differences"].as_array().unwrap().iter();
        all.map(|found| found["field"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(fields(&dry["steps"][2]), ["filter", "parameters.size", "inputs.text"]);
    let line = bench.quarry(&words(&["--dry-run"])).ok().stdout;
    assert!(line.contains("parameters.size: 4 → 6"), "{line}");
    assert!(line.contains("left alone  collection  more  not in the file"), "{line}");
    assert_eq!(bench.json(&words(&[]))["applied"], 2);
    let again = bench.json(&words(&[]));
    assert!(!steps(&again).iter().any(|step| step.starts_with("change")), "{again}");
    let chunks = collection(&bench, "chunks");
    assert_eq!(chunks["feature_extractor"]["params"]["size"], 6);
    assert_eq!(chunks["source"].get("source_filters"), None);
    collection(&bench, "more");
    assert_eq!(serving.stop(), 0);
}

#[test]
fn what_a_catalog_has_no_place_for_is_refused_with_its_line_and_nothing_is_applied() {
    let bench = Bench::new();
    let cases = [
        ("[buckets.notes.schema]", "[buckets.notes]\nid = \"key\"\n[buckets.notes.schema]", "/id"),
        ("text = \"text\"", "text = { type = \"text\", column = \"body\" }", "/column"),
        ("text = \"text\"", "text = { type = \"text\", uri = \"text\" }", "/uri"),
        ("[collections.aa-vectors]", "[collections.aa-vectors]\nindex = [\"text\"]", "/index"),
        ("[collections.aa-vectors]", "[collections.aa-vectors]\nsearchable = false", "/searchable"),
        (
            "[collections.aa-vectors]",
            "[collections.aa-vectors]\noutputs = { embedding = \"other\" }",
            "/outputs/embedding",
        ),
    ];
    for (from, to, pointer) in cases {
        let file = FILE.replacen(from, to, 1);
        bench.write("p.toml", &file);
        let refused = bench.quarry(&["apply", "p.toml"]);
        assert_eq!(refused.code, 1, "{pointer}: {}{}", refused.stdout, refused.stderr);
        let line = refused.stdout.lines().find(|line| line.starts_with("refused "));
        assert!(line.is_some_and(|line| line.contains(pointer)), "{pointer}: {}", refused.stdout);
        assert!(refused.stderr.contains(&format!("{pointer})\n  --> p.toml:")), "{pointer}");
        assert!(refused.stderr.contains("nothing was applied"), "{}", refused.stderr);
        let missing = ["api", "get_namespace", "--path", "namespace_identifier=shop"];
        assert_eq!(bench.quarry(&missing).code, 4, "{pointer}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_found_before_anything_is_applied() {
    let bench = Bench::new();
    bench.write("p.toml", &FILE.replace("dimensions = 16", "dimensions = \"many\""));
    let wrong = bench.quarry(&["apply", "p.toml"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("parameters = { dimensions = \"many\" }"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("p.toml:20:"), "{}", wrong.stderr);
    let missing = ["api", "get_namespace", "--path", "namespace_identifier=shop"];
    assert_eq!(bench.quarry(&missing).code, 4);
}

#[test]
fn a_field_that_objects_have_keeps_its_type() {
    let bench = Bench::new();
    bench.write("p.toml", FILE);
    bench.json(&["apply", "p.toml"]);
    let integer = FILE.replace("lang = \"string\"", "lang = \"string\"\nsize = \"integer\"");
    bench.write("p.toml", &integer);
    bench.json(&["apply", "p.toml"]);
    // Nobody has it yet.
    let number = FILE.replace("lang = \"string\"", "lang = \"string\"\nsize = \"number\"");
    bench.write("p.toml", &number);
    let changed = bench.json(&["apply", "p.toml"]);
    assert_eq!(
        changed["steps"][1]["differences"],
        json!([{ "field": "schema.size", "from": "integer", "to": "number" }])
    );
    let object = json!({ "blobs": [{ "property": "text", "type": "text", "data": "a b" }] });
    let body = object.to_string();
    let bucket = "bucket_identifier=notes";
    let create =
        ["api", "create_object_buckets", "--namespace", "shop", "--path", bucket, "--body", &body];
    bench.json(&create);
    bench.write("p.toml", &integer);
    let refused = bench.quarry(&["apply", "p.toml", "--output", "json"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    let answer = refused.json();
    assert_eq!(steps(&answer)[1], "refused bucket notes");
    let reason = &answer["steps"][1]["reasons"][0];
    assert_eq!(reason["field"], "/buckets/notes/schema/size");
    assert!(reason["hint"].is_string() && answer["applied"] == 0, "{answer}");
    let known = get(&bench, "get_bucket", "bucket_identifier", "notes");
    assert_eq!(known["bucket_schema"]["properties"]["size"]["type"], "number");
}
