use quarry_extractor::testing::json;

use super::{embed, floats, harness, sample_texts};

/// The vector of a text, the simple way.
fn naive(text: &str, dimensions: usize) -> Vec<f32> {
    let mut counts = vec![0_i64; dimensions];
    let separators = |character: char| !character.is_ascii_alphanumeric();
    for word in text.split(separators).filter(|word| !word.is_empty()) {
        let hash =
            word.to_ascii_lowercase().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        counts[(hash % dimensions as u64) as usize] += if hash >> 63 == 1 { -1 } else { 1 };
    }
    let squares: i64 = counts.iter().map(|count| count * count).sum();
    let norm = (squares as f64).sqrt();
    let value = |&count: &i64| if squares == 0 { 0.0 } else { (count as f64 / norm) as f32 };
    counts.iter().map(value).collect()
}

#[test]
fn ascii_vectors_are_those_of_the_simple_way_to_the_bit() {
    for dimensions in [384, 1, 2, 3, 100, 512, 768, 65_536] {
        let parameters = json!({"tokens": "ascii", "dimensions": dimensions, "sparse": false});
        let mut harness = harness(parameters);
        // The biggest vectors are slow as JSON.
        let step = if dimensions > 1_000 { 50 } else { 1 };
        for text in sample_texts().iter().step_by(step) {
            let documents = harness.row(json!({ "text": text })).expect("never rejected");
            let found = floats(&documents[0]["embedding"]);
            let bits =
                |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            let expected = naive(text, dimensions);
            assert_eq!(bits(&found), bits(&expected), "{dimensions} {text:?}");
        }
    }
}

#[test]
fn a_row_leaves_nothing_behind_for_the_next() {
    let mut harness = harness(json!({"dimensions": 48}));
    let row = json!({"text": "left over"});
    let alone = harness.row(row.clone());
    let rows = [json!({"text": "some other words"}), row, json!({"text": ""})];
    let together = harness.rows(&rows);
    assert_eq!(together[1], alone);
    let zero = together[2].as_ref().expect("never rejected");
    assert!(floats(&zero[0]["embedding"]).iter().all(|value| value.to_bits() == 0));
}

#[test]
fn words_compare_without_case_in_every_script() {
    let vector = |text| embed(json!({"dimensions": 4_096}), text);
    assert_eq!(vector("ÜBER Straße ΟΔΟΣ"), vector("über straße οδος"));
    assert_ne!(vector("naïve"), vector("naive"));
    assert_eq!(vector("don't stop"), vector("DON'T, stop!"));
    assert_eq!(vector("東京")["tokens"], 2);
    assert_eq!(embed(json!({"tokens": "ascii"}), "don't")["tokens"], 2);
}

#[test]
fn stop_words_count_for_nothing() {
    let english = |text| embed(json!({"stopwords": "english"}), text);
    assert_eq!(english("The cat is on THE mat"), english("cat mat"));
    assert_eq!(english("the of and")["tokens"], 0);
}

#[test]
fn wrong_parameters_are_named() {
    for dimensions in [0, 65_537] {
        let error = quarry_extractor::testing::Harness::<crate::TextEmbed>::new(
            json!({"dimensions": dimensions}),
        );
        let error = error.err().expect("out of range");
        assert!(error.starts_with("parameter `dimensions`: "), "{error}");
    }
}
