//! The sandbox: what is refused before it runs, what is stopped while it runs, and that data
//! arrives as it was sent.

mod audit;
mod budgets;
mod cache;
mod capabilities;
mod compiling;
pub(crate) mod components;
mod descriptions;
mod echo;
mod frozen;
mod hostile;
mod limits;
mod parameters;
mod queries;
mod scripts;
mod signatures;

use arrow_array::{ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray};
use quarry::plugin::{Component, Extractor, Host, Input, InputColumn, Instance, Limits};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// A component of `tests/guests`, as `./x test` built it.
fn guest(name: &str) -> Vec<u8> {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/test-guests");
    let folder = std::env::var_os("QUARRY_TEST_GUESTS").map_or(built.into(), PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{} is not there ({error}); build it with ./x guests", path.display())
    })
}

/// A host that shares its compiled extractors with the other tests of this run.
fn host(limits: Limits) -> Host {
    static CACHE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let cache = CACHE.get_or_init(|| tempfile::tempdir().unwrap());
    Host::new(Some(cache.path().to_path_buf()), limits).unwrap()
}

/// The hostile guest under default limits.
fn hostile() -> &'static Component {
    static COMPONENT: OnceLock<Component> = OnceLock::new();
    COMPONENT.get_or_init(|| host(Limits::default()).load(&guest("hostile")).unwrap())
}

fn instance(component: &Component, parameters: Value) -> Box<dyn Instance> {
    component.instantiate(&parameters).unwrap()
}

/// An instance of the hostile guest that does `act` once it meets poison.
fn acting(act: &str) -> Box<dyn Instance> {
    instance(hostile(), json!({"act": act}))
}

/// Rows with these texts and nothing else.
fn texts(texts: &[&str]) -> Input {
    let text: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    let mut columns = vec![InputColumn::Array(text)];
    columns.resize(7, InputColumn::Absent);
    Input { rows: texts.len(), columns }
}

/// `rows` rows with a value in every column; row i says so in its text.
fn full(rows: usize) -> Input {
    let texts: Vec<_> = (0..rows).map(|row| format!("row {row}")).collect();
    full_of(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn full_of(texts: &[&str]) -> Input {
    let rows = texts.len();
    let numbers = || (0..rows as i64).map(|row| row * 1000 + 7);
    let image: Vec<u8> = (0..rows * 2).flat_map(|lane| (lane as f32).to_le_bytes()).collect();
    let data: Vec<Vec<u8>> = (0..rows).map(|row| vec![row as u8; row % 40]).collect();
    let meta: Vec<_> = (0..rows).map(|row| format!("{{\"row\": {row}}}")).collect();
    let arrays: [ArrayRef; 7] = [
        Arc::new(StringArray::from(texts.to_vec())),
        Arc::new(Int64Array::from_iter_values(numbers())),
        Arc::new(Float64Array::from_iter_values(numbers().map(|number| number as f64 / 8.0))),
        Arc::new((0..rows).map(|row| Some(row % 3 == 0)).collect::<BooleanArray>()),
        Arc::new(BinaryArray::from_iter_values(data)),
        Arc::new(StringArray::from(meta)),
        Arc::new(quarry::plugin::vectors(2, image.into())),
    ];
    Input { rows, columns: arrays.into_iter().map(InputColumn::Array).collect() }
}
