//! Parameters are held against the schema before the guest sees them.

use super::hostile;
use quarry::error::Code;
use quarry::plugin::Extractor;
use serde_json::{Value, json};

#[track_caller]
fn check(parameters: Value, message: &str) {
    let checked = hostile().check_parameters(&parameters).unwrap_err();
    let error = hostile().instantiate(&parameters).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::Invalid);
    assert_eq!(error.to_string(), message);
    assert_eq!(checked.to_string(), message);
}

#[test]
fn what_fits_is_taken() {
    for parameters in [Value::Null, json!({}), json!({"dimension": 64, "mood": "calm"})] {
        assert!(hostile().instantiate(&parameters).is_ok(), "{parameters}");
    }
}

#[test]
fn an_error_names_the_pointer_the_value_and_what_is_allowed() {
    let message = "wrong parameter: 0 is less than the minimum of 1 (at /dimension)";
    check(json!({"dimension": 0}), message);
    let message = "wrong parameter: 65 is greater than the maximum of 64 (at /dimension)";
    check(json!({"dimension": 65}), message);
    let message = "wrong parameter: \"many\" is not of type \"integer\" (at /dimension)";
    check(json!({"dimension": "many"}), message);
    check(json!([1]), "the parameters are not a JSON object");
}

#[test]
fn an_enumeration_is_spelled_out() {
    let checked = hostile().check_parameters(&json!({"mood": "sad"})).unwrap_err();
    let message = checked.to_string();
    assert!(message.starts_with("wrong parameter: \"sad\""), "{message}");
    assert!(message.ends_with("; allowed: \"calm\", \"angry\" (at /mood)"), "{message}");
}

#[test]
fn an_unknown_parameter_is_named_with_the_known_ones() {
    check(json!({"dimensions": 3}), "there is no parameter `dimensions` (at /dimensions)");
    let error = hostile().check_parameters(&json!({"a/b": 3})).unwrap_err();
    assert_eq!(error.field_name(), Some("/a~1b"));
    let known = "the parameters are act, dimension, tile, cells, mood";
    let mut names: Vec<_> = error.hint_text().unwrap().split(['.', ',', ' ']).collect();
    let mut expected: Vec<_> = known.split(['.', ',', ' ']).collect();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
}
