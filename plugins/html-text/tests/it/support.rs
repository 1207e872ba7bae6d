use html_text::HtmlText;
use quarry_extractor::Reject;
use quarry_extractor::testing::Harness;
use serde_json::{Value, json};

pub(crate) fn row(input: Value, parameters: Value) -> Result<Value, Reject> {
    let mut harness = Harness::<HtmlText>::new(parameters).expect("parameters are valid");
    let mut documents = harness.row(input)?;
    assert_eq!(documents.len(), 1);
    Ok(documents.remove(0))
}

pub(crate) fn document(html: &str) -> Value {
    row(json!({ "html": html }), json!({})).expect("no page is rejected")
}

pub(crate) fn text(html: &str) -> String {
    document(html)["text"].as_str().expect("a text").to_owned()
}

/// Checks the text of a page that is too short to have boilerplate.
pub(crate) fn check(html: &str, expected: &str) {
    assert_eq!(text(html), expected, "{html}");
}
