//! `golden/expected.json` is what the native build answers. `UPDATE_GOLDEN=1` writes it anew.

use std::path::Path;

use quarry_extractor::testing::{Harness, json};
use redact_pii::RedactPii;
use serde_json::Value;

const TEXTS: &[&str] = &[
    "",
    "Nothing to see on 01.02.2024 at 10:15, in version 1.2.3 of std::vec.",
    "From: Ada <ada.lovelace@example.org>\nTo: müller@bücher.example\nTel.: +49 (0)30 901820",
    "Pay GB29 NWBK 6016 1331 9268 19 or 4111-1111-1111-1111, not 4111-1111-1111-1112.",
    "10.0.0.1 - - [22/Nov/2024:01:35:13 +0000] \"GET /?from=2001:db8::8a2e:370:7334\" 200",
    "联系ADA.Lovelace@example.org谢谢 😀 (212) 555-0123",
];

#[test]
fn the_golden_inputs_have_the_golden_documents() {
    let parameters = json!({ "replace": "hash" });
    let mut harness = Harness::<RedactPii>::new(parameters.clone()).unwrap();
    let mut row = |text: &str| {
        let inputs = json!({ "text": text });
        let documents = harness.row(inputs.clone()).unwrap();
        json!({ "inputs": inputs, "documents": documents })
    };
    let rows: Vec<Value> = TEXTS.iter().map(|text| row(text)).collect();
    let found = json!({ "parameters": parameters, "rows": rows });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/expected.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(&found).unwrap() + "\n";
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(found, expected, "if this is wanted, run with UPDATE_GOLDEN=1");
}
