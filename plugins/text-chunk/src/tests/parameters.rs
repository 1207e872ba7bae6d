use quarry_extractor::testing::Harness;
use quarry_extractor::testing::{Value, json};

use crate::TextChunk;

fn error(parameters: Value) -> String {
    Harness::<TextChunk>::new(parameters).err().expect("the parameters are wrong")
}

#[test]
fn a_wrong_parameter_is_named() {
    for (parameters, name) in [
        (json!({"size": 0}), "size"),
        (json!({"size": 1_000_001}), "size"),
        (json!({"size": -1}), "size"),
        (json!({"by": "pages"}), "by"),
        (json!({"size": 5, "overlap": 5}), "overlap"),
        (json!({"by": "sentences", "overlap": 8}), "overlap"),
        (json!({"words": 7, "size": 3}), "words"),
        (json!({"color": "red"}), "color"),
    ] {
        let error = error(parameters);
        assert!(error.starts_with(&format!("parameter `{name}`: ")), "{error}");
    }
}

#[test]
fn the_description_follows_the_parameters() {
    let describe = |parameters| {
        let harness = Harness::<TextChunk>::new(parameters).expect("valid");
        harness.description().to_json()
    };
    let description = describe(json!({}));
    assert_eq!(description["name"], "text-chunk");
    assert_eq!(description["position"], "chunk_index");
    assert_eq!(description["parameters"]["properties"]["overlap"]["default"], 0);
    assert_eq!(description["parameters"]["properties"]["by"]["default"], "words");
    assert_eq!(description["parameters"]["additionalProperties"], false);
    assert_eq!(description["outputs"].as_array().map(Vec::len), Some(6));
    let description = describe(json!({"by": "headings", "offsets": "none"}));
    let names: Vec<&Value> = description["outputs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|output| &output["name"])
        .collect();
    assert_eq!(names, ["text", "chunk_index", "heading"]);
}
