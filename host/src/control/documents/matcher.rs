//! Conditions that the vector engines can not decide: ignoring case, `ends_with`, `regex`. They
//! mean what they mean there: a field that holds a list matches when one of its elements does.

use crate::error::{Error, Result};
use crate::model::{Condition, Document, Filter, Operator};
use regex::Regex;
use serde_json::Value;
use std::cmp::Ordering;

const REGEX_BYTES_MAX: usize = 1 << 20;

/// A filter whose expressions are compiled.
pub struct Matcher {
    and: Vec<Test>,
    or: Vec<Test>,
    not: Vec<Test>,
}

enum Test {
    Nested(Matcher),
    Field { name: String, check: Check },
}

struct Check {
    operator: Operator,
    /// In lower case where case does not count.
    value: Value,
    regex: Option<Regex>,
    case_sensitive: bool,
}

/// What a dotted path leads to in the payload.
pub fn walk<'a>(document: &'a Document, path: &str) -> Option<&'a Value> {
    let mut words = path.split('.');
    let root = document.payload.get(words.next()?)?;
    words.try_fold(root, |value, word| value.get(word))
}

/// The same where `name[]` means each element of a list.
fn walk_all<'a>(document: &'a Document, path: &str) -> Vec<&'a Value> {
    let mut found: Option<Vec<&Value>> = None;
    for word in path.split('.') {
        let (name, each) = match word.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (word, false),
        };
        let next: Vec<&Value> = match found {
            None => document.payload.get(name).into_iter().collect(),
            Some(found) => found.into_iter().filter_map(|value| value.get(name)).collect(),
        };
        found = Some(match each {
            true => next.into_iter().filter_map(Value::as_array).flatten().collect(),
            false => next,
        });
    }
    found.unwrap_or_default()
}

impl Matcher {
    pub fn new(filter: &Filter) -> Result<Matcher> {
        let tests = |conditions: &[Condition]| -> Result<Vec<Test>> {
            conditions.iter().map(|condition| test(condition, filter.case_sensitive)).collect()
        };
        Ok(Matcher { and: tests(&filter.and)?, or: tests(&filter.or)?, not: tests(&filter.not)? })
    }

    pub fn holds(&self, document: &Document) -> bool {
        self.and.iter().all(|test| test.holds(document))
            && (self.or.is_empty() || self.or.iter().any(|test| test.holds(document)))
            && !self.not.iter().any(|test| test.holds(document))
    }
}

fn test(condition: &Condition, case_sensitive: bool) -> Result<Test> {
    let (field, operator, value) = match condition {
        Condition::Nested(inner) => return Ok(Test::Nested(Matcher::new(inner)?)),
        Condition::Field { field, operator, value } => (field, *operator, value),
    };
    let wrong = |message: String| Error::invalid(message).field("/filters");
    let texts = matches!(
        operator,
        Operator::StartsWith | Operator::EndsWith | Operator::Regex | Operator::Text
    );
    if texts && !value.is_string() {
        return Err(wrong(format!("the comparison of `{field}` needs a text")));
    }
    if matches!(operator, Operator::In | Operator::Nin) && !value.is_array() {
        return Err(wrong(format!("the comparison of `{field}` needs a list of values")));
    }
    let regex = match (operator, value.as_str()) {
        (Operator::Regex, Some(pattern)) => Some(
            regex::RegexBuilder::new(pattern)
                .case_insensitive(!case_sensitive)
                .size_limit(REGEX_BYTES_MAX)
                .build()
                .map_err(|error| {
                    wrong("the regular expression does not compile".to_string()).source(error)
                })?,
        ),
        _ => None,
    };
    let value = if case_sensitive { value.clone() } else { lower(value) };
    let check = Check { operator, value, regex, case_sensitive };
    Ok(Test::Field { name: field.clone(), check })
}

fn lower(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.to_lowercase()),
        Value::Array(items) => Value::Array(items.iter().map(lower).collect()),
        other => other.clone(),
    }
}

impl Test {
    fn holds(&self, document: &Document) -> bool {
        match self {
            Test::Nested(inner) => inner.holds(document),
            Test::Field { name, check } if name == "document_id" => {
                check.holds(&[&Value::from(document.id.to_string())])
            }
            Test::Field { name, check } => check.holds(&walk_all(document, name)),
        }
    }
}

impl Check {
    fn holds(&self, found: &[&Value]) -> bool {
        let any = |fits: &dyn Fn(&Value) -> bool| {
            found.iter().any(|value| match value {
                Value::Array(items) => items.iter().any(fits),
                value => fits(value),
            })
        };
        let asked = self.value.as_bool().unwrap_or(true);
        match self.operator {
            Operator::Eq => any(&|value| self.same(value, &self.value)),
            Operator::Ne => !any(&|value| self.same(value, &self.value)),
            Operator::In => any(&|value| self.among(value)),
            Operator::Nin => !any(&|value| self.among(value)),
            Operator::Gt => any(&|value| self.ordered(value, Ordering::is_gt)),
            Operator::Gte => any(&|value| self.ordered(value, Ordering::is_ge)),
            Operator::Lt => any(&|value| self.ordered(value, Ordering::is_lt)),
            Operator::Lte => any(&|value| self.ordered(value, Ordering::is_le)),
            Operator::Contains if !self.value.is_string() => {
                any(&|value| self.same(value, &self.value))
            }
            Operator::Contains => any(&|value| self.text(value, |a, b| a.contains(b))),
            Operator::StartsWith => any(&|value| self.text(value, |a, b| a.starts_with(b))),
            Operator::EndsWith => any(&|value| self.text(value, |a, b| a.ends_with(b))),
            Operator::Text => any(&|value| {
                self.text(value, |a, b| b.split_whitespace().all(|word| a.contains(word)))
            }),
            Operator::Regex => any(&|value| {
                let regex = self.regex.as_ref();
                value.as_str().zip(regex).is_some_and(|(text, regex)| regex.is_match(text))
            }),
            Operator::Exists => {
                let empty =
                    |value: &&Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                let empty = found.iter().all(empty);
                empty != asked
            }
            Operator::IsNull => found.iter().any(|value| value.is_null()) == asked,
        }
    }

    fn same(&self, found: &Value, wanted: &Value) -> bool {
        match (found, wanted) {
            (Value::String(a), Value::String(b)) if !self.case_sensitive => a.to_lowercase() == *b,
            (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
            (a, b) => a == b,
        }
    }

    fn among(&self, found: &Value) -> bool {
        self.value.as_array().is_some_and(|all| all.iter().any(|one| self.same(found, one)))
    }

    /// Numbers, and times as the engines read them.
    fn ordered(&self, found: &Value, fits: fn(Ordering) -> bool) -> bool {
        let time = |value: &Value| chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok();
        let order = match (found.as_f64(), self.value.as_f64()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => time(found).zip(time(&self.value)).map(|(a, b)| a.cmp(&b)),
        };
        order.is_some_and(fits)
    }

    fn text(&self, found: &Value, fits: impl Fn(&str, &str) -> bool) -> bool {
        match (found.as_str(), self.value.as_str()) {
            (Some(a), Some(b)) if self.case_sensitive => fits(a, b),
            (Some(a), Some(b)) => fits(&a.to_lowercase(), b),
            _ => false,
        }
    }
}
