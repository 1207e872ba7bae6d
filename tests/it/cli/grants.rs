//! `quarry extractor grant`, `grants` and `revoke`, and what a run says without them.

use super::notes;
use crate::support::quarry::Bench;
use serde_json::{Value, json};

const PIPELINE: &str = "namespace = \"g\"\n[buckets.b.schema]\ntext = \"text\"\n[collections.c]\n\
                        source = \"bucket:b\"\nextractor = \"capable\"\n";
const ASKED: [&str; 7] =
    ["--http", "https://api.example", "--clock", "--random", "--env", "QUARRY_PROBE", "--assets"];

#[test]
fn a_run_names_the_grant_that_is_missing_and_works_once_it_is_given() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    notes(&bench, "m.parquet", &[("a", "clock"), ("b", "env QUARRY_PROBE"), ("c", "env HOME")]);
    let run = ["run", "p.toml", "--manifest", "m.parquet", "--sink", "none"];
    let refused = bench.quarry(&run);
    assert_ne!(refused.code, 0);
    let names = "asks for http, clock, random, env:QUARRY_PROBE, env:QUARRY_OTHER, assets, which";
    assert!(refused.stderr.contains(names), "{}", refused.stderr);
    let command = "quarry extractor grant capable@0.1.0 --http HOST --clock --random";
    assert!(refused.stderr.contains(command), "{}", refused.stderr);

    let grant = ["extractor", "grant", "capable@0.1.0"];
    let granted = bench.json(&[&grant[..], &ASKED].concat());
    assert_eq!(granted["missing"], json!(["env:QUARRY_OTHER"]));
    let mut command = bench.command(&run);
    let answer = command.env("QUARRY_PROBE", "of the host").output().unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));

    let one = bench.json(&["extractor", "grants", "capable@0.1.0"]);
    assert_eq!(one["grants"], granted["grants"]);
    let revoked = bench.json(&["extractor", "revoke", "capable@0.1.0", "--clock"]);
    assert_eq!(revoked["grants"]["clock"], false);
    assert_eq!(revoked["grants"]["random"], true);
    let again = bench.quarry(&[&run[..], &["--force"]].concat());
    assert!(
        again.stderr.contains("asks for clock, env:QUARRY_OTHER, which is"),
        "{}",
        again.stderr
    );

    let Value::Array(events) = bench.json(&["extractor", "grants", "--audit"]) else {
        panic!("not a list")
    };
    let told: Vec<String> = events
        .iter()
        .map(|event| format!("{} {}", event["kind"], event["denied"]).replace('"', ""))
        .collect();
    let everything = ["http", "clock", "random", "environment", "assets"];
    let mut expected: Vec<String> = everything.iter().map(|ask| format!("denied {ask}")).collect();
    let then = ["granted null", "denied env:HOME", "revoked null", "denied clock"];
    expected.extend(then.map(str::to_string));
    assert_eq!(told, expected);
    bench.quarry(&["extractor", "revoke", "capable@0.1.0"]).ok();
    let none = bench.json(&["extractor", "grants"]);
    assert_eq!(none, json!([]));
}
