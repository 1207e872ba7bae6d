//! Where what came out is not what was expected, field by field.

use super::{Made, Outcome};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// Characters of a value that are shown.
const SHOWN_CHARS: usize = 80;
/// Characters of a text that are shown in front of the first one that differs.
const LEAD_CHARS: usize = 20;

/// One place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub row: usize,
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
        write!(f, "row {}", self.row)?;
        if let Some(document) = self.document {
            write!(f, ", document {document}")?;
        }
        let (expected, actual) = shown(&self.expected, &self.actual);
        write!(f, ", {}: expected {expected}, got {actual}", self.field)?;
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

/// Every difference, by row. Numbers are equal if their values are: `1` is `1.0`.
pub fn differences(expected: &Outcome, actual: &Outcome) -> Vec<Difference> {
    let rows = expected.documents.iter().chain(&actual.documents).map(|made| made.row);
    let rejected = expected.rejected.iter().chain(&actual.rejected).map(|rejected| rejected.row);
    let mut rows: Vec<usize> = rows.chain(rejected).collect();
    rows.sort_unstable();
    rows.dedup();
    let mut found = Vec::new();
    for row in rows {
        let difference = |document, field: &str, expected: Value, actual: Value| Difference {
            row,
            document,
            field: field.to_string(),
            expected,
            actual,
            more: 0,
        };
        let (was, is) = (rejection(expected, row), rejection(actual, row));
        if was != is {
            found.push(difference(None, "rejected", was, is));
        }
        let (before, after) = (of_row(expected, row), of_row(actual, row));
        if before.len() != after.len() {
            let (before, after) = (before.len().into(), after.len().into());
            found.push(difference(None, "documents", before, after));
        }
        for (at, (before, after)) in before.iter().zip(&after).enumerate() {
            let mut names: Vec<&String> = before.fields.keys().chain(after.fields.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let value = |made: &Made| made.fields.get(name).cloned().unwrap_or_default();
                let mut places = Vec::new();
                descend(name, &value(before), &value(after), &mut places);
                let more = places.len().saturating_sub(1);
                if let Some((path, before, after)) = places.into_iter().next() {
                    let first = difference(Some(at), &path, before, after);
                    found.push(Difference { more, ..first });
                }
            }
        }
    }
    found
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
                let value = |of: &serde_json::Map<String, Value>| of.get(name).cloned();
                let (before, after) = (value(before), value(after));
                let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
                descend(&format!("{path}/{name}"), &before, &after, places);
            }
        }
        (Value::Number(a), Value::Number(b)) if a == b || a.as_f64() == b.as_f64() => {}
        (before, after) if before == after => {}
        _ => places.push((path.to_string(), before.clone(), after.clone())),
    }
}
