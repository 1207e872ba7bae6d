//! Filters: JSON and the words of the command line, what they become, and that the engine selects
//! what `sink/filter.rs` says they select.

mod model;

use super::random::{Random, mutate_text};
use super::{Target, answer, text};
use anyhow::{Context, Result, ensure};
use quarry::error::Code;
use quarry::model::{Document, DocumentId, Filter, LINEAGE_FIELD, Name};
use quarry::sink::{EdgeSink, IndexKind, IndexSpec, Layout, Scroll, VectorSink};
use serde_json::{Map, Value, json};
use std::path::Path;
use uuid::Uuid;

const OPERATORS: [&str; 15] = [
    "eq",
    "ne",
    "gt",
    "lt",
    "gte",
    "lte",
    "in",
    "nin",
    "contains",
    "starts_with",
    "ends_with",
    "regex",
    "exists",
    "is_null",
    "text",
];
const PATHS: [&str; 16] = [
    "kind",
    "n",
    "title",
    "on",
    "tags",
    "at",
    "deep.x y",
    "deep",
    "gone",
    "list[].v",
    "list[0].v",
    "mixed",
    "absent",
    "words",
    "_quarry.run",
    "größe",
];
/// Texts that occur in documents, in whole or in part.
const TEXTS: [&str; 14] = [
    "pdf",
    "pd",
    "PDF",
    "brown fox",
    "dog",
    "",
    " ",
    "2026-01-01T00:00:00Z",
    "red",
    "ß",
    "a.b",
    "2026-05-31T22:00:00+00:00",
    "\\",
    "%",
];
const WORDS: [&str; 26] = [
    "\"AND\":[",
    "\"OR\":[",
    "\"NOT\":[",
    "]",
    "}",
    "{",
    ",",
    "\"field\":",
    "\"operator\":",
    "\"value\":",
    "\"case_sensitive\":false",
    "null",
    "true",
    "1e999",
    "\"\\ud800\"",
    "[]",
    "{}",
    "eq",
    "not",
    ">=",
    "!=",
    "~",
    "=",
    "..",
    "[",
    "[]",
];

pub(super) struct FilterTarget {
    sink: EdgeSink,
    namespace: Name,
    documents: Vec<Document>,
}

pub(super) fn open(folder: &Path) -> Result<Box<dyn Target>> {
    let folder = tempfile::tempdir_in(folder)?.keep();
    let sink = EdgeSink::open(&folder)?;
    let namespace = Name::parse("filters")?;
    let index = |path: &str, kind| IndexSpec { path: path.to_string(), kind };
    // Some fields are indexed: the engine answers those another way.
    let indexes = vec![
        index("at", IndexKind::Datetime),
        index("kind", IndexKind::Keyword),
        index("n", IndexKind::Float),
        index("words", IndexKind::Text),
    ];
    sink.prepare(&namespace, &Layout { vectors: Vec::new(), indexes })?;
    let documents: Vec<Document> = (1..).zip(payloads()).map(document).collect();
    sink.upsert(&namespace, documents.clone())?;
    Ok(Box::new(FilterTarget { sink, namespace, documents }))
}

fn document((number, payload): (u64, Value)) -> Document {
    let Value::Object(mut payload) = payload else { return document((number, json!({}))) };
    let object = format!("obj_{number}");
    let lineage = json!({ "collection": "c", "object": object, "run": number });
    payload.insert(LINEAGE_FIELD.to_string(), lineage);
    let id = DocumentId(Uuid::from_u128(u128::from(number)));
    Document { id, payload, vectors: Vec::new() }
}

fn payloads() -> Vec<Value> {
    vec![
        json!({ "kind": "pdf", "n": 1, "title": "Quick brown fox", "on": true, "größe": 3,
            "tags": ["red", "blue"], "at": "2026-01-01T00:00:00Z", "deep": { "x y": 1 },
            "words": "the quick brown fox" }),
        json!({ "kind": "png", "n": 2.5, "title": "lazy dog", "on": false, "mixed": "pdf",
            "tags": ["green"], "at": "2026-06-01T00:00:00+02:00", "deep": { "x y": 2 },
            "words": "lazy dogs" }),
        json!({ "kind": "pdfa", "n": -3, "title": "brown dog", "gone": null, "tags": [],
            "list": [{ "v": 1 }, { "v": 2 }], "mixed": [1, "pdf", true, null] }),
        json!({ "kind": "", "n": 0, "tags": ["", " ", "a.b"], "mixed": 1.0, "list": [] }),
        json!({ "kind": ["pdf", "png"], "n": [1, 7], "on": [true, false], "mixed": { "a": 1 } }),
        json!({ "n": i64::MAX, "title": "ß", "list": [{ "v": "pdf" }], "deep": {} }),
        json!({ "n": i64::MIN, "title": null, "tags": null, "on": null, "at": null }),
        json!({ "n": 1e300, "kind": "PDF", "at": "no time", "words": "DOG\tfox" }),
        json!({ "n": 9007199254740993_i64, "kind": 7, "title": "%", "mixed": [[1]] }),
        json!({}),
    ]
}

impl Target for FilterTarget {
    fn make(&self, random: &mut Random) -> Vec<u8> {
        let mut text = match random.below(4) {
            0 => short(random),
            _ => filter(random, 0).to_string(),
        };
        if random.one_in(2) {
            mutate_text(&mut text, &WORDS, random);
        }
        text.into_bytes()
    }

    fn judge(&mut self, input: &[u8]) -> Result<bool> {
        let text = &*text(input);
        let given = [text.to_string()];
        let parsed = answer(quarry::cli::filter::parse("c", &given), &[Code::Invalid])?;
        let Some(filter) = parsed else { return Ok(false) };
        let written = serde_json::to_value(&filter)?;
        let again: Filter = serde_json::from_value(written.clone())?;
        ensure!(again == filter, "{written} is read as {again:?}");
        let codes = &[Code::Invalid];
        let json = answer(quarry::sink::filter_to_json(&filter), codes)?;
        let counted = answer(self.sink.count(&self.namespace, Some(&filter)), codes)?;
        ensure!(json.is_some() == counted.is_some(), "only one of both takes {written}");
        let Some(counted) = counted else { return Ok(false) };
        let scroll = Scroll { filter: Some(filter.clone()), limit: 100, ..Scroll::default() };
        let page = self.sink.scroll(&self.namespace, &scroll)?;
        let found: Vec<DocumentId> = page.documents.iter().map(|document| document.id).collect();
        ensure!(counted == found.len() as u64, "{written} counts {counted}, finds {found:?}");
        let compared = self.compare(&filter, &found);
        compared.with_context(|| format!("selects others: {}", json.unwrap_or_default()))?;
        Ok(true)
    }
}

impl FilterTarget {
    /// The engine finds what the words of `sink/filter.rs` come to.
    fn compare(&self, filter: &Filter, found: &[DocumentId]) -> Result<()> {
        for document in &self.documents {
            let Some(expected) = model::holds(filter, &document.payload) else { continue };
            let holds = found.contains(&document.id);
            let payload: &Map<String, Value> = &document.payload;
            ensure!(holds == expected, "selected: {holds}, should be {expected}: {payload:?}");
        }
        Ok(())
    }
}

fn short(random: &mut Random) -> String {
    let sign = random.pick(&["=", "!=", ">", ">=", "<", "<=", "~"]);
    format!("{}{sign}{}", random.pick(&PATHS), value(random, false))
}

fn filter(random: &mut Random, depth: usize) -> Value {
    let mut filter = Map::new();
    for key in ["AND", "OR", "NOT"] {
        if random.one_in(2) {
            let conditions = (0..random.below(3)).map(|_| condition(random, depth));
            filter.insert(key.to_string(), conditions.collect());
        }
    }
    if random.one_in(8) {
        filter.insert("case_sensitive".to_string(), json!(random.one_in(2)));
    }
    Value::Object(filter)
}

fn condition(random: &mut Random, depth: usize) -> Value {
    if depth < 4 && random.one_in(4) {
        return filter(random, depth + 1);
    }
    let operator = random.pick(&OPERATORS);
    let list = matches!(operator, "in" | "nin") && !random.one_in(8);
    let value = match operator {
        "exists" | "is_null" if !random.one_in(4) => json!(random.one_in(2)),
        "gt" | "gte" | "lt" | "lte" if random.one_in(4) => json!("2026-05-31T22:00:00Z"),
        _ => value(random, list),
    };
    json!({ "field": random.pick(&PATHS), "operator": operator, "value": value })
}

fn value(random: &mut Random, list: bool) -> Value {
    if list {
        let one_kind = random.one_in(2).then(|| random.below(3));
        return (0..random.below(4)).map(|_| scalar(random, one_kind)).collect();
    }
    if random.one_in(30) {
        return json!({ "a": [1] });
    }
    scalar(random, None)
}

fn scalar(random: &mut Random, kind: Option<usize>) -> Value {
    let texts: &[&str] = &TEXTS;
    match kind.unwrap_or_else(|| random.below(5)) {
        0 => json!(random.pick(texts)),
        1 => json!(([0, 1, -3, 7, i64::MAX, i64::MIN, 9007199254740993][random.below(7)])),
        2 => json!(([2.5, 1.0, -3.0, 1e300, 0.1, -0.0][random.below(6)])),
        3 => json!(random.one_in(2)),
        _ => [json!(null), json!(u64::MAX), json!(random.edge())][random.below(3)].clone(),
    }
}
