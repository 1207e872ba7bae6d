//! What `plugin` promises of an output, and that a vector sink takes its documents.

use super::model::Columns;
use anyhow::{Context, Result, bail, ensure};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, BinaryArray};
use quarry::model::{
    Description, Distance, Document, DocumentId, Field, FieldKind, LINEAGE_FIELD, SparseVector,
    Vector,
};
use quarry::plugin::{Output, OutputColumn};
use quarry::sink::{Layout, VectorKind, VectorSpec};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub(super) fn output(output: &Output, description: &Description, rows: usize) -> Result<()> {
    let Output { counts, documents, columns, rejects, log } = output;
    ensure!(counts.len() == rows, "{} counts for {rows} rows", counts.len());
    let sum: usize = counts.iter().map(|count| *count as usize).sum();
    ensure!(sum == *documents, "{documents} documents, the counts say {sum}");
    ensure!(rejects.is_sorted_by(|a, b| a.row < b.row), "rejects out of order");
    for reject in rejects {
        ensure!(counts.get(reject.row) == Some(&0), "row {} is rejected", reject.row);
        let (code, message) = (reject.code.len(), reject.message.len());
        ensure!((1..=64 + 3).contains(&code), "a code of {code} bytes");
        ensure!(message <= (4 << 10) + 3, "a message of {message} bytes");
        let text = format!("{}{}", reject.code, reject.message);
        ensure!(!text.contains(char::is_control), "a control character in {text:?}");
    }
    ensure!(log.len() <= 11, "{} lines of log", log.len());
    ensure!(columns.len() == description.outputs.len(), "{} columns", columns.len());
    for (field, column) in description.outputs.iter().zip(columns) {
        check_column(field, column, *documents)
            .with_context(|| format!("output {}", field.name))?;
    }
    if let Some(position) = &description.position {
        let at = description.outputs.iter().position(|field| field.name == *position);
        check_positions(&columns[at.context("no position")?], counts)?;
    }
    check_documents(output, description)
}

fn check_column(field: &Field, column: &OutputColumn, documents: usize) -> Result<()> {
    let arrays: Vec<&dyn Array> = match column {
        OutputColumn::Scalar(array) => vec![array],
        OutputColumn::Dense(array) => vec![array],
        OutputColumn::Sparse { indices, values } => vec![indices, values],
        OutputColumn::Multi(array) => vec![array],
    };
    for array in arrays {
        ensure!(array.len() == documents, "{} values for {documents} documents", array.len());
        array.to_data().validate_full()?;
    }
    match (field.kind, column) {
        (FieldKind::Dense, OutputColumn::Dense(array)) => {
            ensure!(array.null_count() == 0, "a null among dense vectors");
            let dimension = field.dimension.unwrap_or(0) as i32;
            ensure!(array.value_length() == dimension, "{} dimensions", array.value_length());
        }
        (FieldKind::Sparse, OutputColumn::Sparse { indices, values }) => {
            ensure!(indices.nulls() == values.nulls(), "indices without values");
        }
        (FieldKind::Multi, OutputColumn::Multi(array)) => {
            let width = field.dimension.unwrap_or(0) as usize * 4;
            let odd = array.iter().flatten().find(|value| value.len() % width != 0);
            ensure!(odd.is_none(), "a part of a vector");
        }
        (
            FieldKind::Utf8
            | FieldKind::Json
            | FieldKind::I64
            | FieldKind::F64
            | FieldKind::Bool
            | FieldKind::Blob,
            OutputColumn::Scalar(_),
        ) => {}
        (kind, _) => bail!("a column of another type than {kind:?}"),
    }
    Ok(())
}

fn check_positions(column: &OutputColumn, counts: &[u32]) -> Result<()> {
    let OutputColumn::Scalar(array) = column else { bail!("the position is no number") };
    ensure!(array.null_count() == 0, "a document without a position");
    let mut rest: &[i64] = array.as_primitive::<Int64Type>().values();
    for count in counts {
        let (row, after) = rest.split_at(*count as usize);
        let different: std::collections::BTreeSet<&i64> = row.iter().collect();
        ensure!(different.len() == row.len(), "one position twice in {row:?}");
        rest = after;
    }
    Ok(())
}

/// The documents as the engine makes them, against a layout as the plan makes it.
fn check_documents(output: &Output, description: &Description) -> Result<()> {
    let vectors = description.outputs.iter().filter(|field| field.kind.is_vector());
    let distance = Distance::Dot;
    let spec = |field: &Field| {
        let dimension = field.dimension.unwrap_or(0);
        let kind = match field.kind {
            FieldKind::Multi => VectorKind::Multi { dimension, distance },
            FieldKind::Sparse => VectorKind::Sparse,
            _ => VectorKind::Dense { dimension, distance },
        };
        VectorSpec { name: field.name.clone(), kind }
    };
    let wanted = Layout { vectors: vectors.map(spec).collect(), indexes: Vec::new() };
    let layout = Layout::merge(&Layout::default(), &wanted)?;
    for number in 0..output.documents {
        let mut payload = Map::new();
        let mut vectors = Vec::new();
        for (field, column) in description.outputs.iter().zip(&output.columns) {
            match value(column, number) {
                Some(Found::Vector(vector)) => vectors.push((field.name.clone(), vector)),
                Some(Found::Scalar(mut value)) => {
                    if field.kind == FieldKind::Json {
                        value = serde_json::from_str(value.as_str().unwrap_or(""))?;
                    }
                    payload.insert(field.name.clone(), value);
                }
                None => {}
            }
        }
        vectors.sort_by(|a, b| a.0.cmp(&b.0));
        let lineage = json!({ "collection": "c", "object": "o", "run": 1 });
        payload.insert(LINEAGE_FIELD.to_string(), lineage);
        let id = DocumentId(Uuid::from_u128(number as u128));
        let taken = layout.check(&Document { id, payload, vectors });
        taken.with_context(|| format!("the sink refuses document {number}"))?;
    }
    Ok(())
}

enum Found {
    Scalar(Value),
    Vector(Vector),
}

fn value(column: &OutputColumn, at: usize) -> Option<Found> {
    let floats = |bytes: &[u8]| -> Vec<f32> {
        bytes.as_chunks::<4>().0.iter().map(|lane| f32::from_le_bytes(*lane)).collect()
    };
    let numbers = |bytes: &[u8]| -> Vec<u32> {
        bytes.as_chunks::<4>().0.iter().map(|lane| u32::from_le_bytes(*lane)).collect()
    };
    match column {
        OutputColumn::Scalar(array) => {
            use arrow_schema::DataType;
            array.is_valid(at).then(|| {
                Found::Scalar(match array.data_type() {
                    DataType::Utf8 => json!(array.as_string::<i32>().value(at)),
                    DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(at)),
                    DataType::Float64 => json!(array.as_primitive::<Float64Type>().value(at)),
                    DataType::Boolean => json!(array.as_boolean().value(at)),
                    // A blob's place is written there.
                    _ => json!("blob:"),
                })
            })
        }
        OutputColumn::Dense(array) => {
            let vector = array.value(at).as_primitive::<Float32Type>().values().to_vec();
            Some(Found::Vector(Vector::Dense(vector)))
        }
        OutputColumn::Sparse { indices, values } => indices.is_valid(at).then(|| {
            let (indices, values) = (numbers(indices.value(at)), floats(values.value(at)));
            Found::Vector(Vector::Sparse(SparseVector { indices, values }))
        }),
        OutputColumn::Multi(array) => array.is_valid(at).then(|| {
            // The fuzzed description has multi-vectors of two dimensions.
            let rows = floats(array.value(at));
            Found::Vector(Vector::Multi(rows.chunks(2).map(<[f32]>::to_vec).collect()))
        }),
    }
}

/// The output holds what was pushed.
pub(super) fn same(output: &Output, description: &Description, expected: &Columns) -> Result<()> {
    for ((field, column), expected) in description.outputs.iter().zip(&output.columns).zip(expected)
    {
        for (at, expected) in expected.iter().enumerate() {
            let found = bytes(column, at);
            let name = &field.name;
            ensure!(found == *expected, "{name} of document {at} is {found:?}, not {expected:?}");
        }
    }
    Ok(())
}

fn bytes(column: &OutputColumn, at: usize) -> Option<Vec<u8>> {
    let cell = |array: &BinaryArray| array.is_valid(at).then(|| array.value(at).to_vec());
    match column {
        OutputColumn::Scalar(array) => {
            use arrow_schema::DataType;
            array.is_valid(at).then(|| match array.data_type() {
                DataType::Utf8 => array.as_string::<i32>().value(at).as_bytes().to_vec(),
                DataType::Int64 => {
                    array.as_primitive::<Int64Type>().value(at).to_le_bytes().to_vec()
                }
                DataType::Float64 => {
                    array.as_primitive::<Float64Type>().value(at).to_le_bytes().to_vec()
                }
                DataType::Boolean => vec![u8::from(array.as_boolean().value(at))],
                _ => array.as_binary::<i32>().value(at).to_vec(),
            })
        }
        OutputColumn::Dense(array) => {
            let vector = array.value(at);
            let lanes = vector.as_primitive::<Float32Type>().values();
            Some(lanes.iter().flat_map(|lane| lane.to_le_bytes()).collect())
        }
        OutputColumn::Sparse { indices, values } => Some([cell(indices)?, cell(values)?].concat()),
        OutputColumn::Multi(array) => cell(array),
    }
}
