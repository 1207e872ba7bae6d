use quarry_extractor::testing::{Harness, json};
use redact_pii::RedactPii;
use serde_json::Value;

/// The one document of `text`.
pub fn document(parameters: Value, text: &str) -> Value {
    let mut harness = Harness::<RedactPii>::new(parameters).unwrap();
    let documents = harness.row(json!({ "text": text })).unwrap();
    assert_eq!(documents.len(), 1);
    documents[0].clone()
}

/// `text` with labels for findings. Checks that the findings say the same.
pub fn redact(text: &str) -> String {
    let document = document(json!({}), text);
    let found = document["findings"].as_array().unwrap();
    assert_eq!(document["count"], found.len());
    let mut labelled = String::new();
    let mut kept = 0;
    for finding in found {
        let byte = |name: &str| finding[name].as_u64().unwrap() as usize;
        assert!(kept <= byte("start") && byte("start") < byte("end"), "{found:?}");
        labelled.push_str(&text[kept..byte("start")]);
        labelled.push_str(&format!("[{}]", finding["kind"].as_str().unwrap()));
        kept = byte("end");
    }
    labelled.push_str(&text[kept..]);
    assert_eq!(document["text"], labelled.as_str());
    labelled
}

/// Whether each text becomes the other, and nothing of it is left for a second time.
pub fn assert_redacted(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(redact(text), *expected, "of {text:?}");
        assert_eq!(redact(expected), *expected, "a second time");
    }
}

pub fn assert_untouched(texts: &[&str]) {
    for text in texts {
        assert_eq!(redact(text), *text);
    }
}
