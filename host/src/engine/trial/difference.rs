//! Where what came out is not what was expected, field by field.

use super::{Made, Outcome};
use crate::plugin::rows::Row;
use serde::Serialize;
use serde_json::{Number, Value};
use std::fmt;

/// Characters of a value that are shown.
const SHOWN_CHARS: usize = 80;
/// Characters of a text that are shown in front of the first one that differs.
const LEAD_CHARS: usize = 20;

/// One place.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Difference {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<usize>,
    /// Number of the query, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<usize>,
    /// Number of the document within its row; absent where the row itself differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<usize>,
    /// Field and what is below it as a path: `vector/17`. `documents` is their number, `rejected`
    /// whether and why the row was refused.
    pub field: String,
    /// Null where nothing was expected.
    pub expected: Value,
    /// Null where nothing came.
    pub actual: Value,
    /// Further values of the same field that differ.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = [("row", self.row), ("query", self.query), ("document", self.document)];
        for (place, number) in places {
            if let Some(number) = number {
                write!(f, "{place} {number}, ")?;
            }
        }
        let (expected, actual) = shown(&self.expected, &self.actual);
        write!(f, "{}: expected {expected}, got {actual}", self.field)?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

/// Both values, cut so that the place where two texts part is in sight.
fn shown(expected: &Value, actual: &Value) -> (String, String) {
    let from = match (expected.as_str(), actual.as_str()) {
        (Some(expected), Some(actual)) => {
            let pairs = expected.chars().zip(actual.chars());
            pairs.take_while(|(a, b)| a == b).count().saturating_sub(LEAD_CHARS)
        }
        _ => 0,
    };
    (cut(expected, from), cut(actual, from))
}

fn cut(value: &Value, from: usize) -> String {
    let window = |text: &str| {
        let mut window: String = text.chars().skip(from).take(SHOWN_CHARS).collect();
        if text.chars().count() > from + SHOWN_CHARS {
            window.push('…');
        }
        window
    };
    match value {
        Value::Null => "nothing".to_string(),
        Value::String(text) => {
            let lead = if from > 0 { "…" } else { "" };
            format!("{lead}{}", Value::from(window(text)))
        }
        other => window(&other.to_string()),
    }
}

/// Every difference, by row, then by query.
pub fn differences(expected: &Outcome, actual: &Outcome) -> Vec<Difference> {
    let rows = expected.documents.iter().chain(&actual.documents).map(|made| made.row);
    let rejected = expected.rejected.iter().chain(&actual.rejected).map(|rejected| rejected.row);
    let mut rows: Vec<usize> = rows.chain(rejected).collect();
    rows.sort_unstable();
    rows.dedup();
    let mut found = Vec::new();
    for row in rows {
        let place = Difference { row: Some(row), ..Difference::default() };
        let (was, is) = (rejection(expected, row), rejection(actual, row));
        if was != is {
            found.push(place.at("rejected", was, is));
        }
        let (before, after) = (of_row(expected, row), of_row(actual, row));
        if before.len() != after.len() {
            found.push(place.at("documents", before.len().into(), after.len().into()));
        }
        for (at, (before, after)) in before.iter().zip(&after).enumerate() {
            let place = Difference { document: Some(at), ..place.clone() };
            found.extend(fields(&place, &before.fields, &after.fields));
        }
    }
    let none = Row::new();
    for at in 0..expected.queries.len().max(actual.queries.len()) {
        let place = Difference { query: Some(at), ..Difference::default() };
        let of = |outcome: &'_ Outcome| outcome.queries.get(at).unwrap_or(&none).clone();
        found.extend(fields(&place, &of(expected), &of(actual)));
    }
    found
}

impl Difference {
    fn at(&self, field: &str, expected: Value, actual: Value) -> Difference {
        Difference { field: field.to_string(), expected, actual, ..self.clone() }
    }
}

/// The fields in which two documents differ, each once.
fn fields(place: &Difference, before: &Row, after: &Row) -> Vec<Difference> {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let differs = |name: &String| {
        let value = |of: &Row| of.get(name).cloned().unwrap_or_default();
        let mut places = Vec::new();
        descend(name, &value(before), &value(after), &mut places);
        let more = places.len().saturating_sub(1);
        let (field, expected, actual) = places.into_iter().next()?;
        Some(Difference { more, ..place.at(&field, expected, actual) })
    };
    names.into_iter().filter_map(differs).collect()
}

fn of_row(outcome: &Outcome, row: usize) -> Vec<&Made> {
    outcome.documents.iter().filter(|made| made.row == row).collect()
}

fn rejection(outcome: &Outcome, row: usize) -> Value {
    let rejected = outcome.rejected.iter().find(|rejected| rejected.row == row);
    let text = |r: &super::Rejected| format!("{}: {}", r.code, r.message);
    rejected.map(text).map_or(Value::Null, Value::from)
}

/// The places below `path` where two values differ.
fn descend(path: &str, before: &Value, after: &Value, places: &mut Vec<(String, Value, Value)>) {
    match (before, after) {
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (at, (before, after)) in before.iter().zip(after).enumerate() {
                descend(&format!("{path}/{at}"), before, after, places);
            }
        }
        (Value::Object(before), Value::Object(after)) => {
            let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let value = |of: &Row| of.get(name).cloned().unwrap_or_default();
                descend(&format!("{path}/{name}"), &value(before), &value(after), places);
            }
        }
        (Value::Number(a), Value::Number(b)) if same(a, b) => {}
        (before, after) if before == after => {}
        _ => places.push((path.to_string(), before.clone(), after.clone())),
    }
}

/// Integers by all their digits, anything else as doubles: `1` is `1.0`, `-0.0` is `0`.
fn same(a: &Number, b: &Number) -> bool {
    match a.is_f64() || b.is_f64() {
        true => a.as_f64() == b.as_f64(),
        false => a == b,
    }
}
