//! Rows and documents as JSON: what fixtures hold and what an author is shown.
//!
//! An f32 is the shortest decimal that is read back as the same f32, a blob `{"base64": ".."}`, a
//! sparse vector `{"indices": [..], "values": [..]}`.

use super::{Input, InputColumn, Output, OutputColumn, vectors};
use crate::error::{Code, Error, Result};
use crate::model::{self, Field, FieldKind, Vector};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray, Float64Array, Int64Array,
    StringArray,
};
use arrow_buffer::NullBuffer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A row or a document, by field name.
pub type Row = Map<String, Value>;

/// A blob that is shown whole has at most this many bytes.
const SHOWN_BYTES_MAX: u64 = 64 << 20;

/// Reads a file that a row refers to as `{"file": "path"}`.
pub type ReadFile<'a> = dyn Fn(&str) -> Result<Vec<u8>> + 'a;

/// Rows for an extractor with these inputs. The error's field is the JSON pointer below the array
/// of rows: `/3/text`.
pub fn input(inputs: &[model::Input], rows: &[Row], file: &ReadFile<'_>) -> Result<Input> {
    for (at, row) in rows.iter().enumerate() {
        if let Some(name) = row.keys().find(|name| !inputs.iter().any(|i| i.name == **name)) {
            let known: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
            return Err(Error::invalid(format!("the extractor has no input `{name}`"))
                .field(format!("/{at}/{name}"))
                .hint(format!("it takes {}", known.join(", "))));
        }
    }
    let columns = inputs.iter().map(|input| column(input, rows, file));
    Ok(Input { rows: rows.len(), columns: columns.collect::<Result<_>>()? })
}

fn column(input: &model::Input, rows: &[Row], file: &ReadFile<'_>) -> Result<InputColumn> {
    let name = &input.name;
    let cells: Vec<Option<&Value>> =
        rows.iter().map(|row| row.get(name).filter(|value| !value.is_null())).collect();
    if input.required
        && let Some(at) = cells.iter().position(Option::is_none)
    {
        let message = format!("the required input `{name}` is missing");
        return Err(Error::invalid(message)
            .field(format!("/{at}/{name}"))
            .hint("in a batch such a row never reaches the extractor"));
    }
    if cells.iter().all(Option::is_none) {
        return Ok(InputColumn::Absent);
    }
    let cells = Cells { name, cells, file };
    let array: ArrayRef = match input.kind {
        FieldKind::Utf8 => Arc::new(StringArray::from(cells.each("a text", |c| Ok(c.text()))?)),
        FieldKind::Json => {
            let texts = cells.each("JSON", |cell| Ok(Some(cell.value.to_string())))?;
            Arc::new(StringArray::from(texts))
        }
        FieldKind::I64 => {
            Arc::new(Int64Array::from(cells.each("an integer", |c| Ok(c.value.as_i64()))?))
        }
        FieldKind::F64 => {
            Arc::new(Float64Array::from(cells.each("a number", |c| Ok(c.value.as_f64()))?))
        }
        FieldKind::Bool => {
            Arc::new(BooleanArray::from(cells.each("true or false", |c| Ok(c.value.as_bool()))?))
        }
        FieldKind::Blob => {
            let blobs = cells.each("one of base64, text and file", |cell| cell.bytes())?;
            let blobs: Vec<Option<&[u8]>> = blobs.iter().map(Option::as_deref).collect();
            Arc::new(BinaryArray::from(blobs))
        }
        FieldKind::Dense => Arc::new(cells.dense()?),
        FieldKind::Sparse | FieldKind::Multi => {
            let kind = input.kind.as_str();
            return Err(Error::internal(format!("an input of type {kind}")));
        }
    };
    Ok(InputColumn::Array(array))
}

/// The values of one input.
struct Cells<'a> {
    name: &'a str,
    cells: Vec<Option<&'a Value>>,
    file: &'a ReadFile<'a>,
}

struct Cell<'a> {
    value: &'a Value,
    file: &'a ReadFile<'a>,
}

impl Cells<'_> {
    /// `None` of `read` means that the value is not `wanted`.
    fn each<T>(
        &self,
        wanted: &str,
        read: impl Fn(&Cell<'_>) -> Result<Option<T>>,
    ) -> Result<Vec<Option<T>>> {
        let one = |(at, value): (usize, &Option<&Value>)| {
            let Some(value) = value else { return Ok(None) };
            let place = format!("/{at}/{}", self.name);
            let read = read(&Cell { value, file: self.file });
            match read.map_err(|error| error.field(&place))? {
                Some(cell) => Ok(Some(cell)),
                None => {
                    let shown = super::log::clean(&value.to_string(), 60);
                    Err(Error::invalid(format!("{shown} is not {wanted}")).field(place))
                }
            }
        };
        self.cells.iter().enumerate().map(one).collect()
    }

    fn dense(&self) -> Result<FixedSizeListArray> {
        let lanes = |cell: &Cell<'_>| Ok(cell.value.as_array().and_then(|lanes| floats(lanes)));
        let read = self.each("a list of numbers", lanes)?;
        let dimension = read.iter().flatten().map(Vec::len).next().unwrap_or(0);
        let odd = |vector: &Option<Vec<f32>>| {
            vector.as_ref().is_some_and(|lanes| lanes.len() != dimension || lanes.is_empty())
        };
        if let Some(at) = read.iter().position(odd) {
            let message = format!("a vector has another dimension than {dimension}, or none");
            return Err(Error::invalid(message).field(format!("/{at}/{}", self.name)));
        }
        let zeros = vec![0.0; dimension];
        let values = read.iter().flat_map(|v| v.as_ref().unwrap_or(&zeros).iter().copied());
        let values: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
        let dimension = u32::try_from(dimension).unwrap_or(u32::MAX);
        let (field, size, values, _) = vectors(dimension, values.into()).into_parts();
        let nulls = NullBuffer::from_iter(read.iter().map(Option::is_some));
        Ok(FixedSizeListArray::new(field, size, values, Some(nulls)))
    }
}

impl Cell<'_> {
    fn text(&self) -> Option<String> {
        self.value.as_str().map(str::to_string)
    }

    fn bytes(&self) -> Result<Option<Vec<u8>>> {
        let entry = self.value.as_object().filter(|object| object.len() == 1);
        let entry = entry.and_then(|object| object.iter().next());
        match entry.and_then(|(key, value)| Some((key.as_str(), value.as_str()?))) {
            Some(("base64", text)) => Ok(BASE64.decode(text).ok()),
            Some(("text", text)) => Ok(Some(text.as_bytes().to_vec())),
            Some(("file", path)) => (self.file)(path).map(Some),
            _ => Ok(None),
        }
    }
}

fn floats(lanes: &[Value]) -> Option<Vec<f32>> {
    lanes.iter().map(|lane| lane.as_f64().map(|lane| lane as f32)).collect()
}

/// The documents of an output, in order, with all fields.
pub fn documents(outputs: &[Field], output: &Output) -> Vec<Row> {
    let document = |at: usize| {
        let fields = outputs.iter().zip(&output.columns);
        fields.map(|(field, column)| (field.name.clone(), made(field, column, at))).collect()
    };
    (0..output.documents).map(document).collect()
}

fn made(field: &Field, column: &OutputColumn, at: usize) -> Value {
    match column {
        OutputColumn::Scalar(array) => scalar(field.kind, array, at),
        OutputColumn::Dense(array) => lanes(array, at),
        OutputColumn::Sparse { indices, .. } if indices.is_null(at) => Value::Null,
        OutputColumn::Sparse { indices, values } => {
            let (words, _) = indices.value(at).as_chunks::<4>();
            let indices: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
            json!({ "indices": indices, "values": numbers(values.value(at)) })
        }
        OutputColumn::Multi(array) if array.is_null(at) => Value::Null,
        OutputColumn::Multi(array) => {
            let width = 4 * field.dimension.unwrap_or(1).max(1) as usize;
            array.value(at).chunks(width).map(numbers).collect()
        }
    }
}

/// Vectors by the names of their fields.
pub fn vectors_of(vectors: &[(String, Vector)]) -> Row {
    let lanes = |lanes: &[f32]| lanes.iter().map(|lane| number(*lane)).collect::<Value>();
    let shown = |vector: &Vector| match vector {
        Vector::Dense(dense) => lanes(dense),
        Vector::Sparse(sparse) => {
            json!({ "indices": sparse.indices, "values": lanes(&sparse.values) })
        }
        Vector::Multi(rows) => rows.iter().map(|row| lanes(row)).collect(),
    };
    vectors.iter().map(|(name, vector)| (name.clone(), shown(vector))).collect()
}

/// A vector that somebody wrote, with each number that stands for an f32 as that f32 is written
/// here: then equal vectors are equal JSON.
pub fn as_f32(value: &Value) -> Value {
    match value {
        Value::Number(double) => {
            double.as_f64().map_or(Value::Null, |double| number(double as f32))
        }
        Value::Array(items) => items.iter().map(as_f32).collect(),
        Value::Object(sparse) => {
            let entry = |(name, value): (&String, &Value)| {
                let value = if name == "indices" { value.clone() } else { as_f32(value) };
                (name.clone(), value)
            };
            Value::Object(sparse.iter().map(entry).collect())
        }
        other => other.clone(),
    }
}

/// The rows of an input without null cells, whole: referenced blobs are read.
pub fn rows(inputs: &[model::Input], input: &Input) -> Result<Vec<Row>> {
    let mut rows = vec![Row::new(); input.rows];
    for (described, column) in inputs.iter().zip(&input.columns) {
        for (at, row) in rows.iter_mut().enumerate() {
            let value = match column {
                InputColumn::Absent => Value::Null,
                InputColumn::Array(array) => scalar(described.kind, array, at),
                InputColumn::Cells(cells) => referenced(cells.as_ref(), at)?,
            };
            if !value.is_null() {
                row.insert(described.name.clone(), value);
            }
        }
    }
    Ok(rows)
}

fn referenced(cells: &dyn super::Cells, at: usize) -> Result<Value> {
    let Some(len) = cells.len(at)? else { return Ok(Value::Null) };
    if len > SHOWN_BYTES_MAX {
        let message = format!("a blob has {len} bytes, {SHOWN_BYTES_MAX} can be shown");
        return Err(Error::new(Code::TooLarge, message));
    }
    let bytes = cells.read(at, 0, usize::try_from(len).unwrap_or(usize::MAX))?;
    Ok(json!({ "base64": BASE64.encode(bytes) }))
}

/// A cell of anything but sparse and multi-vectors.
fn scalar(kind: FieldKind, array: &ArrayRef, at: usize) -> Value {
    if array.is_null(at) {
        return Value::Null;
    }
    match kind {
        FieldKind::Utf8 => array.as_string::<i32>().value(at).into(),
        FieldKind::Json => {
            let text = array.as_string::<i32>().value(at);
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        }
        FieldKind::I64 => array.as_primitive::<Int64Type>().value(at).into(),
        FieldKind::F64 => array.as_primitive::<Float64Type>().value(at).into(),
        FieldKind::Bool => array.as_boolean().value(at).into(),
        FieldKind::Blob => {
            json!({ "base64": BASE64.encode(array.as_binary::<i32>().value(at)) })
        }
        FieldKind::Dense => lanes(array.as_fixed_size_list(), at),
        FieldKind::Sparse | FieldKind::Multi => Value::Null,
    }
}

fn lanes(array: &FixedSizeListArray, at: usize) -> Value {
    let lanes = array.value(at);
    lanes.as_primitive::<Float32Type>().values().iter().map(|lane| number(*lane)).collect()
}

fn numbers(bytes: &[u8]) -> Value {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| number(f32::from_le_bytes(*word))).collect()
}

/// The double that prints as the shortest decimal of `value`.
fn number(value: f32) -> Value {
    value.to_string().parse().map_or(Value::Null, |shortest: f64| shortest.into())
}
