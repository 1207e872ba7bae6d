use quarry_extractor::native;
use quarry_extractor::testing::{Harness, json};

use crate::{Everything, harness, row};

fn error(parameters: quarry_extractor::testing::Value) -> String {
    Harness::<Everything>::new(parameters).err().expect("it must not start")
}

#[test]
fn errors_of_parameters_name_the_parameter() {
    assert!(error(json!({"dimension": "two"})).starts_with("parameter `dimension`: "));
    assert!(error(json!({"colour": 1})).starts_with("parameter `colour`: "));
    assert!(error(json!({"refuse": true})).starts_with("parameter `refuse`: "));
    assert!(error(json!([])).contains("not a JSON object"));
}

#[test]
fn a_vector_without_a_dimension_is_refused() {
    assert!(error(json!({"dimension": 0})).contains("`dense` has no dimension"));
    assert!(error(json!({"dimension": 65_537})).contains("`dense`"));
}

#[test]
#[should_panic(expected = "`dense` got a vector of 2 values, its dimension is 4")]
fn a_vector_of_the_wrong_length_is_a_mistake_of_the_extractor() {
    let _ = harness(json!({"dimension": 4})).row(row("x", 1, false));
}

#[test]
fn fields_that_are_left_out_are_neither_described_nor_written() {
    let mut harness = harness(json!({"scalars_only": true, "dimension": 7}));
    assert_eq!(harness.description().outputs().len(), 8);
    let documents = harness.row(row("x", 1, false)).expect("it does not fail");
    assert_eq!(documents[0].as_object().map(|fields| fields.len()), Some(8));
}

#[test]
fn a_read_over_the_limit_rejects_the_row() {
    let mut big = row("x", 1, false);
    big["file"] = json!("x".repeat((1 << 20) + 1));
    let reject = harness(json!({})).row(big).expect_err("too large");
    assert_eq!(reject.code, "blob_too_large");
}

#[test]
fn the_description_has_what_the_schema_asks_for() {
    let description = native::describe::<Everything>().to_json();
    assert_eq!(description["api"], "0.1.0");
    assert_eq!(
        description["inputs"][0],
        json!({"name": "name", "type": "utf8", "required": true, "description": "Comes out again."})
    );
    assert_eq!(description["inputs"][3]["type"], "blob");
    assert_eq!(description["inputs"][6]["required"], false);
    assert_eq!(description["deterministic"], false);
    assert_eq!(
        description["outputs"][8],
        json!({
            "name": "dense", "type": "dense", "dimension": 2, "distance": "cosine",
            "description": "",
        })
    );
    let parameters = &description["parameters"];
    assert_eq!(parameters["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(parameters["properties"]["dimension"]["default"], 2);
    assert_eq!(parameters["additionalProperties"], false);
}
