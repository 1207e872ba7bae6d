//! Pipeline files: what is refused when they are read or planned, with the place.

use quarry::config::Pipeline;
use quarry::engine::plan::{Pinned, Plan, plan};
use quarry::error::{Code, Result};
use quarry::model::{Description, ExtractorRef};
use serde_json::{Value, json};
use std::path::Path;

/// A collection over one bucket; `more` are its settings.
fn text(more: &str) -> String {
    format!(
        "namespace = \"main\"\n[buckets.notes.schema]\ntext = \"text\"\nmeta = \"json\"\n\
         [collections.a]\nsource = \"bucket:notes\"\nextractor = \"copy\"\n{more}\n"
    )
}

fn describe(reference: &ExtractorRef, _: &Value) -> Result<(Pinned, Description)> {
    let field = json!([{ "name": "text", "type": "utf8" }]);
    let description = json!({ "name": "copy", "version": "1", "inputs": field, "outputs": field });
    let name = reference.name.clone();
    let pinned = Pinned { name, version: "1".to_string(), digest: "0".repeat(64) };
    Ok((pinned, serde_json::from_value(description).unwrap()))
}

fn planned(text: &str) -> Result<Plan> {
    let planned = Pipeline::parse(text).and_then(|pipeline| plan(&pipeline, &mut describe));
    planned.map_err(|error| Pipeline::explain(error, Path::new("p.toml"), text))
}

/// The settings are refused with a message that begins so and shows this part of line 8.
#[track_caller]
fn check(more: &str, message: &str, shown: &str) {
    let error = planned(&text(more)).unwrap_err();
    let text = format!("{error}: {}", error.chain());
    assert_eq!(error.code(), Code::Invalid, "{text}");
    assert!(text.contains(message), "{text}");
    let marks = text.lines().find(|line| line.contains('^')).unwrap();
    let column = marks.find('^').unwrap();
    let quoted = text.lines().find(|line| line.starts_with("   | ")).unwrap();
    assert!(text.contains("--> p.toml:8:"), "{text}");
    assert!(quoted[column..].starts_with(shown), "{text}");
}

#[test]
fn a_number_that_is_not_finite_is_refused() {
    for number in ["nan", "-inf", "+nan"] {
        let shown = format!("{number} }}");
        check(&format!("parameters = {{ x = {number} }}"), "a number has to be finite", &shown);
    }
    let more = "passthrough = [{ source = \"meta\", default = [1.5, inf] }]";
    check(more, "a number has to be finite", "inf]");
    assert!(planned(&text("parameters = { x = 1e300, y = 0.5 }")).is_ok());
}

#[test]
fn a_time_that_is_no_text_is_refused() {
    let message = "a date or time can not stand by itself";
    for time in ["1979-05-27", "1979-05-27T07:32:00Z", "07:32:00"] {
        check(&format!("parameters = {{ from = {time} }}"), message, time);
    }
    assert!(planned(&text("parameters = { from = \"1979-05-27\" }")).is_ok());
}

#[test]
fn a_default_that_no_sink_takes_is_refused() {
    let passthrough =
        |default: &str| format!("passthrough = [{{ source = \"meta\", default = {default} }}]");
    let message = "the default can not be stored: a payload field holds an integer above";
    check(&passthrough("9223372036854775808"), message, "{ source");
    assert!(planned(&text(&passthrough("9223372036854775807"))).is_ok());
}

#[test]
fn a_field_that_can_not_be_indexed_is_refused_before_anything_is_read() {
    let fields = "passthrough = [{ source = \"meta\", target = \"my meta\" }]\n";
    let error = planned(&text(&format!("{fields}index = [\"my meta\"]"))).unwrap_err();
    let shown = error.to_string();
    assert!(shown.starts_with("field `my meta` can not be indexed"), "{shown}");
    assert!(shown.contains("--> p.toml:9:10"), "{shown}");
    assert!(planned(&text(fields)).is_ok());
}

#[test]
fn a_regular_expression_is_refused_by_the_size_that_rows_are_tested_with() {
    let filter = |pattern: &str| {
        let condition = format!("field = \"text\", operator = \"regex\", value = '{pattern}'");
        format!("filter = {{ AND = [{{ {condition} }}] }}")
    };
    let message = "is not a regular expression that can be used";
    check(&filter(r"\pL{500}"), message, "{ field");
    assert!(planned(&text(&filter(r"\pL{20}"))).is_ok());
}

#[test]
fn an_error_without_a_place_names_the_file() {
    let deep = format!("parameters = {{ x = {}{} }}", "[".repeat(200), "]".repeat(200));
    let error = planned(&text(&deep)).unwrap_err();
    assert!(error.to_string().contains("--> p.toml"), "{error}");
}
