//! Who reads whom.

use super::{Plan, Source};
use crate::config::{Collection, Pipeline};
use crate::error::{Error, Result};
use crate::model::Name;
use std::collections::BTreeMap;

/// Collections with their tiers, by tier and name. A cycle is an error that names its path.
pub(super) fn order(pipeline: &Pipeline) -> Result<Vec<(Name, usize)>> {
    let mut tiers: BTreeMap<&Name, usize> = BTreeMap::new();
    for name in pipeline.collections.keys() {
        visit(pipeline, name, &mut tiers, &mut Vec::new())?;
    }
    let mut order: Vec<(Name, usize)> =
        tiers.into_iter().map(|(n, tier)| (n.clone(), tier)).collect();
    order.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    Ok(order)
}

/// Depth is bounded by the number of collections, which is bounded itself.
fn visit<'a>(
    pipeline: &'a Pipeline,
    name: &'a Name,
    tiers: &mut BTreeMap<&'a Name, usize>,
    way: &mut Vec<&'a Name>,
) -> Result<usize> {
    if let Some(tier) = tiers.get(name) {
        return Ok(*tier);
    }
    let at = format!("/collections/{name}/source");
    if let Some(start) = way.iter().position(|seen| *seen == name) {
        let mut path: Vec<&str> = way[start..].iter().map(|name| name.as_str()).collect();
        path.push(name.as_str());
        let message = format!("the collections form a cycle: {}", path.join(" -> "));
        return Err(Error::invalid(message).field(at).hint("let one of them read a bucket"));
    }
    way.push(name);
    let mut tier = 0;
    let sources = pipeline.collections[name].source.list();
    if sources.is_empty() {
        return Err(Error::invalid(format!("collection `{name}` has no source")).field(at));
    }
    for text in sources {
        if let Some(parent) = collection_named(pipeline, text).map_err(|error| error.field(&at))? {
            tier = tier.max(visit(pipeline, parent, tiers, way)? + 1);
        }
    }
    way.pop();
    tiers.insert(name, tier);
    Ok(tier)
}

/// The collection that a source names; `None` when it names a bucket.
fn collection_named<'a>(pipeline: &'a Pipeline, text: &str) -> Result<Option<&'a Name>> {
    let unknown = |what: &str, name: &str, known: Vec<&str>| {
        let hint = match known.is_empty() {
            true => format!("the pipeline has no {what}s"),
            false => format!("the pipeline has {}", known.join(", ")),
        };
        Error::invalid(format!("there is no {what} `{name}`")).hint(hint)
    };
    match text.split_once(':') {
        Some(("bucket", name)) => {
            let known = || pipeline.buckets.keys().map(Name::as_str).collect();
            let found = pipeline.buckets.keys().any(|key| key.as_str() == name);
            if found { Ok(None) } else { Err(unknown("bucket", name, known())) }
        }
        Some(("collection", name)) => {
            let known = || pipeline.collections.keys().map(Name::as_str).collect();
            let found = pipeline.collections.keys().find(|key| key.as_str() == name);
            found.map(Some).ok_or_else(|| unknown("collection", name, known()))
        }
        _ => Err(Error::invalid(format!("`{text}` is not a source"))
            .hint("write bucket:NAME or collection:NAME")),
    }
}

/// The sources of a collection as indexes; its source collections have been planned before it.
pub(super) fn sources(plan: &Plan, name: &Name, collection: &Collection) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for text in collection.source.list() {
        let (kind, target) = text.split_once(':').unwrap_or(("", text));
        let found = match kind {
            "bucket" => plan
                .buckets
                .iter()
                .position(|bucket| bucket.name.as_str() == target)
                .map(Source::Bucket),
            _ => plan.collection(target).map(Source::Collection),
        };
        let source =
            found.ok_or_else(|| Error::internal(format!("source {text} was not planned")))?;
        if sources.contains(&source) {
            let message = format!("collection `{name}` reads `{text}` twice");
            return Err(Error::invalid(message).field(format!("/collections/{name}/source")));
        }
        sources.push(source);
    }
    Ok(sources)
}
