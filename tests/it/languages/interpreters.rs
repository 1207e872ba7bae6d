//! The Python and JavaScript SDKs through the real host: every type of field, rejected rows, blobs,
//! and what an interpreter says instead of a trap. Both extractors under `tests/everything` of the
//! SDKs do the same.

use super::c::build;
use crate::support::golden::documents;
use crate::support::quarry::root;
use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray,
};
use quarry::error::{Code, Error, Result};
use quarry::model::{SparseVector, Vector};
use quarry::plugin::{
    Cells, Component, Extractor, Host, Input, InputColumn, Instance, Limits, Output, OutputColumn,
};
use quarry_build::Language;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// Both components. They are compiled for machine code once.
fn each() -> &'static [(Language, Component); 2] {
    static COMPONENTS: OnceLock<[(Language, Component); 2]> = OnceLock::new();
    COMPONENTS.get_or_init(|| {
        [Language::Python, Language::JavaScript].map(|language| {
            let out = tempfile::tempdir().unwrap();
            let project = root().join(format!("sdk/{language}/tests/everything"));
            let wasm = build(&project, out.path()).unwrap();
            // Interpreters are slow, and slower where other work goes on.
            let limits = Limits { call_ms_max: 600_000, ..Limits::default() };
            (language, Host::new(None, limits).unwrap().load(&wasm).unwrap())
        })
    })
}

/// A row for each name; what is optional is there in every third.
fn rows(names: &[&str], counts: &[i64]) -> Vec<ArrayRef> {
    let n = names.len();
    let mut vectors = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    let mut others = FixedSizeListBuilder::new(Float32Builder::new(), 3);
    for row in 0..n {
        vectors.values().append_slice(&[row as f32 + 1.0, 0.1]);
        vectors.append(true);
        others.values().append_slice(&[0.5; 3]);
        others.append(row % 3 == 2);
    }
    let there = |row: usize| row % 3 == 2;
    vec![
        Arc::new(StringArray::from_iter_values(names)),
        Arc::new(Int64Array::from(counts.to_vec())),
        Arc::new(Float64Array::from_iter_values((0..n).map(|row| row as f64 / 8.0))),
        Arc::new(BooleanArray::from_iter((0..n).map(|row| Some(row % 2 == 0)))),
        Arc::new(StringArray::from_iter_values((0..n).map(|row| format!("{{\"é\":[{row}]}}")))),
        Arc::new(BinaryArray::from_iter_values((0..n).map(|row| vec![row as u8; row * 3_000]))),
        Arc::new(vectors.finish()),
        Arc::new(StringArray::from_iter((0..n).map(|row| there(row).then(|| "x".repeat(row))))),
        Arc::new(Int64Array::from_iter((0..n).map(|row| there(row).then_some(i64::MIN)))),
        Arc::new(StringArray::from_iter((0..n).map(|row| there(row).then_some("[1]")))),
        Arc::new(others.finish()),
    ]
}

fn input(arrays: &[ArrayRef]) -> Input {
    let columns = arrays.iter().cloned().map(InputColumn::Array).collect();
    Input { rows: arrays[0].len(), columns }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let values = bytes.chunks_exact(4).map(|bytes| bytes.try_into().unwrap());
    values.map(f32::from_le_bytes).collect()
}

fn open(component: &Component, parameters: Value) -> Box<dyn Instance> {
    component.instantiate(&parameters).unwrap()
}

#[test]
fn every_type_arrives_as_it_was_sent() {
    // Several tiles, and more than the SDKs keep back before they hand documents over.
    let names: Vec<String> = (0..40).map(|row| format!("née {row}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let arrays = rows(&names, &[1; 40]);
    for (language, component) in each() {
        let mut instance = open(component, json!({"scalars_only": true, "weight": 2}));
        let output = instance.run(&input(&arrays)).unwrap();
        assert_eq!(output.counts, vec![1; 40], "{language}");
        let found = documents(instance.description(), &output);
        for (row, found) in found.into_iter().enumerate() {
            let there = row % 3 == 2;
            let expected = json!({
                "name": names[row], "count": 1, "ratio": row as f64 / 4.0, "flag": row % 2 == 0,
                "facts": {"é": [row]}, "file": vec![row as u8; row * 3_000],
                "note": there.then(|| "x".repeat(row)), "size": there.then_some(i64::MIN),
                "more": there.then_some([0.5; 3]), "ordinal": 0,
            });
            // Not assert_eq: a difference would print megabytes.
            assert!(found == expected, "{language}, row {row}");
        }
    }
}

#[test]
fn vectors_of_every_kind_arrive_to_the_last_bit() {
    let arrays = rows(&["a", "b"], &[1, 2]);
    for (language, component) in each() {
        let output = open(component, json!({})).run(&input(&arrays)).unwrap();
        assert_eq!(output.counts, [1, 2], "{language}");
        let [.., dense, sparse, multi, _, _, _, _] = &output.columns[..] else { panic!() };
        let OutputColumn::Dense(dense) = dense else { panic!("dense") };
        let OutputColumn::Sparse { indices, values } = sparse else { panic!("sparse") };
        let OutputColumn::Multi(multi) = multi else { panic!("multi") };
        let first: ArrayRef = dense.value(1);
        let first = first.as_any().downcast_ref::<arrow_array::Float32Array>().unwrap();
        assert_eq!(first.values(), &[2.0, 0.1], "{language}");
        // The first document of a row has no entries.
        assert!(indices.is_null(0) && indices.is_null(1), "{language}");
        assert_eq!(indices.value(2), [1u32, 8].map(u32::to_le_bytes).concat(), "{language}");
        assert_eq!(floats(values.value(2)), [0.5, 0.125], "{language}");
        assert_eq!(floats(multi.value(2)), [2.0, 0.1, 2.0, 0.1], "{language}");
    }
}

#[test]
fn a_rejected_row_takes_back_what_it_made_and_leaves_the_others_alone() {
    let arrays = rows(&["a", "reject", "transient", "raise", "b"], &[2, 1, 1, 1, 3]);
    for (language, component) in each() {
        let output = open(component, json!({})).run(&input(&arrays)).unwrap();
        assert_eq!(output.counts, [2, 0, 0, 0, 3], "{language}");
        let codes: Vec<&str> = output.rejects.iter().map(|reject| &*reject.code).collect();
        assert_eq!(codes, ["as_asked", "unavailable", "exception"], "{language}");
        assert_eq!(output.rejects[0].message, "rejected by name", "{language}");
        let message = &output.rejects[2].message;
        let expected = ["KeyError: 'missing' (everything.py, line ", "TypeError: "];
        assert!(expected.iter().any(|start| message.starts_with(start)), "{language}: {message}");
        assert!(output.log.iter().any(|line| line.contains("extract")), "{:?}", output.log);
    }
}

/// Cells that are there but can not be read.
struct Gone;

impl Cells for Gone {
    fn len(&self, row: usize) -> Result<Option<u64>> {
        match row {
            0 => Err(Error::new(Code::Unavailable, "the file is gone")),
            _ => Ok(Some(2 << 20)),
        }
    }

    fn read(&self, _: usize, _: u64, _: usize) -> Result<bytes::Bytes> {
        Err(Error::new(Code::Unavailable, "the file is gone"))
    }

    fn slice(&self, _: usize, _: usize) -> Arc<dyn Cells> {
        Arc::new(Gone)
    }
}

#[test]
fn a_blob_that_can_not_be_read_or_is_too_large_rejects_its_row() {
    let mut input = input(&rows(&["a", "b"], &[1, 1]));
    input.columns[5] = InputColumn::Cells(Arc::new(Gone));
    for (language, component) in each() {
        let output: Output = open(component, json!({})).run(&input).unwrap();
        let codes: Vec<&str> = output.rejects.iter().map(|reject| &*reject.code).collect();
        assert_eq!(codes, ["blob_unreadable", "blob_too_large"], "{language}");
        let message = &output.rejects[0].message;
        assert!(message.contains("the file is gone"), "{language}: {message}");
    }
}

#[test]
fn queries_answer_with_every_kind_of_vector_or_in_the_words_of_the_extractor() {
    for (language, component) in each() {
        let mut instance = open(component, json!({}));
        let mut answer = instance.embed_query("abc").unwrap();
        answer.sort_by(|a, b| a.0.cmp(&b.0));
        let terms = SparseVector { indices: vec![3], values: vec![0.1] };
        let expected = [
            ("dense".to_owned(), Vector::Dense(vec![3.0, 0.1])),
            ("terms".to_owned(), Vector::Sparse(terms)),
            ("tokens".to_owned(), Vector::Multi(vec![vec![1.0, 2.0], vec![3.0, 4.0]])),
        ];
        assert_eq!(answer, expected, "{language}");
        let error = instance.embed_query("wrong").unwrap_err().to_string();
        assert!(error.contains("no such text"), "{language}: {error}");
    }
}

#[test]
fn parameters_are_described_and_refused_by_their_names() {
    for (language, component) in each() {
        let description = component.description();
        assert_eq!(description.name, "everything", "{language}");
        assert_eq!(description.position.as_deref(), Some("ordinal"), "{language}");
        assert_eq!(description.inputs[0].description, "Comes out again.", "{language}");
        let required: Vec<bool> = description.inputs.iter().map(|input| input.required).collect();
        assert_eq!(required, [[true; 7].as_slice(), &[false; 4]].concat(), "{language}");
        assert!(description.queries, "{language}");
        assert_eq!(description.parameters["properties"]["dimension"]["default"], 2, "{language}");
        let error = component.instantiate(&json!({"refuse": true})).map(drop).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("parameter `refuse`: as asked for"), "{language}: {error}");
    }
}
