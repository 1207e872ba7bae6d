//! An extractor that cuts a text into pieces, with rows that trap or can not be read.

use super::faults::{Faults, GUEST, Happens};
use arrow_array::{Array, Float32Array, StringArray};
use arrow_buffer::Buffer;
use quarry::error::{Error, Result};
use quarry::model::{Description, Vector};
use quarry::plugin::{
    Extractor, Failure, Input, InputColumn, Instance, Output, OutputColumn, Reason, vectors,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A text with this word traps.
pub(crate) const POISON: &str = "poison";
/// A text with this word kills the process.
pub(crate) const KILLER: &str = "killer";
/// A text with this word fails as if a blob could not be read, until the world is healed.
pub(crate) const FLAKY: &str = "flaky";

pub(crate) struct Split {
    description: Description,
    pub(crate) faults: Arc<Faults>,
    pub(crate) healed: Arc<AtomicBool>,
}

impl Split {
    pub(crate) fn new(
        faults: Arc<Faults>,
        healed: Arc<AtomicBool>,
        deterministic: bool,
    ) -> Result<Split> {
        let description = json!({
            "name": "split",
            "version": "1.0.0",
            "inputs": [{ "name": "text", "type": "utf8", "required": true }],
            "outputs": [
                { "name": "text", "type": "utf8" },
                { "name": "shape", "type": "dense", "dimension": 2, "distance": "dot" }
            ],
            "parameters": { "type": "object" },
            "deterministic": deterministic,
        });
        let description = serde_json::from_value(description)
            .map_err(|error| Error::internal("the description does not fit").source(error))?;
        Ok(Split { description, faults, healed })
    }
}

impl Extractor for Split {
    fn description(&self) -> &Description {
        &self.description
    }

    fn digest(&self) -> &str {
        "split-1"
    }

    fn instantiate(&self, parameters: &Value) -> Result<Box<dyn Instance>> {
        let pieces = parameters.get("pieces").and_then(Value::as_u64).unwrap_or(1) as usize;
        Ok(Box::new(Splitter {
            description: self.description.clone(),
            faults: self.faults.clone(),
            healed: self.healed.clone(),
            pieces: pieces.max(1),
        }))
    }
}

struct Splitter {
    description: Description,
    faults: Arc<Faults>,
    healed: Arc<AtomicBool>,
    pieces: usize,
}

fn failure(reason: Reason, message: &str) -> Failure {
    Failure { reason, message: message.to_string(), log: Vec::new() }
}

impl Instance for Splitter {
    fn description(&self) -> &Description {
        &self.description
    }

    fn run(&mut self, input: &Input) -> std::result::Result<Output, Failure> {
        // A process that died in a call answers nothing: whatever is made of this does not count.
        if self.faults.judge(GUEST).happens == Happens::Not {
            return Err(failure(Reason::Trap, "simulated"));
        }
        let [InputColumn::Array(texts)] = input.columns.as_slice() else {
            return Err(failure(Reason::Contract, "one array is wanted"));
        };
        let texts = texts.as_any().downcast_ref::<StringArray>();
        let texts = texts.ok_or_else(|| failure(Reason::Contract, "texts are wanted"))?;
        let (mut counts, mut made, mut shapes) = (Vec::new(), Vec::new(), Vec::new());
        for text in texts.iter().map(Option::unwrap_or_default) {
            if text.contains(KILLER) {
                self.faults.die();
                return Err(failure(Reason::Trap, "killed"));
            }
            if text.contains(POISON) {
                return Err(failure(Reason::Trap, "poisoned"));
            }
            if text.contains(FLAKY) && !self.healed.load(Ordering::Relaxed) {
                return Err(failure(Reason::Input, "out of reach"));
            }
            let words: Vec<&str> = text.split(' ').collect();
            let pieces = words.chunks(words.len().div_ceil(self.pieces).max(1));
            counts.push(pieces.len() as u32);
            for piece in pieces {
                let piece = piece.join(" ");
                let sum: u32 = piece.bytes().map(u32::from).sum();
                shapes.extend([piece.len() as f32, (sum % 97) as f32]);
                made.push(piece);
            }
        }
        let shapes = Float32Array::from(shapes);
        let shapes: Buffer = shapes.values().inner().clone();
        Ok(Output {
            documents: made.len(),
            counts,
            columns: vec![
                OutputColumn::Scalar(Arc::new(StringArray::from(made))),
                OutputColumn::Dense(vectors(2, shapes)),
            ],
            rejects: Vec::new(),
            log: Vec::new(),
        })
    }

    fn embed_query(&mut self, _: &str) -> Result<Vec<(String, Vector)>> {
        Err(Error::internal("the simulated extractor does not embed queries"))
    }
}
