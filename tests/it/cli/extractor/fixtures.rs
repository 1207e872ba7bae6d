//! `quarry extractor test`: what goes in, what is expected, and what is said about the difference.

use super::{fixture, hostile};
use crate::support::quarry::Bench;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

const ECHO: &str = r#"{
  "rows": [
    {"text": "one", "number": 7, "score": 0.1, "flag": true, "data": {"base64": "AP8="},
     "meta": {"a": [1]}, "image": [0.1, -2.5]},
    {"text": "two"}
  ],
  "queries": ["four"]
}"#;

fn expected(bench: &Bench, name: &str) -> Value {
    let text = std::fs::read_to_string(bench.path(&format!("expected/{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_snapshot_is_written_compared_and_written_anew() {
    let bench = Bench::new();
    fixture(&bench, "echo", ECHO);
    let test = ["extractor", "test", &hostile()];
    let first = bench.quarry(&test);
    assert_eq!(first.code, 1, "{}", first.stderr);
    assert!(first.stdout.contains("echo: there is no ./expected/echo.json"), "{}", first.stdout);
    assert!(first.stderr.contains("--update"), "{}", first.stderr);
    bench.quarry(&[&test[..], &["--update"]].concat()).ok();
    let snapshot = expected(&bench, "echo");
    let document = &snapshot["documents"][0];
    assert_eq!(document["row"], 0);
    assert_eq!(document["fields"]["data"], json!({"base64": "AP8="}));
    assert_eq!(document["fields"]["pieces"], json!([[0.1, -2.5]]));
    assert_eq!(document["fields"]["vector"], json!([3.0, 4.0, 5.0, 6.0]));
    assert_eq!(snapshot["documents"][1]["fields"]["number"], Value::Null);
    assert_eq!(snapshot["queries"][0]["vector"], json!([4.0, 4.0, 4.0, 4.0]));
    let passed = bench.quarry(&test).ok();
    let verdict = passed.stdout.lines().nth(1).unwrap().split_whitespace().next();
    assert_eq!(verdict, Some("ok"), "{}", passed.stdout);

    let text = std::fs::read_to_string(bench.path("expected/echo.json")).unwrap();
    let wrong = text.replace("\"one\"", "\"uno\"").replace("[3.0,4.0", "[3,4.5");
    bench.write("expected/echo.json", &wrong);
    bench.write("expected/gone.json", &wrong);
    let failed = bench.quarry(&test);
    assert_eq!(failed.code, 1);
    for line in [
        "echo: row 0, document 0, text: expected \"uno\", got \"one\"",
        "echo: row 0, document 0, vector/1: expected 4.5, got 4.0",
    ] {
        assert!(failed.stdout.contains(line), "{}", failed.stdout);
    }
    assert!(
        failed.stderr.contains("expected/gone.json belongs to no fixture"),
        "{}",
        failed.stderr
    );
    let failed = bench.quarry(&[&test[..], &["--output", "json"]].concat());
    assert_eq!((failed.code, &failed.json()["failed"]), (1, &json!(1)));
    let fixture = &failed.json()["fixtures"][0];
    assert_eq!(fixture["differences"][0]["field"], "text");
    assert_eq!(fixture["differences"][1]["field"], "vector/1");
    assert_eq!(failed.json()["unused"][0], "./expected/gone.json");

    bench.quarry(&[&test[..], &["--update"]].concat()).ok();
    assert_eq!(expected(&bench, "echo"), snapshot);
    let files = std::fs::read_dir(bench.path("expected")).unwrap().count();
    assert_eq!(files, 2, "no staged file is left");
    assert!(!bench.path("quarry-data").exists(), "testing made a data directory");
}

#[test]
fn time_and_memory_are_told() {
    let bench = Bench::new();
    fixture(&bench, "echo", ECHO);
    bench.quarry(&["extractor", "test", &hostile(), "--update"]).ok();
    let tested = bench.json(&["extractor", "test", &hostile()]);
    assert_eq!((&tested["passed"], &tested["failed"]), (&json!(1), &json!(0)));
    assert_eq!(tested["extractor"], "hostile@0.1.0");
    let fixture = &tested["fixtures"][0];
    assert!(fixture["row_ns"].as_f64().unwrap() > 0.0, "{fixture}");
    assert!(fixture["memory_bytes"].as_u64().unwrap() >= 64 << 10, "{fixture}");
    assert_eq!((&fixture["rows"], &fixture["documents"]), (&json!(2), &json!(2)));
}

#[test]
fn a_row_that_traps_is_named_with_its_last_words() {
    let bench = Bench::new();
    let rows = r#"[{"text": "good"}, {"text": "poison"}]"#;
    fixture(&bench, "bad", &format!(r#"{{"parameters": {{"act": "panic"}}, "rows": {rows}}}"#));
    // Not even --update takes a trap for an answer.
    let answer = bench.quarry(&["extractor", "test", &hostile(), "--update"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(!bench.path("expected/bad.json").exists());
    for line in [
        "bad: row 1 failed in hostile@0.1.0: trap",
        "  panicked: the guest had enough (",
        "    error: panicked: the guest had enough",
    ] {
        assert!(answer.stdout.contains(line), "{}", answer.stdout);
    }
    let answer = bench.quarry(&["extractor", "test", &hostile(), "--output", "json"]);
    let failed = &answer.json()["fixtures"][0]["failed"][0];
    assert_eq!((&failed["row"], &failed["reason"]), (&json!(1), &json!("trap")), "{failed}");
}

#[test]
fn the_limits_of_a_batch_are_on() {
    let check = |act: &str, call_ms_max: &str, reason: &str| {
        let bench = Bench::new();
        let rows = r#"[{"text": "poison"}]"#;
        fixture(&bench, "bad", &format!(r#"{{"parameters": {{"act": "{act}"}}, "rows": {rows}}}"#));
        let test = ["extractor", "test", &hostile(), "--output", "json", "--call-ms-max"];
        let answer = bench.quarry(&[&test[..], &[call_ms_max]].concat());
        assert_eq!(answer.code, 1, "{}", answer.stderr);
        assert_eq!(answer.json()["fixtures"][0]["failed"][0]["reason"], reason, "{act}");
    };
    check("loop", "300", "timeout");
    check("memory", "60000", "memory_limit");
    check("documents:1000000", "60000", "output_limit");
}

#[test]
fn a_row_that_depends_on_its_neighbours_fails() {
    let bench = Bench::new();
    let rows = r#"[{"text": "poison"}, {"text": "a"}, {"text": "b"}]"#;
    fixture(&bench, "gaps", &format!(r#"{{"parameters": {{"act": "gaps"}}, "rows": {rows}}}"#));
    let answer = bench.quarry(&["extractor", "test", &hostile(), "--update"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    let depends = "gaps: the documents of a row depend on the rows beside it: alone, row ";
    assert!(answer.stdout.contains(depends), "{}", answer.stdout);
}

#[test]
fn a_fixture_that_does_not_fit_names_file_and_place() {
    let bench = Bench::new();
    let test = ["extractor", "test", &hostile()];
    let none = bench.quarry(&test);
    assert_eq!(none.code, 4, "{}", none.stderr);
    assert!(none.stderr.contains("there is no fixture in ./fixtures"), "{}", none.stderr);
    let cases = [
        (r#"{"rows": [{"txt": "a"}]}"#, "no input `txt` (at /0/txt)", "it takes text, number"),
        (r#"{"rows": [{"text": 5}]}"#, "5 is not a text (at /0/text)", ""),
        (r#"{"rows": []}"#, "has no rows (at /rows)", "give it one"),
        (r#"{"row": []}"#, "unknown field `row`", ""),
        (r#"{"rows": [{"text": "a", "data": {"file": "none"}}]}"#, "can not read", ""),
        (r#"{"parameters": {"act": 1}, "rows": [{"text": "a"}]}"#, "(at /parameters/act)", ""),
    ];
    for (text, message, hint) in cases {
        fixture(&bench, "odd", text);
        let answer = bench.quarry(&test);
        assert!(answer.code == 2 || answer.code == 4, "{text}: {}", answer.stderr);
        assert!(
            answer.stderr.contains("fixtures/odd.json does not fit") || message.contains("rows)")
        );
        assert!(answer.stderr.contains(message), "{text}: {}", answer.stderr);
        assert!(answer.stderr.contains(hint), "{text}: {}", answer.stderr);
    }
    fixture(&bench, "odd", r#"{"rows": [{"text": "a"}]}"#);
    std::fs::create_dir_all(bench.path("expected")).unwrap();
    bench.write("expected/odd.json", "[");
    let answer = bench.quarry(&test);
    assert!(answer.stderr.contains("expected/odd.json does not fit"), "{}", answer.stderr);
    assert!(answer.stderr.contains("--update"), "{}", answer.stderr);
    bench.quarry(&[&test[..], &["--update"]].concat()).ok();
    bench.quarry(&test).ok();
}

/// Ends the process with the test.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_watched_test_runs_again_when_a_fixture_changes() {
    let bench = Bench::new();
    fixture(&bench, "echo", r#"{"rows": [{"text": "one"}]}"#);
    bench.quarry(&["extractor", "test", &hostile(), "--update"]).ok();
    let watch = ["extractor", "test", &hostile(), "--watch", "--output", "ndjson"];
    let mut command = bench.command(&watch);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Watching(command.spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["passed"], 1);
    fixture(&bench, "echo", r#"{"rows": [{"text": "three"}]}"#);
    let second = next();
    assert_eq!(second["failed"], 1, "{second}");
    let mut differences = second["fixtures"][0]["differences"].as_array().unwrap().iter();
    let text = differences.find(|difference| difference["field"] == "text").unwrap();
    assert_eq!((&text["expected"], &text["actual"]), (&json!("one"), &json!("three")));
    fixture(&bench, "echo", r#"{"rows": [{"text": "one"}]}"#);
    assert_eq!(next()["passed"], 1);
}
