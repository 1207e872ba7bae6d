mod dense;
mod hash;
mod queries;
mod sparse;

use quarry_extractor::testing::Harness;
use quarry_extractor::testing::{Value, json};

use crate::TextEmbed;

fn harness(parameters: Value) -> Harness<TextEmbed> {
    Harness::new(parameters).expect("the parameters are valid")
}

fn embed(parameters: Value, text: &str) -> Value {
    let mut documents = harness(parameters).row(json!({ "text": text })).expect("never rejected");
    assert_eq!(documents.len(), 1, "one document a text");
    documents.remove(0)
}

/// The f32 of a JSON array.
fn floats(value: &Value) -> Vec<f32> {
    let values = value.as_array().expect("an array");
    values.iter().map(|value| value.as_f64().expect("a number") as f32).collect()
}

/// Texts of words of all lengths between all kinds of separators, the same in every run.
fn sample_texts() -> Vec<String> {
    const SEPARATORS: [&str; 8] = [" ", ", ", "\n", "é", "--", "\u{0}", "東", "_"];
    const LETTERS: &[u8] = b"abcxyzABCXYZ0189";
    let mut state = 3_u64;
    let mut next = |bound: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut samples: Vec<String> = (0..1_000)
        .map(|_| {
            let letters = 1 + next(16);
            let longest = 1 + next(20);
            let mut text = String::new();
            for _ in 0..next(200) {
                for _ in 0..next(longest + 1) {
                    text.push(char::from(LETTERS[next(letters) as usize]));
                }
                text.push_str(SEPARATORS[next(8) as usize]);
            }
            text
        })
        .collect();
    for len in [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 10_000] {
        samples.push("x".repeat(len));
        samples.push(" ".repeat(len));
        samples.push(format!("{} Y", "x".repeat(len)));
        samples.push("a ".repeat(len));
    }
    samples
}
