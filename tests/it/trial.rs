//! Extractors tried outside of a batch: what is compared, what is measured, what is watched.

use crate::support::quarry::components;
use quarry::cli::extractor::watch::{Roots, Snapshot, changed, rounds, snapshot};
use quarry::engine::trial::{
    Bench, Difference, Effort, Made, Outcome, Rejected, differences, run, run_each,
};
use quarry::plugin::rows::{self, Row};
use quarry::plugin::{Component, Extractor, Host, Input, Limits};
use serde_json::{Value, json};
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

fn hostile() -> &'static Component {
    static COMPONENT: OnceLock<Component> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let path = components("QUARRY_TEST_GUESTS", "test-guests").join("hostile.wasm");
        Host::new(None, Limits::default()).unwrap().load(&std::fs::read(path).unwrap()).unwrap()
    })
}

fn object(value: Value) -> Row {
    value.as_object().unwrap().clone()
}

fn input(rows: Value) -> quarry::error::Result<Input> {
    let rows: Vec<Row> = rows.as_array().unwrap().iter().cloned().map(object).collect();
    let file = |name: &str| Ok(format!("content of {name}").into_bytes());
    rows::input(&hostile().description().inputs, &rows, &file)
}

/// A row with a value of every type.
fn full() -> Value {
    json!({
        "text": "déjà vu", "number": i64::MAX, "score": 0.1, "flag": true,
        "data": {"base64": "AP9/"}, "meta": {"deep": [1, null, "x"]}, "image": [0.1, -2.5],
    })
}

#[test]
fn rows_survive_the_way_into_columns_and_back() {
    let given = json!([full(), {"text": "only"}, full()]);
    let columns = input(given.clone()).unwrap();
    let back = rows::rows(&hostile().description().inputs, &columns).unwrap();
    assert_eq!(json!(back), given);
    let files = input(json!([{"text": "", "data": {"file": "a.bin"}}, {"text": "", "data": null}]));
    let back = rows::rows(&hostile().description().inputs, &files.unwrap()).unwrap();
    assert_eq!(back[0]["data"], json!({"base64": "Y29udGVudCBvZiBhLmJpbg=="}));
    assert!(!back[1].contains_key("data"));
}

#[test]
fn a_row_that_does_not_fit_is_named() {
    let check = |rows: Value, message: &str| {
        let error = input(rows).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), message);
    };
    check(json!([{"txt": "a"}]), "the extractor has no input `txt` (at /0/txt)");
    check(json!([{"text": "a"}, {}]), "the required input `text` is missing (at /1/text)");
    check(json!([{"text": 1}]), "1 is not a text (at /0/text)");
    check(json!([{"text": "", "number": 1.5}]), "1.5 is not an integer (at /0/number)");
    check(json!([{"text": "", "flag": 0}]), "0 is not true or false (at /0/flag)");
    let blob = json!([{"text": "", "data": {"base64": "%"}}]);
    let message = "{\"base64\":\"%\"} is not one of base64, text and file (at /0/data)";
    check(blob, message);
    let vectors = json!([{"text": "", "image": [1, 2]}, {"text": "", "image": [1]}]);
    check(vectors, "a vector has another dimension than 2, or none (at /1/image)");
}

#[test]
fn documents_are_what_the_extractor_made() {
    let mut instance = hostile().instantiate(&json!({})).unwrap();
    let columns = input(json!([full(), {"text": ""}])).unwrap();
    let trial = run(instance.as_mut(), &columns);
    assert_eq!((trial.calls, trial.failed.len(), trial.documents.len()), (1, 0, 2));
    let first = &trial.documents[0].fields;
    for field in ["text", "number", "score", "flag", "data", "meta"] {
        assert_eq!(first[field], full()[field], "{field}");
    }
    assert_eq!(first["vector"], json!([9.0, 10.0, 11.0, 12.0]));
    assert_eq!(first["terms"], json!({"indices": [9, 10], "values": [0.5, 9.0]}));
    assert_eq!(first["pieces"], json!([[0.1, -2.5]]));
    let second = &trial.documents[1].fields;
    assert_eq!((&second["terms"], &second["meta"]), (&Value::Null, &Value::Null));
}

#[test]
fn the_row_that_fails_stands_alone_with_its_log() {
    let mut instance = hostile().instantiate(&json!({"act": "panic"})).unwrap();
    let rows = json!([{"text": "a"}, {"text": "b"}, {"text": "poison"}, {"text": "c"}]);
    let trial = run(instance.as_mut(), &input(rows.clone()).unwrap());
    assert_eq!(trial.documents.iter().map(|made| made.row).collect::<Vec<_>>(), [0, 1, 3]);
    let [failed] = trial.failed.as_slice() else { panic!("{:?}", trial.failed) };
    assert_eq!((failed.row, failed.reason.as_str()), (2, "trap"));
    assert!(failed.message.starts_with("panicked: the guest had enough"), "{}", failed.message);
    assert_eq!(failed.log, ["error: panicked: the guest had enough"]);
    assert!(trial.calls > 3, "{} calls", trial.calls);
    let each = run_each(instance.as_mut(), &input(rows).unwrap());
    assert_eq!(each.iter().map(|trial| trial.failed.len()).collect::<Vec<_>>(), [0, 0, 1, 0]);
}

#[test]
fn calls_are_measured_where_somebody_asks() {
    let columns = input(json!([full(), full()])).unwrap();
    let mut instance = hostile().instantiate(&json!({})).unwrap();
    let plain = run(instance.as_mut(), &columns);
    assert_eq!((plain.host_calls, plain.crossing), (0, Duration::ZERO));
    assert!(plain.memory_bytes >= 64 << 10, "{}", plain.memory_bytes);
    instance.meter();
    let measured = run(instance.as_mut(), &columns);
    // rows, tile, seven columns, the announcement, ten outputs.
    assert_eq!(measured.host_calls, 20);
    assert!(measured.crossing > Duration::ZERO && measured.crossing < measured.took);
    assert_eq!(measured.documents, plain.documents);
}

#[test]
fn a_benchmark_repeats_rows_until_a_call_is_full() {
    let mut instance = hostile().instantiate(&json!({})).unwrap();
    instance.meter();
    let columns = input(json!([full(), {"text": "b"}, {"text": "c"}])).unwrap();
    let effort = Effort { rounds: 3, round: Duration::ZERO };
    let bench = Bench::run(instance.as_mut(), &columns, effort).unwrap();
    assert_eq!((bench.call_rows, bench.rounds.len()), (1023, 3));
    assert!(bench.rounds.iter().all(|round| (round.calls, round.rows) == (1, 1023)));
    assert!(bench.rounds.iter().all(|round| round.documents == 1023));
    let [min, median, max] = bench.spread(|round| round.rows_per_second());
    assert!(0.0 < min && min <= median && median <= max);
    assert!((0.0..1.0).contains(&bench.crossing_share()), "{}", bench.crossing_share());
    let mut poisoned = hostile().instantiate(&json!({"act": "trap"})).unwrap();
    let rows = input(json!([{"text": "poison"}])).unwrap();
    let error = Bench::run(poisoned.as_mut(), &rows, effort).map(|_| ()).unwrap_err();
    assert!(error.to_string().starts_with("the extractor fails on these rows: trap"), "{error}");
}

fn outcome(documents: &[(usize, Value)], rejected: &[(usize, &str)]) -> Outcome {
    let made = |(row, fields): &(usize, Value)| Made { row: *row, fields: object(fields.clone()) };
    let refused = |(row, code): &(usize, &str)| Rejected {
        row: *row,
        code: (*code).to_string(),
        message: "no".to_string(),
    };
    Outcome {
        documents: documents.iter().map(made).collect(),
        rejected: rejected.iter().map(refused).collect(),
        queries: Vec::new(),
    }
}

#[track_caller]
fn differ(expected: Value, actual: Value, wanted: &[&str]) {
    let found = differences(&outcome(&[(3, expected)], &[]), &outcome(&[(3, actual)], &[]));
    let found: Vec<String> = found.iter().map(Difference::to_string).collect();
    assert_eq!(found, wanted);
}

#[test]
fn differences_name_the_place() {
    differ(json!({"a": 1, "b": -0.0}), json!({"a": 1.0, "b": 0, "c": null}), &[]);
    let big = 9_007_199_254_740_993_i64;
    let wanted = "row 3, document 0, n: expected 9007199254740993, got 9007199254740992";
    differ(json!({"n": big}), json!({"n": big - 1}), &[wanted]);
    let wanted = "row 3, document 0, v/1: expected 2, got 5 (and 1 more)";
    differ(json!({"v": [1, 2, 3]}), json!({"v": [1, 5, 6]}), &[wanted]);
    let wanted = "row 3, document 0, v: expected [1], got [1,2]";
    differ(json!({"v": [1]}), json!({"v": [1, 2]}), &[wanted]);
    let (long, other) = (format!("{}x", "a".repeat(50)), format!("{}y", "a".repeat(50)));
    let lead = "a".repeat(20);
    let wanted = format!("row 3, document 0, t: expected …\"{lead}x\", got …\"{lead}y\"");
    differ(json!({"t": long}), json!({"t": other}), &[&wanted]);
    let before = outcome(&[(0, json!({})), (0, json!({}))], &[(1, "empty")]);
    let after = outcome(&[(0, json!({})), (1, json!({}))], &[]);
    let found = differences(&before, &after);
    let found: Vec<String> = found.iter().map(Difference::to_string).collect();
    assert_eq!(
        found,
        [
            "row 0, documents: expected 2, got 1",
            "row 1, rejected: expected \"empty: no\", got nothing",
            "row 1, documents: expected 0, got 1",
        ]
    );
}

#[test]
fn a_snapshot_is_read_as_it_was_written() {
    let mut snapshot = outcome(
        &[(0, json!({"a \"b\"": "line\nbreak", "v": [0.1, 2]})), (4, json!({}))],
        &[(2, "empty")],
    );
    let read: Outcome = serde_json::from_str(&snapshot.render()).unwrap();
    assert_eq!(read, snapshot);
    snapshot.queries = vec![object(json!({"v": [1, 0.5]}))];
    let read: Outcome = serde_json::from_str(&snapshot.render()).unwrap();
    assert_eq!(read, snapshot);
    assert!(snapshot.render().contains("\n        \"v\": [0.1,2]\n"), "{}", snapshot.render());
}

#[test]
fn numbers_of_vectors_are_compared_as_f32() {
    let written = outcome(&[(0, json!({"vector": [0.100_000_001_49, 1], "score": 0.25}))], &[]);
    let made = written.as_made(hostile().description());
    assert_eq!(made.documents[0].fields["vector"], json!([0.1, 1.0]));
    assert_eq!(made.documents[0].fields["score"], json!(0.25));
}

#[test]
fn files_that_came_went_or_changed_are_a_change() {
    let stamp = |bytes: u64| (bytes, None);
    let of = |files: &[(&str, u64)]| -> Snapshot {
        files.iter().map(|(name, bytes)| (PathBuf::from(name), stamp(*bytes))).collect()
    };
    let before = of(&[("a", 1), ("b", 2)]);
    assert_eq!(changed(&before, &before), Vec::<PathBuf>::new());
    assert_eq!(changed(&before, &of(&[("a", 1)])), [PathBuf::from("b")]);
    let after = of(&[("a", 9), ("b", 2), ("c", 3)]);
    assert_eq!(changed(&before, &after), [PathBuf::from("a"), PathBuf::from("c")]);
    let looks = Cell::new(0);
    let mut worked: Vec<Vec<PathBuf>> = Vec::new();
    let mut look = || {
        looks.set(looks.get() + 1);
        match looks.get() {
            1 | 2 => Some(before.clone()),
            3 | 4 => Some(after.clone()),
            _ => None,
        }
    };
    rounds(before.clone(), &mut look, &mut |paths| worked.push(paths.to_vec()));
    assert_eq!(worked, [vec![], vec![PathBuf::from("a"), PathBuf::from("c")]]);
}

#[test]
fn what_is_made_is_not_watched() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["src/lib.rs", "target/x", ".git/HEAD", "made/y", "fixtures/a.json"] {
        std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        std::fs::write(at(name), "x").unwrap();
    }
    let roots = Roots { watched: vec![folder.path().to_path_buf()], made: vec![at("made")] };
    let seen: Vec<PathBuf> = snapshot(&roots).into_keys().collect();
    assert_eq!(seen, [at("fixtures/a.json"), at("src/lib.rs")]);
}
