//! JSON lines and CSV.

use super::{Place, column, kinds};
use quarry::error::Code;
use serde_json::{Map, Value, json};
use std::fs;

#[test]
fn the_same_id_in_two_records_names_both_lines() {
    let lines = b"{\"id\":\"a\"}\n{\"id\":7}\nnot json\n{\"id\":\"7\"}\n{\"id\":\"a\"}\n";
    let place = Place::new(&[("r.jsonl", lines)]);
    let (code, text) = place.refused(&place.request(&["in/r.jsonl"]));
    assert_eq!(code, Code::Invalid);
    let both = "two objects have the id `7`: $/in/r.jsonl:2 and $/in/r.jsonl:4";
    assert!(text.starts_with(both), "{text}");
}

#[test]
fn json_lines_become_typed_columns() {
    let lines = concat!(
        r#"{"id":"ä","n":1,"f":1,"b":true,"mixed":1,"nested":{"z":1},"wide":9007199254740993}"#,
        "\n\n",
        r#"{"id":2,"late":"東京","n":-5,"f":2.5,"b":null,"mixed":"one","nested":[],"wide":0.5}"#,
        "\r\n",
        r#"{"id":"c","huge":18446744073709551615,"nothing":null,"n":3,"n":4}"#,
    );
    let place = Place::new(&[("r.jsonl", lines.as_bytes())]);
    let (report, rows) = place.build(&place.request(&["in/r.jsonl"]));
    let mut columns = kinds(&report);
    columns.sort();
    let expected = [
        "b:bool",
        "f:f64",
        "huge:json",
        "id:json",
        "late:utf8",
        "mixed:json",
        "n:i64",
        "nested:json",
        "nothing:utf8",
        "object_id:utf8",
        "wide:json",
    ];
    assert_eq!(columns, expected);
    assert_eq!(column(&rows, "object_id"), ["ä", "2", "c"]);
    assert_eq!(column(&rows, "n"), [1, -5, 4]);
    assert_eq!(column(&rows, "f"), [&json!(1.0), &json!(2.5), &Value::Null]);
    assert_eq!(column(&rows, "mixed"), [&json!("1"), &json!("\"one\""), &Value::Null]);
    assert_eq!(column(&rows, "nested"), [&json!("{\"z\":1}"), &json!("[]"), &Value::Null]);
    assert_eq!(rows[0]["wide"], "9007199254740993", "no digit is lost to a float");
    assert_eq!(rows[1]["late"], "東京");
    assert_eq!(rows[2]["huge"], "18446744073709551615");
    assert!(!rows[0].contains_key("late") && !rows[2].contains_key("b"));
}

#[test]
fn ids_come_from_the_named_field_or_from_the_content() {
    let place = Place::new(&[("r.jsonl", b"{\"key\":\"k1\",\"id\":\"i1\"}\n{\"key\":\"k2\"}\n")]);
    let mut request = place.request(&["in/r.jsonl"]);
    let (report, rows) = place.build(&request);
    assert_eq!(column(&rows, "object_id"), ["i1"]);
    assert_eq!(
        report.skipped[0].to_string(),
        format!("{}:2: no id in `id`", place.text("in/r.jsonl"))
    );
    request.id = Some("key".to_string());
    let (_, rows) = place.build(&request);
    assert_eq!(column(&rows, "object_id"), ["k1", "k2"]);
    fs::remove_file(place.path("m.parquet")).unwrap();
    request.id = Some("nmae".to_string());
    let (_, text) = place.refused(&request);
    assert!(text.contains("field `nmae`") && text.contains("its fields are id, key"), "{text}");

    fs::write(place.path("in/r.jsonl"), "{\"a\":1}\n  {\"a\":2}\n").unwrap();
    request.id = None;
    let (_, rows) = place.build(&request);
    let first = rows.clone();
    assert!(first[0]["object_id"].as_str().unwrap().starts_with("obj_"));
    assert_eq!(place.build(&request).1, first);
}

#[test]
fn a_bad_line_is_skipped_with_its_number_or_fails_a_strict_build() {
    let lines = b"{\"id\":1}\n{\"id\":2,\n[1,2]\n\"x\"\n\
        {\"id\":\"\xff\"}\n{\"\":1}\n{\"id\":1.5}\n{\"id\":3}";
    let place = Place::new(&[("r.jsonl", lines)]);
    let mut request = place.request(&["in/r.jsonl"]);
    let (report, rows) = place.build(&request);
    assert_eq!(column(&rows, "object_id"), ["1", "3"]);
    let lines: Vec<_> = report.skipped.iter().map(|skipped| skipped.line.unwrap()).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7]);
    fs::remove_file(place.path("m.parquet")).unwrap();
    request.strict = true;
    let (_, text) = place.refused(&request);
    assert!(text.starts_with("$/in/r.jsonl:2: not JSON: EOF"), "{text}");
}

#[test]
fn a_json_array_is_told_from_json_lines() {
    let place = Place::new(&[("r.jsonl", b"[\n  {\"id\": 1},\n  {\"id\": 2}\n]\n")]);
    let (_, text) = place.refused(&place.request(&["in/r.jsonl"]));
    assert!(text.contains("r.jsonl is one JSON array") && text.contains("jq -c"), "{text}");
}

#[test]
fn csv_columns_are_typed_by_what_all_rows_hold() {
    let csv = "\u{feff}id,zip,n,f,b,mixed,empty,quoted\n\
               1,01234,5,1.5,true,1,,\"a, \"\"b\"\"\nc\"\n\
               2,99999,-6,2,FALSE,x,,\n\
               3,10000,,1e3,,2.5,,ü\n";
    let place = Place::new(&[("r.csv", csv.as_bytes())]);
    let (report, rows) = place.build(&place.request(&["in/r.csv"]));
    let expected = [
        "object_id:utf8",
        "id:i64",
        "zip:utf8",
        "n:i64",
        "f:f64",
        "b:bool",
        "mixed:utf8",
        "empty:utf8",
        "quoted:utf8",
    ];
    assert_eq!(kinds(&report), expected);
    assert_eq!(column(&rows, "object_id"), ["1", "2", "3"]);
    assert_eq!(column(&rows, "zip"), ["01234", "99999", "10000"]);
    assert_eq!(column(&rows, "n"), [&json!(5), &json!(-6), &Value::Null]);
    assert_eq!(column(&rows, "f"), [1.5, 2.0, 1000.0]);
    assert_eq!(column(&rows, "mixed"), ["1", "x", "2.5"]);
    assert_eq!(rows[0]["quoted"], "a, \"b\"\nc");
    assert!(!rows[1].contains_key("quoted") && !rows[0].contains_key("empty"));
}

#[test]
fn numbers_that_would_not_come_back_the_same_stay_text() {
    for text in ["007", "+1", ".5", "5.", "1e999", "NaN", "0x1", "-0", "--1", "1-2", "1 "] {
        let place = Place::new(&[("r.tsv", format!("v\tw\n{text}\t1\n").as_bytes())]);
        let (report, rows) = place.build(&place.request(&["in/r.tsv"]));
        assert_eq!(kinds(&report), ["object_id:utf8", "v:utf8", "w:i64"], "{text}");
        assert_eq!(rows[0]["v"], text);
    }
}

#[test]
fn a_csv_row_of_another_width_is_skipped_and_a_bad_header_refused() {
    let place = Place::new(&[("r.csv", b"id,a\n1,2\n3\n4,5,6\n7,\xff\n8,9\n")]);
    let (report, rows) = place.build(&place.request(&["in/r.csv"]));
    assert_eq!(column(&rows, "object_id"), ["1", "8"]);
    let skipped: Vec<_> = report.skipped.iter().map(|s| (s.line.unwrap(), &*s.reason)).collect();
    let expected = [
        (3, "1 fields where the header has 2"),
        (4, "3 fields where the header has 2"),
        (5, "`a` is not UTF-8"),
    ];
    assert_eq!(skipped, expected);
    for (header, reason) in [("a,b,a", "columns 1 and 3 are both named `a`"), ("a,,b", "column 2")]
    {
        let place = Place::new(&[("r.csv", format!("{header}\n1,2,3\n").as_bytes())]);
        let (_, text) = place.refused(&place.request(&["in/r.csv"]));
        assert!(text.contains(reason), "{text}");
    }
}

#[test]
fn a_quote_that_is_never_closed_does_not_fill_the_memory() {
    let mut csv = b"id,a\n1,\"".to_vec();
    csv.resize(70 << 20, b'x');
    let place = Place::new(&[("r.csv", &csv)]);
    let (code, text) = place.refused(&place.request(&["in/r.csv"]));
    assert_eq!(code, Code::Invalid);
    assert!(text.contains("r.csv:2: ") && text.contains("quote"), "{text}");
}

#[test]
fn a_json_line_beyond_the_limit_is_skipped_and_the_next_one_read() {
    let mut lines = b"{\"id\":\"".to_vec();
    lines.resize(65 << 20, b'x');
    lines.extend_from_slice(b"\"}\n{\"id\":\"next\"}\n");
    let place = Place::new(&[("r.jsonl", &lines)]);
    let (report, rows) = place.build(&place.request(&["in/r.jsonl"]));
    assert_eq!(column(&rows, "object_id"), ["next"]);
    assert_eq!(report.skipped[0].reason, "longer than 64 MiB");
}

#[test]
fn more_fields_than_columns_are_allowed_is_refused() {
    let record = |fields: usize| {
        let fields: Map<_, _> = (0..fields).map(|n| (format!("f{n}"), json!(n))).collect();
        Value::from(fields).to_string()
    };
    let place = Place::new(&[("r.jsonl", record(1_001).as_bytes())]);
    let (_, text) = place.refused(&place.request(&["in/r.jsonl"]));
    assert!(text.contains("more than 1000 different fields"), "{text}");
    let place = Place::new(&[("r.jsonl", record(1_000).as_bytes())]);
    assert_eq!(place.build(&place.request(&["in/r.jsonl"])).0.columns.len(), 1_001);
}
