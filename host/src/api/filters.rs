//! The API's filters over records that are JSON already.

use super::listing::{compare, lookup};
use crate::error::{Error, Result};
use crate::model::{Condition, Filter, Operator};
use serde_json::{Map, Value};
use std::cmp::Ordering;

const REGEX_BYTES_MAX: usize = 1 << 20;

/// `{"AND": …}`, or `{field: value}` for equality in all of them.
pub(super) fn parse(filters: &Map<String, Value>, case_sensitive: bool) -> Result<Filter> {
    let words = ["AND", "OR", "NOT", "and", "or", "not", "case_sensitive"];
    // Clients send `case_sensitive` beside either form.
    let (logic, plain): (Map<String, Value>, Map<String, Value>) =
        filters.clone().into_iter().partition(|(key, _)| words.contains(&key.as_str()));
    let mut filter: Filter = serde_json::from_value(Value::Object(logic)).map_err(|error| {
        Error::invalid("the filter does not fit").field("/filters").source(error)
    })?;
    filter.and.extend(plain.into_iter().map(|(field, value)| Condition::Field {
        field,
        operator: if value.is_array() { Operator::In } else { Operator::Eq },
        value,
    }));
    if !filters.contains_key("case_sensitive") {
        filter.case_sensitive = case_sensitive;
    }
    Ok(filter)
}

pub(super) fn fits(
    filters: &Map<String, Value>,
    value: &Value,
    case_sensitive: bool,
) -> Result<bool> {
    holds(&parse(filters, case_sensitive)?, value)
}

pub(super) fn holds(filter: &Filter, value: &Value) -> Result<bool> {
    let test = |condition: &Condition| match condition {
        Condition::Nested(inner) => holds(inner, value),
        Condition::Field { field, operator, value: wanted } => {
            meets(lookup(value, field), *operator, wanted, filter.case_sensitive)
        }
    };
    for condition in &filter.and {
        if !test(condition)? {
            return Ok(false);
        }
    }
    for condition in &filter.not {
        if test(condition)? {
            return Ok(false);
        }
    }
    let mut any = filter.or.is_empty();
    for condition in &filter.or {
        any = any || test(condition)?;
    }
    Ok(any)
}

fn meets(found: &Value, operator: Operator, wanted: &Value, case_sensitive: bool) -> Result<bool> {
    let fold_text = |value: &Value| match value {
        Value::String(text) if !case_sensitive => Value::String(text.to_lowercase()),
        other => other.clone(),
    };
    // Values to choose from are folded as the one that is looked for among them.
    let fold = |value: &Value| match value {
        Value::Array(items) => Value::Array(items.iter().map(fold_text).collect()),
        other => fold_text(other),
    };
    let (a, b) = (fold(found), fold(wanted));
    let ordered = |fits: fn(Ordering) -> bool| !a.is_null() && fits(compare(&a, &b));
    let text = |fits: fn(&str, &str) -> bool| match (&a, &b) {
        (Value::String(a), Value::String(b)) => fits(a, b),
        _ => false,
    };
    let among = || match &b {
        Value::Array(items) => items.contains(&a),
        other => a == *other,
    };
    Ok(match operator {
        Operator::Eq => a == b,
        Operator::Ne => a != b,
        Operator::Gt => ordered(Ordering::is_gt),
        Operator::Lt => ordered(Ordering::is_lt),
        Operator::Gte => ordered(Ordering::is_ge),
        Operator::Lte => ordered(Ordering::is_le),
        Operator::In => among(),
        Operator::Nin => !among(),
        Operator::Contains | Operator::Text => match &a {
            Value::Array(items) => items.iter().any(|item| fold(item) == b),
            _ => text(|a, b| a.contains(b)),
        },
        Operator::StartsWith => text(|a, b| a.starts_with(b)),
        Operator::EndsWith => text(|a, b| a.ends_with(b)),
        Operator::Exists => a.is_null() != wanted.as_bool().unwrap_or(true),
        Operator::IsNull => a.is_null() == wanted.as_bool().unwrap_or(true),
        Operator::Regex => {
            let pattern = wanted.as_str().unwrap_or_default();
            let regex = regex::RegexBuilder::new(pattern)
                .case_insensitive(!case_sensitive)
                .size_limit(REGEX_BYTES_MAX)
                .build()
                .map_err(|error| {
                    Error::invalid("the regular expression does not compile")
                        .field("/filters")
                        .source(error)
                })?;
            found.as_str().is_some_and(|text| regex.is_match(text))
        }
    })
}
