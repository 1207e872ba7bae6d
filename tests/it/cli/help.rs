//! Help that shows before it tells, and answers that programs can read.

use super::{PIPELINE, ROWS, notes};
use crate::support::quarry::{Bench, root};

const COMMANDS: [&[&str]; 56] = [
    &["manifest", "build"],
    &["pipeline", "check"],
    &["pipeline", "schema"],
    &["run"],
    &["batch", "list"],
    &["batch", "get"],
    &["batch", "errors"],
    &["batch", "cancel"],
    &["batch", "submit"],
    &["batch", "watch"],
    &["apply"],
    &["documents", "list"],
    &["documents", "get"],
    &["search"],
    &["extractor", "new"],
    &["extractor", "build"],
    &["extractor", "check"],
    &["extractor", "test"],
    &["extractor", "run"],
    &["extractor", "bench"],
    &["extractor", "replay"],
    &["extractor", "inspect"],
    &["extractor", "list"],
    &["extractor", "install"],
    &["extractor", "key-gen"],
    &["extractor", "pack"],
    &["extractor", "pull"],
    &["extractor", "push"],
    &["extractor", "sign"],
    &["extractor", "verify"],
    &["doctor"],
    &["admin"],
    &["admin", "backup"],
    &["admin", "restore"],
    &["admin", "verify"],
    &["admin", "compact"],
    &["admin", "gc"],
    &["admin", "rebuild"],
    &["batch"],
    &["collection"],
    &["collection", "upgrade"],
    &["documents"],
    &["extractor"],
    &["serve"],
    &["api"],
    &["key"],
    &["key", "create"],
    &["key", "list"],
    &["key", "rotate"],
    &["key", "revoke"],
    &["config"],
    &["config", "show"],
    &["config", "check"],
    &["config", "schema"],
    &["completions"],
    &["man"],
];

#[test]
fn every_help_starts_with_an_example() {
    let bench = Bench::new();
    let answer = bench.quarry(&["--help"]).ok();
    assert!(answer.stdout.starts_with("Example:"), "{}", answer.stdout);
    for command in COMMANDS {
        let answer = bench.quarry(&[command, &["--help"]].concat()).ok();
        let first = answer.stdout.lines().next().unwrap_or("");
        assert!(first.starts_with("Example: quarry "), "{command:?}: {first}");
    }
}

#[test]
fn every_command_prints_json_that_parses() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    let manifest = notes(&bench, "m.parquet", &ROWS);
    bench.write("rows.jsonl", "{\"object_id\": \"a\", \"text\": \"x\"}\n");
    let run = bench.json(&["run", "p.toml", "--manifest", manifest.to_str().unwrap()]);
    let batch = run["batch"]["id"].as_str().unwrap();
    let documents = bench.json(&["documents", "list", "notes"]);
    let document = documents[0]["document_id"].as_str().unwrap();
    let component = crate::support::quarry::components("QUARRY_EXTRACTORS", "extractors");
    let component = component.join("text-embed.wasm");
    let commands: [&[&str]; 16] = [
        &["manifest", "build", "rows.jsonl", "-o", "out.parquet"],
        &["pipeline", "check", "p.toml"],
        &["pipeline", "schema"],
        &["batch", "list"],
        &["batch", "get", batch],
        &["batch", "errors", batch],
        &["documents", "get", document, "--vectors"],
        &["search", "notes", "fox"],
        &["extractor", "list"],
        &["extractor", "inspect", component.to_str().unwrap()],
        &["admin", "backup", "-o", "backup.tar"],
        &["admin", "restore", "backup.tar", "--force"],
        &["admin", "verify", "--deep"],
        &["admin", "compact"],
        &["admin", "gc", "--dry-run"],
        &["admin", "rebuild", "--force"],
    ];
    for command in commands {
        let value = bench.json(command);
        assert!(value.is_object() || value.is_array(), "{command:?}");
    }
    let doctor = bench.quarry(&["doctor", "--output", "json"]);
    assert!(doctor.json().is_array());
    let error = bench.quarry(&["batch", "get", "btch_none", "--output", "json"]);
    assert_eq!(error.code, 4);
    let body: serde_json::Value = serde_json::from_str(&error.stderr).unwrap();
    assert_eq!(body["error"]["code"], "not_found");
}

#[test]
fn the_schema_of_pipelines_takes_the_examples() {
    let bench = Bench::new();
    let schema = bench.quarry(&["pipeline", "schema"]).ok().json();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for example in ["speeches", "pictures"] {
        let path = root().join("examples").join(example).join("pipeline.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let value: serde_json::Value = toml::from_str(&text).unwrap();
        let errors: Vec<String> = schema.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{example}: {errors:?}");
    }
}
