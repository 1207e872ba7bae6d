//! A pipeline file beside what a catalog holds: what is to be made, what to be changed, and what
//! can not be done. Pure.

use super::step::{Action, Difference, Noun, Step};
use super::{catalog::Catalog, collection, limits};
use crate::config::{Bucket, Pipeline};
use crate::error::{Code, Error};
use crate::model::{ExtractorRef, Name};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Collections in the order they are made, with the extractor that each one's reference means.
pub type Pinned = [(String, ExtractorRef)];

/// One step for each thing of the file, sources before what reads them, then what else the
/// namespace holds.
pub fn compare(pipeline: &Pipeline, pinned: &Pinned, catalog: &Catalog) -> Vec<Step> {
    let mut refused = limits::refusals(pipeline);
    let mut steps = vec![namespace(pipeline, catalog)];
    steps.extend(pipeline.buckets.iter().map(|(name, wanted)| {
        let known = catalog.buckets.get(name.as_str());
        Step {
            noun: Noun::Bucket,
            name: name.to_string(),
            action: bucket(name.as_str(), wanted, known),
        }
    }));
    for (name, extractor) in pinned {
        let wanted = pipeline.collections.iter().find(|(known, _)| known.as_str() == name);
        let Some((_, wanted)) = wanted else { continue };
        let action = collection::compare(name, wanted, extractor, catalog);
        steps.push(Step { noun: Noun::Collection, name: name.clone(), action });
    }
    for step in &mut steps {
        let (mine, others) = refused.into_iter().partition(|error| is_of(step, error));
        refused = others;
        step.refuse(mine);
    }
    let buckets = pipeline.buckets.keys().map(Name::as_str).collect();
    let collections = pipeline.collections.keys().map(Name::as_str).collect();
    steps.extend(alone(Noun::Bucket, &catalog.buckets, &buckets));
    steps.extend(alone(Noun::Collection, &catalog.collections, &collections));
    steps
}

/// Those that the file does not have.
fn alone(noun: Noun, known: &BTreeMap<String, Value>, own: &BTreeSet<&str>) -> Vec<Step> {
    let others = known.keys().filter(|name| !own.contains(name.as_str()));
    others.map(|name| Step { noun, name: name.clone(), action: Action::Alone }).collect()
}

/// Whether the error points into this thing of the file.
fn is_of(step: &Step, error: &Error) -> bool {
    let Some(rest) = error.field_name().and_then(|field| field.strip_prefix(&step.pointer()))
    else {
        return false;
    };
    rest.is_empty() || rest.starts_with('/')
}

fn namespace(pipeline: &Pipeline, catalog: &Catalog) -> Step {
    let name = pipeline.namespace.to_string();
    let action = match catalog.namespace {
        true => Action::Unchanged,
        false => Action::Create(json!({ "namespace_name": name })),
    };
    Step { noun: Noun::Namespace, name, action }
}

/// Fields that only the catalog has stay, and so does what it says of a field besides its type.
fn bucket(name: &str, wanted: &Bucket, known: Option<&Value>) -> Action {
    let types = wanted.schema.iter().map(|(field, declared)| (field, json!(declared.kind())));
    let types: BTreeMap<&String, Value> = types.collect();
    let Some(known) = known else {
        let fields =
            types.into_iter().map(|(field, kind)| (field.clone(), json!({ "type": kind })));
        let schema = json!({ "properties": fields.collect::<Map<_, _>>() });
        return Action::Create(json!({ "bucket_name": name, "bucket_schema": schema }));
    };
    let has_objects = known["object_count"].as_u64().unwrap_or(0) > 0;
    let mut schema = known["bucket_schema"].clone();
    let (mut differences, mut refused) = (Vec::new(), Vec::new());
    for (field, kind) in types {
        let before = schema["properties"][field]["type"].take();
        schema["properties"][field]["type"] = kind.clone();
        if before == kind {
            continue;
        }
        if has_objects && !before.is_null() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
            let (now, before) = (text(&kind), text(&before));
            let message =
                format!("field `{field}` is {before} and can not become {now}: objects have it");
            refused.push(
                Error::new(Code::Conflict, message)
                    .field(format!("/buckets/{name}/schema/{field}"))
                    .hint("take another field or bucket for it, or delete the objects first"),
            );
        }
        differences.push(Difference { field: format!("schema.{field}"), from: before, to: kind });
    }
    match (refused.is_empty(), differences.is_empty()) {
        (false, _) => Action::Refused(refused),
        (true, true) => Action::Unchanged,
        (true, false) => {
            Action::Change { differences, body: json!({ "bucket_schema": schema }), note: None }
        }
    }
}
