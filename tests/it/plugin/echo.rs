//! Data arrives as it was sent, whatever window of an Arrow array it is.

use super::{full, hostile, instance, texts};
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray, Float64Array, Int64Array,
    StringArray,
};
use arrow_buffer::NullBuffer;
use quarry::plugin::{Input, InputColumn, Instance, Output, OutputColumn};
use serde_json::json;
use std::sync::Arc;

/// `rows` rows where every column has a null now and then.
fn with_nulls(rows: usize) -> Vec<ArrayRef> {
    let there = |row: usize, every: usize| !row.is_multiple_of(every);
    let texts = (0..rows).map(|row| there(row, 5).then(|| "ä".repeat(row % 7)));
    let meta = (0..rows).map(|row| there(row, 2).then(|| format!("[{row}]")));
    let data = (0..rows).map(|row| there(row, 7).then(|| vec![row as u8; row % 9]));
    let image: Vec<u8> = (0..rows).flat_map(|row| [row as u8 % 64; 8]).collect();
    let (field, size, values, _) = quarry::plugin::vectors(2, image.into()).into_parts();
    let nulls = (0..rows).map(|row| there(row, 11)).collect::<NullBuffer>();
    vec![
        Arc::new(texts.collect::<StringArray>()),
        Arc::new((0..rows).map(|row| there(row, 3).then_some(row as i64)).collect::<Int64Array>()),
        Arc::new((0..rows).map(|row| there(row, 4).then_some(0.5)).collect::<Float64Array>()),
        Arc::new(
            (0..rows).map(|row| there(row, 6).then_some(row % 4 == 1)).collect::<BooleanArray>(),
        ),
        Arc::new(data.collect::<BinaryArray>()),
        Arc::new(meta.collect::<StringArray>()),
        Arc::new(FixedSizeListArray::new(field, size, values, Some(nulls))),
    ]
}

fn echo(instance: &mut dyn Instance, arrays: &[ArrayRef]) -> Output {
    let columns = arrays.iter().cloned().map(InputColumn::Array).collect();
    let input = Input { rows: arrays[0].len(), columns };
    instance.run(&input).unwrap_or_else(|failure| panic!("{}", failure.message))
}

/// The columns of `output` that echo an input, in the order of the inputs.
fn echoed(output: &Output) -> Vec<ArrayRef> {
    let scalar = |at: usize| match &output.columns[at] {
        OutputColumn::Scalar(array) => array.clone(),
        other => panic!("not a scalar: {other:?}"),
    };
    [0, 3, 4, 5, 6, 7].map(scalar).to_vec()
}

#[track_caller]
fn check(parameters: serde_json::Value, arrays: &[ArrayRef]) {
    let output = echo(&mut *instance(hostile(), parameters), arrays);
    for (column, (got, sent)) in echoed(&output).iter().zip(arrays).enumerate() {
        assert_eq!(got.as_ref(), sent.as_ref(), "column {column}");
    }
    let OutputColumn::Multi(pieces) = &output.columns[9] else { panic!("multi") };
    let image = arrays[6].as_fixed_size_list();
    for row in 0..image.len() {
        assert_eq!(pieces.is_null(row), image.is_null(row), "row {row}");
        let same = || floats(pieces.value(row)) == lanes(image, row);
        assert!(image.is_null(row) || same(), "row {row}");
    }
}

#[test]
fn whole_arrays_with_nulls() {
    check(json!({}), &with_nulls(1000));
}

#[test]
fn slices_at_every_bit_of_a_byte() {
    let arrays = with_nulls(100);
    for from in 0..20 {
        for rows in [1, 7, 8, 9, 64, 80] {
            let window: Vec<_> = arrays.iter().map(|array| array.slice(from, rows)).collect();
            check(json!({}), &window);
        }
    }
}

#[test]
fn tiles_of_every_small_size() {
    let arrays: Vec<_> = with_nulls(90).iter().map(|array| array.slice(3, 61)).collect();
    for tile in [1, 2, 3, 7, 8, 9, 30, 60, 61, 62] {
        check(json!({ "tile": tile }), &arrays);
    }
}

#[test]
fn blobs_read_cell_by_cell() {
    let arrays: Vec<_> = with_nulls(40).iter().map(|array| array.slice(5, 30)).collect();
    check(json!({"cells": true}), &arrays);
}

#[test]
fn no_rows_at_all() {
    let output = acting_on(&texts(&[]));
    assert_eq!((output.documents, output.counts.len()), (0, 0));
    assert_eq!(output.columns.len(), 10);
}

#[test]
fn an_input_nothing_is_mapped_to_is_null() {
    let output = acting_on(&texts(&["one", "two"]));
    for array in &echoed(&output)[1..] {
        assert_eq!((array.len(), array.null_count()), (2, 2));
    }
}

#[test]
fn a_column_that_is_not_pushed_is_null_there() {
    let mut instance = super::acting("gaps");
    let output = instance.run(&texts(&["a", "poison", "c", "d"])).unwrap();
    let arrays = echoed(&output);
    let text = StringArray::from(vec![Some("first"), None, None, Some("last")]);
    assert_eq!(arrays[0].as_ref(), &text as &dyn Array);
    let number = Int64Array::from(vec![None, None, None, Some(7)]);
    assert_eq!(arrays[1].as_ref(), &number as &dyn Array);
    let OutputColumn::Sparse { indices, values } = &output.columns[8] else { panic!("sparse") };
    assert_eq!((indices.null_count(), values.null_count()), (4, 4));
}

#[test]
fn sparse_and_dense_vectors_arrive_as_pushed() {
    let mut instance = instance(hostile(), json!({"dimension": 2}));
    let output = instance.run(&texts(&["abc", ""])).unwrap();
    let OutputColumn::Dense(dense) = &output.columns[2] else { panic!("dense") };
    assert_eq!(lanes(dense, 0), [3.0, 4.0]);
    assert_eq!(lanes(dense, 1), [0.0, 1.0]);
    let OutputColumn::Sparse { indices, values } = &output.columns[8] else { panic!("sparse") };
    assert_eq!(indices.value(0), [3, 0, 0, 0, 4, 0, 0, 0]);
    assert_eq!(floats(values.value(0)), [0.5, 3.0]);
    assert!(indices.is_null(1) && values.is_null(1));
}

#[test]
fn a_reused_instance_gives_what_a_fresh_one_gives() {
    let mut reused = instance(hostile(), json!({}));
    for rows in [1, 100, 3, 1000, 17] {
        let input = full(rows);
        let again = reused.run(&input).unwrap();
        let fresh = instance(hostile(), json!({})).run(&input).unwrap();
        assert_eq!(again.counts, fresh.counts);
        assert_eq!(digest(&again), digest(&fresh));
    }
}

#[test]
fn an_instance_is_renewed_now_and_then_without_a_trace() {
    let mut instance = instance(hostile(), json!({}));
    let input = full(2);
    let first = digest(&instance.run(&input).unwrap());
    for _ in 0..1000 {
        assert_eq!(digest(&instance.run(&input).unwrap()), first);
    }
}

#[test]
fn an_input_of_the_wrong_type_is_named() {
    let mut input = full(2);
    input.columns[1] = input.columns[0].clone();
    let failure = instance(hostile(), json!({})).run(&input).unwrap_err();
    assert_eq!(failure.message, "input `number` is of type i64, got Utf8");
}

fn acting_on(input: &Input) -> Output {
    instance(hostile(), json!({})).run(input).unwrap()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (lanes, _) = bytes.as_chunks::<4>();
    lanes.iter().map(|lane| f32::from_le_bytes(*lane)).collect()
}

fn lanes(vectors: &FixedSizeListArray, row: usize) -> Vec<f32> {
    vectors.value(row).as_primitive::<Float32Type>().values().to_vec()
}

/// All values of all columns.
fn digest(output: &Output) -> Vec<arrow_array::ArrayRef> {
    let arrays = output.columns.iter().flat_map(|column| -> Vec<ArrayRef> {
        match column {
            OutputColumn::Scalar(array) => vec![array.clone()],
            OutputColumn::Dense(array) => vec![Arc::new(array.clone())],
            OutputColumn::Sparse { indices, values } => {
                vec![Arc::new(indices.clone()), Arc::new(values.clone())]
            }
            OutputColumn::Multi(array) => vec![Arc::new(array.clone())],
        }
    });
    arrays.collect()
}
