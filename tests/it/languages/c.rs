//! The C SDK through the real host: every type of field, and every way to go wrong.

use crate::support::quarry::root;
use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray,
};
use quarry::model::{SparseVector, Vector};
use quarry::plugin::{
    Component, Extractor, Host, Input, InputColumn, Instance, Limits, Output, OutputColumn, Reason,
};
use quarry_build::Request;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Builds with the tools and the cache of `./x test`.
pub(super) fn build(directory: &Path, out: &Path) -> anyhow::Result<Vec<u8>> {
    let tools = std::env::var_os("QUARRY_TOOLS").map(PathBuf::from);
    let target = tools.and_then(|tools| Some(tools.parent()?.to_owned()));
    let target = target.unwrap_or_else(|| root().join("target/guests"));
    let request = Request { directory: directory.into(), target, out: out.into() };
    Ok(quarry_build::build(&request)?.bytes)
}

fn everything() -> &'static Component {
    static COMPONENT: OnceLock<Component> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let out = tempfile::tempdir().unwrap();
        let wasm = build(&root().join("sdk/c/tests/everything"), out.path()).unwrap();
        Host::new(None, Limits::default()).unwrap().load(&wasm).unwrap()
    })
}

fn instance(parameters: Value) -> Box<dyn Instance> {
    everything().instantiate(&parameters).unwrap()
}

/// Rows with a null in every column now and then; the text of a row may be given.
fn rows(count: usize, text: Option<&str>) -> Vec<ArrayRef> {
    let there = |row: usize, every: usize| row % every != every - 1;
    let texts = (0..count).map(|row| match text {
        Some(text) => Some(text.to_owned()),
        None => there(row, 5).then(|| "ä€".repeat(row % 7)),
    });
    let numbers = (0..count).map(|row| there(row, 3).then_some(row as i64 * 3));
    let reals = (0..count).map(|row| there(row, 4).then_some(row as f64 / 8.0));
    let flags = (0..count).map(|row| there(row, 6).then_some(row % 4 == 1));
    let data = (0..count).map(|row| there(row, 7).then(|| vec![row as u8; (row % 3) * 50_000]));
    let meta = (0..count).map(|row| there(row, 2).then(|| format!("[{row}]")));
    let mut image = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    for row in 0..count {
        image.values().append_value(row as f32 + 0.5);
        image.values().append_value(-1.5);
        image.append(there(row, 11));
    }
    vec![
        Arc::new(texts.collect::<StringArray>()),
        Arc::new(numbers.collect::<Int64Array>()),
        Arc::new(reals.collect::<Float64Array>()),
        Arc::new(flags.collect::<BooleanArray>()),
        Arc::new(data.collect::<BinaryArray>()),
        Arc::new(meta.collect::<StringArray>()),
        Arc::new(image.finish()),
    ]
}

fn input(arrays: &[ArrayRef]) -> Input {
    let columns = arrays.iter().cloned().map(InputColumn::Array).collect();
    Input { rows: arrays[0].len(), columns }
}

fn scalar(output: &Output, at: usize) -> &ArrayRef {
    let OutputColumn::Scalar(array) = &output.columns[at] else { panic!("column {at}") };
    array
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let values = bytes.chunks_exact(4).map(|bytes| bytes.try_into().unwrap());
    values.map(f32::from_le_bytes).collect()
}

#[test]
fn every_type_arrives_as_it_was_sent() {
    // Several tiles, and more than the SDK keeps back before it hands documents over.
    let arrays = rows(200, None);
    let output = instance(json!({})).run(&input(&arrays)).unwrap();
    assert_eq!(output.counts, vec![1; 200]);
    for (column, sent) in arrays.iter().enumerate().take(6) {
        assert_eq!(scalar(&output, column).as_ref(), sent.as_ref(), "column {column}");
    }
    let OutputColumn::Dense(images) = &output.columns[6] else { panic!("dense") };
    let OutputColumn::Sparse { indices, values } = &output.columns[7] else { panic!("sparse") };
    let OutputColumn::Multi(pieces) = &output.columns[8] else { panic!("multi") };
    for row in 0..200 {
        let image = images.value(row);
        let image = image.as_any().downcast_ref::<arrow_array::Float32Array>().unwrap();
        if row % 11 == 10 {
            assert_eq!(image.values(), &[0.0, 0.0], "row {row}");
            assert!(pieces.is_null(row) && indices.is_null(row), "row {row}");
            continue;
        }
        let expected = [row as f32 + 0.5, -1.5];
        assert_eq!(image.values(), &expected, "row {row}");
        assert_eq!(floats(pieces.value(row)), expected, "row {row}");
        assert_eq!(floats(values.value(row)), expected, "row {row}");
        let number = if row % 3 == 2 { 0 } else { row as u32 * 3 };
        let wanted = [1u32, number + 2].map(u32::to_le_bytes).concat();
        assert_eq!(indices.value(row), wanted, "row {row}");
    }
}

#[test]
fn rows_make_none_one_or_two_documents_or_are_taken_back() {
    let mut arrays = rows(9, None);
    let texts = ["a", "twice", "nothing", "reject", "b", "reject", "twice", "log", "c"];
    arrays[0] = Arc::new(StringArray::from(texts.to_vec()));
    let output = instance(json!({})).run(&input(&arrays)).unwrap();
    assert_eq!(output.counts, [1, 2, 0, 0, 1, 0, 2, 0, 1]);
    let made = ["a", "twice", "twice", "b", "twice", "twice", "c"];
    assert_eq!(scalar(&output, 0).as_ref(), &StringArray::from(made.to_vec()) as &dyn Array);
    let rejects: Vec<_> = output.rejects.iter().map(|reject| reject.row).collect();
    assert_eq!(rejects, [3, 5]);
    assert_eq!((&*output.rejects[0].code, &*output.rejects[0].message), ("refused", "taken back"));
    assert!(output.log.iter().any(|line| line.contains("seven 7 7.00")), "{:?}", output.log);
}

#[test]
fn parameters_are_read_whatever_stands_around_them() {
    let parameters = json!({
        "nested": {"scale": 9, "list": ["label\"", "{"]}, "scale": 2.5, "label": "a ä",
        "dimension": 2.0
    });
    let mut instance = instance(parameters);
    let output = instance.run(&input(&rows(2, None))).unwrap();
    assert_eq!(scalar(&output, 2).as_ref(), &Float64Array::from(vec![0.0, 0.3125]) as &dyn Array);
    let output = instance.run(&input(&rows(1, Some("label")))).unwrap();
    assert_eq!(scalar(&output, 0).as_ref(), &StringArray::from(vec!["a ä"]) as &dyn Array);
    assert_eq!(instance.description().outputs[6].dimension, Some(2));
    let error = everything().instantiate(&json!({"wrong": true})).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("parameter `wrong`: it is wrong"), "{error}");
    assert_eq!(everything().description().inputs[0].description, "With \"quotes\", \\ and\ttab.");
}

#[test]
fn queries_answer_with_every_kind_of_vector_to_the_last_bit() {
    let mut instance = instance(json!({}));
    let mut answer = instance.embed_query("x").unwrap();
    answer.sort_by(|a, b| a.0.cmp(&b.0));
    let dense = vec![0.1f32, -1e-20];
    let multi = vec![dense.clone(), vec![16_777_216.0, 3.0]];
    let sparse = SparseVector { indices: vec![3, u32::MAX], values: dense.clone() };
    let expected = [
        ("image".to_owned(), Vector::Dense(dense)),
        ("pieces".to_owned(), Vector::Multi(multi)),
        ("terms".to_owned(), Vector::Sparse(sparse)),
    ];
    assert_eq!(answer, expected);
    let error = instance.embed_query("").unwrap_err();
    assert!(error.to_string().contains("the query is empty"), "{error}");
}

#[test]
fn mistakes_and_deep_recursion_trap_and_the_next_call_is_fresh() {
    let mut instance = instance(json!({}));
    let failure = instance.run(&input(&rows(1, Some("mistake")))).unwrap_err();
    assert_eq!(failure.reason, Reason::Trap);
    let log = failure.log.join("\n");
    assert!(log.contains("set as another type than it is declared with"), "{log}");
    let failure = instance.run(&input(&rows(1, Some("deep")))).unwrap_err();
    assert_eq!(failure.reason, Reason::Trap, "{}", failure.message);
    assert_eq!(instance.run(&input(&rows(3, None))).unwrap().counts, [1, 1, 1]);
}

/// A new project in C with a change to its source.
fn changed(folder: &Path, name: &str, from: &str, to: &str) -> PathBuf {
    let directory = folder.join(name);
    let language = quarry_build::Language::C;
    let project =
        quarry_build::NewProject { name: name.into(), language, directory: directory.clone() };
    quarry_build::new(&project).unwrap();
    let path = directory.join("src/extractor.c");
    let source = std::fs::read_to_string(&path).unwrap();
    assert!(source.contains(from));
    std::fs::write(&path, source.replace(from, to)).unwrap();
    directory
}

#[test]
fn a_capability_that_is_called_is_imported_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let include = "#include \"quarry_extractor.h\"";
    let clock = format!("{include}\n#include \"plugin.h\"\n");
    let directory = changed(folder.path(), "late", include, &clock);
    let path = directory.join("src/extractor.c");
    let source = std::fs::read_to_string(&path).unwrap();
    let now = "letters_min = (int64_t)(quarry_extractor_clock_now() & 1);";
    std::fs::write(&path, source.replace("letters_min = 1;", now)).unwrap();
    let wasm = build(&directory, folder.path()).unwrap();
    let imports = quarry::plugin::inspect(&wasm).unwrap().imports;
    let known = ["input", "output", "log", "clock"].map(|n| format!("quarry:extractor/{n}@0.1.0"));
    assert!(imports.contains(&known[3]), "{imports:?}");
    assert!(imports.iter().all(|import| known.contains(import)), "{imports:?}");
}

#[test]
fn a_console_is_refused_by_the_build_with_the_name_of_what_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let puts = "letters_min = puts(\"hello\");";
    let directory = changed(folder.path(), "chatty", "letters_min = 1;", puts);
    let path = directory.join("src/extractor.c");
    let source = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("#include <stdio.h>\n{source}")).unwrap();
    let error = format!("{:#}", build(&directory, folder.path()).unwrap_err());
    assert!(error.contains("it calls `wasi_snapshot_preview1.fd_"), "{error}");
    assert!(error.contains("hint: "), "{error}");
    std::fs::write(&path, source.replace("static float counts", "static floot counts")).unwrap();
    let error = format!("{:#}", build(&directory, folder.path()).unwrap_err());
    assert!(error.contains("cannot compile `chatty`"), "{error}");
}
