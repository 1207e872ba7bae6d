//! What a namespace holds, and the requests that change it.

use super::step::{Action, Noun, Step};
use crate::cli::reach::{Ask, Reach, encoded};
use crate::config::Pipeline;
use crate::error::{Code, Error, Result};
use crate::model::ExtractorRef;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Of a page of a list.
const PAGE: u64 = 500;

/// As the API answers.
#[derive(Default)]
pub struct Catalog {
    /// Whether it is there.
    pub namespace: bool,
    /// By name.
    pub buckets: BTreeMap<String, Value>,
    /// By name.
    pub collections: BTreeMap<String, Value>,
    /// By id.
    pub bucket_names: BTreeMap<String, String>,
    /// By id.
    pub collection_names: BTreeMap<String, String>,
}

fn ask(method: &str, path: String, namespace: Option<&str>, body: Option<&Value>) -> Ask {
    Ask { namespace: namespace.map(str::to_string), ..Ask::json(method, path, body) }
}

/// Collections in the order they are made; the field of an error is a pointer into the pipeline.
pub(super) fn check(reach: &Reach, pipeline: &Pipeline) -> Result<Vec<(String, ExtractorRef)>> {
    let body = json!(pipeline);
    let checked = reach.ask(ask("POST", "/v1/pipelines/check".to_string(), None, Some(&body)))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let collections = checked["collections"].as_array().into_iter().flatten();
    let pair = |known: &Value| {
        let name = text(&known["feature_extractor_name"]);
        let extractor = ExtractorRef { name, version: Some(text(&known["version"])) };
        (text(&known["name"]), extractor)
    };
    Ok(collections.map(pair).collect())
}

impl Catalog {
    pub(super) fn read(reach: &Reach, namespace: &str) -> Result<Catalog> {
        let path = format!("/v1/namespaces/{}", encoded(namespace));
        match reach.ask(ask("GET", path, None, None)) {
            Ok(_) => {}
            Err(error) if error.code() == Code::NotFound => return Ok(Catalog::default()),
            Err(error) => return Err(error),
        }
        let mut catalog = Catalog { namespace: true, ..Catalog::default() };
        let keep =
            |item: Value, what: &str, names: &mut BTreeMap<_, _>, all: &mut BTreeMap<_, _>| {
                let text =
                    |field: &str| item[format!("{what}_{field}")].as_str().map(str::to_string);
                if let (Some(id), Some(name)) = (text("id"), text("name")) {
                    names.insert(id, name.clone());
                    all.insert(name, item);
                }
            };
        let Catalog { buckets, bucket_names, collections, collection_names, .. } = &mut catalog;
        for item in all(reach, namespace, "/v1/buckets")? {
            keep(item, "bucket", bucket_names, buckets);
        }
        for item in all(reach, namespace, "/v1/collections")? {
            keep(item, "collection", collection_names, collections);
        }
        Ok(catalog)
    }
}

fn all(reach: &Reach, namespace: &str, path: &str) -> Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut query = format!("limit={PAGE}");
    loop {
        let mut page = ask("GET", path.to_string(), Some(namespace), None);
        page.query = query;
        let mut answer = reach.ask(page)?;
        if let Some(results) = answer["results"].as_array_mut() {
            items.append(results);
        }
        match answer["pagination"]["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit={PAGE}&cursor={}", encoded(cursor)),
            None => return Ok(items),
        }
    }
}

/// Does what the step says; the field of an error is a pointer into the file.
pub(super) fn perform(reach: &Reach, namespace: &str, step: &Step) -> Result<()> {
    let list = format!("/v1/{}s", step.noun.word());
    let within = (step.noun != Noun::Namespace).then_some(namespace);
    let request = match &step.action {
        Action::Create(body) => ask("POST", list, within, Some(body)),
        Action::Change { body, .. } => {
            ask("PATCH", format!("{list}/{}", encoded(&step.name)), within, Some(body))
        }
        Action::Unchanged | Action::Refused(_) | Action::Alone => return Ok(()),
    };
    reach.ask(request).map(drop).map_err(|error| in_file(error, step))
}

/// A pointer into the request as one into the file.
fn in_file(error: Error, step: &Step) -> Error {
    let places = [
        ("/feature_extractor/feature_extractor_name", "/extractor"),
        ("/feature_extractor/version", "/extractor"),
        ("/feature_extractor/params", "/parameters"),
        ("/feature_extractor/input_mappings", "/inputs"),
        ("/feature_extractor/field_passthrough", "/passthrough"),
        ("/feature_extractor/vector_names", "/vectors"),
        ("/source/source_filters", "/filter"),
        ("/source", "/source"),
        ("/bucket_schema/properties", "/schema"),
    ];
    let field = error.field_name().unwrap_or_default().to_string();
    let place = places.iter().find_map(|(from, to)| {
        let rest = field.strip_prefix(from)?;
        Some(format!("{to}{rest}"))
    });
    error.field(format!("{}{}", step.pointer(), place.unwrap_or_default()))
}
