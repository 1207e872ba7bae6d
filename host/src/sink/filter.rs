//! [`Filter`] in the words of Qdrant, as JSON for the embedded engine and as protobuf for a server.
//!
//! Both are written from one small tree, so that they can not mean different things. What it says:
//! - a field that holds a list matches when one of its elements does;
//! - `ne` and `nin` also match documents without the field;
//! - `exists` means: there, not null and not an empty list; `is_null` means: there and null;
//! - `contains` on text is a substring, on numbers and booleans an element of a list;
//! - `text` matches all words where the field has a text index, else a substring.
//!
//! Rejected: evaluating what the engine can not (`regex`, `ends_with`, ignoring case) on this side.
//! It would have to read every document, and pages and counts would no longer come from one place.

use crate::error::{Error, Result};
use crate::model::{BatchId, Condition, Filter, Operator};
use qdrant_client::qdrant;
use serde_json::{Value, json};

/// Nested filters.
const FILTER_DEPTH_MAX: usize = 16;
/// Digits of an index into a list in a path.
const INDEX_DIGITS_MAX: usize = 9;
/// Conditions and list values of a filter, all levels together.
const FILTER_TERMS_MAX: usize = 16_384;
const PATH_BYTES_MAX: usize = 1_024;

/// Filter of Qdrant's REST API.
pub fn to_json(filter: &Filter) -> Result<Value> {
    Ok(json!({ "must": [clause(filter)?.to_json()] }))
}

/// Filter of Qdrant's gRPC API.
pub(super) fn to_remote(filter: &Filter) -> Result<qdrant::Filter> {
    Ok(qdrant::Filter::must([clause(filter)?.into_remote()]))
}

/// Documents of `collection` that descend from one of `objects` and are older than `run`; from any
/// object when there are none.
pub(super) fn stale(collection: &str, objects: &[String], run: u64) -> Filter {
    let mut and = vec![
        lineage("collection", Operator::Eq, json!(collection)),
        lineage("run", Operator::Lt, json!(run)),
    ];
    if !objects.is_empty() {
        and.push(lineage("object", Operator::In, json!(objects)));
    }
    Filter { and, case_sensitive: true, ..Filter::default() }
}

/// Documents that the batch wrote.
pub(super) fn of_batch(batch: &BatchId) -> Filter {
    let and = vec![lineage("batch", Operator::Eq, json!(batch.as_str()))];
    Filter { and, case_sensitive: true, ..Filter::default() }
}

fn lineage(field: &str, operator: Operator, value: Value) -> Condition {
    Condition::Field { field: format!("{}.{field}", crate::model::LINEAGE_FIELD), operator, value }
}

/// What a filter comes down to.
#[derive(Debug, Clone, PartialEq)]
enum Clause {
    All(Vec<Clause>),
    Any(Vec<Clause>),
    Not(Box<Clause>),
    Text {
        path: String,
        value: String,
    },
    Substring {
        path: String,
        value: String,
    },
    Prefix {
        path: String,
        value: String,
    },
    Strings {
        path: String,
        values: Vec<String>,
    },
    Integers {
        path: String,
        values: Vec<i64>,
    },
    Bool {
        path: String,
        value: bool,
    },
    Range {
        path: String,
        range: Bounds<f64>,
    },
    /// RFC 3339 in UTC.
    Times {
        path: String,
        range: Bounds<chrono::DateTime<chrono::Utc>>,
    },
    /// Absent, null or an empty list.
    Empty {
        path: String,
    },
    Null {
        path: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
struct Bounds<T> {
    gt: Option<T>,
    gte: Option<T>,
    lt: Option<T>,
    lte: Option<T>,
}

impl<T> Bounds<T> {
    fn of(operator: Operator, value: T) -> Self {
        let mut bounds = Bounds { gt: None, gte: None, lt: None, lte: None };
        match operator {
            Operator::Gt => bounds.gt = Some(value),
            Operator::Gte => bounds.gte = Some(value),
            Operator::Lt => bounds.lt = Some(value),
            _ => bounds.lte = Some(value),
        }
        bounds
    }
}

fn clause(filter: &Filter) -> Result<Clause> {
    let mut terms = FILTER_TERMS_MAX;
    translate(filter, 1, &mut terms)
}

fn translate(filter: &Filter, depth: usize, terms: &mut usize) -> Result<Clause> {
    if depth > FILTER_DEPTH_MAX {
        let message = format!("the filter is nested deeper than {FILTER_DEPTH_MAX} levels");
        return Err(Error::invalid(message));
    }
    let mut translate_one = |condition: &Condition| match condition {
        Condition::Nested(nested) => translate(nested, depth + 1, terms),
        Condition::Field { field, operator, value } => {
            let size = 1 + value.as_array().map_or(0, Vec::len);
            let Some(left) = terms.checked_sub(size) else {
                let message = format!("the filter has more than {FILTER_TERMS_MAX} terms");
                return Err(Error::invalid(message));
            };
            *terms = left;
            comparison(field, *operator, value, filter.case_sensitive)
                .map_err(|error| error.field(field))
        }
    };
    let mut all = filter.and.iter().map(&mut translate_one).collect::<Result<Vec<_>>>()?;
    if !filter.or.is_empty() {
        let any = filter.or.iter().map(&mut translate_one).collect::<Result<Vec<_>>>()?;
        all.push(Clause::Any(any));
    }
    for condition in &filter.not {
        all.push(not(translate_one(condition)?));
    }
    Ok(Clause::All(all))
}

fn not(clause: Clause) -> Clause {
    Clause::Not(Box::new(clause))
}

fn comparison(
    field: &str,
    operator: Operator,
    value: &Value,
    case_sensitive: bool,
) -> Result<Clause> {
    let path = path(field)?;
    let compares_text = value.is_string()
        || value.as_array().is_some_and(|values| values.iter().any(Value::is_string));
    if !case_sensitive && compares_text {
        match operator {
            Operator::Text | Operator::Exists | Operator::IsNull => {}
            Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte => {}
            _ => {
                let message = format!("`{}` can not ignore upper and lower case", word(operator));
                let hint = "use `text` on a field with a text index, or `case_sensitive: true`";
                return Err(Error::invalid(message).hint(hint));
            }
        }
    }
    match operator {
        Operator::Eq => equal(path, value),
        Operator::Ne => Ok(not(equal(path, value)?)),
        Operator::In => one_of(path, value, operator),
        Operator::Nin => Ok(not(one_of(path, value, operator)?)),
        Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte => range(path, operator, value),
        Operator::Contains => match value {
            Value::String(text) => Ok(Clause::Substring { path, value: text.clone() }),
            _ => equal(path, value),
        },
        Operator::StartsWith => Ok(Clause::Prefix { path, value: text(value, operator)? }),
        Operator::Text => Ok(Clause::Text { path, value: text(value, operator)? }),
        Operator::Exists => yes_or_no(value, operator, not(Clause::Empty { path })),
        Operator::IsNull => yes_or_no(value, operator, Clause::Null { path }),
        Operator::EndsWith | Operator::Regex => {
            let message = format!("documents can not be filtered by `{}`", word(operator));
            let hint = "use `contains` or `starts_with`, or `text` on a field with a text index";
            Err(Error::invalid(message).hint(hint))
        }
    }
}

fn equal(path: String, value: &Value) -> Result<Clause> {
    match value {
        Value::Null => Ok(Clause::Null { path }),
        Value::Bool(value) => Ok(Clause::Bool { path, value: *value }),
        Value::String(value) => Ok(Clause::Strings { path, values: vec![value.clone()] }),
        Value::Number(number) => match number.as_i64() {
            Some(value) => Ok(whole(path, vec![value])),
            None => {
                let value = number.as_f64();
                let range = Bounds { gt: None, gte: value, lt: None, lte: value };
                Ok(Clause::Range { path, range })
            }
        },
        Value::Array(_) | Value::Object(_) => {
            let message = "a field can not be compared with a list or an object";
            Err(Error::invalid(message).hint("use `in` with a list of values"))
        }
    }
}

/// The engines match whole numbers with whole numbers only; 1 is to be found where 1.0 is written,
/// too. Beyond 2^53 a float is not exact, and no number of ours is written as one.
fn whole(path: String, values: Vec<i64>) -> Clause {
    let exact = values.iter().filter(|value| value.unsigned_abs() <= 1 << 53);
    let floats = exact.map(|value| {
        let value = Some(*value as f64);
        let range = Bounds { gt: None, gte: value, lt: None, lte: value };
        Clause::Range { path: path.clone(), range }
    });
    let mut any: Vec<Clause> = floats.collect();
    any.insert(0, Clause::Integers { path: path.clone(), values });
    Clause::Any(any)
}

fn one_of(path: String, value: &Value, operator: Operator) -> Result<Clause> {
    let Value::Array(values) = value else {
        return Err(Error::invalid(format!("`{}` needs a list of values", word(operator))));
    };
    if !values.is_empty() && values.iter().all(Value::is_string) {
        let values = values.iter().filter_map(Value::as_str).map(str::to_string).collect();
        return Ok(Clause::Strings { path, values });
    }
    if !values.is_empty() && values.iter().all(Value::is_i64) {
        let values = values.iter().filter_map(Value::as_i64).collect();
        return Ok(whole(path, values));
    }
    values.iter().map(|value| equal(path.clone(), value)).collect::<Result<_>>().map(Clause::Any)
}

fn range(path: String, operator: Operator, value: &Value) -> Result<Clause> {
    let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
    match (value.as_f64(), value.as_str().and_then(time)) {
        (Some(number), _) => Ok(Clause::Range { path, range: Bounds::of(operator, number) }),
        (None, Some(time)) => {
            Ok(Clause::Times { path, range: Bounds::of(operator, time.to_utc()) })
        }
        (None, None) => {
            let message = format!("`{}` needs a number or a time", word(operator));
            Err(Error::invalid(message).hint("a time like `2026-05-01T12:00:00Z`"))
        }
    }
}

fn yes_or_no(value: &Value, operator: Operator, clause: Clause) -> Result<Clause> {
    match value {
        Value::Null | Value::Bool(true) => Ok(clause),
        Value::Bool(false) => Ok(not(clause)),
        _ => Err(Error::invalid(format!("`{}` takes true or false", word(operator)))),
    }
}

fn text(value: &Value, operator: Operator) -> Result<String> {
    match value.as_str() {
        Some(text) => Ok(text.to_string()),
        None => Err(Error::invalid(format!("`{}` needs a text", word(operator)))),
    }
}

fn word(operator: Operator) -> &'static str {
    match operator {
        Operator::Eq => "eq",
        Operator::Ne => "ne",
        Operator::Gt => "gt",
        Operator::Lt => "lt",
        Operator::Gte => "gte",
        Operator::Lte => "lte",
        Operator::In => "in",
        Operator::Nin => "nin",
        Operator::Contains => "contains",
        Operator::StartsWith => "starts_with",
        Operator::EndsWith => "ends_with",
        Operator::Regex => "regex",
        Operator::Exists => "exists",
        Operator::IsNull => "is_null",
        Operator::Text => "text",
    }
}

/// A dotted path in Qdrant's grammar: a segment of other characters than letters, digits, `_` and
/// `-` is quoted; `[]` and `[3]` behind a segment stay.
pub(super) fn path(field: &str) -> Result<String> {
    if field.len() > PATH_BYTES_MAX {
        let message = format!("the path of a field has {} bytes", field.len());
        return Err(Error::invalid(message).hint(format!("{PATH_BYTES_MAX} are allowed")));
    }
    let segments = field.split('.').map(|segment| {
        let (name, index) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
        let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if name.is_empty() || segment.contains(['"', '\\']) || !is_index(index) {
            return Err(Error::invalid(format!("`{field}` is not the path of a field")));
        }
        Ok(if plain { segment.to_string() } else { format!("\"{name}\"{index}") })
    });
    Ok(segments.collect::<Result<Vec<_>>>()?.join("."))
}

/// Nothing, or any number of `[]` and `[3]`.
fn is_index(text: &str) -> bool {
    let Some(groups) = text.strip_prefix('[') else { return text.is_empty() };
    let Some(groups) = groups.strip_suffix(']') else { return false };
    let number = |digits: &str| {
        digits.len() <= INDEX_DIGITS_MAX && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    groups.split("][").all(number)
}

impl Clause {
    fn to_json(&self) -> Value {
        let list = |clauses: &[Clause]| clauses.iter().map(Clause::to_json).collect::<Vec<_>>();
        match self {
            Clause::All(clauses) => json!({ "must": list(clauses) }),
            // An empty `should` would match everything.
            Clause::Any(clauses) if clauses.is_empty() => json!({ "has_id": [] }),
            Clause::Any(clauses) => json!({ "should": list(clauses) }),
            Clause::Not(clause) => json!({ "must_not": [clause.to_json()] }),
            Clause::Text { path, value } => json!({ "key": path, "match": { "text": value } }),
            Clause::Substring { path, value } => {
                json!({ "key": path, "match": { "substring": value } })
            }
            Clause::Prefix { path, value } => json!({ "key": path, "match": { "prefix": value } }),
            Clause::Strings { path, values } => match values.as_slice() {
                [value] => json!({ "key": path, "match": { "value": value } }),
                values => json!({ "key": path, "match": { "any": values } }),
            },
            Clause::Integers { path, values } => match values.as_slice() {
                [value] => json!({ "key": path, "match": { "value": value } }),
                values => json!({ "key": path, "match": { "any": values } }),
            },
            Clause::Bool { path, value } => json!({ "key": path, "match": { "value": value } }),
            Clause::Range { path, range } => json!({ "key": path, "range": range.to_json() }),
            Clause::Times { path, range } => json!({ "key": path, "range": range.to_json() }),
            Clause::Empty { path } => json!({ "is_empty": { "key": path } }),
            Clause::Null { path } => json!({ "is_null": { "key": path } }),
        }
    }

    fn into_remote(self) -> qdrant::Condition {
        use qdrant::Condition as Remote;
        let list = |clauses: Vec<Clause>| clauses.into_iter().map(Clause::into_remote);
        match self {
            Clause::All(clauses) => qdrant::Filter::must(list(clauses)).into(),
            Clause::Any(clauses) if clauses.is_empty() => {
                Remote::has_id(std::iter::empty::<qdrant::PointId>())
            }
            Clause::Any(clauses) => qdrant::Filter::should(list(clauses)).into(),
            Clause::Not(clause) => qdrant::Filter::must_not([clause.into_remote()]).into(),
            Clause::Text { path, value } => Remote::matches_text(path, value),
            Clause::Substring { path, value } => Remote::matches_substring(path, value),
            Clause::Prefix { path, value } => Remote::matches_prefix(path, value),
            Clause::Strings { path, values } => Remote::matches(path, values),
            Clause::Integers { path, values } => Remote::matches(path, values),
            Clause::Bool { path, value } => Remote::matches(path, value),
            Clause::Range { path, range } => {
                let Bounds { gt, gte, lt, lte } = range;
                Remote::range(path, qdrant::Range { gt, gte, lt, lte })
            }
            Clause::Times { path, range } => {
                let stamp = |time: Option<chrono::DateTime<chrono::Utc>>| {
                    time.map(|time| qdrant::Timestamp {
                        seconds: time.timestamp(),
                        nanos: time.timestamp_subsec_nanos() as i32,
                    })
                };
                let Bounds { gt, gte, lt, lte } = range;
                let (gt, gte, lt, lte) = (stamp(gt), stamp(gte), stamp(lt), stamp(lte));
                Remote::datetime_range(path, qdrant::DatetimeRange { gt, gte, lt, lte })
            }
            Clause::Empty { path } => Remote::is_empty(path),
            Clause::Null { path } => Remote::is_null(path),
        }
    }
}

impl<T: serde::Serialize> Bounds<T> {
    fn to_json(&self) -> Value {
        let Bounds { gt, gte, lt, lte } = self;
        let bounds = [("gt", gt), ("gte", gte), ("lt", lt), ("lte", lte)];
        let given = bounds.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        given.map(|(name, value)| (name.to_string(), json!(value))).collect()
    }
}
