//! An extractor that echoes its input, one document a row. When the `text` of a row contains
//! "poison" it does the evil that its parameter `act` names. It is written against the raw
//! bindings: the SDK would not let it be this rude.

#![cfg(target_family = "wasm")]

mod evil;
mod tile;

use bindings::exports::quarry::extractor::extractor::{Batch, Guest, Sink};
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use tile::Tile;

#[allow(clippy::all, clippy::undocumented_unsafe_blocks, unreachable_pub)]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/since-v0.1.0", world: "plugin" });
}

struct Hostile;

bindings::export!(Hostile with_types_in bindings);

static CONFIG: OnceLock<Config> = OnceLock::new();

struct Config {
    act: String,
    /// Of the dense vector.
    dimension: u32,
    /// Rows pulled at once; what the host suggests if 0.
    tile: u32,
    /// Read `data` with cell-read instead of varlen.
    cells: bool,
}

impl Config {
    fn parse(parameters: &str) -> Self {
        let parameters: Value = serde_json::from_str(parameters).unwrap_or_default();
        let number = |key: &str| parameters[key].as_u64().map(|number| number as u32);
        Config {
            act: parameters["act"].as_str().unwrap_or("none").to_string(),
            dimension: number("dimension").unwrap_or(4),
            tile: number("tile").unwrap_or(0),
            cells: parameters["cells"].as_bool().unwrap_or(false),
        }
    }
}

fn description(dimension: u32) -> Value {
    json!({
        "name": "hostile",
        "version": "0.1.0",
        "inputs": [
            {"name": "text", "type": "utf8", "required": true},
            {"name": "number", "type": "i64"},
            {"name": "score", "type": "f64"},
            {"name": "flag", "type": "bool"},
            {"name": "data", "type": "blob"},
            {"name": "meta", "type": "json"},
            {"name": "image", "type": "dense"},
        ],
        "outputs": [
            {"name": "text", "type": "utf8"},
            {"name": "position", "type": "i64"},
            {"name": "vector", "type": "dense", "dimension": dimension, "distance": "cosine"},
            {"name": "number", "type": "i64"},
            {"name": "score", "type": "f64"},
            {"name": "flag", "type": "bool"},
            {"name": "data", "type": "blob"},
            {"name": "meta", "type": "json"},
            {"name": "terms", "type": "sparse"},
            {"name": "pieces", "type": "multi", "dimension": 2, "distance": "dot"},
        ],
        "position": "position",
        "queries": true,
        "parameters": {
            "type": "object",
            "properties": {
                "act": {"type": "string"},
                "dimension": {"type": "integer", "minimum": 1, "maximum": 64, "default": 4},
                "tile": {"type": "integer", "minimum": 0},
                "cells": {"type": "boolean"},
                "mood": {"oneOf": [{"const": "calm"}, {"const": "angry"}]},
            },
            "additionalProperties": false,
        },
    })
}

impl Guest for Hostile {
    fn describe() -> String {
        description(4).to_string()
    }

    fn configure(parameters: String) -> Result<String, String> {
        let config = CONFIG.get_or_init(|| Config::parse(&parameters));
        let described = description(config.dimension);
        evil::configure(&config.act, described)
    }

    fn run(input: &Batch, output: &Sink) -> Result<(), String> {
        let config = CONFIG.get().ok_or("not configured")?;
        evil::CALLS.fetch_add(1, Ordering::Relaxed);
        let rows = input.rows();
        let step = if config.tile == 0 { input.tile() } else { config.tile };
        let mut from = 0;
        while from < rows {
            let to = rows.min(from.saturating_add(step));
            let mut tile = Tile::pull(input, from, to, config);
            let poisoned = (from..to).find(|row| tile.text_of(row - from).contains("poison"));
            match poisoned {
                Some(row) => evil::run(&config.act, row, &mut tile, input, output)?,
                None => tile.push(output),
            }
            from = to;
        }
        Ok(())
    }

    fn embed_query(text: String) -> Result<String, String> {
        let dimension = CONFIG.get().map_or(4, |config| config.dimension) as usize;
        let length = text.len() as f32;
        match text.as_str() {
            "poison: error" => Err("can not embed this".to_string()),
            "poison: trap" => evil::trap(),
            "poison: dimension" => Ok(json!({"vector": [length]}).to_string()),
            "poison: name" => Ok(json!({"other": [length]}).to_string()),
            "poison: infinite" => Ok(format!("{{\"vector\": {:?}}}", vec![1e39_f64; dimension])),
            "poison: json" => Ok("[1, 2".to_string()),
            _ => Ok(json!({
                "vector": vec![length; dimension],
                "terms": {"indices": [1, text.len()], "values": [0.5, 1.0]},
            })
            .to_string()),
        }
    }
}
