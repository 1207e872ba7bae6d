//! The JSON a guest answers a query with: what was accepted are vectors as described.

use super::guest::{self, Configure};
use super::output::descriptions;
use super::random::{Random, mutate_text};
use super::{Target, answer, text};
use anyhow::{Context, Result, bail, ensure};
use quarry::error::Code;
use quarry::model::{Field, FieldKind, Vector};
use quarry::plugin::{Extractor, Host, Instance};
use serde_json::{Map, Value, json};
use std::path::Path;

const WORDS: [&str; 20] = [
    "\"d\":",
    "\"s\":",
    "\"m\":",
    "\"t\":",
    "[",
    "]",
    "{",
    "}",
    "{\"indices\":[],\"values\":[]}",
    "\"indices\":",
    "\"values\":",
    "1e39",
    "-1e39",
    "3.4028235e38",
    "null",
    ",",
    "4294967296",
    "\"\\ud800\"",
    "[[",
    "1e999",
];

struct Queries {
    outputs: Vec<Field>,
    instance: Box<dyn Instance>,
}

pub(super) fn open(_: &Path) -> Result<Box<dyn Target>> {
    let host = Host::new(None, guest::limits())?;
    let description = descriptions().into_iter().next().context("no description")?;
    let wasm = guest::scripted(&description.to_string(), &Configure::Description);
    let component = host.load(&wasm)?;
    let instance = component.instantiate(&Value::Null)?;
    let outputs = component.description().outputs.clone();
    Ok(Box::new(Queries { outputs, instance }))
}

impl Target for Queries {
    fn make(&self, random: &mut Random) -> Vec<u8> {
        let mut answer = Map::new();
        for field in &self.outputs {
            if !field.kind.is_vector() && !random.one_in(20) {
                continue;
            }
            if random.one_in(2) {
                answer.insert(field.name.clone(), vector(field, random));
            }
        }
        let mut text = Value::Object(answer).to_string();
        if random.one_in(2) {
            mutate_text(&mut text, &WORDS, random);
        }
        text.into_bytes()
    }

    fn judge(&mut self, input: &[u8]) -> Result<bool> {
        let text = &*text(input);
        let embedded = answer(self.instance.embed_query(text), &[Code::Extractor])?;
        let Some(vectors) = embedded else { return Ok(false) };
        ensure!(!vectors.is_empty(), "no vector is accepted");
        for (name, vector) in &vectors {
            let field = self.outputs.iter().find(|field| field.name == *name);
            let field = field.with_context(|| format!("`{name}` is not among the outputs"))?;
            check(field, vector).with_context(|| format!("vector `{name}`"))?;
        }
        Ok(true)
    }
}

fn check(field: &Field, vector: &Vector) -> Result<()> {
    let dimension = field.dimension.unwrap_or(0) as usize;
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    match (field.kind, vector) {
        (FieldKind::Dense, Vector::Dense(values)) => {
            ensure!(values.len() == dimension && finite(values), "{values:?}");
        }
        (FieldKind::Multi, Vector::Multi(rows)) => {
            let fits = rows.iter().all(|row| row.len() == dimension && finite(row));
            ensure!(fits && !rows.is_empty(), "{rows:?}");
        }
        (FieldKind::Sparse, Vector::Sparse(sparse)) => {
            let pairs = sparse.indices.len() == sparse.values.len();
            let ascending = sparse.indices.is_sorted_by(|a, b| a < b);
            ensure!(pairs && ascending && finite(&sparse.values), "{sparse:?}");
        }
        (kind, vector) => bail!("{kind:?} is answered with {vector:?}"),
    }
    Ok(())
}

fn vector(field: &Field, random: &mut Random) -> Value {
    let dimension = field.dimension.unwrap_or(0) as usize + usize::from(random.one_in(12));
    let row = |random: &mut Random| -> Value {
        (0..dimension).map(|_| json!(random.below(100) as f64 / 8.0)).collect()
    };
    match field.kind {
        FieldKind::Sparse => {
            let indices: Vec<u64> = (0..random.below(4) as u64).map(|n| n * 7).collect();
            let values: Vec<f32> = indices.iter().map(|index| *index as f32).collect();
            json!({ "indices": indices, "values": values })
        }
        FieldKind::Multi => (0..random.below(3)).map(|_| row(random)).collect(),
        _ => row(random),
    }
}
