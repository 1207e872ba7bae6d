//! What is computed over a group of documents, one value after the other.

use super::list::too_many;
use crate::api::listing::compare;
use crate::error::Result;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of values that the groups of one request keep, for those that list or tell them apart.
const KEPT_BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Function {
    /// Of documents; with a field, of those that have it.
    Count,
    CountDistinct,
    /// Of numbers; what is none counts nothing.
    Sum,
    Avg,
    Min,
    Max,
    /// By document id.
    First,
    Last,
    /// All values, by document id.
    Push,
    /// Each value once.
    AddToSet,
}

/// Whole numbers stay whole as long as they fit.
#[derive(Default)]
pub(super) struct Total {
    whole: i128,
    rest: f64,
    numbers: u64,
}

pub(super) enum Metric {
    Count(u64),
    CountDistinct(BTreeSet<String>),
    Sum(Total),
    Avg(Total),
    Min(Value),
    Max(Value),
    First(Option<Value>),
    Last(Value),
    Push(Vec<Value>),
    AddToSet(BTreeMap<String, Value>),
}

impl Total {
    fn add(&mut self, value: &Value) {
        match (value.as_i64(), value.as_f64()) {
            (Some(whole), _) => self.whole += i128::from(whole),
            (None, Some(number)) => self.rest += number,
            (None, None) => return,
        }
        self.numbers += 1;
    }

    fn sum(&self) -> Value {
        match i64::try_from(self.whole) {
            Ok(whole) if self.rest == 0.0 => json!(whole),
            _ => json!(self.whole as f64 + self.rest),
        }
    }

    fn average(&self) -> Value {
        match self.numbers {
            0 => Value::Null,
            numbers => json!((self.whole as f64 + self.rest) / numbers as f64),
        }
    }
}

impl Metric {
    pub(super) fn new(function: Function) -> Metric {
        match function {
            Function::Count => Metric::Count(0),
            Function::CountDistinct => Metric::CountDistinct(BTreeSet::new()),
            Function::Sum => Metric::Sum(Total::default()),
            Function::Avg => Metric::Avg(Total::default()),
            Function::Min => Metric::Min(Value::Null),
            Function::Max => Metric::Max(Value::Null),
            Function::First => Metric::First(None),
            Function::Last => Metric::Last(Value::Null),
            Function::Push => Metric::Push(Vec::new()),
            Function::AddToSet => Metric::AddToSet(BTreeMap::new()),
        }
    }

    /// `value` is `None` where the function takes no field; `kept` counts bytes over all groups.
    pub(super) fn add(&mut self, value: Option<&Value>, kept: &mut usize) -> Result<()> {
        if let Metric::Count(count) = self {
            *count += u64::from(value.is_none_or(|value| !value.is_null()));
            return Ok(());
        }
        let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(()) };
        let mut keep = |bytes: usize| {
            *kept += bytes;
            match *kept > KEPT_BYTES_MAX {
                true => Err(too_many("bytes of values to keep", KEPT_BYTES_MAX as u64)),
                false => Ok(()),
            }
        };
        match self {
            Metric::Count(_) => {}
            Metric::CountDistinct(known) => {
                let text = value.to_string();
                let bytes = text.len() + 48;
                if known.insert(text) {
                    keep(bytes)?;
                }
            }
            Metric::Sum(total) | Metric::Avg(total) => total.add(value),
            Metric::Min(least) => {
                if least.is_null() || compare(value, least).is_lt() {
                    *least = value.clone();
                }
            }
            Metric::Max(most) => {
                if compare(value, most).is_gt() {
                    *most = value.clone();
                }
            }
            Metric::First(first) => drop(first.get_or_insert_with(|| value.clone())),
            Metric::Last(last) => *last = value.clone(),
            Metric::Push(values) => {
                keep(value.to_string().len() + 48)?;
                values.push(value.clone());
            }
            Metric::AddToSet(known) => {
                let text = value.to_string();
                let bytes = 2 * text.len() + 48;
                if known.insert(text, value.clone()).is_none() {
                    keep(bytes)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn value(self) -> Value {
        match self {
            Metric::Count(count) => json!(count),
            Metric::CountDistinct(known) => json!(known.len()),
            Metric::Sum(total) => total.sum(),
            Metric::Avg(total) => total.average(),
            Metric::Min(value) | Metric::Max(value) | Metric::Last(value) => value,
            Metric::First(value) => value.unwrap_or(Value::Null),
            Metric::Push(values) => Value::Array(values),
            Metric::AddToSet(known) => known.into_values().collect(),
        }
    }
}

/// A row of the answer while it is computed.
pub(super) struct Group {
    pub(super) key: Map<String, Value>,
    pub(super) metrics: Vec<Metric>,
}
