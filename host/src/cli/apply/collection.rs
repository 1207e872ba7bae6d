//! A collection of the file beside the one that there is.

use super::catalog::Catalog;
use super::step::{Action, Difference};
use crate::config::{Collection, Passthrough, PassthroughFull};
use crate::error::{Code, Error};
use crate::model::{ExtractorRef, Filter};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What the API answers, as far as a file can say it.
#[derive(Deserialize)]
struct Known {
    feature_extractor: KnownExtractor,
    source: KnownSource,
    #[serde(default)]
    index_map: BTreeMap<String, String>,
    #[serde(default)]
    document_count: u64,
}

#[derive(Deserialize)]
struct KnownExtractor {
    feature_extractor_name: String,
    version: String,
    params: Map<String, Value>,
    input_mappings: BTreeMap<String, String>,
    field_passthrough: Vec<PassthroughFull>,
    include_all_source_fields: bool,
}

#[derive(Deserialize)]
struct KnownSource {
    #[serde(default)]
    bucket_ids: Vec<String>,
    #[serde(default)]
    collection_ids: Vec<String>,
    #[serde(default)]
    source_filters: Option<KnownFilters>,
}

#[derive(Deserialize)]
struct KnownFilters {
    filters: Option<Filter>,
}

/// Of which parts of the request changes are.
#[derive(Default)]
struct Differences {
    source: Vec<Difference>,
    extractor: Vec<Difference>,
}

fn add(to: &mut Vec<Difference>, field: &str, from: Value, wanted: Value) {
    if from != wanted {
        to.push(Difference { field: field.to_string(), from, to: wanted });
    }
}

/// Entries of two maps, one by one.
fn add_all(to: &mut Vec<Difference>, field: &str, from: &Value, wanted: &Value) {
    let names =
        |value: &Value| value.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    let mut all: BTreeSet<String> = names(from);
    all.extend::<BTreeSet<String>>(names(wanted));
    for name in all {
        let at = format!("{field}.{name}");
        add(to, &at, from[&name].clone(), wanted[&name].clone());
    }
}

pub(super) fn compare(
    name: &str,
    wanted: &Collection,
    extractor: &ExtractorRef,
    catalog: &Catalog,
) -> Action {
    let Some(known) = catalog.collections.get(name) else {
        let body = json!({
            "collection_name": name,
            "source": source(wanted),
            "feature_extractor": feature_extractor(wanted, extractor, None),
        });
        return Action::Create(body);
    };
    let known: Known = match Known::deserialize(known) {
        Ok(known) => known,
        Err(error) => {
            let message = "the answer about this collection does not fit this version of quarry";
            let error = Error::new(Code::Unsupported, message).source(error);
            return Action::Refused(vec![error.field(format!("/collections/{name}"))]);
        }
    };
    let found = differences(wanted, extractor, &known, catalog);
    let mut body = Map::new();
    if !found.source.is_empty() {
        body.insert("source".to_string(), source(wanted));
    }
    if !found.extractor.is_empty() {
        let all_fields = known.feature_extractor.include_all_source_fields;
        let given = feature_extractor(wanted, extractor, Some(all_fields));
        body.insert("feature_extractor".to_string(), given);
    }
    if body.is_empty() {
        return Action::Unchanged;
    }
    let note = match known.document_count {
        0 => None,
        1 => Some("its document stays as it is until a batch makes it again".to_string()),
        count => Some(format!("its {count} documents stay until a batch makes them again")),
    };
    let differences = found.source.into_iter().chain(found.extractor).collect();
    Action::Change { differences, body: body.into(), note }
}

fn differences(
    wanted: &Collection,
    extractor: &ExtractorRef,
    known: &Known,
    catalog: &Catalog,
) -> Differences {
    let mut found = Differences::default();
    let KnownExtractor { feature_extractor_name, version, .. } = &known.feature_extractor;
    let mut read: Vec<String> = wanted.source.list().into_iter().map(str::to_string).collect();
    let mut reads = named("bucket", &known.source.bucket_ids, &catalog.bucket_names);
    reads.extend(named("collection", &known.source.collection_ids, &catalog.collection_names));
    read.sort();
    reads.sort();
    add(&mut found.source, "source", listed(&reads), listed(&read));
    let filter = known.source.source_filters.as_ref().and_then(|given| given.filters.as_ref());
    add(&mut found.source, "filter", json!(filter), json!(wanted.filter));
    let before = format!("{feature_extractor_name}@{version}");
    let to = &mut found.extractor;
    add(to, "extractor", before.into(), extractor.to_string().into());
    let (params, inputs) =
        (&known.feature_extractor.params, &known.feature_extractor.input_mappings);
    add_all(to, "parameters", &json!(params), &json!(wanted.parameters));
    add_all(to, "inputs", &json!(inputs), &json!(wanted.inputs));
    let before = known.feature_extractor.field_passthrough.iter().cloned().map(Passthrough::Full);
    let before: Vec<Value> = before.map(|entry| passed(&entry)).collect();
    let passes: Vec<Value> = wanted.passthrough.iter().map(passed).collect();
    add(to, "passthrough", told(before), told(passes));
    // The catalog names vectors that nobody names.
    for (output, name) in &wanted.vectors {
        let before = known.index_map.get(output);
        add(to, &format!("vectors.{output}"), json!(before), json!(name));
    }
    found
}

/// One, as a file would say it.
fn listed(sources: &[String]) -> Value {
    match sources {
        [one] => one.as_str().into(),
        many => json!(many),
    }
}

fn named(what: &str, ids: &[String], names: &BTreeMap<String, String>) -> Vec<String> {
    let name = |id: &String| names.get(id).unwrap_or(id).clone();
    ids.iter().map(|id| format!("{what}:{}", name(id))).collect()
}

fn source(wanted: &Collection) -> Value {
    let of = |what: &str| -> Vec<String> {
        let all = wanted.source.list().into_iter();
        let mine = all.filter_map(|source| source.strip_prefix(what)?.strip_prefix(':'));
        mine.map(str::to_string).collect()
    };
    let (buckets, collections) = (of("bucket"), of("collection"));
    let mut source = match collections.is_empty() {
        true => json!({ "type": "bucket", "bucket_ids": buckets }),
        false => json!({ "type": "collection", "collection_ids": collections }),
    };
    if let Some(filter) = &wanted.filter {
        source["source_filters"] = json!({ "filters": filter });
    }
    source
}

/// `all_fields`: what a file can not say stays as it is.
fn feature_extractor(
    wanted: &Collection,
    extractor: &ExtractorRef,
    all_fields: Option<bool>,
) -> Value {
    let passthrough: Vec<Value> = wanted.passthrough.iter().map(passed).collect();
    let mut given = json!({
        "feature_extractor_name": extractor.name,
        "version": extractor.version,
        "params": wanted.parameters,
        "input_mappings": wanted.inputs,
        "field_passthrough": passthrough,
    });
    if !wanted.vectors.is_empty() {
        given["vector_names"] = json!(wanted.vectors);
    }
    if let Some(all_fields) = all_fields {
        given["include_all_source_fields"] = all_fields.into();
    }
    given
}

/// Two spellings of the same are the same.
fn passed(passthrough: &Passthrough) -> Value {
    let (source, default, required) = match passthrough {
        Passthrough::Path(source) => (source, None, false),
        Passthrough::Full(full) => (&full.source, full.default.as_ref(), full.required),
    };
    let mut entry = json!({
        "source_path": source,
        "target_path": crate::control::target(passthrough),
        "required": required,
    });
    if let Some(default) = default {
        entry["default"] = default.clone();
    }
    entry
}

/// Short where a path alone says it.
fn told(entries: Vec<Value>) -> Value {
    let short = |entry: Value| {
        let source = entry["source_path"].as_str().unwrap_or_default();
        let last = source.rsplit('.').next().unwrap_or(source);
        let plain = entry["target_path"] == last
            && entry["required"] == false
            && entry.get("default").is_none();
        if plain { source.into() } else { entry }
    };
    entries.into_iter().map(short).collect()
}
