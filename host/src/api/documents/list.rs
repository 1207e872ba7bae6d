//! Lists of documents: by id, in the order of a field, or in groups.
//!
//! A list by id goes on where it stopped. A sorted one keeps no more than the page and what is
//! passed over in memory while it walks over all documents; groups are counted first, and only
//! those of the page are filled.

use super::shown::{DocumentModel, Shape, Shower, Vectors};
use crate::api::call::Call;
use crate::api::filters;
use crate::api::listing::{self, Direction, Pagination, Paging, Sort, compare, decode_cursor};
use crate::control::{Selection, Walk, Walked, field_of};
use crate::error::{Code, Error, Result};
use crate::model::{Document, DocumentId};
use crate::store::catalog::Namespace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A sorted list is passed over in memory.
const SORTED_OFFSET_MAX: u64 = 10_000;
/// Documents that one page reads before it says how far it came.
const PAGE_BUDGET: u64 = 100_000;
const GROUPS_MAX: usize = 10_000;
/// Documents that are shown of a group.
const GROUP_DOCUMENTS: usize = 100;
/// What clients get who do not say how many.
const LIMIT: u64 = 50;
const LIMIT_MAX: u64 = 1_000;
const OFFSET_MAX: u64 = 1_000_000;

#[derive(Deserialize, JsonSchema)]
pub(super) struct ListQuery {
    #[serde(flatten)]
    paging: Paging,
    return_presigned_urls: Option<bool>,
    return_vectors: Option<bool>,
    /// JSON of `filters`.
    filters: Option<String>,
    /// Text that is in any field, whatever its case.
    search: Option<String>,
    /// `{"field", "direction"}` as JSON, or `field:direction`.
    sort: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
pub(super) struct ListDocuments {
    /// `{"AND": […], "OR": […], "NOT": […], "case_sensitive"}` or `{field: value}`. Case counts
    /// where `case_sensitive` is not given.
    filters: Option<Map<String, Value>>,
    sort: Option<Sort>,
    /// Text that is in any field, whatever its case.
    search: Option<String>,
    cursor: Option<String>,
    partition: Option<Partition>,
    include_total: Option<bool>,
    return_presigned_urls: Option<bool>,
    return_vectors: Option<bool>,
    return_vector_names: Option<VectorNames>,
    group_by: Option<GroupBy>,
    /// Only these fields, by dotted path.
    #[schemars(length(max = 256))]
    select: Option<Vec<String>>,
    /// Fields with ids of documents to show as well; `children` for those made from it.
    #[schemars(length(max = 16))]
    expand: Option<Vec<String>>,
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<u64>,
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    page_size: Option<u64>,
    #[schemars(range(min = 0, max = OFFSET_MAX))]
    offset: Option<u64>,
}

/// One of so many disjoint parts of the documents, for readers side by side.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
struct Partition {
    #[schemars(range(min = 0, max = 255))]
    index: u16,
    #[schemars(range(min = 1, max = 256))]
    count: u16,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum VectorNames {
    All(bool),
    Named(Vec<String>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum GroupBy {
    Field(String),
    Object { field: String },
}

#[derive(Serialize, JsonSchema)]
pub(super) struct DocumentList {
    results: Vec<DocumentModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<DocumentGroup>>,
    pagination: Pagination,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// Of all pages, with `include_total`.
    total_documents: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<ListStats>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_by_field: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct DocumentGroup {
    /// Value of the field; null where it is missing.
    #[schemars(schema_with = "crate::api::schema::any")]
    group_key: Value,
    documents: Vec<DocumentModel>,
    /// Of the group, also of those that are not shown.
    count: u64,
}

#[derive(Serialize, JsonSchema)]
struct ListStats {
    total_documents: u64,
    total_groups: u64,
    avg_documents_per_group: f64,
}

/// A list that was asked for, whichever way it was spelled.
struct Wanted<'a> {
    call: &'a Call<'a>,
    namespace: Namespace,
    selection: Selection,
    limit: u64,
    offset: u64,
    cursor: Option<String>,
    sort: Option<Sort>,
    partition: Option<Partition>,
    total: bool,
    shape: Shape,
}

pub(super) fn list_get(call: &Call, query: ListQuery) -> Result<DocumentList> {
    list(call, query, None)
}

pub(super) fn list(
    call: &Call,
    query: ListQuery,
    body: Option<ListDocuments>,
) -> Result<DocumentList> {
    let body = body.unwrap_or_default();
    let (namespace, collection) = call.collection()?;
    let given = match (&body.filters, &query.filters) {
        (Some(filters), _) => Some(filters.clone()),
        (None, Some(text)) if !text.is_empty() => {
            Some(serde_json::from_str(text).map_err(|error| {
                Error::invalid("the filters are no JSON object").field("/filters").source(error)
            })?)
        }
        (None, _) => None,
    };
    let filter = given.as_ref().map(|filters| filters::parse(filters, true)).transpose()?;
    let search = body.search.or(query.search);
    let selection = Selection::new(&collection, filter.as_ref(), search.as_deref())?;
    let paging = query.paging;
    let limit = paging.limit.or(paging.page_size).or(body.limit).or(body.page_size);
    let limit = limit.unwrap_or(LIMIT);
    let offset = paging.offset.or(paging.page.map(|page| (page - 1).saturating_mul(limit)));
    let cursor = [body.cursor, paging.cursor, paging.next_cursor, paging.after];
    let cursor = cursor.into_iter().flatten().find(|cursor| !cursor.is_empty());
    let vectors = match body.return_vector_names {
        Some(VectorNames::Named(names)) => Vectors::Named(names),
        Some(VectorNames::All(true)) => Vectors::All,
        Some(VectorNames::All(false)) | None => {
            let either = body.return_vectors == Some(true) || query.return_vectors == Some(true);
            Vectors::new(Some(either), None)
        }
    };
    if body.partition.is_some_and(|partition| partition.index >= partition.count) {
        return Err(Error::invalid("there is no such partition").field("/partition/index"));
    }
    let wanted = Wanted {
        call,
        namespace,
        selection,
        limit,
        offset: offset.or(body.offset).unwrap_or(0).min(OFFSET_MAX),
        cursor: cursor.map(|cursor| decode_cursor(&cursor)).transpose()?,
        sort: body.sort.or(query.sort.as_deref().map(sort_of).transpose()?),
        partition: body.partition,
        total: body.include_total.or(paging.include_total).unwrap_or(false),
        shape: Shape {
            vectors,
            presigned: body.return_presigned_urls == Some(true)
                || query.return_presigned_urls == Some(true),
            select: body.select,
            expand: body.expand.unwrap_or_default(),
        },
    };
    match body.group_by {
        Some(GroupBy::Field(field) | GroupBy::Object { field }) => wanted.groups(&field),
        None if wanted.sort.is_some() => wanted.sorted(),
        None => wanted.by_id(),
    }
}

/// JSON, or `field:direction`.
fn sort_of(text: &str) -> Result<Sort> {
    let wrong = || {
        Error::invalid("the sort can not be read")
            .field("/sort")
            .hint("`field:asc`, `field:desc` or {\"field\": …, \"direction\": …}")
    };
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|error| wrong().source(error));
    }
    let (field, direction) = text.rsplit_once(':').unwrap_or((text, "asc"));
    let direction = match direction {
        "asc" => Direction::Asc,
        "desc" => Direction::Desc,
        _ => return Err(wrong()),
    };
    if field.is_empty() {
        return Err(wrong());
    }
    Ok(Sort { field: field.to_string(), direction })
}

fn foreign_cursor() -> Error {
    Error::invalid("the cursor is not one of this list")
        .field("cursor")
        .hint("use `pagination.next_cursor` of the page before, with the same sort and grouping")
}

impl Partition {
    /// First id, and the first one of the next part.
    fn bounds(self) -> (DocumentId, Option<DocumentId>) {
        let step = u128::MAX / u128::from(self.count);
        let bound = |index: u16| DocumentId(Uuid::from_u128(step * u128::from(index)));
        (bound(self.index), (self.index + 1 < self.count).then(|| bound(self.index + 1)))
    }
}

impl Wanted<'_> {
    fn total(&self) -> Result<Option<u64>> {
        let count = || self.call.control.count_documents(&self.namespace, &self.selection);
        self.total.then(count).transpose()
    }

    fn pagination(&self, total: Option<u64>, next: Option<&str>) -> Pagination {
        let wanted =
            listing::Wanted { limit: self.limit, offset: self.offset, ..Default::default() };
        wanted.pagination(total, next)
    }

    fn answer(&self, documents: Vec<Document>, next: Option<&str>) -> Result<DocumentList> {
        let total = self.total()?;
        let shower = Shower::new(self.call, &self.namespace, self.shape.clone())?;
        Ok(DocumentList {
            results: shower.all(documents)?,
            groups: None,
            pagination: self.pagination(total, next),
            warnings: Vec::new(),
            total_documents: total,
            stats: None,
            group_by_field: None,
        })
    }

    fn by_id(&self) -> Result<DocumentList> {
        let mut partition = self.partition;
        let mut after = None;
        if let Some(cursor) = &self.cursor {
            let (id, part) = cursor.split_once(':').unwrap_or((cursor, ""));
            let id = id.strip_prefix(DocumentId::PREFIX).ok_or_else(foreign_cursor)?;
            after = Some(DocumentId::parse(id).map_err(|_| foreign_cursor())?);
            if let Some((index, count)) = part.split_once('/') {
                let number = |text: &str| text.parse().map_err(|_| foreign_cursor());
                partition = Some(Partition { index: number(index)?, count: number(count)? });
            }
        }
        let (first, until) = match partition {
            Some(part) if part.count == 0 || part.index >= part.count => {
                return Err(foreign_cursor());
            }
            Some(part) => part.bounds(),
            None => (DocumentId(Uuid::nil()), None),
        };
        let next_id =
            |id: DocumentId| DocumentId(Uuid::from_u128(id.0.as_u128().saturating_add(1)));
        let walk = Walk {
            from: Some(after.map_or(first, next_id)),
            until,
            with_vectors: self.shape.vectors.wanted(),
            budget: PAGE_BUDGET.max(self.offset * 2),
        };
        let mut skip = if after.is_some() { 0 } else { self.offset };
        let mut documents: Vec<Document> = Vec::new();
        let mut more = false;
        let visit = &mut |document| {
            if skip > 0 {
                skip -= 1;
                return Ok(true);
            }
            more = documents.len() as u64 == self.limit;
            if !more {
                documents.push(document);
            }
            Ok(!more)
        };
        let walked = self.call.control.walk(&self.namespace, &self.selection, &walk, visit)?;
        let last = match walked {
            Walked::End => None,
            Walked::Stopped => documents.last().map(|document| document.id),
            // Everything before it was looked at.
            Walked::Spent(next) => {
                Some(DocumentId(Uuid::from_u128(next.0.as_u128().saturating_sub(1))))
            }
        };
        let next = last.map(|id| match partition {
            Some(Partition { index, count }) => format!("{id}:{index}/{count}"),
            None => id.to_string(),
        });
        let mut list = self.answer(documents, next.as_deref())?;
        if let Walked::Spent(_) = walked {
            list.warnings.push(format!(
                "the page ended after {PAGE_BUDGET} documents were read; the cursor goes on"
            ));
        }
        Ok(list)
    }

    fn sorted(&self) -> Result<DocumentList> {
        let Some(Sort { field, direction }) = &self.sort else { return self.by_id() };
        let order = |a: &(Value, DocumentId), b: &(Value, DocumentId)| {
            let by_value = match direction {
                Direction::Asc => compare(&a.0, &b.0),
                Direction::Desc => compare(&b.0, &a.0),
            };
            by_value.then(a.1.cmp(&b.1))
        };
        let after = match &self.cursor {
            None => None,
            Some(cursor) => {
                let known: (String, Value, String) =
                    serde_json::from_str(cursor).map_err(|_| foreign_cursor())?;
                let id = DocumentId::parse(&known.2).map_err(|_| foreign_cursor())?;
                if known.0 != *field {
                    return Err(foreign_cursor());
                }
                Some((known.1, id))
            }
        };
        let offset = if after.is_some() { 0 } else { self.offset };
        if offset > SORTED_OFFSET_MAX {
            let message =
                format!("a sorted list passes over {SORTED_OFFSET_MAX} documents at most");
            return Err(Error::invalid(message).field("/offset").hint("go on with the cursor"));
        }
        let keep = (offset + self.limit) as usize + 1;
        let mut best: Vec<(Value, DocumentId)> = Vec::new();
        let (from, until) = match self.partition.map(Partition::bounds) {
            Some((first, until)) => (Some(first), until),
            None => (None, None),
        };
        let walk = Walk { from, until, ..Walk::default() };
        let walked =
            self.call.control.walk(&self.namespace, &self.selection, &walk, &mut |it| {
                let entry = (field_of(&it, field).into_owned(), it.id);
                if after.as_ref().is_none_or(|after| order(&entry, after).is_gt()) {
                    best.push(entry);
                }
                if best.len() >= 2 * keep {
                    best.sort_by(order);
                    best.truncate(keep);
                }
                Ok(true)
            })?;
        if let Walked::Spent(_) = walked {
            return Err(too_many("documents to sort", walk.budget));
        }
        best.sort_by(order);
        best.truncate(keep);
        let more = best.len() == keep;
        let page: Vec<(Value, DocumentId)> =
            best.into_iter().skip(offset as usize).take(self.limit as usize).collect();
        let ids: Vec<DocumentId> = page.iter().map(|(_, id)| *id).collect();
        let vectors = self.shape.vectors.wanted();
        let documents = self.call.control.documents_by_id(&self.namespace, &ids, vectors)?;
        let next = page.last().filter(|_| more);
        let next = next.map(|(value, id)| json!([field, value, id.to_string()]).to_string());
        self.answer(documents, next.as_deref())
    }

    fn groups(&self, field: &str) -> Result<DocumentList> {
        let control = self.call.control;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut total = 0;
        control.each_document(&self.namespace, &self.selection, &mut |document| {
            *counts.entry(field_of(&document, field).to_string()).or_default() += 1;
            total += 1;
            match counts.len() > GROUPS_MAX {
                true => Err(too_many("groups", GROUPS_MAX as u64)),
                false => Ok(true),
            }
        })?;
        let groups = counts.len() as u64;
        let after = self.cursor.as_ref();
        let offset = if after.is_some() { 0 } else { self.offset };
        let mut page: Vec<(String, u64, Vec<Document>)> = counts
            .into_iter()
            .filter(|(key, _)| after.is_none_or(|after| key > after))
            .skip(offset as usize)
            .take(self.limit as usize + 1)
            .map(|(key, count)| (key, count, Vec::new()))
            .collect();
        let more = page.len() as u64 > self.limit;
        page.truncate(self.limit as usize);
        let walk = Walk { with_vectors: self.shape.vectors.wanted(), ..Walk::default() };
        control.walk(&self.namespace, &self.selection, &walk, &mut |document| {
            let key = field_of(&document, field).to_string();
            if let Ok(at) = page.binary_search_by(|group| group.0.cmp(&key))
                && page[at].2.len() < GROUP_DOCUMENTS
            {
                page[at].2.push(document);
            }
            Ok(page
                .iter()
                .any(|group| (group.2.len() as u64) < group.1.min(GROUP_DOCUMENTS as u64)))
        })?;
        let next = page.last().filter(|_| more).map(|group| group.0.clone());
        let shower = Shower::new(self.call, &self.namespace, self.shape.clone())?;
        let mut warnings = Vec::new();
        if page.iter().any(|group| group.1 > GROUP_DOCUMENTS as u64) {
            warnings.push(format!("at most {GROUP_DOCUMENTS} documents of each group are shown"));
        }
        let shown = page.into_iter().map(|(key, count, documents)| {
            let group_key = serde_json::from_str(&key).unwrap_or(Value::Null);
            Ok(DocumentGroup { group_key, documents: shower.all(documents)?, count })
        });
        let shown = shown.collect::<Result<Vec<_>>>()?;
        let average = if groups == 0 { 0.0 } else { total as f64 / groups as f64 };
        Ok(DocumentList {
            results: Vec::new(),
            groups: Some(shown),
            pagination: self.pagination(self.total.then_some(groups), next.as_deref()),
            warnings,
            total_documents: self.total.then_some(total),
            stats: Some(ListStats {
                total_documents: total,
                total_groups: groups,
                avg_documents_per_group: average,
            }),
            group_by_field: Some(field.to_string()),
        })
    }
}

pub(super) fn too_many(what: &str, most: u64) -> Error {
    Error::new(Code::TooLarge, format!("there are more than {most} {what}"))
        .field("/filters")
        .hint("narrow the filter")
}
