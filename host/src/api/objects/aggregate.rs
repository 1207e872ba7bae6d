//! Counts and sums over groups of objects, which are read one after the other.

use super::dates::{self, DatePart, DateTrunc};
use super::list::Objects;
use crate::api::call::Call;
use crate::api::filters;
use crate::api::listing::{Direction, compare, lookup};
use crate::api::operation::NoQuery;
use crate::api::stream::Walk;
use crate::error::{Error, Result};
use crate::model::Filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};

const GROUPS_MAX: usize = 10_000;
/// Values that one group collects with `push` and `add_to_set`.
const COLLECTED_MAX: usize = 1_000;
/// Different values that `count_distinct` remembers, all groups together.
const DISTINCT_MAX: usize = 1_000_000;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Aggregation {
    #[schemars(length(min = 1, max = 16))]
    group_by: Vec<GroupBy>,
    #[schemars(length(min = 1, max = 32))]
    aggregations: Vec<Metric>,
    /// Objects that are looked at, as in lists.
    filters: Option<Map<String, Value>>,
    /// Groups that are kept.
    #[schemars(length(max = 32))]
    having: Option<Vec<Having>>,
    /// Path of a list: each of its elements counts as an object of its own.
    unwind: Option<String>,
    /// Fields whose values are put into ranges; each is part of the group.
    #[schemars(length(max = 8))]
    range_buckets: Option<Vec<RangeBucket>>,
    /// Name in the group or in the metrics.
    sort_by: Option<String>,
    sort_direction: Option<Direction>,
    #[schemars(range(min = 1, max = GROUPS_MAX))]
    limit: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
struct GroupBy {
    /// Dotted path.
    #[schemars(length(min = 1, max = 512))]
    field: String,
    /// The field's name, if absent.
    alias: Option<String>,
    date_trunc: Option<DateTrunc>,
    date_part: Option<DatePart>,
}

#[derive(Deserialize, JsonSchema)]
struct Metric {
    function: Function,
    /// All but `count` need one.
    field: Option<String>,
    #[schemars(length(min = 1, max = 128))]
    alias: String,
    /// Of `count_distinct`, instead of `field`.
    distinct_field: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Function {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
    First,
    Last,
    Push,
    AddToSet,
}

#[derive(Deserialize, JsonSchema)]
struct Having {
    /// Alias of a metric.
    field: String,
    operator: Comparison,
    value: Value,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Comparison {
    Gt,
    Gte,
    Lt,
    Lte,
    Eq,
    Ne,
}

#[derive(Deserialize, JsonSchema)]
struct RangeBucket {
    field: String,
    /// Ascending; a value on one belongs to the range below it.
    #[schemars(length(min = 1, max = 256))]
    boundaries: Vec<f64>,
    /// Name for values outside of them.
    default_bucket: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Aggregated {
    results: Vec<Group>,
    /// Before the limit.
    total_groups: u64,
    query_info: QueryInfo,
}

#[derive(Serialize, JsonSchema)]
struct Group {
    group: Map<String, Value>,
    metrics: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
struct QueryInfo {
    objects_scanned: u64,
    rows_grouped: u64,
}

/// What one metric of one group has seen.
#[derive(Default)]
struct Seen {
    count: u64,
    whole: i64,
    real: f64,
    is_real: bool,
    value: Option<Value>,
    values: Vec<Value>,
    hashes: HashSet<[u8; 16]>,
}

pub(super) fn aggregate(call: &Call, _: NoQuery, body: Aggregation) -> Result<Aggregated> {
    body.check()?;
    let (_, bucket) = call.bucket()?;
    let filter: Option<Filter> =
        body.filters.as_ref().map(|filters| filters::parse(filters, false)).transpose()?;
    let objects = Objects { call, bucket: &bucket };
    let mut groups: BTreeMap<String, (Map<String, Value>, Vec<Seen>)> = BTreeMap::new();
    let mut info = QueryInfo { objects_scanned: 0, rows_grouped: 0 };
    let mut distinct = 0;
    for object in objects.forth(None) {
        let view = objects.view(&object?)?;
        info.objects_scanned += 1;
        if let Some(filter) = &filter
            && !filters::holds(filter, &view)?
        {
            continue;
        }
        for row in unwound(view, body.unwind.as_deref()) {
            info.rows_grouped += 1;
            let group = body.group(&row);
            let key = Value::Object(group.clone()).to_string();
            if !groups.contains_key(&key) && groups.len() == GROUPS_MAX {
                return Err(Error::invalid(format!("there are more than {GROUPS_MAX} groups"))
                    .field("/group_by")
                    .hint("group by something coarser, or filter"));
            }
            let (_, seen) = groups.entry(key).or_insert_with(|| {
                (group, body.aggregations.iter().map(|_| Seen::default()).collect())
            });
            for (metric, seen) in body.aggregations.iter().zip(seen) {
                distinct += usize::from(metric.see(seen, &row));
            }
            if distinct > DISTINCT_MAX {
                let message = format!("there are more than {DISTINCT_MAX} different values");
                return Err(Error::invalid(message).field("/aggregations").hint("filter them"));
            }
        }
    }
    let mut results: Vec<Group> = groups.into_values().map(|group| body.finish(group)).collect();
    results.retain(|group| body.keeps(group));
    body.sort(&mut results);
    let total_groups = results.len() as u64;
    results.truncate(body.limit.map_or(usize::MAX, |limit| limit as usize));
    Ok(Aggregated { results, total_groups, query_info: info })
}

/// One row for each element of the list; a row of its own where there is none.
fn unwound(view: Value, path: Option<&str>) -> Vec<Value> {
    let Some(path) = path else { return vec![view] };
    let Value::Array(items) = lookup(&view, path).clone() else { return vec![view] };
    let pointer = format!("/{}", path.replace('.', "/"));
    let row = |item| {
        let mut row = view.clone();
        if let Some(place) = row.pointer_mut(&pointer) {
            *place = item;
        }
        row
    };
    items.into_iter().map(row).collect()
}

impl Aggregation {
    fn check(&self) -> Result<()> {
        for (at, group) in self.group_by.iter().enumerate() {
            if group.date_trunc.is_some() && group.date_part.is_some() {
                return Err(Error::invalid("a time is either truncated or taken apart")
                    .field(format!("/group_by/{at}/date_part")));
            }
        }
        for (at, metric) in self.aggregations.iter().enumerate() {
            if metric.function != Function::Count && metric.path().is_none() {
                return Err(Error::invalid("this function needs a field")
                    .field(format!("/aggregations/{at}/field")));
            }
        }
        for (at, range) in self.range_buckets.iter().flatten().enumerate() {
            if !range.boundaries.is_sorted() {
                return Err(Error::invalid("the boundaries are not in ascending order")
                    .field(format!("/range_buckets/{at}/boundaries")));
            }
        }
        let metric = |name: &str| self.aggregations.iter().any(|metric| metric.alias == name);
        for (at, having) in self.having.iter().flatten().enumerate() {
            if !metric(&having.field) {
                return Err(Error::invalid(format!("`{}` is no metric", having.field))
                    .field(format!("/having/{at}/field"))
                    .hint("use an alias of the aggregations"));
            }
        }
        let grouped = |name: &str| {
            let ranges = self.range_buckets.iter().flatten();
            self.group_by.iter().any(|group| group.name() == name)
                || ranges.into_iter().any(|range| range.field == name)
        };
        match &self.sort_by {
            Some(name) if !metric(name) && !grouped(name) => {
                Err(Error::invalid(format!("`{name}` is neither in the group nor a metric"))
                    .field("/sort_by"))
            }
            _ => Ok(()),
        }
    }

    fn group(&self, row: &Value) -> Map<String, Value> {
        let mut group = Map::new();
        for by in &self.group_by {
            let value = lookup(row, &by.field);
            let value = match (by.date_trunc, by.date_part) {
                (Some(unit), _) => dates::truncated(value, unit),
                (None, Some(unit)) => dates::part(value, unit),
                (None, None) => value.clone(),
            };
            group.insert(by.name().to_string(), value);
        }
        for range in self.range_buckets.iter().flatten() {
            let by = self.group_by.iter().find(|by| by.field == range.field);
            let name = by.map_or(range.field.as_str(), GroupBy::name);
            group.insert(name.to_string(), range.label(lookup(row, &range.field)).into());
        }
        group
    }

    fn finish(&self, (group, seen): (Map<String, Value>, Vec<Seen>)) -> Group {
        let metrics = self.aggregations.iter().zip(seen);
        let metrics = metrics.map(|(metric, seen)| (metric.alias.clone(), metric.result(seen)));
        Group { group, metrics: metrics.collect() }
    }

    fn keeps(&self, group: &Group) -> bool {
        self.having.iter().flatten().all(|having| {
            let found = group.metrics.get(&having.field).unwrap_or(&Value::Null);
            let order = compare(found, &having.value);
            match having.operator {
                Comparison::Gt => order.is_gt(),
                Comparison::Gte => order.is_ge(),
                Comparison::Lt => order.is_lt(),
                Comparison::Lte => order.is_le(),
                Comparison::Eq => order.is_eq(),
                Comparison::Ne => order.is_ne(),
            }
        })
    }

    /// Equal ones stay in the order of their groups.
    fn sort(&self, results: &mut [Group]) {
        let Some(name) = &self.sort_by else { return };
        let value = |group: &Group| {
            let found = group.metrics.get(name).or_else(|| group.group.get(name));
            found.cloned().unwrap_or(Value::Null)
        };
        let direction = self.sort_direction.unwrap_or(Direction::Desc);
        results.sort_by(|a, b| match direction {
            Direction::Asc => compare(&value(a), &value(b)),
            Direction::Desc => compare(&value(b), &value(a)),
        });
    }
}

impl GroupBy {
    fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.field)
    }
}

impl RangeBucket {
    fn label(&self, value: &Value) -> String {
        let outside = |name: String| self.default_bucket.clone().unwrap_or(name);
        let (Some(number), [first, .., last] | [first @ last]) =
            (value.as_f64(), self.boundaries.as_slice())
        else {
            return outside("other".to_string());
        };
        if number < *first {
            return outside(format!("<{first}"));
        }
        if number > *last {
            return outside(format!(">{last}"));
        }
        let within = self.boundaries.windows(2).find(|pair| number <= pair[1]);
        match within {
            Some(pair) => format!("{}-{}", pair[0], pair[1]),
            None => first.to_string(),
        }
    }
}

impl Metric {
    fn path(&self) -> Option<&str> {
        let own =
            self.distinct_field.as_deref().filter(|_| self.function == Function::CountDistinct);
        own.or(self.field.as_deref())
    }

    /// Whether there is one more different value to remember.
    fn see(&self, seen: &mut Seen, row: &Value) -> bool {
        let value = self.path().map_or(&Value::Null, |path| lookup(row, path));
        match self.function {
            Function::Count if self.field.is_none() => {
                seen.count += 1;
                return false;
            }
            _ if value.is_null() => return false,
            Function::CountDistinct | Function::AddToSet => {
                let hash = blake3::hash(value.to_string().as_bytes());
                let mut short = [0; 16];
                short.copy_from_slice(&hash.as_bytes()[..16]);
                let new = seen.hashes.insert(short);
                let collects = self.function == Function::AddToSet;
                if new && collects && seen.values.len() < COLLECTED_MAX {
                    seen.values.push(value.clone());
                }
                return new;
            }
            Function::Sum | Function::Avg => seen.add(value),
            Function::Min => seen.keep(value, |new, old| compare(new, old).is_lt()),
            Function::Max => seen.keep(value, |new, old| compare(new, old).is_gt()),
            Function::First => seen.keep(value, |_, _| false),
            Function::Last => seen.keep(value, |_, _| true),
            Function::Push => {
                if seen.values.len() < COLLECTED_MAX {
                    seen.values.push(value.clone());
                }
            }
            Function::Count => seen.count += 1,
        }
        false
    }

    fn result(&self, seen: Seen) -> Value {
        match self.function {
            Function::Count => json!(seen.count),
            Function::CountDistinct => json!(seen.hashes.len()),
            Function::Sum if seen.is_real => json!(seen.real),
            Function::Sum => json!(seen.whole),
            Function::Avg if seen.count == 0 => Value::Null,
            Function::Avg => json!(seen.real / seen.count as f64),
            Function::Min | Function::Max | Function::First | Function::Last => {
                seen.value.unwrap_or(Value::Null)
            }
            Function::Push | Function::AddToSet => Value::from(seen.values),
        }
    }
}

impl Seen {
    /// A sum of whole numbers is one, as long as it has room.
    fn add(&mut self, value: &Value) {
        let Some(number) = value.as_f64() else { return };
        self.count += 1;
        self.real += number;
        match value.as_i64().and_then(|whole| self.whole.checked_add(whole)) {
            Some(whole) => self.whole = whole,
            None => self.is_real = true,
        }
    }

    fn keep(&mut self, value: &Value, better: impl Fn(&Value, &Value) -> bool) {
        if self.value.as_ref().is_none_or(|old| better(value, old)) {
            self.value = Some(value.clone());
        }
    }
}
