//! Pages of lists. A cursor names the last item that was shown, so what is inserted or deleted
//! meanwhile neither repeats nor hides the others.

use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const LIMIT: u64 = 50;
const LIMIT_MAX: u64 = 1_000;
/// Cursors go on where a position would have to count.
const OFFSET_MAX: u64 = 1_000_000;

/// Which page, in the query. Several spellings mean the same: `page_size` is `limit`, `next_cursor`
/// and `after` are `cursor`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(super) struct Paging {
    /// Items of a page (50).
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    pub(super) limit: Option<u64>,
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    pub(super) page_size: Option<u64>,
    /// Items to pass over.
    #[schemars(range(min = 0, max = OFFSET_MAX))]
    pub(super) offset: Option<u64>,
    /// From 1; instead of `offset`.
    #[schemars(range(min = 1, max = OFFSET_MAX))]
    pub(super) page: Option<u64>,
    /// `pagination.next_cursor` of the page before.
    pub(super) cursor: Option<String>,
    pub(super) next_cursor: Option<String>,
    pub(super) after: Option<String>,
    /// Count all items; lists that are counted anyway ignore it.
    pub(super) include_total: Option<bool>,
}

/// What the body of a list may say.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(super) struct ListRequest {
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    pub(super) limit: Option<u64>,
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    pub(super) page_size: Option<u64>,
    #[schemars(range(min = 0, max = OFFSET_MAX))]
    pub(super) offset: Option<u64>,
    #[schemars(range(min = 1, max = OFFSET_MAX))]
    pub(super) page: Option<u64>,
    pub(super) cursor: Option<String>,
    /// `{"AND": […], "OR": […], "NOT": […]}`, or `{field: value}`.
    pub(super) filters: Option<serde_json::Map<String, Value>>,
    /// `{"field", "direction": "asc" | "desc"}`.
    pub(super) sort: Option<Sort>,
    /// The first one counts most.
    pub(super) sorts: Option<Vec<Sort>>,
    /// Text that is in the name or description.
    pub(super) search: Option<String>,
    pub(super) case_sensitive: Option<bool>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Sort {
    pub(super) field: String,
    #[serde(default)]
    pub(super) direction: Direction,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Direction {
    #[default]
    Asc,
    Desc,
}

#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub(super) struct Pagination {
    pub(super) total: Option<u64>,
    pub(super) page: u64,
    pub(super) page_size: u64,
    pub(super) total_pages: Option<u64>,
    pub(super) next_page: Option<String>,
    pub(super) previous_page: Option<String>,
    pub(super) next_cursor: Option<String>,
}

/// A page that was asked for, whichever way it was spelled.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) limit: u64,
    pub(super) offset: u64,
    /// Key of the last item of the page before.
    pub(super) after: Option<String>,
    pub(super) filters: Option<serde_json::Map<String, Value>>,
    pub(super) sorts: Vec<Sort>,
    pub(super) search: Option<String>,
    pub(super) case_sensitive: bool,
}

pub(super) fn encode_cursor(key: &str) -> String {
    let sum = crc32fast::hash(key.as_bytes()).to_be_bytes();
    URL_SAFE_NO_PAD.encode([&sum, key.as_bytes()].concat())
}

pub(super) fn decode_cursor(cursor: &str) -> Result<String> {
    let wrong = || {
        Error::invalid("the cursor is not one of this list")
            .field("cursor")
            .hint("use `pagination.next_cursor` of the page before as it is")
    };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    let (sum, key) = bytes.split_at_checked(4).ok_or_else(wrong)?;
    match crc32fast::hash(key).to_be_bytes() == *sum {
        true => String::from_utf8(key.to_vec()).map_err(|_| wrong()),
        false => Err(wrong()),
    }
}

impl Wanted {
    pub(super) fn new(query: &Paging, body: Option<&ListRequest>) -> Result<Wanted> {
        let none = ListRequest::default();
        let body = body.unwrap_or(&none);
        let limit = query.limit.or(query.page_size).or(body.limit).or(body.page_size);
        let limit = limit.unwrap_or(LIMIT);
        // Some clients always send the body's defaults: what the query says comes first.
        let start = |offset: Option<u64>, page: Option<u64>| {
            offset.or(page.map(|page| (page - 1).saturating_mul(limit)))
        };
        let offset = start(query.offset, query.page).or(start(body.offset, body.page));
        let offset = offset.unwrap_or(0);
        let cursor = [&query.cursor, &query.next_cursor, &query.after, &body.cursor];
        let cursor = cursor.into_iter().flatten().find(|cursor| !cursor.is_empty());
        let mut sorts = body.sorts.clone().unwrap_or_default();
        sorts.extend(body.sort.clone());
        Ok(Wanted {
            limit,
            offset,
            after: cursor.map(|cursor| decode_cursor(cursor)).transpose()?,
            filters: body.filters.clone(),
            sorts,
            search: body.search.clone().filter(|text| !text.is_empty()),
            case_sensitive: body.case_sensitive.unwrap_or(false),
        })
    }

    /// The page's place among `total` items; `next` is the key of its last item where more follow.
    pub(super) fn pagination(&self, total: Option<u64>, next: Option<&str>) -> Pagination {
        let page = self.offset / self.limit + 1;
        Pagination {
            total,
            page,
            page_size: self.limit,
            total_pages: total.map(|total| total.div_ceil(self.limit)),
            next_page: next.map(|_| (page + 1).to_string()),
            previous_page: (page > 1).then(|| (page - 1).to_string()),
            next_cursor: next.map(encode_cursor),
        }
    }

    /// Filters, sorts and cuts a list that is small enough to be in memory: what belongs to a
    /// namespace but for objects and documents. `key` must be unique and give the order without
    /// a `sort`.
    pub(super) fn page<T: Serialize>(
        &self,
        items: Vec<T>,
        key: impl Fn(&T) -> &str,
    ) -> Result<Listed<T>> {
        let mut kept: Vec<(Value, T)> = Vec::new();
        for item in items {
            let value = serde_json::to_value(&item).unwrap_or_default();
            if self.fits(&value)? {
                kept.push((value, item));
            }
        }
        for sort in self.sorts.iter().rev() {
            kept.sort_by(|(a, _), (b, _)| {
                let (a, b) = (lookup(a, &sort.field), lookup(b, &sort.field));
                match sort.direction {
                    Direction::Asc => compare(a, b),
                    Direction::Desc => compare(b, a),
                }
            });
        }
        let total = kept.len() as u64;
        let start = match &self.after {
            // Where the item itself is gone, its place in the order of keys is not.
            Some(after) => match kept.iter().position(|(_, item)| key(item) == after) {
                Some(at) => at + 1,
                None if self.sorts.is_empty() => {
                    kept.iter().filter(|(_, item)| key(item) <= after.as_str()).count()
                }
                None => kept.len(),
            },
            None => self.offset.min(total) as usize,
        };
        let end = start.saturating_add(self.limit as usize).min(kept.len());
        let next = (end < kept.len() && end > start).then(|| key(&kept[end - 1].1).to_string());
        let pagination = self.pagination(Some(total), next.as_deref());
        let items = kept.drain(start..end).map(|(_, item)| item).collect();
        Ok(Listed { items, total, pagination })
    }

    /// Whether an item is in the list.
    pub(super) fn fits(&self, value: &Value) -> Result<bool> {
        if let Some(text) = &self.search
            && !found(value, text, self.case_sensitive)
        {
            return Ok(false);
        }
        match &self.filters {
            Some(filters) => super::filters::fits(filters, value, self.case_sensitive),
            None => Ok(true),
        }
    }
}

pub(super) struct Listed<T> {
    pub(super) items: Vec<T>,
    pub(super) total: u64,
    pub(super) pagination: Pagination,
}

/// Whether the text is in a name, an id or the description.
fn found(value: &Value, text: &str, case_sensitive: bool) -> bool {
    let fold = |text: &str| if case_sensitive { text.to_string() } else { text.to_lowercase() };
    let wanted = fold(text);
    let Value::Object(fields) = value else { return false };
    fields.iter().any(|(name, value)| {
        let telling = name.ends_with("name") || name.ends_with("_id") || name == "description";
        telling && value.as_str().is_some_and(|value| fold(value).contains(&wanted))
    })
}

pub(super) fn lookup<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, name| value.get(name).unwrap_or(&Value::Null))
}

/// Numbers by size, texts by code points; nothing comes first, kinds do not mix.
pub(super) fn compare(a: &Value, b: &Value) -> std::cmp::Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    };
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let number = |value: &serde_json::Number| value.as_f64().unwrap_or(0.0);
            number(a).total_cmp(&number(b))
        }
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}
