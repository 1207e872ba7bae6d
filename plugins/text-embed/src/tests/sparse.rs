use quarry_extractor::testing::json;

use super::{embed, floats, harness, sample_texts};

#[test]
fn weights_grow_with_the_logarithm_of_the_count() {
    let sparse = &embed(json!({}), "b a b")["sparse"];
    let mut values = floats(&sparse["values"]);
    values.sort_by(f32::total_cmp);
    let (once, twice) = (1.0_f64, 1.0 + 2.0_f64.ln());
    let norm = (once * once + twice * twice).sqrt();
    assert_eq!(values.len(), 2);
    assert!((f64::from(values[0]) - once / norm).abs() < 1e-6);
    assert!((f64::from(values[1]) - twice / norm).abs() < 1e-6);
}

#[test]
fn every_different_token_has_an_entry_and_the_length_is_one() {
    let mut harness = harness(json!({"tokens": "ascii"}));
    for text in sample_texts() {
        let documents = harness.row(json!({ "text": text })).expect("never rejected");
        let sparse = &documents[0]["sparse"];
        let lower = text.to_ascii_lowercase();
        let mut words: Vec<&str> = lower
            .split(|character: char| !character.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        assert_eq!(documents[0]["tokens"], words.len());
        words.sort_unstable();
        words.dedup();
        // That indices ascend and none comes twice is what the harness checks.
        assert_eq!(sparse["indices"].as_array().map(Vec::len), Some(words.len()));
        let length: f64 =
            floats(&sparse["values"]).iter().map(|value| f64::from(*value).powi(2)).sum();
        assert!(words.is_empty() || (length - 1.0).abs() < 1e-5, "{length}");
    }
}

#[test]
fn the_sparse_vector_can_be_left_out() {
    let document = embed(json!({"sparse": false}), "a");
    assert!(document.get("sparse").is_none());
    assert!(document.get("embedding").is_some());
}

#[test]
fn the_example_of_the_readme_is_true() {
    let document = embed(json!({"dimensions": 8, "sparse": true}), "to be or not to be");
    assert_eq!(document["tokens"], 6);
    assert_eq!(document["sparse"]["indices"].as_array().map(Vec::len), Some(4));
    let squares: f32 = floats(&document["embedding"]).iter().map(|value| value * value).sum();
    assert!((squares - 1.0).abs() < 1e-6);
}
