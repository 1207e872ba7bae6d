//! What a filter selects by the words at the head of `sink/filter.rs`, evaluated over one payload.

use quarry::model::{Condition, Filter, Operator};
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// `None` where the words leave it open.
pub(super) fn holds(filter: &Filter, payload: &Map<String, Value>) -> Option<bool> {
    let all = |conditions: &[Condition]| -> Option<Vec<bool>> {
        conditions.iter().map(|condition| condition_holds(condition, payload)).collect()
    };
    let (and, or, not) = (all(&filter.and)?, all(&filter.or)?, all(&filter.not)?);
    let any = or.is_empty() || or.contains(&true);
    Some(any && !and.contains(&false) && !not.contains(&true))
}

fn condition_holds(condition: &Condition, payload: &Map<String, Value>) -> Option<bool> {
    let (field, operator, value) = match condition {
        Condition::Nested(inner) => return holds(inner, payload),
        Condition::Field { field, operator, value } => (field, *operator, value),
    };
    let found = walk(payload, field)?;
    let there = found.iter().any(|found| match found {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    });
    // A list matches when one of its elements does.
    let cells: Vec<&Value> = found.iter().flat_map(|found| elements(found)).collect();
    let equal = |value: &Value| match value {
        Value::Null => found.iter().any(|found| found.is_null()),
        _ => cells.iter().any(|cell| same(cell, value)),
    };
    let texts = || cells.iter().filter_map(|cell| cell.as_str());
    match operator {
        // Which null it means where there are several, or null elements, is not said.
        Operator::Eq | Operator::Ne if value.is_null() && field.contains('[') => None,
        // Qdrant takes a list with a null in it for null.
        Operator::Eq | Operator::Ne | Operator::Contains
            if value.is_null() && found.iter().any(|found| holds_null(found)) =>
        {
            None
        }
        Operator::Eq => Some(equal(value)),
        Operator::Ne => Some(!equal(value)),
        Operator::In | Operator::Nin => {
            let items = value.as_array()?;
            if items.iter().any(Value::is_null) {
                return None;
            }
            Some(items.iter().any(equal) == (operator == Operator::In))
        }
        Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte => {
            // The index over times takes a number for seconds; without it nothing fits.
            if field == "at" && value.is_number() {
                return None;
            }
            // And the other way round: what a number is as a time is the engine's business.
            if value.is_string() && cells.iter().any(|cell| cell.is_number()) {
                return None;
            }
            let fits = |cell: &&Value| {
                compare(cell, value).is_some_and(|order| match operator {
                    Operator::Gt => order == Ordering::Greater,
                    Operator::Gte => order != Ordering::Less,
                    Operator::Lt => order == Ordering::Less,
                    _ => order != Ordering::Greater,
                })
            };
            Some(cells.iter().any(fits))
        }
        Operator::Contains => match value.as_str() {
            Some(wanted) => Some(texts().any(|text| text.contains(wanted))),
            None if value.is_null() && field.contains('[') => None,
            None => Some(equal(value)),
        },
        Operator::StartsWith => {
            let wanted = value.as_str()?;
            Some(texts().any(|text| text.starts_with(wanted)))
        }
        // Words are the engine's business where there is an index.
        Operator::Text | Operator::Regex | Operator::EndsWith => None,
        Operator::Exists => Some(there == value.as_bool().unwrap_or(true)),
        Operator::IsNull if field.contains('[') => None,
        // Qdrant takes a list with a null in it for null.
        Operator::IsNull if found.iter().any(|found| holds_null(found)) => None,
        Operator::IsNull => {
            let null = found.iter().any(|found| found.is_null());
            Some(null == value.as_bool().unwrap_or(true))
        }
    }
}

fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    }
}

fn same(cell: &Value, value: &Value) -> bool {
    match (cell, value) {
        // Numbers of 64 bits with a sign are compared as such, all others as floats: beyond 2^53
        // several whole numbers are one and the same float.
        (Value::Number(one), Value::Number(other)) if !(one.is_i64() && other.is_i64()) => {
            compare(cell, value) == Some(Ordering::Equal)
        }
        _ => cell == value,
    }
}

fn compare(cell: &Value, value: &Value) -> Option<Ordering> {
    match (cell, value) {
        (Value::Number(_), Value::Number(_)) => cell.as_f64()?.partial_cmp(&value.as_f64()?),
        (Value::String(cell), Value::String(value)) => {
            let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
            Some(time(cell)?.cmp(&time(value)?))
        }
        _ => None,
    }
}

/// Everything a path leads to; `None` for a path that is none or that the words do not cover.
fn walk<'a>(payload: &'a Map<String, Value>, path: &str) -> Option<Vec<&'a Value>> {
    let mut segments = path.split('.');
    let mut found = step(payload, segments.next()?)?;
    for segment in segments {
        let mut next = Vec::new();
        for value in found {
            match value {
                Value::Object(fields) => next.extend(step(fields, segment)?),
                // Whether a path goes into the elements of a list by itself is not said.
                Value::Array(_) => return None,
                _ => {}
            }
        }
        found = next;
    }
    Some(found)
}

fn step<'a>(fields: &'a Map<String, Value>, segment: &str) -> Option<Vec<&'a Value>> {
    let (name, index) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
    let value = fields.get(name);
    match index {
        "" => Some(value.into_iter().collect()),
        "[]" => Some(value.and_then(Value::as_array).into_iter().flatten().collect()),
        "[0]" => Some(value.and_then(|value| value.get(0)).into_iter().collect()),
        _ => None,
    }
}

fn holds_null(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().any(Value::is_null))
}
