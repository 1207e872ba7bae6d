//! Bad input: each a clear error that names the field and the fix, and nothing left behind.

use super::{PIPELINE, ROWS, column, notes};
use crate::support::quarry::Bench;
use arrow_array::{ArrayRef, Int64Array};
use quarry::store::DirectoryLock;
use std::sync::Arc;

/// Runs the pipeline over the manifest: `words` must be in the message, and no batch may remain.
fn check(pipeline: &str, manifest: impl FnOnce(&Bench), words: &[&str]) {
    let bench = Bench::new();
    bench.write("p.toml", pipeline);
    manifest(&bench);
    let answer = bench.quarry(&["run", "p.toml", "--manifest", "m.parquet"]);
    assert_ne!(answer.code, 0, "{}", answer.stdout);
    for word in words {
        assert!(answer.stderr.contains(word), "no `{word}` in: {}", answer.stderr);
    }
    if bench.path("quarry-data/state").is_dir() {
        let batches = bench.json(&["batch", "list"]);
        assert_eq!(batches.as_array().map(Vec::len), Some(0), "a batch stayed behind");
    }
}

fn good(bench: &Bench) {
    notes(bench, "m.parquet", &ROWS);
}

#[test]
fn a_missing_manifest_is_named() {
    check(PIPELINE, |_| (), &["m.parquet", "there is no manifest", "hint:"]);
}

#[test]
fn outputs_that_do_not_exist_or_take_a_name_twice_are_named() {
    let with = |line: &str| PIPELINE.replace("searchable = false", line);
    let unknown = with("outputs = { txt = \"passage\" }");
    check(&unknown, good, &["/collections/chunks/outputs/txt", "no output `txt`", "it has text"]);
    let twice = with("outputs = { text = \"chunk_index\" }");
    check(&twice, good, &["two fields `chunk_index`", "another name"]);
    let reserved = with("outputs = { text = \"_text\" }");
    check(&reserved, good, &["/collections/chunks/outputs/text", "can not be a field name"]);
}

#[test]
fn a_cut_off_manifest_is_named() {
    let cut = |bench: &Bench| {
        good(bench);
        let bytes = std::fs::read(bench.path("m.parquet")).unwrap();
        std::fs::write(bench.path("m.parquet"), &bytes[..bytes.len() / 2]).unwrap();
    };
    check(PIPELINE, cut, &["m.parquet", "not a readable Parquet file", "hint:"]);
}

#[test]
fn a_column_of_the_wrong_type_is_named_with_both_types() {
    let numbers = |bench: &Bench| {
        let text: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        bench.parquet("m.parquet", vec![("object_id", column(&["a", "b"])), ("text", text)]);
    };
    check(PIPELINE, numbers, &["column `text`", "Int64", "declared text"]);
}

#[test]
fn a_missing_column_is_named_with_those_there_are() {
    let other = |bench: &Bench| {
        let columns = vec![("object_id", column(&["a"])), ("body", column(&["x"]))];
        bench.parquet("m.parquet", columns);
    };
    check(PIPELINE, other, &["no column `text`", "it has object_id, body"]);
}

#[test]
fn a_manifest_without_rows_is_refused() {
    check(PIPELINE, |bench| drop(notes(bench, "m.parquet", &[])), &["has no rows"]);
}

#[test]
fn a_duplicate_object_id_is_named_with_both_rows() {
    let rows = [("a", "x"), ("b", "y"), ("a", "z")];
    let twice = move |bench: &Bench| drop(notes(bench, "m.parquet", &rows));
    check(PIPELINE, twice, &["object id `a`", "rows 0 and 2"]);
}

#[test]
fn an_unknown_extractor_or_version_is_named_with_what_there_is() {
    let unknown = PIPELINE.replace("text-chunk@1.0.0", "text-chonk");
    check(&unknown, good, &["no extractor `text-chonk`", "text-chunk", "p.toml:9"]);
    let version = PIPELINE.replace("text-chunk@1.0.0", "text-chunk@9.9.9");
    check(&version, good, &["has no version 9.9.9", "1.0.0"]);
}

#[test]
fn a_parameter_that_is_unknown_or_outside_its_schema_is_named() {
    let unknown = PIPELINE.replace("size = 4", "sise = 4");
    check(&unknown, good, &["sise", "size"]);
    let outside = PIPELINE.replace("dimensions = 16", "dimensions = 0");
    check(&outside, good, &["dimensions", "p.toml:"]);
}

#[test]
fn a_cycle_names_its_path() {
    let cycle = PIPELINE.replace("source = \"bucket:notes\"", "source = \"collection:notes\"");
    check(&cycle, good, &["chunks -> notes -> chunks"]);
}

#[test]
fn an_unknown_source_is_named_with_what_there_is() {
    let unknown = PIPELINE.replace("collection:chunks", "collection:chonks");
    check(&unknown, good, &["no collection `chonks`", "chunks", "p.toml:"]);
    let bucket = PIPELINE.replace("bucket:notes", "bucket:memos");
    check(&bucket, good, &["no bucket `memos`", "notes"]);
}

#[test]
fn two_dimensions_under_one_vector_name_are_refused_before_any_work() {
    let second = "\n[collections.more]\nsource = \"collection:chunks\"\n\
        extractor = \"text-embed@1.0.0\"\nparameters = { dimensions = 32 }\n";
    check(&format!("{PIPELINE}{second}"), good, &["vector name `embedding`", "16", "32", "hint:"]);
}

#[test]
fn a_populated_namespace_refuses_another_dimension_and_keeps_its_documents() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    good(&bench);
    bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    let before = bench.documents("notes");
    bench.write("p.toml", &PIPELINE.replace("dimensions = 16", "dimensions = 32"));
    let answer = bench.quarry(&["run", "p.toml", "--manifest", "m.parquet"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(answer.stderr.contains("embedding"), "{}", answer.stderr);
    assert_eq!(bench.documents("notes"), before);
}

#[test]
fn a_pipeline_error_quotes_its_line() {
    check("namespace = 3\n", good, &["p.toml:1:13", "namespace = 3", "^"]);
    let typo = PIPELINE.replace("searchable", "serchable");
    check(&typo, good, &["serchable", "p.toml:"]);
}

#[test]
fn a_data_directory_in_use_is_refused_with_its_holder() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    good(&bench);
    let _lock = DirectoryLock::acquire(&bench.path("quarry-data")).unwrap();
    let answer = bench.quarry(&["run", "p.toml", "--manifest", "m.parquet"]);
    assert_eq!(answer.code, 75);
    let holder = format!("in use by process {}", std::process::id());
    assert!(answer.stderr.contains(&holder), "{}", answer.stderr);
}

#[test]
fn a_full_disk_is_said_and_nothing_half_written_is_visible() {
    let bench = Bench::new();
    let mount = bench.path("small");
    std::fs::create_dir(&mount).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(&mount)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: a tmpfs can not be mounted here (that takes root)");
        return;
    }
    bench.write("p.toml", PIPELINE);
    let words: String = (0..1_000_000).map(|n| format!("w{n} ")).collect();
    notes(&bench, "m.parquet", &[("a", &words), ("b", "x")]);
    let artifacts = mount.to_str().unwrap();
    let run = ["run", "p.toml", "--manifest", "m.parquet", "--sink", "none"];
    let answer = bench.quarry(&[&run[..], &["--artifacts", artifacts]].concat());
    let unmounted = std::process::Command::new("umount").arg(&mount).status().unwrap();
    assert!(unmounted.success());
    assert_eq!(answer.code, 74, "{}", answer.stderr);
    assert!(answer.stderr.contains("no space left"), "{}", answer.stderr);
    assert_eq!(bench.json(&["batch", "list"]).as_array().map(Vec::len), Some(0));
}
