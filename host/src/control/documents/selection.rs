//! Which documents of a collection are meant. What the vector engine can decide is left to it; the
//! rest is decided here, document by document, so that a filter of the API means the same whether
//! it ignores case or not.

use super::matcher::Matcher;
use super::{Control, lineage_is, or_empty};
use crate::error::{Code, Error, Result};
use crate::model::{Condition, Document, DocumentId, Filter, LINEAGE_FIELD, Operator};
use crate::sink::Scroll;
use crate::store::catalog::{Collection, Namespace};
use serde_json::Value;
use std::borrow::Cow;

/// Documents that are read at once.
pub(super) const PAGE: usize = 512;
/// The same with their vectors.
const PAGE_WITH_VECTORS: usize = 64;
/// Documents that one request reads at most.
const WALK_MAX: u64 = 5_000_000;

pub struct Selection {
    /// For the engine, the collection among it.
    pushed: Filter,
    rest: Option<Matcher>,
    /// In lower case.
    text: Option<String>,
}

/// Over which part of the documents, in the order of their ids.
#[derive(Debug, Clone)]
pub struct Walk {
    pub from: Option<DocumentId>,
    /// The first one that is not part of it.
    pub until: Option<DocumentId>,
    pub with_vectors: bool,
    /// Documents to be read before giving up.
    pub budget: u64,
}

impl Default for Walk {
    fn default() -> Walk {
        Walk { from: None, until: None, with_vectors: false, budget: WALK_MAX }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Walked {
    /// There are no more.
    End,
    /// The visitor had enough.
    Stopped,
    /// Before the document with this id the budget was spent.
    Spent(DocumentId),
}

/// What a field of an answer is called in the payload.
pub(super) fn stored(name: &str) -> Cow<'_, str> {
    let inner = ["_internal.lineage.", "_internal.", "internal_metadata."];
    let bare = inner.iter().find_map(|prefix| name.strip_prefix(prefix));
    let lineage = match (bare.unwrap_or(name), bare.is_some()) {
        ("root_object_id" | "source_object_id", _) => "object",
        ("source_document_id", _) => "parent",
        ("collection_id", _) => "collection",
        ("path" | "lineage_path", true) => "path",
        ("batch_id", true) => "batch",
        (
            name @ ("run" | "position" | "extractor" | "digest" | "created_at" | "updated_at"),
            true,
        ) => name,
        _ => return Cow::Borrowed(name),
    };
    Cow::Owned(format!("{LINEAGE_FIELD}.{lineage}"))
}

impl Selection {
    /// Everything in the collection that the filter and the text select.
    pub fn new(
        collection: &Collection,
        filter: Option<&Filter>,
        text: Option<&str>,
    ) -> Result<Selection> {
        let of_collection = lineage_is("collection", collection.key.as_str().into());
        let mut pushed =
            Filter { and: vec![of_collection], case_sensitive: true, ..Filter::default() };
        let mut rest = Filter::default();
        if let Some(filter) = filter {
            let filter = translate(filter, collection);
            rest.case_sensitive = filter.case_sensitive;
            let alone = |list: &str, conditions: Vec<Condition>| {
                let conditions = conditions.into_iter().map(exact).collect();
                let mut alone = Filter { case_sensitive: true, ..Filter::default() };
                match list {
                    "and" => alone.and = conditions,
                    "or" => alone.or = conditions,
                    _ => alone.not = conditions,
                }
                Condition::Nested(Box::new(alone))
            };
            let decides = |condition: &Condition| pushable(condition, filter.case_sensitive);
            for condition in filter.and {
                match decides(&condition) {
                    true => pushed.and.push(alone("and", vec![condition])),
                    false => rest.and.push(condition),
                }
            }
            for condition in filter.not {
                match decides(&condition) {
                    true => pushed.and.push(alone("not", vec![condition])),
                    false => rest.not.push(condition),
                }
            }
            match filter.or.iter().all(decides) {
                true if filter.or.is_empty() => {}
                true => pushed.and.push(alone("or", filter.or)),
                false => rest.or = filter.or,
            }
        }
        let idle = rest.and.is_empty() && rest.or.is_empty() && rest.not.is_empty();
        // Says what is wrong with it before anything is read.
        crate::sink::filter_to_json(&pushed).map_err(|error| match error.field_name() {
            Some(_) => error,
            None => error.field("/filters"),
        })?;
        Ok(Selection {
            pushed,
            rest: if idle { None } else { Some(Matcher::new(&rest)?) },
            text: text.filter(|text| !text.is_empty()).map(str::to_lowercase),
        })
    }

    /// Whether documents have to be read to know which are meant.
    pub fn reads(&self) -> bool {
        self.rest.is_some() || self.text.is_some()
    }

    fn fits(&self, document: &Document) -> bool {
        let found = |text: &String| {
            let mut fields = document.payload.iter().filter(|(key, _)| *key != LINEAGE_FIELD);
            fields.any(|(_, value)| mentions(value, text))
        };
        self.rest.as_ref().is_none_or(|rest| rest.holds(document))
            && self.text.as_ref().is_none_or(found)
    }
}

fn mentions(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found.to_lowercase().contains(text),
        Value::Array(items) => items.iter().any(|item| mentions(item, text)),
        Value::Object(fields) => fields.values().any(|field| mentions(field, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Names of fields as they are stored, and the collection's id as its key.
fn translate(filter: &Filter, collection: &Collection) -> Filter {
    let key = |value: &Value| match value.as_str() {
        Some(id) if id == collection.id.as_str() => Value::from(collection.key.as_str()),
        _ => value.clone(),
    };
    let one = |condition: &Condition| match condition {
        Condition::Nested(inner) => Condition::Nested(Box::new(translate(inner, collection))),
        Condition::Field { field, operator, value } => {
            let name = stored(field);
            let value = match (name.ends_with("_quarry.collection"), value) {
                (true, Value::Array(items)) => Value::Array(items.iter().map(key).collect()),
                (true, value) => key(value),
                (false, value) => value.clone(),
            };
            Condition::Field { field: name.into_owned(), operator: *operator, value }
        }
    };
    let all = |conditions: &[Condition]| conditions.iter().map(one).collect();
    Filter {
        and: all(&filter.and),
        or: all(&filter.or),
        not: all(&filter.not),
        case_sensitive: filter.case_sensitive,
    }
}

/// Whether the engine can decide a condition. One that is wrong is left to it: it says why.
fn pushable(condition: &Condition, case_sensitive: bool) -> bool {
    let (field, operator, value) = match condition {
        Condition::Nested(inner) => {
            let mut all = inner.and.iter().chain(&inner.or).chain(&inner.not);
            return all.all(|condition| pushable(condition, inner.case_sensitive));
        }
        Condition::Field { field, operator, value } => (field, *operator, value),
    };
    let text = |value: &Value| value.as_str().is_some_and(|text| text.chars().any(cased));
    let cased = text(value) || value.as_array().is_some_and(|values| values.iter().any(text));
    match operator {
        _ if field == "document_id" => false,
        // Ids and names: case always counts in them.
        Operator::Eq | Operator::Ne | Operator::In | Operator::Nin
            if field.starts_with("_quarry.") =>
        {
            true
        }
        Operator::EndsWith | Operator::Regex => false,
        Operator::Text | Operator::Exists | Operator::IsNull => true,
        Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte => true,
        Operator::Eq | Operator::Ne | Operator::In | Operator::Nin => case_sensitive || !cased,
        Operator::Contains | Operator::StartsWith => case_sensitive || !cased,
    }
}

/// What [`pushable`] accepts means the same when case counts, and engines know only that.
fn exact(condition: Condition) -> Condition {
    match condition {
        Condition::Nested(inner) => {
            let all = |conditions: Vec<Condition>| conditions.into_iter().map(exact).collect();
            let Filter { and, or, not, case_sensitive: _ } = *inner;
            let (and, or, not) = (all(and), all(or), all(not));
            Condition::Nested(Box::new(Filter { and, or, not, case_sensitive: true }))
        }
        field => field,
    }
}

/// Whether it has another form in the other case.
fn cased(letter: char) -> bool {
    letter.is_lowercase() || letter.is_uppercase()
}

impl Control {
    /// Shows the selected documents to `visit`, by id, until it says no.
    pub fn walk(
        &self,
        namespace: &Namespace,
        selection: &Selection,
        walk: &Walk,
        visit: &mut dyn FnMut(Document) -> Result<bool>,
    ) -> Result<Walked> {
        let sink = self.documents_sink()?;
        let mut scroll = Scroll {
            filter: Some(selection.pushed.clone()),
            from: walk.from,
            limit: if walk.with_vectors { PAGE_WITH_VECTORS } else { PAGE },
            with_vectors: walk.with_vectors,
        };
        let mut read = 0;
        loop {
            let page = or_empty(sink.scroll(&namespace.key, &scroll))?;
            read += page.documents.len() as u64;
            for document in page.documents {
                if walk.until.is_some_and(|until| document.id >= until) {
                    return Ok(Walked::End);
                }
                if selection.fits(&document) && !visit(document)? {
                    return Ok(Walked::Stopped);
                }
            }
            match page.next {
                None => return Ok(Walked::End),
                Some(next) if read >= walk.budget => return Ok(Walked::Spent(next)),
                Some(next) => scroll.from = Some(next),
            }
        }
    }

    /// The same over all of them; too many to read are an error.
    pub fn each_document(
        &self,
        namespace: &Namespace,
        selection: &Selection,
        visit: &mut dyn FnMut(Document) -> Result<bool>,
    ) -> Result<()> {
        match self.walk(namespace, selection, &Walk::default(), visit)? {
            Walked::End | Walked::Stopped => Ok(()),
            Walked::Spent(_) => {
                let message = format!("more than {WALK_MAX} documents would have to be read");
                Err(Error::new(Code::TooLarge, message)
                    .field("/filters")
                    .hint("narrow the filter by something that the vector engine can decide"))
            }
        }
    }

    pub fn count_documents(&self, namespace: &Namespace, selection: &Selection) -> Result<u64> {
        if !selection.reads() {
            let sink = self.documents_sink()?;
            return or_empty(sink.count(&namespace.key, Some(&selection.pushed)));
        }
        let mut count = 0;
        self.each_document(namespace, selection, &mut |_| {
            count += 1;
            Ok(true)
        })?;
        Ok(count)
    }
}
