mod headings;
mod offsets;
mod parameters;
mod units;
mod words;

use quarry_extractor::testing::Harness;
use quarry_extractor::testing::{Value, json};

use crate::TextChunk;

fn cut(parameters: Value, text: &str) -> Vec<Value> {
    let mut harness = Harness::<TextChunk>::new(parameters).expect("the parameters are valid");
    harness.row(json!({ "text": text })).expect("no text is rejected")
}

fn texts(parameters: Value, text: &str) -> Vec<String> {
    let chunks = cut(parameters, text);
    chunks.iter().map(|chunk| chunk["text"].as_str().expect("a string").to_owned()).collect()
}

/// Texts of all kinds of bytes that matter, the same ones in every run.
fn sample_texts() -> Vec<String> {
    const PIECES: [&str; 16] = [
        " ",
        "  ",
        "\n",
        "\t",
        "\x0b",
        "\r\n",
        "\u{a0}",
        "a",
        "bc",
        "word",
        "é",
        "東京",
        "naïve,",
        "🦀",
        "--",
        "a-rather-long-token-that-crosses-the-border-of-a-block-of-sixty-four-bytes",
    ];
    let mut state = 7_u64;
    let mut next = |bound: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut samples: Vec<String> = (0..1_500)
        .map(|_| {
            let spaces = next(4);
            let pieces = next(160);
            (0..pieces)
                .map(|_| if next(4) < spaces { " " } else { PIECES[next(16) as usize] })
                .collect()
        })
        .collect();
    // Words and texts that end exactly at a block's border.
    for len in [0, 1, 63, 64, 65, 127, 128, 129, 5_000] {
        samples.push("x".repeat(len));
        samples.push(" ".repeat(len));
        samples.push(format!("{} y", "x".repeat(len)));
        samples.push(format!(" {}\n", "x".repeat(len)));
    }
    samples
}
