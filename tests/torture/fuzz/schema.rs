//! Descriptions of guests: the JSON itself, its fields, and parameter schemas with parameters
//! against them. What was accepted can be configured and called.

use super::guest::{self, Configure};
use super::random::{Random, mutate_text};
use super::{Target, answer, text};
use anyhow::{Context, Result, ensure};
use arrow_array::{ArrayRef, BinaryArray};
use quarry::error::Code;
use quarry::model::{Description, FieldKind, LINEAGE_FIELD};
use quarry::plugin::{Extractor, Host, Input, InputColumn};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;

const KINDS: [&str; 10] =
    ["utf8", "json", "i64", "f64", "bool", "blob", "dense", "sparse", "multi", "text"];
const NAMES: [&str; 9] = ["a", "b", "text", "_quarry", "_x", "x.y", "A-1", "", "ä"];
const WORDS: [&str; 24] = [
    "\"$ref\":\"#\"",
    "\"$ref\":\"#/properties/a\"",
    "\"$defs\":{}",
    "\"pattern\":\"(a+)+$\"",
    "\"allOf\":[",
    "\"not\":{}",
    "true",
    "false",
    "null",
    "1e400",
    "{",
    "}",
    "[",
    "]",
    ",",
    "-1",
    "\"dimension\":4294967296",
    "\"type\":\"dense\"",
    "\"position\":\"a\"",
    "65537",
    "\\u0000",
    "\"$schema\":\"http://json-schema.org/draft-04/schema#\"",
    "\"$id\":\"x:y\"",
    "\"",
];
/// Parameters that are tried against each schema; the first is what a pipeline without any gives.
const PARAMETERS: [&str; 6] = [
    "{}",
    "null",
    "{\"a\":1}",
    "{\"a\":{\"a\":{\"a\":[1,\"aaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"]}}}",
    "{\"b\":1e300,\"/\":null}",
    "{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\",\"b\":[]}",
];

struct Schemas {
    host: Host,
}

pub(super) fn open(_: &Path) -> Result<Box<dyn Target>> {
    Ok(Box::new(Schemas { host: Host::new(None, guest::limits())? }))
}

impl Target for Schemas {
    fn make(&self, random: &mut Random) -> Vec<u8> {
        let mut text = description(random).to_string();
        if random.one_in(2) {
            mutate_text(&mut text, &WORDS, random);
        }
        // What lies beyond would be in the place where the guest pulls its script to.
        text.truncate(text.floor_char_boundary(60_000));
        text.into_bytes()
    }

    fn judge(&mut self, input: &[u8]) -> Result<bool> {
        let codes = &[Code::Extractor];
        let wasm = guest::scripted(&text(input), &Configure::Description);
        let Some(component) = answer(self.host.load(&wasm), codes)? else { return Ok(false) };
        check(component.description())?;
        for parameters in PARAMETERS {
            let parameters = serde_json::from_str(parameters)?;
            let codes = &[Code::Invalid, Code::Extractor];
            let checked = answer(component.check_parameters(&parameters), codes)?;
            let opened = answer(component.instantiate(&parameters), codes)?;
            ensure!(checked.is_some() == opened.is_some(), "only one of both takes {parameters}");
            let Some(mut instance) = opened else { continue };
            ensure!(instance.description() == component.description(), "another description");
            let script: ArrayRef = Arc::new(BinaryArray::from(vec![&[0_u8; 8][..]]));
            let inputs = component.description().inputs.len();
            let mut columns = vec![InputColumn::Absent; inputs];
            columns.iter_mut().take(1).for_each(|c| *c = InputColumn::Array(script.clone()));
            // The script announces no row, so this ends in a failure; it has to end.
            let failure = instance.run(&Input { rows: 1, columns }).err();
            let failure = failure.context("a row was never announced")?;
            ensure!(!failure.message.is_empty(), "the guest fails without a word");
        }
        Ok(true)
    }
}

/// What the engine relies on.
fn check(description: &Description) -> Result<()> {
    let Description { inputs, outputs, position, .. } = description;
    let mut names: Vec<&String> = inputs.iter().map(|input| &input.name).collect();
    unique(&mut names)?;
    let mut names: Vec<&String> = outputs.iter().map(|output| &output.name).collect();
    unique(&mut names)?;
    for output in outputs {
        let vectors = matches!(output.kind, FieldKind::Dense | FieldKind::Multi);
        let dimension = output.dimension.is_some_and(|dimension| (1..=65_536).contains(&dimension));
        ensure!(vectors == dimension, "`{}` has {:?}", output.name, output.dimension);
        ensure!(vectors == output.distance.is_some(), "`{}` and its distance", output.name);
    }
    if let Some(position) = position {
        let field = outputs.iter().find(|output| output.name == *position);
        ensure!(field.is_some_and(|field| field.kind == FieldKind::I64), "position {position}");
    }
    let written = serde_json::to_vec(description)?;
    let again: Description = serde_json::from_slice(&written)?;
    ensure!(again == *description, "a description is read as another one");
    Ok(())
}

fn unique(names: &mut [&String]) -> Result<()> {
    names.sort();
    ensure!(names.is_sorted_by(|a, b| a < b), "a name is used twice: {names:?}");
    ensure!(names.iter().all(|name| !name.is_empty() && *name != LINEAGE_FIELD), "{names:?}");
    Ok(())
}

fn description(random: &mut Random) -> Value {
    let mut description = json!({ "name": "odd", "version": "1.0.0", "inputs": [], "outputs": [] });
    let list = |random: &mut Random, vectors: bool| -> Value {
        (0..random.below(4)).map(|_| field(random, vectors)).collect()
    };
    description["inputs"] = list(random, false);
    description["outputs"] = list(random, true);
    if random.one_in(8) {
        description["position"] = json!(random.pick(&NAMES));
    }
    if !random.one_in(4) {
        description["parameters"] = match random.below(3) {
            0 => json!({ "type": "object", "properties": { "a": schema(random, 0) } }),
            1 => json!({ "properties": { "a": schema(random, 0), "b": schema(random, 0) },
                "additionalProperties": schema(random, 0) }),
            _ => schema(random, 0),
        };
    }
    if random.one_in(8) {
        description["memory_bytes"] = json!(random.edge());
    }
    description
}

fn field(random: &mut Random, vectors: bool) -> Value {
    // Most names fit, or nothing would be loaded.
    let names = if random.one_in(12) { NAMES.len() } else { 3 };
    let odd = usize::from(random.one_in(9));
    let kind = KINDS[random.below(if vectors { 9 } else { 6 + odd })];
    let mut field = json!({ "name": NAMES[random.below(names)], "type": kind });
    if matches!(kind, "dense" | "multi") != random.one_in(20) {
        field["dimension"] = json!(([1, 3, 65_536, 65_537, 0][random.below(5)]));
        field["distance"] = json!(random.pick(&["dot", "cosine", "euclid", "manhattan"]));
    }
    field
}

/// A JSON Schema that may refer to itself.
fn schema(random: &mut Random, depth: usize) -> Value {
    let inner = |random: &mut Random| match depth < 4 {
        true => schema(random, depth + 1),
        false => json!(random.one_in(2)),
    };
    let mut schema = Map::new();
    for _ in 0..1 + random.below(2) {
        let (key, value) = match random.below(18) {
            0 => ("type", json!(random.pick(&["object", "string", "integer", "array", "objekt"]))),
            1 => ("properties", json!({ "a": inner(random), "/": inner(random) })),
            2 => ("additionalProperties", inner(random)),
            3 => ("items", inner(random)),
            4 => ("allOf", json!([inner(random), inner(random)])),
            5 => ("anyOf", json!([inner(random), inner(random)])),
            6 => ("oneOf", json!([inner(random), { "const": 1 }])),
            7 => ("not", inner(random)),
            8 => {
                let places = ["#", "#/", "#/properties/a", "#/$defs/x", "x:y", "http://host/s"];
                ("$ref", json!(random.pick(&places)))
            }
            9 => ("pattern", json!(random.pick(&["(a+)+$", "(", "^a{1000}$", "(?=a)(a|a)*b"]))),
            10 => ("enum", json!([1, "a", null, { "a": 1 }])),
            11 => ("minimum", json!(random.edge())),
            12 => ("multipleOf", json!(([0.0, 1e-300, 3.0, -1.0][random.below(4)]))),
            13 => ("minLength", json!(random.edge())),
            14 => ("patternProperties", json!({ "(a+)+$": inner(random) })),
            15 => ("$dynamicRef", json!("#")),
            16 => ("if", inner(random)),
            _ => ("uniqueItems", json!(true)),
        };
        schema.insert(key.to_string(), value);
    }
    if random.one_in(4) {
        schema.insert("$defs".to_string(), json!({ "x": inner(random) }));
    }
    Value::Object(schema)
}
