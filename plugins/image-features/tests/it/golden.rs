//! `golden/expected.json` is what the native build answers; the host's tests hold the component to
//! it. `UPDATE_GOLDEN=1` writes it anew.

use std::path::Path;

use image::ImageFormat;
use image_features::ImageFeatures;
use quarry_extractor::testing::Harness;
use serde_json::{Value, json};

use crate::support::{encode, rings, scene};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/golden"))
}

/// The input files are made here as well, so that their origin is known.
fn write_inputs() {
    let photo = scene(160, 120);
    for (name, file) in [
        ("photo.png", encode(&photo, ImageFormat::Png)),
        ("photo.jpg", encode(&photo, ImageFormat::Jpeg)),
        ("rings.webp", encode(&rings(96, 128), ImageFormat::WebP)),
    ] {
        std::fs::write(folder().join(name), file).expect("the folder can be written");
    }
}

#[test]
fn the_golden_inputs_have_the_golden_documents() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    if update {
        write_inputs();
    }
    let parameters = json!({});
    let mut harness = Harness::<ImageFeatures>::new(parameters.clone()).expect("valid parameters");
    let rows: Vec<Value> = ["photo.png", "photo.jpg", "rings.webp"]
        .into_iter()
        .map(|name| {
            let file = std::fs::read(folder().join(name)).expect("the input is in the folder");
            let documents = harness.row(json!({ "image": file })).expect("a good image");
            json!({ "inputs": { "image": { "file": name } }, "documents": documents })
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
