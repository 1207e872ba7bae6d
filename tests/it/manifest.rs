//! `quarry manifest build`, through its library.

mod damaged;
mod files;
mod records;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use quarry::error::Code;
use quarry::manifest::DuplicateCheck;
use quarry::manifest::build::{BuildReport, BuildRequest, Phase, build};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory with an input directory `in` and a place for the manifest.
struct Place(TempDir);

impl Place {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("in")).unwrap();
        for (name, content) in files {
            let path = place.path("in").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    fn request(&self, sources: &[&str]) -> BuildRequest {
        let sources = sources.iter().map(|source| self.text(source)).collect();
        BuildRequest::new(sources, self.path("m.parquet"))
    }

    /// Builds and reads the manifest back, a row an object; nulls are left out.
    fn build(&self, request: &BuildRequest) -> (BuildReport, Vec<Map<String, Value>>) {
        let report = build(request, &mut |_| {}).unwrap_or_else(|error| {
            panic!("{}", error.chain());
        });
        let rows = read(&request.output);
        assert_eq!(report.rows, rows.len() as u64);
        (report, rows)
    }

    /// The error's code, text and hint, after checking that nothing was left behind.
    fn refused(&self, request: &BuildRequest) -> (Code, String) {
        let error = build(request, &mut |_| {}).expect_err("it should have been refused");
        let left: Vec<_> = fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap()).collect();
        assert_eq!(left.len(), 1, "left behind: {left:?}");
        let text = format!("{} | {}", error.chain(), error.hint_text().unwrap_or(""));
        (error.code(), text.replace(self.path("").to_str().unwrap(), "$/"))
    }
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    let file = fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.map(|batch| batch.unwrap()).collect()
}

fn read(path: &Path) -> Vec<Map<String, Value>> {
    batches(path).iter().flat_map(rows).collect()
}

fn rows(batch: &RecordBatch) -> Vec<Map<String, Value>> {
    let schema = batch.schema();
    let cell = |column: usize, row: usize| {
        let array = batch.column(column);
        match array.data_type() {
            _ if array.is_null(row) => None,
            DataType::Utf8 => Some(json!(array.as_string::<i32>().value(row))),
            DataType::Int64 => Some(json!(array.as_primitive::<Int64Type>().value(row))),
            DataType::Float64 => Some(json!(array.as_primitive::<Float64Type>().value(row))),
            DataType::Boolean => Some(json!(array.as_boolean().value(row))),
            other => panic!("a column of type {other}"),
        }
        .map(|value| (schema.field(column).name().clone(), value))
    };
    let row = |row| (0..batch.num_columns()).filter_map(|column| cell(column, row)).collect();
    (0..batch.num_rows()).map(row).collect()
}

fn column<'a>(rows: &'a [Map<String, Value>], name: &str) -> Vec<&'a Value> {
    rows.iter().map(|row| row.get(name).unwrap_or(&Value::Null)).collect()
}

fn kinds(report: &BuildReport) -> Vec<String> {
    let kind = |column: &quarry::manifest::build::ReportedColumn| {
        format!("{}:{}", column.name, column.kind.as_str())
    };
    report.columns.iter().map(kind).collect()
}

#[test]
fn two_builds_of_one_input_are_the_same_bytes() {
    let place = Place::new(&[("x/1.txt", b"1"), ("y.jsonl", b"{}"), ("x/2.txt", b"2")]);
    fs::write(place.path("in/r.csv"), "k,v\n1,a\n2,b\n").unwrap();
    let mut request = place.request(&["in", "in/r.csv"]);
    place.build(&request);
    let first = fs::read(place.path("m.parquet")).unwrap();
    request.output = place.path("n.parquet");
    place.build(&request);
    assert_eq!(first, fs::read(place.path("n.parquet")).unwrap());
}

#[test]
fn files_and_records_share_one_manifest() {
    let place = Place::new(&[("f/a.txt", b"1"), ("r.jsonl", b"{\"id\":\"r\",\"size\":\"big\"}")]);
    let (report, rows) = place.build(&place.request(&["in/f", "in/r.jsonl"]));
    assert!(kinds(&report).contains(&"size:json".to_string()));
    assert_eq!(column(&rows, "object_id"), ["a.txt", "r"]);
    assert_eq!(column(&rows, "size"), ["1", "\"big\""]);
    assert!(!rows[1].contains_key("uri"));
}

#[test]
fn sources_without_objects_are_refused_with_what_was_looked_for() {
    let cases: [(&str, Code, &str); 8] = [
        ("in/empty", Code::NotFound, "no file lies there in $/in/empty"),
        ("in/*.pgn", Code::NotFound, "no file matches `*.pgn` in $/in"),
        ("in/*.csv", Code::NotFound, "no file matches `*.csv` in $/in"),
        ("in/missing", Code::NotFound, "there is no $/in/missing"),
        ("in/head/h.tsv", Code::Invalid, "no records in $/in/head/h.tsv"),
        ("in/z/e.jsonl", Code::Invalid, "no records in"),
        ("in/gz/r.csv.gz", Code::Invalid, "decompress it first"),
        ("in/[", Code::Invalid, "is not a glob"),
    ];
    let files: [(&str, &[u8]); 4] = [
        ("empty/.hidden", b"1"),
        ("head/h.tsv", b"a\tb\n"),
        ("z/e.jsonl", b"\n\n"),
        ("gz/r.csv.gz", b"\x1f\x8b"),
    ];
    let place = Place::new(&files);
    for (source, code, message) in cases {
        let (found, text) = place.refused(&place.request(&[source]));
        assert!(found == code && text.contains(message), "{source}: {found:?} {text}");
    }
    for (source, message) in [("s3://bucket/x", "not a local source"), ("", "there is no ")] {
        let request = BuildRequest::new(vec![source.to_string()], place.path("m.parquet"));
        let (_, text) = place.refused(&request);
        assert!(text.contains(message), "{text}");
    }
    assert!(place.refused(&place.request(&[])).1.contains("a manifest is built from 1 to"));
}

#[test]
fn an_output_that_can_not_be_written_is_refused_before_anything_is_read() {
    let place = Place::new(&[("a.txt", b"1")]);
    let cases = [
        (PathBuf::from("s3://bucket/m.parquet"), "can not be written to s3://"),
        (place.path("in"), "can not be the manifest"),
        (place.path("no/m.parquet"), "the directory of the manifest, $/no, is not there"),
    ];
    for (output, message) in cases {
        let mut request = place.request(&["in"]);
        request.output = output;
        let (_, text) = place.refused(&request);
        assert!(text.contains(message), "{text}");
    }
}

#[test]
fn a_failed_build_leaves_the_manifest_that_was_there() {
    let place = Place::new(&[("r.jsonl", b"{\"id\":1}\n")]);
    let request = place.request(&["in/r.jsonl"]);
    place.build(&request);
    let before = fs::read(place.path("m.parquet")).unwrap();
    fs::write(place.path("in/r.jsonl"), "{\"id\":1}\n{\"id\":1}\n").unwrap();
    build(&request, &mut |_| {}).unwrap_err();
    assert_eq!(fs::read(place.path("m.parquet")).unwrap(), before);
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 2, "a partial file is left");
}

#[test]
fn row_groups_are_cut_by_rows_and_by_bytes_and_progress_counts_up() {
    let small: String = (0..2_500).map(|n| format!("{{\"id\":{n}}}\n")).collect();
    let place = Place::new(&[("r.jsonl", small.as_bytes())]);
    let mut seen = Vec::new();
    let request = place.request(&["in/r.jsonl"]);
    let report = build(&request, &mut |progress| seen.push((progress.phase, progress.rows)));
    assert_eq!(report.unwrap().row_groups, 3);
    let writing = seen.iter().filter(|(phase, _)| *phase == Phase::Writing).map(|(_, rows)| *rows);
    assert_eq!(writing.collect::<Vec<_>>(), (1..=2_500).collect::<Vec<u64>>());
    assert_eq!(seen.len(), 5_000);

    let large: String =
        (0..5).map(|n| format!("{{\"id\":{n},\"t\":\"{}\"}}\n", "x".repeat(6 << 20))).collect();
    let place = Place::new(&[("r.jsonl", large.as_bytes())]);
    assert_eq!(place.build(&place.request(&["in/r.jsonl"])).0.row_groups, 2);
}

#[test]
fn duplicates_are_found_among_any_number_of_ids() {
    let dir = tempfile::tempdir().unwrap();
    // In memory; in a spill file; with partitions that are sorted in several shares.
    for (ids, sorted_at_most) in [(1_000, 1 << 20), (100_000, 1 << 20), (100_000, 400)] {
        let new = || DuplicateCheck::new(dir.path()).unwrap().sorting_at_most(sorted_at_most);
        let mut check = new();
        (0..ids).for_each(|n| check.push(&format!("id-{n}"), n).unwrap());
        assert_eq!(check.finish().unwrap(), None);
        let mut check = new();
        (0..ids).for_each(|n| check.push(&format!("id-{n}"), n).unwrap());
        check.push("id-5", ids).unwrap();
        check.push("id-999", ids + 1).unwrap();
        check.push("id-5", ids + 2).unwrap();
        assert_eq!(check.finish().unwrap(), Some((5, ids)));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "a spill file is left");
    }
}
