//! `quarry extractor check|run|bench|inspect` on real components.

use super::super::{ROWS, notes};
use super::{fixture, hostile};
use crate::support::quarry::{Bench, components};
use serde_json::{Value, json};

fn first_party(name: &str) -> String {
    let path = components("QUARRY_EXTRACTORS", "extractors").join(format!("{name}.wasm"));
    path.to_str().unwrap().to_string()
}

#[test]
fn every_first_party_extractor_passes_its_check() {
    let bench = Bench::new();
    for name in ["text-chunk", "text-embed", "html-text", "image-features"] {
        let checks = bench.json(&["extractor", "check", &first_party(name)]);
        let checks = checks.as_array().unwrap();
        assert_eq!(checks.len(), 11);
        assert!(checks.iter().all(|check| check["verdict"] == "ok"), "{checks:?}");
    }
    let named = bench.quarry(&["extractor", "check", "text-chunk@1.0.0"]).ok();
    assert!(named.stdout.contains("text-chunk@1.0.0 with defaults"), "{}", named.stdout);
}

#[test]
fn a_bad_component_fails_its_check() {
    let bench = Bench::new();
    let answer = bench.quarry(&["extractor", "check", &hostile(), "--output", "json"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    let verdict = |name: &str| {
        let checks = answer.json();
        let check = checks.as_array().unwrap().iter().find(|c| c["check"] == name).cloned();
        check.unwrap()["verdict"].as_str().unwrap().to_string()
    };
    assert_eq!(
        [verdict("contract"), verdict("description"), verdict("configure")],
        ["ok", "failed", "skipped"]
    );
    bench.write("text.wasm", "(component)");
    let answer = bench.quarry(&["extractor", "check", "text.wasm"]);
    assert_eq!(answer.code, 1);
    assert!(answer.stdout.contains("is WebAssembly text"), "{}", answer.stdout);
    assert!(answer.stderr.contains("hint: format: "), "{}", answer.stderr);
    let answer = bench.quarry(&[
        "extractor",
        "check",
        &first_party("text-chunk"),
        "--parameters",
        "{\"size\": -1}",
    ]);
    assert_eq!(answer.code, 1);
    assert!(answer.stdout.contains("wrong parameter"), "{}", answer.stdout);
    let none = bench.quarry(&["extractor", "check", "no/such.wasm"]);
    assert_eq!(none.code, 4, "{}", none.stderr);
    let unknown = bench.quarry(&["extractor", "check", "no-such@1.0.0"]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
}

#[test]
fn rows_of_a_manifest_run_and_nothing_is_written() {
    let bench = Bench::new();
    notes(&bench, "m.parquet", &ROWS);
    let run = [
        "extractor",
        "run",
        "text-chunk@1.0.0",
        "--manifest",
        "m.parquet",
        "--rows",
        "2",
        "--parameters",
        "{\"by\": \"words\", \"size\": 4}",
    ];
    let documents = bench.json(&run);
    let of = |object: &str| {
        let documents = documents.as_array().unwrap().iter();
        documents.filter(|document| document["object"] == object).count()
    };
    assert_eq!((of("a"), of("b"), of("c")), (3, 2, 0), "{documents}");
    assert_eq!(documents[0]["fields"]["text"], "the quick brown fox");
    let table = bench.quarry(&run).ok();
    assert!(table.stdout.contains("the quick brown fox"), "{}", table.stdout);
    assert!(table.stderr.contains("object a: 3 documents in "), "{}", table.stderr);
    assert!(!bench.path("quarry-data").exists(), "running made a data directory");
}

#[test]
fn json_lines_run_with_mapped_columns() {
    let bench = Bench::new();
    bench.write("rows.jsonl", "{\"id\": \"x\", \"body\": \"one two\"}\n{\"id\": \"y\"}\n");
    let run = ["extractor", "run", "text-chunk", "--manifest", "rows.jsonl"];
    let unmapped = bench.quarry(&run);
    assert_eq!(unmapped.code, 2, "{}", unmapped.stderr);
    let hint = "hint: --map text=COLUMN; the manifest has ";
    assert!(unmapped.stderr.contains(hint), "{}", unmapped.stderr);
    let mapped = [&run[..], &["--map", "text=body", "--output", "ndjson"]].concat();
    let answer = bench.quarry(&mapped).ok();
    let document: Value = serde_json::from_str(answer.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(document["fields"]["text"], "one two");
    assert!(answer.stderr.contains("1 rows lack a required input"), "{}", answer.stderr);
    let wrong = bench.quarry(&[&run[..], &["--map", "txt=body"]].concat());
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("no input `txt`"), "{}", wrong.stderr);
}

#[test]
fn files_of_a_folder_run_by_reference() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("pages")).unwrap();
    bench.write("pages/one.html", "<title>One</title><p>first page");
    let run = ["extractor", "run", "html-text", "--manifest", "pages", "--map", "html=uri"];
    let documents = bench.json(&run);
    assert_eq!(documents[0]["object"], "one.html", "{documents}");
    assert_eq!(documents[0]["fields"]["title"], "One", "{documents}");
}

#[test]
fn logs_come_beside_their_rows_and_a_trap_is_told() {
    let bench = Bench::new();
    notes(&bench, "m.parquet", &[("a", "good"), ("b", "poison"), ("c", "good")]);
    let run = |act: &str| {
        let parameters = format!("{{\"act\": \"{act}\"}}");
        let hostile = hostile();
        let run = [
            "extractor",
            "run",
            &hostile,
            "--manifest",
            "m.parquet",
            "--parameters",
            &parameters,
            "--output",
            "json",
        ];
        bench.quarry(&run)
    };
    let logged = run("log:2").ok();
    assert!(logged.stderr.contains("object b: info: line 1[31m\n"), "{}", logged.stderr);
    let at = |text: &str| logged.stderr.find(text).unwrap();
    assert!(at("object a: 1 documents") < at("object b: info"));
    assert!(at("object b: info") < at("object c: 1 documents"));
    let trapped = run("panic");
    assert_eq!(trapped.code, 1);
    assert!(
        trapped.stderr.contains("object b failed in hostile@0.1.0: trap"),
        "{}",
        trapped.stderr
    );
    let rows = trapped.json();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    let failed = &rows[1]["failed"];
    assert_eq!(
        (&failed["extractor"], &failed["reason"]),
        (&json!("hostile@0.1.0"), &json!("trap"))
    );
    assert_eq!(failed["log"], json!(["error: panicked: the guest had enough"]));
    let rejected = run("reject").ok().json();
    assert_eq!(rejected[1]["rejected"]["code"], "poisoned", "{rejected}");
}

#[test]
fn a_benchmark_says_where_the_time_goes() {
    let bench = Bench::new();
    fixture(&bench, "echo", r#"{"rows": [{"text": "one"}, {"text": "two"}]}"#);
    let run = [
        "extractor",
        "bench",
        &hostile(),
        "--fixture",
        "fixtures/echo.json",
        "--seconds",
        "0.01",
        "--rounds",
        "3",
    ];
    let measured = bench.json(&run);
    assert_eq!((&measured["call_rows"], &measured["rounds"]), (&json!(1024), &json!(3)));
    let number = |pointer: &str| measured.pointer(pointer).unwrap().as_f64().unwrap();
    let rate = |of: &str| number(&format!("/rows_per_second/{of}"));
    assert!(0.0 < rate("min") && rate("min") <= rate("median") && rate("median") <= rate("max"));
    assert!((number("/share/guest") + number("/share/crossing") - 1.0).abs() < 1e-9);
    assert!(number("/share/guest") > 0.0 && number("/share/crossing") > 0.0, "{measured}");
    for measure in ["/compile_ms", "/start_us", "/memory_bytes", "/megabytes_per_second"] {
        assert!(number(measure) > 0.0, "{measure}: {measured}");
    }
    let table = bench.quarry(&run).ok();
    assert!(table.stdout.contains("rows a second"), "{}", table.stdout);
    let none = bench.quarry(&["extractor", "bench", &hostile()]);
    assert_eq!(none.code, 2);
    assert!(none.stderr.contains("name --manifest or --fixture"), "{}", none.stderr);
}

#[test]
fn inspect_shows_what_it_wants_and_what_it_gets() {
    let bench = Bench::new();
    let shown = bench.json(&["extractor", "inspect", "text-embed@1.0.0"]);
    assert_eq!(shown["name"], "text-embed");
    assert_eq!(shown["limits"]["call_ms"], 30_000);
    assert_eq!(shown["capabilities"], json!([]));
    assert!(shown["exports"][0].as_str().unwrap().contains("extractor"), "{shown}");
    let file = bench.json(&["extractor", "inspect", &first_party("text-embed")]);
    assert_eq!(file["digest"], shown["digest"]);
}
