//! The vectors of a search text, as `embed-query` returns them in JSON.

use super::inspect::refused;
use crate::error::{Error, Result};
use crate::model::{Description, FieldKind, SparseVector, Vector};
use serde_json::Value;

/// Checks the answer against the outputs of the description.
pub(super) fn parse(json: &str, description: &Description) -> Result<Vec<(String, Vector)>> {
    let answer: serde_json::Map<String, Value> = serde_json::from_str(json).map_err(|error| {
        refused("answers a query with JSON that is not an object of vectors").source(error)
    })?;
    if answer.is_empty() {
        return Err(refused("answers a query with no vector"));
    }
    let vector = |(name, value): (String, Value)| {
        let vector = vector(&name, value, description)?;
        Ok((name, vector))
    };
    answer.into_iter().map(vector).collect()
}

fn vector(name: &str, value: Value, description: &Description) -> Result<Vector> {
    let field = description.outputs.iter().find(|field| field.name == name);
    let field = field.ok_or_else(|| wrong(name, "is not among its outputs"))?;
    let dimension = field.dimension.unwrap_or(0) as usize;
    match field.kind {
        FieldKind::Dense => Ok(Vector::Dense(dense(name, value, dimension)?)),
        FieldKind::Multi => {
            let rows: Vec<Value> = typed(name, value)?;
            if rows.is_empty() {
                return Err(wrong(name, "has no rows"));
            }
            let rows = rows.into_iter().map(|row| dense(name, row, dimension));
            Ok(Vector::Multi(rows.collect::<Result<_>>()?))
        }
        FieldKind::Sparse => {
            let sparse: Sparse = typed(name, value)?;
            if sparse.indices.len() != sparse.values.len() {
                return Err(wrong(name, "has more indices than values or fewer"));
            }
            if !sparse.indices.is_sorted_by(|a, b| a < b) {
                return Err(wrong(name, "has indices out of order"));
            }
            check_finite(name, &sparse.values)?;
            Ok(Vector::Sparse(SparseVector { indices: sparse.indices, values: sparse.values }))
        }
        FieldKind::Utf8
        | FieldKind::Json
        | FieldKind::I64
        | FieldKind::F64
        | FieldKind::Bool
        | FieldKind::Blob => Err(wrong(name, "is not a vector")),
    }
}

#[derive(serde::Deserialize)]
struct Sparse {
    indices: Vec<u32>,
    values: Vec<f32>,
}

fn dense(name: &str, value: Value, dimension: usize) -> Result<Vec<f32>> {
    let values: Vec<f32> = typed(name, value)?;
    if values.len() != dimension {
        let got = values.len();
        return Err(wrong(name, &format!("has dimension {got}, {dimension} is described")));
    }
    check_finite(name, &values)?;
    Ok(values)
}

fn typed<T: serde::de::DeserializeOwned>(name: &str, value: Value) -> Result<T> {
    serde_json::from_value(value)
        .map_err(|error| wrong(name, "does not have the form of its type").source(error))
}

/// JSON has no infinity, but a number can be too large for an f32.
fn check_finite(name: &str, values: &[f32]) -> Result<()> {
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(wrong(name, "has a value that is not finite")),
    }
}

fn wrong(name: &str, what: &str) -> Error {
    let name = super::log::clean(name, 64);
    refused(format_args!("answers a query with a vector `{name}` that {what}"))
}
