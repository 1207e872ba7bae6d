//! Pages of lists that are too long to be in memory: they are read in the order of their ids, which
//! is that of their making, or sorted by the few values that the order needs.

use super::listing::{Direction, Pagination, Sort, Wanted, compare, lookup};
use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::cmp::Ordering;

/// Items that are sorted by other fields than the time they were made at.
const SORTED_MAX: usize = 100_000;

/// A list that can be walked both ways.
pub(super) trait Walk {
    type Item;

    /// Items after the id, oldest first.
    fn forth(&self, after: Option<&str>) -> Box<dyn Iterator<Item = Result<Self::Item>> + '_>;

    /// Items before the id, newest first.
    fn back(&self, before: Option<&str>) -> Box<dyn Iterator<Item = Result<Self::Item>> + '_>;

    /// One that may be gone by now.
    fn find(&self, id: &str) -> Result<Option<Self::Item>>;

    fn id<'i>(&self, item: &'i Self::Item) -> &'i str;

    /// What filters and sorting see.
    fn view(&self, item: &Self::Item) -> Result<Value>;

    /// Whether a search looks into this field of the view.
    fn is_searched(&self, field: &str) -> bool;
}

/// What is asked of such a list besides the page.
pub(super) struct Asked<'a> {
    pub(super) wanted: &'a Wanted,
    /// Count all items that fit.
    pub(super) counted: bool,
    /// Without a sort.
    pub(super) direction: Direction,
}

pub(super) struct Streamed<T> {
    pub(super) items: Vec<T>,
    pub(super) pagination: Pagination,
}

/// `tally` sees every item that fits, where they are counted.
pub(super) fn page<W: Walk>(
    list: &W,
    asked: &Asked,
    tally: &mut dyn FnMut(&W::Item),
) -> Result<Streamed<W::Item>> {
    match &asked.wanted.sorts[..] {
        [] => walked(list, asked, asked.direction, tally),
        [Sort { field, direction }] if field == "created_at" => {
            walked(list, asked, *direction, tally)
        }
        _ => sorted(list, asked, tally),
    }
}

fn walked<W: Walk>(
    list: &W,
    asked: &Asked,
    direction: Direction,
    tally: &mut dyn FnMut(&W::Item),
) -> Result<Streamed<W::Item>> {
    let Asked { wanted, counted, .. } = asked;
    let cursor = wanted.after.as_deref();
    let from = cursor.filter(|_| !counted);
    let (all, turn) = match direction {
        Direction::Asc => (list.forth(from), Ordering::Greater),
        Direction::Desc => (list.back(from), Ordering::Less),
    };
    let mut passing = if cursor.is_some() { 0 } else { wanted.offset };
    let mut items = Vec::new();
    let (mut total, mut more) = (0, false);
    for item in all {
        let item = item?;
        if !fits(list, wanted, &list.view(&item)?)? {
            continue;
        }
        total += 1;
        if *counted {
            tally(&item);
        }
        if cursor.is_some_and(|cursor| list.id(&item).cmp(cursor) != turn) {
            continue;
        }
        if passing > 0 {
            passing -= 1;
        } else if (items.len() as u64) < wanted.limit {
            items.push(item);
        } else {
            more = true;
            if !counted {
                break;
            }
        }
    }
    let last = items.last().filter(|_| more).map(|item| list.id(item).to_string());
    let pagination = wanted.pagination(counted.then_some(total), last.as_deref());
    Ok(Streamed { items, pagination })
}

/// The cursor is the place in the order, so that it stays one when the item is gone.
fn sorted<W: Walk>(
    list: &W,
    asked: &Asked,
    tally: &mut dyn FnMut(&W::Item),
) -> Result<Streamed<W::Item>> {
    let Asked { wanted, counted, .. } = asked;
    let mut all: Vec<(Vec<Value>, String)> = Vec::new();
    for item in list.forth(None) {
        let item = item?;
        let view = list.view(&item)?;
        if !fits(list, wanted, &view)? {
            continue;
        }
        if all.len() == SORTED_MAX {
            let message = format!("more than {SORTED_MAX} items can not be sorted by this field");
            return Err(Error::invalid(message)
                .field("/sort")
                .hint("filter them, or sort by created_at"));
        }
        tally(&item);
        let keys = wanted.sorts.iter().map(|sort| lookup(&view, &sort.field).clone());
        all.push((keys.collect(), list.id(&item).to_string()));
    }
    let order = |a: &(Vec<Value>, String), b: &(Vec<Value>, String)| {
        for ((a, b), sort) in a.0.iter().zip(&b.0).zip(&wanted.sorts) {
            let order = match sort.direction {
                Direction::Asc => compare(a, b),
                Direction::Desc => compare(b, a),
            };
            if order.is_ne() {
                return order;
            }
        }
        a.1.cmp(&b.1)
    };
    all.sort_by(order);
    let total = all.len() as u64;
    let start = match &wanted.after {
        Some(after) => {
            let place: (Vec<Value>, String) = serde_json::from_str(after).map_err(|_| {
                Error::invalid("the cursor is not one of this order")
                    .field("cursor")
                    .hint("go on with the same sort as the page before")
            })?;
            all.partition_point(|one| order(one, &place).is_le())
        }
        None => wanted.offset.min(total) as usize,
    };
    let end = start.saturating_add(wanted.limit as usize).min(all.len());
    let mut items = Vec::new();
    for (_, id) in &all[start..end] {
        items.extend(list.find(id)?);
    }
    let last = (end < all.len() && end > start).then(|| json!(all[end - 1]).to_string());
    let pagination = wanted.pagination(counted.then_some(total), last.as_deref());
    Ok(Streamed { items, pagination })
}

fn fits<W: Walk>(list: &W, wanted: &Wanted, view: &Value) -> Result<bool> {
    if let Some(text) = &wanted.search {
        let fold = |text: &str| match wanted.case_sensitive {
            true => text.to_string(),
            false => text.to_lowercase(),
        };
        let text = fold(text);
        let fields = view.as_object().into_iter().flatten();
        let mut searched = fields.filter(|(name, _)| list.is_searched(name));
        if !searched.any(|(_, value)| contains(value, &|found| fold(found).contains(&text))) {
            return Ok(false);
        }
    }
    match &wanted.filters {
        Some(filters) => super::filters::fits(filters, view, wanted.case_sensitive),
        None => Ok(true),
    }
}

/// Whether a text somewhere in the value is what is looked for.
fn contains(value: &Value, found: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => found(text),
        Value::Number(number) => found(&number.to_string()),
        Value::Array(items) => items.iter().any(|item| contains(item, found)),
        Value::Object(fields) => fields.values().any(|item| contains(item, found)),
        Value::Null | Value::Bool(_) => false,
    }
}
