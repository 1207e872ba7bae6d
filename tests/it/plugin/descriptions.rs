//! A description is checked at load, the one of `configure` again.

use super::components::{component, described};
use super::{host, hostile};
use quarry::plugin::{Extractor, Limits};
use serde_json::{Value, json};

/// The description, changed at `pointer`, is refused with this message.
#[track_caller]
fn check(key: &str, value: Value, message: &str) {
    let mut description = described("odd");
    description[key] = value;
    let loaded = host(Limits::default()).load(&component(&description.to_string()));
    let error = loaded.map(|_| ()).unwrap_err();
    let valid = "the extractor has a description that is not valid: ";
    assert_eq!(error.to_string().replace(valid, ""), message);
}

fn dense(dimension: u32) -> Value {
    json!([{"name": "v", "type": "dense", "dimension": dimension, "distance": "cosine"}])
}

#[test]
fn names_are_checked() {
    check("name", json!("No Name"), "`No Name` is not a name (at /name)");
    check("name", json!(""), "`` is not a name (at /name)");
    check("version", json!(""), "`` is not a version (at /version)");
    check("version", json!("1@2"), "`1@2` is not a version (at /version)");
    let input = |name: &str| json!([{"name": name, "type": "utf8"}]);
    check("inputs", input("a b"), "`a b` is not a name (at /inputs/0)");
    check("inputs", input("_quarry"), "the name `_quarry` is reserved (at /inputs/0)");
    check("outputs", input("_quarry"), "the name `_quarry` is reserved (at /outputs/0)");
    let twice = json!([{"name": "a", "type": "utf8"}, {"name": "a", "type": "i64"}]);
    check("inputs", twice.clone(), "the name `a` is used twice (at /inputs/1)");
    check("outputs", twice, "the name `a` is used twice (at /outputs/1)");
}

#[test]
fn vectors_have_a_dimension_and_a_distance() {
    let load = |outputs: Value| {
        let mut description = described("vectors");
        description["outputs"] = outputs;
        host(Limits::default()).load(&component(&description.to_string()))
    };
    assert!(load(dense(1)).is_ok());
    assert!(load(dense(65_536)).is_ok());
    let range = "1 to 65536 are allowed (at /outputs/0/dimension)";
    check("outputs", dense(0), &format!("`v` has dimension 0, {range}"));
    check("outputs", dense(65_537), &format!("`v` has dimension 65537, {range}"));
    let output = json!([{"name": "v", "type": "dense", "distance": "dot"}]);
    check("outputs", output, "`v` has no dimension (at /outputs/0)");
    let output = json!([{"name": "v", "type": "multi", "dimension": 3}]);
    check("outputs", output, "`v` has no distance (at /outputs/0)");
    let output = json!([{"name": "v", "type": "utf8", "dimension": 3}]);
    let message = "`v` is of type utf8, which has no dimension (at /outputs/0/dimension)";
    check("outputs", output, message);
}

#[test]
fn the_position_is_an_i64_output() {
    check("position", json!("nowhere"), "there is no output `nowhere` (at /position)");
    let mut description = described("odd");
    description["outputs"] = json!([{"name": "at", "type": "f64"}]);
    description["position"] = json!("at");
    let error = host(Limits::default()).load(&component(&description.to_string()));
    let message = error.map(|_| ()).unwrap_err().to_string();
    assert!(message.ends_with("output `at` is of type f64, i64 is needed (at /position)"));
}

#[test]
fn an_input_is_no_sparse_vector() {
    let input = json!([{"name": "terms", "type": "sparse"}]);
    check("inputs", input, "an input can not be of type sparse (at /inputs/0)");
}

#[test]
fn the_parameter_schema_is_a_json_schema() {
    let message = "the extractor has a parameter schema that is not an object (at /parameters)";
    check("parameters", json!("none"), message);
    let mut description = described("odd");
    description["parameters"] = json!({"type": "objekt"});
    let error = host(Limits::default()).load(&component(&description.to_string()));
    let message = error.map(|_| ()).unwrap_err().to_string();
    let start = "the extractor has a parameter schema that is not valid: ";
    assert!(message.starts_with(start), "{message}");
}

#[test]
fn a_description_that_is_not_one_is_refused() {
    for json in ["", "not JSON", "[]", "{\"name\": 1}"] {
        let error = host(Limits::default()).load(&component(json)).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "the extractor describes itself in JSON that does not fit");
    }
}

#[test]
fn the_description_of_configure_counts_and_is_checked() {
    let instance = hostile().instantiate(&json!({"dimension": 7})).unwrap();
    assert_eq!(instance.description().outputs[2].dimension, Some(7));
    assert_eq!(hostile().description().outputs[2].dimension, Some(4));
    let configured = |act: &str| {
        hostile().instantiate(&json!({ "act": act })).map(|_| ()).unwrap_err().to_string()
    };
    assert!(configured("configure: dimension").contains("`vector` has dimension 0"));
    assert!(configured("configure: garbage").contains("JSON that does not fit"));
    assert!(configured("configure: name").contains("calls itself another@0.1.0 once configured"));
    assert!(configured("configure: trap").starts_with("the extractor trapped in configure"));
    let refuses = "the extractor refuses its parameters: these parameters do not go together";
    assert_eq!(configured("configure: error"), refuses);
}
