//! `quarry extractor replay`: a failed row of a batch once more.

use super::super::notes;
use super::hostile;
use crate::support::quarry::Bench;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The batch of a pipeline with the hostile guest over some rows.
fn batch(bench: &Bench, act: &str, more: &[&str]) -> String {
    let pipeline = format!(
        "namespace = \"h\"\n[buckets.b.schema]\ntext = \"text\"\n[collections.c]\n\
         source = \"bucket:b\"\nextractor = \"hostile\"\nparameters = {{ act = \"{act}\" }}\n"
    );
    bench.write("p.toml", &pipeline);
    notes(bench, "m.parquet", &[("a", "good"), ("bad", "poison"), ("c", "good")]);
    let run = [&["run", "p.toml", "--manifest", "m.parquet"], more].concat();
    let summary = bench.json(&run);
    assert_eq!(summary["batch"]["status"], "COMPLETED_WITH_ERRORS", "{summary}");
    summary["batch"]["id"].as_str().unwrap().to_string()
}

fn replayed(bench: &Bench, words: &[&str]) -> Value {
    let answer = bench.json(&[&["extractor", "replay"], words].concat());
    let [one] = answer.as_array().unwrap().as_slice() else { panic!("{answer}") };
    one.clone()
}

/// Every file of the data directory that holds what a batch made.
fn files(bench: &Bench) -> BTreeMap<PathBuf, Vec<u8>> {
    fn add(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => add(&path, files),
                false => drop(files.insert(path.clone(), std::fs::read(path).unwrap())),
            }
        }
    }
    let mut files = BTreeMap::new();
    for folder in ["objects", "vectors", "extractors"] {
        add(&bench.path("quarry-data").join(folder), &mut files);
    }
    files
}

#[test]
fn a_trapped_row_is_reproduced_from_the_stored_artifact() {
    let bench = Bench::new();
    let id = batch(&bench, "panic", &[]);
    // Neither pipeline nor manifest are needed any more.
    std::fs::remove_file(bench.path("p.toml")).unwrap();
    std::fs::remove_file(bench.path("m.parquet")).unwrap();
    let (before, errors) = (files(&bench), bench.json(&["batch", "errors", &id]));
    let row = replayed(&bench, &[&id, "bad"]);
    assert_eq!((&row["outcome"], &row["code"]), (&json!("failed"), &json!("trap")), "{row}");
    assert_eq!(row["reproduced"], true, "{row}");
    assert_eq!((&row["collection"], &row["extractor"]), (&json!("c"), &json!("hostile@0.1.0")));
    assert_eq!(row["digest"], errors[0]["digest"]);
    assert_eq!(row["parameters"], json!({"act": "panic"}));
    assert_eq!(row["message"], errors[0]["message"]);
    assert_eq!(row["recorded"]["message"], errors[0]["message"]);
    assert_eq!(row["log"], json!(["error: panicked: the guest had enough"]));
    assert_eq!(replayed(&bench, &[&id, "0"])["object"], "bad", "the first row that failed");
    let told = bench.quarry(&["extractor", "replay", &id, "bad"]).ok();
    for line in [
        "object bad of c failed in hostile@0.1.0: trap",
        "  panicked: the guest had enough (",
        "    error: panicked: the guest had enough",
    ] {
        assert!(told.stdout.contains(line), "{}", told.stdout);
    }
    assert_eq!(files(&bench), before, "replay wrote to the data directory");
    assert_eq!(bench.json(&["batch", "errors", &id]), errors);
}

#[test]
fn any_object_runs_again_in_a_named_collection() {
    let bench = Bench::new();
    let id = batch(&bench, "trap", &[]);
    let row = replayed(&bench, &[&id, "c", "--collection", "c"]);
    assert_eq!((&row["outcome"], &row["recorded"]), (&json!("documents"), &Value::Null), "{row}");
    assert_eq!(row["documents"][0]["text"], "good");
    let none = bench.quarry(&["extractor", "replay", &id, "c"]);
    assert_eq!(none.code, 4, "{}", none.stderr);
    let hint = format!("`quarry batch errors {id}` lists 1, from 0; --collection C");
    assert!(none.stderr.contains(&hint), "{}", none.stderr);
    let none = bench.quarry(&["extractor", "replay", &id, "nobody", "--collection", "c"]);
    assert_eq!(none.code, 4, "{}", none.stderr);
    let none = bench.quarry(&["extractor", "replay", &id, "c", "--collection", "d"]);
    assert_eq!(none.code, 4, "{}", none.stderr);
    assert!(none.stderr.contains("it has c"), "{}", none.stderr);
}

#[test]
fn the_limits_are_those_of_the_command() {
    let bench = Bench::new();
    let id = batch(&bench, "loop", &["--call-ms-max", "400"]);
    let row = replayed(&bench, &[&id, "bad", "--call-ms-max", "200"]);
    assert_eq!((&row["code"], &row["reproduced"]), (&json!("timeout"), &json!(true)), "{row}");
    assert_eq!(row["message"], "ran longer than 200 ms");
    assert_eq!(row["recorded"]["message"], "ran longer than 400 ms");
}

#[test]
fn a_saved_row_is_a_fixture_for_the_mended_extractor() {
    let bench = Bench::new();
    let id = batch(&bench, "trap", &[]);
    std::fs::create_dir(bench.path("fixtures")).unwrap();
    let save = [&id, "bad", "--save", "fixtures/bad.json", "--with", &hostile()];
    assert_eq!(replayed(&bench, &save)["code"], "trap");
    let answer = bench.quarry(&["extractor", "test", &hostile()]);
    assert_eq!(answer.code, 1);
    let line = "bad: row 0 failed in hostile@0.1.0: trap";
    assert!(answer.stdout.contains(line), "{}{}", answer.stdout, answer.stderr);
    let twice = bench.quarry(&[&["extractor", "replay"], &save[..]].concat());
    assert_eq!(twice.code, 1, "an existing fixture is not written over: {}", twice.stderr);
}

#[test]
fn a_row_of_a_deeper_tier_is_read_from_the_part_above() {
    let bench = Bench::new();
    let pipeline = "namespace = \"h\"\n[buckets.b.schema]\ntext = \"text\"\n\
         [collections.chunks]\nsource = \"bucket:b\"\nextractor = \"text-chunk\"\n\
         parameters = { by = \"words\", size = 2 }\nsearchable = false\n\
         [collections.echo]\nsource = \"collection:chunks\"\nextractor = \"hostile\"\n\
         inputs = { text = \"text\" }\nparameters = { act = \"trap\" }\n";
    bench.write("p.toml", pipeline);
    notes(&bench, "m.parquet", &[("a", "one two three poison five six"), ("b", "all is well")]);
    let summary = bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    let id = summary["batch"]["id"].as_str().unwrap();
    let errors = bench.json(&["batch", "errors", id]);
    assert_eq!(errors.as_array().unwrap().len(), 1, "{errors}");
    let row = replayed(&bench, &[id, "a"]);
    assert_eq!(row["parent"], errors[0]["parent"]);
    assert_eq!((&row["collection"], &row["code"]), (&json!("echo"), &json!("trap")), "{row}");
    assert_eq!(row["documents"], json!([]), "only the piece that failed runs");
    // All pieces of the object: two are good, one is not.
    let all = replayed(&bench, &[id, "b", "--collection", "echo"]);
    assert_eq!(all["documents"].as_array().unwrap().len(), 2, "{all}");
}
