//! `--filter`: JSON in the shape of the API, or one comparison such as `year>=1900`.

use super::wrong_option;
use crate::error::Result;
use crate::model::{Condition, Filter, LINEAGE_FIELD, Operator};
use serde_json::Value;

/// Longest first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 7] = [
    (">=", Operator::Gte),
    ("<=", Operator::Lte),
    ("!=", Operator::Ne),
    ("=", Operator::Eq),
    (">", Operator::Gt),
    ("<", Operator::Lt),
    ("~", Operator::Text),
];

/// All given filters and the collection, together.
pub fn parse(collection: &str, given: &[String]) -> Result<Filter> {
    let mut and = vec![Condition::Field {
        field: format!("{LINEAGE_FIELD}.collection"),
        operator: Operator::Eq,
        value: collection.into(),
    }];
    for text in given {
        and.push(condition(text)?);
    }
    Ok(Filter { and, case_sensitive: true, ..Filter::default() })
}

fn condition(text: &str) -> Result<Condition> {
    let hint = "write field=value (also != > >= < <= ~), or a JSON filter";
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| wrong_option("--filter", text, hint).source(error));
    }
    let found = OPERATORS
        .iter()
        .filter_map(|(sign, operator)| text.find(sign).map(|at| (at, *sign, *operator)))
        .min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len())));
    let Some((at, sign, operator)) = found else {
        return Err(wrong_option("--filter", text, hint));
    };
    let (field, value) = (text[..at].trim(), text[at + sign.len()..].trim());
    if field.is_empty() {
        return Err(wrong_option("--filter", text, hint));
    }
    // 1900 is a number, "1900" a text; what is no JSON is a text as it stands.
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok(Condition::Field { field: field.to_string(), operator, value })
}
