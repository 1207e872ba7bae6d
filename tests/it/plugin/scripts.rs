//! What no vector sink takes is found here, where it costs a row, and not there, where it would
//! cost the batch.

use super::host;
use crate::torture::kinds::fuzz::guest::{Configure, VARLEN, VECTORS, scripted};
use crate::torture::kinds::fuzz::output::Steps;
use arrow_array::{Array, ArrayRef, BinaryArray};
use quarry::model::VECTOR_VALUE_MAX;
use quarry::plugin::{
    Extractor, Failure, Input, InputColumn, Limits, Output, OutputColumn, Reason,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// One row that makes two documents: a dense vector of two values each, and what `more` pushes.
fn run(values: [f32; 4], more: impl FnOnce(&mut Steps)) -> Result<Output, Failure> {
    let description = json!({
        "name": "scripted", "version": "1.0.0", "queries": true,
        "inputs": [{ "name": "script", "type": "blob", "required": true }],
        "outputs": [
            { "name": "d", "type": "dense", "dimension": 2, "distance": "dot" },
            { "name": "m", "type": "multi", "dimension": 1, "distance": "dot" },
        ],
    });
    let wasm = scripted(&description.to_string(), &Configure::Description);
    let component = host(Limits::default()).load(&wasm).unwrap();
    let mut steps = Steps::default();
    steps.announce(0, &[2]);
    let data = steps.floats(&values);
    steps.push(VECTORS, &[0, 0, data, 16]);
    more(&mut steps);
    let script: ArrayRef = Arc::new(BinaryArray::from(vec![&steps.script()[..]]));
    let input = Input { rows: 1, columns: vec![InputColumn::Array(script)] };
    component.instantiate(&Value::Null).unwrap().run(&input)
}

#[test]
fn values_up_to_the_largest_are_taken_and_larger_ones_fail_the_call() {
    let fits = [VECTOR_VALUE_MAX, -VECTOR_VALUE_MAX, f32::MIN_POSITIVE, -0.0];
    assert_eq!(run(fits, |_| ()).unwrap().documents, 2);
    for value in [VECTOR_VALUE_MAX.next_up(), -1e17, f32::MAX] {
        for at in 0..4 {
            let mut values = fits;
            values[at] = value;
            let failure = run(values, |_| ()).unwrap_err();
            assert_eq!(failure.reason, Reason::Contract);
            let expected = format!("has {value} at value {at}, at most 1e16 is allowed");
            assert!(failure.message.ends_with(&expected), "{}", failure.message);
        }
    }
}

#[test]
fn a_multi_vector_without_vectors_is_none() {
    let pushed = run([0.0; 4], |steps| {
        let (offsets, data) = (steps.numbers(&[0, 0, 4]), steps.floats(&[2.0]));
        steps.push(VARLEN, &[1, 0, 0, 0, offsets, 3, data, 4]);
    });
    let output = pushed.unwrap();
    let OutputColumn::Multi(vectors) = &output.columns[1] else { panic!("not a multi-vector") };
    assert_eq!((vectors.is_null(0), vectors.is_null(1)), (true, false));
    assert_eq!(vectors.value(1), 2.0_f32.to_le_bytes());
}
