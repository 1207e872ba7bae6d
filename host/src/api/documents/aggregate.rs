//! Groups of documents and what is computed over them, in one walk: memory grows with the groups,
//! never with the documents.

use super::list::too_many;
use super::metric::{Function, Group, Metric};
use crate::api::call::Call;
use crate::api::filters;
use crate::api::listing::{Direction, compare};
use crate::api::operation::NoQuery;
use crate::control::{Selection, field_of};
use crate::error::{Error, Result};
use crate::model::Document;
use chrono::{DateTime, Datelike, NaiveDate, TimeZone, Timelike, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

const GROUPS_MAX: usize = 10_000;
const VALUES_MAX: usize = 100_000;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Aggregate {
    /// One row for each combination of their values; one row in all if absent.
    #[schemars(length(max = 16))]
    group_by: Option<Vec<GroupByField>>,
    #[schemars(length(min = 1, max = 64))]
    aggregations: Vec<Aggregation>,
    filters: Option<Map<String, Value>>,
    /// On what was computed.
    #[schemars(length(max = 64))]
    having: Option<Vec<Having>>,
    /// A field with a list: each element counts as a document.
    unwind: Option<String>,
    #[schemars(length(max = 16))]
    range_buckets: Option<Vec<RangeBucket>>,
    /// A field or alias; by the groups if absent.
    sort_by: Option<String>,
    sort_direction: Option<Direction>,
    #[schemars(range(min = 1))]
    limit: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
struct GroupByField {
    /// Dotted path.
    #[schemars(length(min = 1))]
    field: String,
    alias: Option<String>,
    date_trunc: Option<DateTrunc>,
    date_part: Option<DatePart>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DateTrunc {
    Year,
    Month,
    /// From Monday on.
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum DatePart {
    Year,
    Month,
    /// ISO 8601.
    Week,
    Day,
    /// 1 is Sunday.
    DayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
}

#[derive(Deserialize, JsonSchema)]
struct Aggregation {
    function: Function,
    /// Needed by all but `count`.
    field: Option<String>,
    #[schemars(length(min = 1))]
    alias: String,
    /// Of `count_distinct`, instead of `field`.
    distinct_field: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Having {
    /// An alias.
    field: String,
    operator: Comparison,
    #[schemars(schema_with = "crate::api::schema::any")]
    value: Value,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Comparison {
    Gt,
    Gte,
    Lt,
    Lte,
    Eq,
    Ne,
}

/// Groups by ranges of a number: `0-10` is above 0 up to 10, and 0 itself where it is the lowest
/// boundary.
#[derive(Deserialize, JsonSchema)]
struct RangeBucket {
    #[schemars(length(min = 1))]
    field: String,
    /// Ascending.
    #[schemars(length(min = 1, max = 256))]
    boundaries: Vec<f64>,
    /// What is outside, or no number: `other` if absent.
    default_bucket: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Aggregated {
    results: Vec<AggregatedRow>,
    /// Before `limit`.
    total_groups: u64,
    query_info: QueryInfo,
}

#[derive(Serialize, JsonSchema)]
struct AggregatedRow {
    group: Map<String, Value>,
    metrics: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
struct QueryInfo {
    /// Documents that the filter selected.
    documents: u64,
    /// Never: what is too much is refused.
    truncated: bool,
}

fn select(call: &Call, filters: Option<&Map<String, Value>>) -> Result<(Source, Selection)> {
    let (namespace, collection) = call.collection()?;
    let filter = filters.map(|filters| filters::parse(filters, true)).transpose()?;
    let selection = Selection::new(&collection, filter.as_ref(), None)?;
    Ok((Source { namespace }, selection))
}

struct Source {
    namespace: crate::store::catalog::Namespace,
}

impl Aggregate {
    /// Names must say what is meant, before anything is read.
    fn check(&self) -> Result<()> {
        let wrong = |message: String, at: String| Err(Error::invalid(message).field(at));
        let mut names: Vec<&str> = Vec::new();
        for (at, group) in self.group_by.iter().flatten().enumerate() {
            if group.date_trunc.is_some() && group.date_part.is_some() {
                let message = "a date is either truncated or taken apart".to_string();
                return wrong(message, format!("/group_by/{at}/date_part"));
            }
            names.push(group.name());
        }
        for (at, bucket) in self.range_buckets.iter().flatten().enumerate() {
            if bucket.boundaries.windows(2).any(|pair| pair[0] >= pair[1]) {
                let message = "boundaries have to ascend".to_string();
                return wrong(message, format!("/range_buckets/{at}/boundaries"));
            }
            names.push(&bucket.field);
        }
        for (at, aggregation) in self.aggregations.iter().enumerate() {
            if aggregation.function != Function::Count && aggregation.field().is_none() {
                let message = format!("`{}` needs a field", aggregation.alias);
                return wrong(message, format!("/aggregations/{at}/field"));
            }
            names.push(&aggregation.alias);
        }
        let mut sorted = names.clone();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("`{}` stands for two things", pair[0]);
            return wrong(message, "/aggregations".to_string());
        }
        let aliases = |name: &str| self.aggregations.iter().any(|it| it.alias == name);
        for (at, having) in self.having.iter().flatten().enumerate() {
            if !aliases(&having.field) {
                let message = format!("there is no aggregation `{}`", having.field);
                return wrong(message, format!("/having/{at}/field"));
            }
        }
        match &self.sort_by {
            Some(name) if !names.contains(&name.as_str()) => {
                wrong(format!("there is no field or alias `{name}`"), "/sort_by".to_string())
            }
            _ => Ok(()),
        }
    }

    fn key(&self, row: &Row) -> Map<String, Value> {
        let mut key = Map::new();
        for group in self.group_by.iter().flatten() {
            let value = row.get(&group.field);
            let value = match (group.date_trunc, group.date_part) {
                (Some(unit), _) => time(&value).map_or(Value::Null, |time| truncate(time, unit)),
                (None, Some(part)) => time(&value).map_or(Value::Null, |time| take(time, part)),
                (None, None) => value.into_owned(),
            };
            key.insert(group.name().to_string(), value);
        }
        for bucket in self.range_buckets.iter().flatten() {
            key.insert(bucket.field.clone(), bucket.of(&row.get(&bucket.field)).into());
        }
        key
    }
}

impl GroupByField {
    fn name(&self) -> &str {
        self.alias.as_ref().unwrap_or(&self.field)
    }
}

impl Aggregation {
    fn field(&self) -> Option<&str> {
        let distinct = self.distinct_field.as_ref();
        let distinct = distinct.filter(|_| self.function == Function::CountDistinct);
        distinct.or(self.field.as_ref()).map(String::as_str)
    }
}

impl RangeBucket {
    fn of(&self, value: &Value) -> String {
        let pairs = || self.boundaries.windows(2);
        let number = value.as_f64();
        let inside = number.and_then(|number| {
            let lowest = self.boundaries.first() == Some(&number);
            pairs().find(|pair| (number > pair[0] || lowest) && number <= pair[1])
        });
        match inside {
            Some(pair) => format!("{}-{}", pair[0], pair[1]),
            None => self.default_bucket.clone().unwrap_or_else(|| "other".to_string()),
        }
    }
}

/// A document, or one with a single element of its list.
struct Row<'a> {
    document: &'a Document,
    unwound: Option<(&'a str, &'a Value)>,
}

impl Row<'_> {
    fn get(&self, name: &str) -> Cow<'_, Value> {
        if let Some((list, element)) = self.unwound
            && let Some(rest) = name.strip_prefix(list)
        {
            if rest.is_empty() {
                return Cow::Borrowed(element);
            }
            if let Some(path) = rest.strip_prefix('.') {
                return Cow::Borrowed(crate::api::listing::lookup(element, path));
            }
        }
        field_of(self.document, name)
    }
}

/// RFC 3339, or a date.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    let date = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0).map(|time| time.and_utc());
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok().or_else(date)
}

fn truncate(time: DateTime<Utc>, unit: DateTrunc) -> Value {
    let date = match unit {
        DateTrunc::Year => NaiveDate::from_ymd_opt(time.year(), 1, 1),
        DateTrunc::Month => NaiveDate::from_ymd_opt(time.year(), time.month(), 1),
        DateTrunc::Week => Some(time.date_naive().week(chrono::Weekday::Mon).first_day()),
        DateTrunc::Day | DateTrunc::Hour | DateTrunc::Minute | DateTrunc::Second => {
            Some(time.date_naive())
        }
    };
    let (hour, minute, second) = match unit {
        DateTrunc::Year | DateTrunc::Month | DateTrunc::Week | DateTrunc::Day => (0, 0, 0),
        DateTrunc::Hour => (time.hour(), 0, 0),
        DateTrunc::Minute => (time.hour(), time.minute(), 0),
        DateTrunc::Second => (time.hour(), time.minute(), time.second()),
    };
    let start = date.and_then(|date| date.and_hms_opt(hour, minute, second));
    let start = start.map(|start| Utc.from_utc_datetime(&start));
    start.map_or(Value::Null, |start| {
        start.to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into()
    })
}

fn take(time: DateTime<Utc>, part: DatePart) -> Value {
    match part {
        DatePart::Year => json!(time.year()),
        DatePart::Month => json!(time.month()),
        DatePart::Week => json!(time.iso_week().week()),
        DatePart::Day => json!(time.day()),
        DatePart::DayOfWeek => json!(time.weekday().number_from_sunday()),
        DatePart::DayOfYear => json!(time.ordinal()),
        DatePart::Hour => json!(time.hour()),
        DatePart::Minute => json!(time.minute()),
        DatePart::Second => json!(time.second()),
    }
}

pub(super) fn aggregate(call: &Call, _: NoQuery, body: Aggregate) -> Result<Aggregated> {
    body.check()?;
    let (source, selection) = select(call, body.filters.as_ref())?;
    let (mut groups, mut documents, mut kept) = (BTreeMap::<String, Group>::new(), 0, 0);
    let fresh = |key| Group {
        key,
        metrics: body.aggregations.iter().map(|it| Metric::new(it.function)).collect(),
    };
    if body.group_by.is_none() && body.range_buckets.is_none() {
        groups.insert(json!({}).to_string(), fresh(Map::new()));
    }
    let mut add = |row: &Row| -> Result<()> {
        let key = body.key(row);
        let text = Value::Object(key.clone()).to_string();
        let group = groups.entry(text).or_insert_with(|| fresh(key));
        for (aggregation, metric) in body.aggregations.iter().zip(&mut group.metrics) {
            let value = aggregation.field().map(|field| row.get(field));
            metric.add(value.as_deref(), &mut kept)?;
        }
        match groups.len() > GROUPS_MAX {
            true => Err(too_many("groups", GROUPS_MAX as u64)),
            false => Ok(()),
        }
    };
    call.control.each_document(&source.namespace, &selection, &mut |document| {
        documents += 1;
        let Some(list) = &body.unwind else {
            add(&Row { document: &document, unwound: None })?;
            return Ok(true);
        };
        let found = field_of(&document, list);
        let elements: &[Value] = match &*found {
            Value::Null => &[],
            Value::Array(items) => items,
            value => std::slice::from_ref(value),
        };
        for element in elements {
            add(&Row { document: &document, unwound: Some((list, element)) })?;
        }
        Ok(true)
    })?;
    let rows = groups.into_values().map(|Group { key, metrics }| {
        let named = body.aggregations.iter().map(|it| it.alias.clone());
        let metrics = named.zip(metrics.into_iter().map(Metric::value)).collect();
        AggregatedRow { group: key, metrics }
    });
    let mut rows: Vec<AggregatedRow> =
        rows.filter(|row| body.having.iter().flatten().all(|it| it.holds(row))).collect();
    if let Some(name) = &body.sort_by {
        let of = |row: &AggregatedRow| {
            row.metrics.get(name).or(row.group.get(name)).cloned().unwrap_or(Value::Null)
        };
        rows.sort_by(|a, b| match body.sort_direction.unwrap_or(Direction::Desc) {
            Direction::Asc => compare(&of(a), &of(b)),
            Direction::Desc => compare(&of(b), &of(a)),
        });
    }
    let total_groups = rows.len() as u64;
    rows.truncate(body.limit.map_or(usize::MAX, |limit| limit as usize));
    let query_info = QueryInfo { documents, truncated: false };
    Ok(Aggregated { results: rows, total_groups, query_info })
}

impl Having {
    fn holds(&self, row: &AggregatedRow) -> bool {
        let found = row.metrics.get(&self.field).unwrap_or(&Value::Null);
        let order = compare(found, &self.value);
        match self.operator {
            Comparison::Gt => order.is_gt(),
            Comparison::Gte => order.is_ge(),
            Comparison::Lt => order.is_lt(),
            Comparison::Lte => order.is_le(),
            Comparison::Eq => order.is_eq(),
            Comparison::Ne => order.is_ne(),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Distinct {
    /// Dotted path.
    #[schemars(length(min = 1))]
    field: String,
    filters: Option<Map<String, Value>>,
    #[schemars(range(min = 1, max = 10_000))]
    limit: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct DistinctValues {
    field: String,
    /// The most frequent ones first.
    values: Vec<DistinctValue>,
    /// Before `limit`.
    total_distinct: u64,
    query_info: QueryInfo,
}

#[derive(Serialize, JsonSchema)]
struct DistinctValue {
    #[schemars(schema_with = "crate::api::schema::any")]
    value: Value,
    count: u64,
}

/// The elements of a list count one by one; what is missing or null does not count.
pub(super) fn distinct(call: &Call, _: NoQuery, body: Distinct) -> Result<DistinctValues> {
    let (source, selection) = select(call, body.filters.as_ref())?;
    let (mut counts, mut documents) = (BTreeMap::<String, u64>::new(), 0);
    call.control.each_document(&source.namespace, &selection, &mut |document| {
        documents += 1;
        let found = field_of(&document, &body.field);
        let values: &[Value] = match &*found {
            Value::Null => &[],
            Value::Array(items) => items,
            value => std::slice::from_ref(value),
        };
        for value in values.iter().filter(|value| !value.is_null()) {
            *counts.entry(value.to_string()).or_default() += 1;
        }
        match counts.len() > VALUES_MAX {
            true => Err(too_many("different values", VALUES_MAX as u64)),
            false => Ok(true),
        }
    })?;
    let total_distinct = counts.len() as u64;
    let mut values: Vec<(String, u64)> = counts.into_iter().collect();
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.truncate(body.limit.map_or(usize::MAX, |limit| limit as usize));
    let values = values.into_iter().map(|(text, count)| DistinctValue {
        value: serde_json::from_str(&text).unwrap_or(Value::Null),
        count,
    });
    Ok(DistinctValues {
        field: body.field,
        values: values.collect(),
        total_distinct,
        query_info: QueryInfo { documents, truncated: false },
    })
}
