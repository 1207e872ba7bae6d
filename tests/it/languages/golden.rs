//! `examples/readability` through the real host against its shared fixtures, exactly.

use super::readability;
use crate::support::golden::documents;
use crate::support::quarry::root;
use arrow_array::{ArrayRef, StringArray};
use quarry::model::Vector;
use quarry::plugin::{Component, Extractor, Host, Input, InputColumn, Limits, inspect};
use quarry_build::Language;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// Compiled once for all tests: it takes tens of seconds where an interpreter comes along.
fn load(language: Language) -> &'static Component {
    static COMPONENTS: [OnceLock<Component>; 4] = [const { OnceLock::new() }; 4];
    let at = Language::ALL.iter().position(|one| *one == language).unwrap();
    COMPONENTS[at].get_or_init(|| {
        Host::new(None, Limits::default()).unwrap().load(&readability(language)).unwrap()
    })
}

fn read(folder: &str, name: &str) -> Value {
    let path = root().join("examples/readability").join(folder).join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn texts(texts: &[&str]) -> Input {
    let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    Input { rows: texts.len(), columns: vec![InputColumn::Array(column)] }
}

/// The bits of the floats nearest to what is written; -0 is 0.
fn bits(vector: &Value) -> Vec<u32> {
    let values = vector.as_array().unwrap().iter();
    values.map(|value| (value.as_f64().unwrap() as f32 + 0.0).to_bits()).collect()
}

#[track_caller]
fn same(found: &Value, expected: &Value, language: Language) {
    let row = &expected["row"];
    let expected = expected["fields"].as_object().unwrap();
    assert_eq!(found.as_object().unwrap().len(), expected.len());
    for field in ["words", "sentences"] {
        assert!(found[field].is_i64(), "{language}, row {row}, {field}: {}", found[field]);
        assert_eq!(found[field], expected[field], "{language}, row {row}, {field}");
    }
    let ari = |value: &Value| (value.as_f64().unwrap() + 0.0).to_bits();
    assert_eq!(ari(&found["ari"]), ari(&expected["ari"]), "{language}, row {row}, ari");
    let (found, expected) = (bits(&found["keywords"]), bits(&expected["keywords"]));
    assert_eq!(found, expected, "{language}, row {row}, keywords");
}

/// All rows in one call, then each in a call of its own, then the queries.
fn check(language: Language) {
    let component = load(language);
    for name in ["golden", "dimensions"] {
        let (fixture, expected) = (read("fixtures", name), read("expected", name));
        assert_eq!(expected["rejected"], json!([]));
        let expected_documents = expected["documents"].as_array().unwrap();
        let mut instance = component.instantiate(&fixture["parameters"]).unwrap();
        let description = instance.description().clone();
        let rows = fixture["rows"].as_array().unwrap().iter();
        let rows: Vec<&str> = rows.map(|row| row["text"].as_str().unwrap()).collect();
        assert!(rows.len() > 8 && rows.len() == expected_documents.len());

        let together = instance.run(&texts(&rows)).unwrap();
        assert_eq!(together.counts, vec![1; rows.len()]);
        let together = documents(&description, &together);
        for (at, text) in rows.iter().enumerate() {
            same(&together[at], &expected_documents[at], language);
            let alone = instance.run(&texts(&[text])).unwrap();
            same(&documents(&description, &alone)[0], &expected_documents[at], language);
        }

        let queries = fixture["queries"].as_array().unwrap().iter();
        for (query, expected) in queries.zip(expected["queries"].as_array().unwrap()) {
            let answer = instance.embed_query(query.as_str().unwrap()).unwrap();
            let [(field, Vector::Dense(vector))] = &answer[..] else { panic!("{answer:?}") };
            assert_eq!(field, "keywords");
            assert_eq!(bits(&json!(vector)), bits(&expected["keywords"]), "{language}, {query}");
        }
    }
}

#[test]
fn rust_makes_the_golden_documents() {
    check(Language::Rust);
}

#[test]
fn c_makes_the_golden_documents() {
    check(Language::C);
}

#[test]
fn python_makes_the_golden_documents() {
    check(Language::Python);
}

#[test]
fn javascript_makes_the_golden_documents() {
    check(Language::JavaScript);
}

#[test]
fn every_language_describes_the_same_extractor_and_imports_the_contract_only() {
    let shown = |language: Language| {
        let description = load(language).description().clone();
        let value = json!(description);
        let dimensions = &value["parameters"]["properties"]["dimensions"];
        let dimensions = ["type", "minimum", "maximum", "default"].map(|key| &dimensions[key]);
        json!({
            "name": value["name"],
            "version": value["version"],
            "inputs": value["inputs"],
            "outputs": value["outputs"],
            "queries": value["queries"],
            "dimensions": dimensions,
            "others": value["parameters"]["additionalProperties"],
        })
    };
    let rust = shown(Language::Rust);
    assert_eq!(rust["dimensions"], json!(["integer", 8, 256, 32]));
    for language in Language::ALL {
        assert_eq!(shown(language), rust, "{language}");
        let inspection = inspect(&readability(language)).unwrap();
        let allowed =
            ["input", "output", "log"].map(|name| format!("quarry:extractor/{name}@0.1.0"));
        let foreign = inspection.imports.iter().find(|import| !allowed.contains(import));
        assert_eq!(foreign, None, "{language}");
        assert_eq!(inspection.api.as_deref(), Some("0.1.0"), "{language}");
    }
}

#[test]
fn every_language_follows_its_parameters_and_refuses_wrong_ones() {
    for language in Language::ALL {
        let component = load(language);
        let instance = component.instantiate(&json!({"dimensions": 256})).unwrap();
        let keywords = instance.description().outputs.iter().find(|field| field.name == "keywords");
        assert_eq!(keywords.unwrap().dimension, Some(256), "{language}");
        for wrong in [json!({"dimensions": 7}), json!({"dimensions": "8"}), json!({"more": 1})] {
            assert!(component.instantiate(&wrong).is_err(), "{language}: {wrong}");
        }
    }
}
