//! Whatever a guest can push: sequences of the sink's calls, right ones and spoiled ones. What was
//! accepted is what was pushed, in valid Arrow arrays that a vector sink takes.

mod check;
mod make;
mod model;

use super::Target;
use super::guest::{self, Configure, STEP_BYTES};
use super::random::{Random, mutate};
use anyhow::{Context, Result, ensure};
use arrow_array::{ArrayRef, BinaryArray};
use quarry::model::Description;
use quarry::plugin::{Component, Extractor, Host, Input, InputColumn, Instance, Reason};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// Before the script: which description, how many rows, and whether the script is a right one.
const HEADER: usize = 4;
const ROWS_MAX: usize = 20;
/// Of an input, so that it fits the guest's memory.
const SCRIPT_BYTES_MAX: usize = 1 << 20;
const MESSAGE_BYTES_MAX: usize = 16 << 10;

struct Outputs {
    /// One for each description.
    components: Vec<Component>,
    instances: Vec<Box<dyn Instance>>,
}

/// Each type somewhere, with and without a position, and no output at all.
pub(super) fn descriptions() -> Vec<Value> {
    let described = |outputs: Value, position: Option<&str>| {
        json!({ "name": "scripted", "version": "1.0.0", "queries": true, "outputs": outputs,
            "inputs": [{ "name": "script", "type": "blob", "required": true }],
            "position": position })
    };
    let dense = |name: &str, dimension: u32| {
        json!({ "name": name, "type": "dense",
        "dimension": dimension, "distance": "dot" })
    };
    let multi = json!({ "name": "m", "type": "multi", "dimension": 2, "distance": "cosine" });
    let one = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    vec![
        described(
            json!([
                one("t", "utf8"),
                one("j", "json"),
                one("i", "i64"),
                one("f", "f64"),
                one("b", "bool"),
                one("blob", "blob"),
                dense("d", 3),
                one("s", "sparse"),
                multi
            ]),
            None,
        ),
        described(json!([one("at", "i64"), one("t", "utf8"), dense("d", 1)]), Some("at")),
        described(json!([dense("d", 5), dense("e", 1), one("j", "json")]), None),
        described(json!([]), None),
    ]
}

pub(super) fn open(_: &Path) -> Result<Box<dyn Target>> {
    let host = Host::new(None, guest::limits())?;
    let load = |description: Value| {
        let wasm = guest::scripted(&description.to_string(), &Configure::Description);
        host.load(&wasm).context("a right component is refused")
    };
    let components = descriptions().into_iter().map(load).collect::<Result<Vec<_>>>()?;
    let instances = components.iter().map(|component| component.instantiate(&Value::Null));
    let instances = instances.collect::<quarry::error::Result<_>>()?;
    Ok(Box::new(Outputs { components, instances }))
}

impl Target for Outputs {
    fn make(&self, random: &mut Random) -> Vec<u8> {
        let which = random.below(self.components.len());
        let rows = 1 + random.below(ROWS_MAX);
        let mut steps = make::steps(self.components[which].description(), rows, random);
        let spoiled = random.below(4);
        if spoiled == 1 {
            steps.spoil(random);
        }
        let mut script = steps.script();
        if spoiled == 2 {
            mutate(&mut script, &[], random);
        }
        let right = u8::from(spoiled == 0 || spoiled == 3);
        let mut input = vec![which as u8, rows as u8, right, 0];
        input.extend(script);
        input
    }

    fn judge(&mut self, input: &[u8]) -> Result<bool> {
        let (header, script) = input.split_first_chunk::<HEADER>().context("no header")?;
        let [which, rows, right, _] = *header;
        let (which, rows) = (usize::from(which), usize::from(rows));
        ensure!(script.len() <= SCRIPT_BYTES_MAX, "a script of {} bytes", script.len());
        let mut cells: Vec<&[u8]> = vec![script];
        cells.resize(rows, b"");
        let cells: ArrayRef = Arc::new(BinaryArray::from(cells));
        let given = Input { rows, columns: vec![InputColumn::Array(cells)] };
        match self.instances[which].run(&given) {
            Ok(output) => {
                let description: &Description = self.components[which].description();
                check::output(&output, description, rows)?;
                let expected = model::pushed(script, description, output.documents);
                if let Some(expected) = expected {
                    check::same(&output, description, &expected)?;
                }
                Ok(true)
            }
            Err(failure) => {
                let message = &failure.message;
                ensure!(right == 0, "a right script fails: {:?}, {message}", failure.reason);
                let of_guest = !matches!(failure.reason, Reason::Input | Reason::Timeout);
                ensure!(of_guest, "the guest fails for {:?}: {message}", failure.reason);
                ensure!(!message.is_empty(), "the guest fails without a word");
                ensure!(message.len() <= MESSAGE_BYTES_MAX, "{} bytes of message", message.len());
                Ok(false)
            }
        }
    }
}

/// The steps of a script and its data; places count from the start of the data until it is written.
#[derive(Default)]
pub(crate) struct Steps {
    steps: Vec<[u32; STEP_BYTES / 4]>,
    data: Vec<u8>,
}

impl Steps {
    pub(crate) fn push(&mut self, number: u32, arguments: &[u32]) {
        let mut step = [0; STEP_BYTES / 4];
        step[0] = number;
        step[1..=arguments.len()].copy_from_slice(arguments);
        self.steps.push(step);
    }

    /// Where the bytes are. Aligned for whatever they are.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> u32 {
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        let at = self.data.len() as u32;
        self.data.extend_from_slice(bytes);
        at
    }

    pub(crate) fn floats(&mut self, values: &[f32]) -> u32 {
        self.data(values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>().as_slice())
    }

    /// Documents of rows from `row` on.
    pub(crate) fn announce(&mut self, row: u32, counts: &[u32]) {
        let at = self.numbers(counts);
        self.push(guest::DOCUMENTS, &[row, at, counts.len() as u32]);
    }

    pub(crate) fn numbers(&mut self, numbers: &[u32]) -> u32 {
        self.data(numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>().as_slice())
    }

    /// One argument, one step or the order is wrong.
    fn spoil(&mut self, random: &mut Random) {
        for _ in 0..1 + random.below(2) {
            let at = random.below(self.steps.len().max(1));
            let other = random.below(self.steps.len().max(1));
            let Some(step) = self.steps.get_mut(at) else { return };
            match random.below(8) {
                0 => self.steps.swap(at, other),
                1 => drop(self.steps.remove(at)),
                2 => {
                    let copy = *step;
                    self.steps.insert(other, copy);
                }
                3 => step[0] = random.below(8) as u32,
                4 => {
                    let argument = 1 + random.below(8);
                    step[argument] = random.edge() as u32;
                }
                _ => {
                    let argument = 1 + random.below(8);
                    let change = random.below(9) as u32;
                    step[argument] = step[argument].wrapping_add(change).wrapping_sub(4);
                }
            }
        }
    }

    pub(crate) fn script(self) -> Vec<u8> {
        let start = (4 + STEP_BYTES * self.steps.len()).next_multiple_of(8);
        let mut script = (self.steps.len() as u32).to_le_bytes().to_vec();
        for step in &self.steps {
            let places = guest::PLACES.get(step[0] as usize).copied().unwrap_or_default();
            for (at, word) in step.iter().enumerate() {
                let place = at > 0 && places.contains(&(at - 1));
                let word = if place { word.wrapping_add(start as u32) } else { *word };
                script.extend(word.to_le_bytes());
            }
        }
        script.resize(start, 0);
        script.extend(self.data);
        script
    }
}
