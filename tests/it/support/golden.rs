//! Golden files: inputs as JSON or files beside them, documents as JSON.

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray,
};
use quarry::model::{Description, FieldKind};
use quarry::plugin::{InputColumn, Output, OutputColumn};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;

/// One cell: a text, or `{"file": NAME}`.
pub(crate) fn cell(value: &Value, kind: FieldKind, folder: &Path) -> InputColumn {
    let bytes = match value {
        Value::Null => return InputColumn::Absent,
        Value::String(text) => text.clone().into_bytes(),
        other => std::fs::read(folder.join(other["file"].as_str().unwrap())).unwrap(),
    };
    let array: ArrayRef = match kind {
        FieldKind::Blob => Arc::new(BinaryArray::from(vec![bytes.as_slice()])),
        _ => Arc::new(StringArray::from(vec![String::from_utf8(bytes).unwrap()])),
    };
    InputColumn::Array(array)
}

pub(crate) fn documents(description: &Description, output: &Output) -> Vec<Value> {
    let document = |at: usize| {
        let fields = description.outputs.iter().zip(&output.columns);
        let fields =
            fields.map(|(field, column)| (field.name.clone(), value(column, field.kind, at)));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    (0..output.documents).map(document).collect()
}

fn value(column: &OutputColumn, kind: FieldKind, at: usize) -> Value {
    let array = match column {
        OutputColumn::Dense(array) => {
            return json!(array.value(at).as_primitive::<Float32Type>().values().to_vec());
        }
        OutputColumn::Scalar(array) => array,
        OutputColumn::Sparse { .. } | OutputColumn::Multi(_) => {
            panic!("no golden file has such a vector")
        }
    };
    if array.is_null(at) {
        return Value::Null;
    }
    let any = array.as_any();
    match kind {
        FieldKind::Utf8 => json!(any.downcast_ref::<StringArray>().unwrap().value(at)),
        FieldKind::Json => {
            let text = any.downcast_ref::<StringArray>().unwrap().value(at);
            serde_json::from_str(text).unwrap()
        }
        FieldKind::I64 => json!(any.downcast_ref::<Int64Array>().unwrap().value(at)),
        FieldKind::F64 => json!(any.downcast_ref::<Float64Array>().unwrap().value(at)),
        FieldKind::Bool => json!(any.downcast_ref::<BooleanArray>().unwrap().value(at)),
        _ => json!(any.downcast_ref::<BinaryArray>().unwrap().value(at)),
    }
}

/// Equal but for the last bit of numbers: JSON readers differ there.
pub(crate) fn same(found: &[Value], expected: &[Value]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        for (name, wanted) in expected.as_object().unwrap() {
            assert!(alike(&found[name], wanted), "{name}: {} is not {wanted}", found[name]);
        }
    }
}

fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a.as_f64().unwrap() as f32 == b.as_f64().unwrap() as f32
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        _ => a == b,
    }
}
