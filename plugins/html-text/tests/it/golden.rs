//! `golden/expected.json` is what the native build answers; the host's tests hold the component to
//! it. `UPDATE_GOLDEN=1` writes it anew.

use std::path::Path;

use html_text::HtmlText;
use quarry_extractor::testing::Harness;
use serde_json::{Value, json};

const URL: &str = "https://example.org/news/2024/quarry.html";

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/golden"))
}

#[test]
fn the_golden_inputs_have_the_golden_documents() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let parameters = json!({});
    let mut harness = Harness::<HtmlText>::new(parameters.clone()).expect("valid parameters");
    let rows: Vec<Value> = ["page.html", "soup.html", "latin1.html"]
        .into_iter()
        .map(|name| {
            let file = std::fs::read(folder().join(name)).expect("the input is in the folder");
            let documents = harness.row(json!({ "html": file, "url": URL })).expect("a page");
            let inputs = json!({ "html": { "file": name }, "url": URL });
            json!({ "inputs": inputs, "documents": documents })
        })
        .collect();
    let found = json!({ "parameters": parameters, "rows": rows });
    let text = serde_json::to_string_pretty(&found).expect("JSON") + "\n";
    let path = folder().join("expected.json");
    if update {
        std::fs::write(&path, &text).expect("the folder can be written");
    }
    // Both as parsed from text: parsing numbers is not exact to the last bit.
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let expected = std::fs::read_to_string(&path).expect("expected.json is in the folder");
    assert!(
        parse(&text) == parse(&expected),
        "if this is wanted, run with UPDATE_GOLDEN=1: {text}"
    );
}
