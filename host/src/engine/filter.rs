//! Evaluates a collection's filter on rows.

use super::columns::column;
use super::plan::{self, FieldRef, RowField};
use super::value::{Cells, walk};
use crate::error::Result;
use crate::model::{Condition, Filter, Operator};
use arrow_array::RecordBatch;
use regex::Regex;
use serde_json::Value;
use std::cmp::Ordering;

/// One flag a row: whether it stays.
pub fn mask(filter: &Filter, fields: &[RowField], batch: &RecordBatch) -> Result<Vec<bool>> {
    let compiled = Compiled::new(filter, fields, batch)?;
    Ok((0..batch.num_rows()).map(|row| compiled.holds(row)).collect())
}

/// A filter over the columns of one batch.
struct Compiled<'a> {
    and: Vec<Test<'a>>,
    or: Vec<Test<'a>>,
    not: Vec<Test<'a>>,
}

enum Test<'a> {
    Nested(Compiled<'a>),
    Field { cells: Cells<'a>, path: Vec<String>, check: Check<'a> },
}

struct Check<'a> {
    operator: Operator,
    value: &'a Value,
    regex: Option<Regex>,
    case_sensitive: bool,
}

impl<'a> Compiled<'a> {
    fn new(filter: &'a Filter, fields: &[RowField], batch: &'a RecordBatch) -> Result<Self> {
        let tests = |conditions: &'a [Condition]| -> Result<Vec<Test<'a>>> {
            conditions.iter().map(|c| test(c, filter.case_sensitive, fields, batch)).collect()
        };
        Ok(Compiled { and: tests(&filter.and)?, or: tests(&filter.or)?, not: tests(&filter.not)? })
    }

    fn holds(&self, row: usize) -> bool {
        self.and.iter().all(|test| test.holds(row))
            && (self.or.is_empty() || self.or.iter().any(|test| test.holds(row)))
            && !self.not.iter().any(|test| test.holds(row))
    }
}

fn test<'a>(
    condition: &'a Condition,
    case_sensitive: bool,
    fields: &[RowField],
    batch: &'a RecordBatch,
) -> Result<Test<'a>> {
    let (field, operator, value) = match condition {
        Condition::Nested(inner) => return Ok(Test::Nested(Compiled::new(inner, fields, batch)?)),
        Condition::Field { field, operator, value } => (field, *operator, value),
    };
    let found = FieldRef::resolve(field, fields)?;
    let cells = Cells::of(found.root_kind, column(batch, &found.root)?, &found.root)?;
    let regex = match operator {
        Operator::Regex => Some(plan::regex(value.as_str().unwrap_or_default(), case_sensitive)?),
        _ => None,
    };
    let check = Check { operator, value, regex, case_sensitive };
    Ok(Test::Field { cells, path: found.path, check })
}

impl Test<'_> {
    fn holds(&self, row: usize) -> bool {
        match self {
            Test::Nested(inner) => inner.holds(row),
            Test::Field { cells, path, check } => {
                let cell = cells.get(row);
                check.holds(walk(&cell, path))
            }
        }
    }
}

impl Check<'_> {
    fn holds(&self, cell: &Value) -> bool {
        let items = || self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        let compared = || compare(cell, self.value);
        match self.operator {
            Operator::Eq => self.same(cell, self.value),
            Operator::Ne => !self.same(cell, self.value),
            Operator::Gt => compared() == Some(Ordering::Greater),
            Operator::Lt => compared() == Some(Ordering::Less),
            Operator::Gte => matches!(compared(), Some(Ordering::Greater | Ordering::Equal)),
            Operator::Lte => matches!(compared(), Some(Ordering::Less | Ordering::Equal)),
            Operator::In => items().iter().any(|item| self.same(cell, item)),
            Operator::Nin => !items().iter().any(|item| self.same(cell, item)),
            Operator::Contains => match cell {
                Value::Array(cells) => cells.iter().any(|inner| self.same(inner, self.value)),
                _ => self.text(cell, |text, wanted| text.contains(wanted)),
            },
            Operator::StartsWith => self.text(cell, |text, wanted| text.starts_with(wanted)),
            Operator::EndsWith => self.text(cell, |text, wanted| text.ends_with(wanted)),
            Operator::Regex => {
                let regex = self.regex.as_ref();
                cell.as_str().zip(regex).is_some_and(|(text, regex)| regex.is_match(text))
            }
            Operator::Exists => cell.is_null() != self.value.as_bool().unwrap_or(true),
            Operator::IsNull => cell.is_null() == self.value.as_bool().unwrap_or(true),
            // Every word of the query occurs.
            Operator::Text => self.text(cell, |text, wanted| {
                wanted.split_whitespace().all(|word| text.contains(word))
            }),
        }
    }

    fn same(&self, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::String(a), Value::String(b)) if !self.case_sensitive => {
                a.to_lowercase() == b.to_lowercase()
            }
            (Value::Number(_), Value::Number(_)) => compare(a, b) == Some(Ordering::Equal),
            _ => a == b,
        }
    }

    fn text(&self, cell: &Value, found: impl Fn(&str, &str) -> bool) -> bool {
        match (cell.as_str(), self.value.as_str()) {
            (Some(text), Some(wanted)) if self.case_sensitive => found(text, wanted),
            (Some(text), Some(wanted)) => found(&text.to_lowercase(), &wanted.to_lowercase()),
            _ => false,
        }
    }
}

fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        _ => None,
    }
}
