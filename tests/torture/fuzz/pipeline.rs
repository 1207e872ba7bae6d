//! Pipeline files: parsed, explained and planned. What is planned can be stored, read again and
//! written into an empty namespace.

mod make;

use super::random::{Random, mutate_text};
use super::{Target, refused, text};
use anyhow::{Context, Result, ensure};
use quarry::config::Pipeline;
use quarry::engine::plan::{FieldRef, Pinned, Plan, PlannedCollection, RowField, Source, plan};
use quarry::error::{Code, Error};
use quarry::model::{Description, ExtractorRef};
use quarry::sink::Layout;
use serde_json::{Value, json};
use std::path::Path;

const SEEDS: [&str; 3] = [
    include_str!("../pipeline.toml"),
    include_str!("../../../examples/pictures/pipeline.toml"),
    include_str!("../../../examples/speeches/pipeline.toml"),
];
const WORDS: [&str; 40] = [
    "bucket:",
    "collection:",
    "notes",
    "pages",
    "again",
    "= ",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'''",
    "\n",
    ".",
    "a.a.",
    "[collections.more]\n",
    "[buckets.more.schema]\n",
    "[[collections]]\n",
    "parameters = { x = nan }\n",
    "inf",
    "1979-05-27T07:32:00Z",
    "\"\"\"",
    "source = ",
    "index = ",
    "filter = { AND = [{ field = \"text\", operator = \"eq\", value = 1 }] }\n",
    "\\u0000",
    "#",
    "passthrough = [{ source = \"text\", target = \"t\", default = 1 }]\n",
    "searchable = false\n",
    "extractor = \"chunk\"\n",
    "true",
    "_quarry",
    "text",
    "object_id",
    "@",
    "/",
    "~1",
    "é",
    "\r\n",
    "0x7fffffffffffffff",
];
/// Whose lines errors quote.
const FILE: &str = "pipeline.toml";

struct Pipelines;

pub(super) fn open(_: &Path) -> Result<Box<dyn Target>> {
    Ok(Box::new(Pipelines))
}

impl Target for Pipelines {
    fn make(&self, random: &mut Random) -> Vec<u8> {
        let mut text = match random.below(4) {
            0 => random.pick(&SEEDS).to_string(),
            _ => make::pipeline(random),
        };
        if random.one_in(2) {
            mutate_text(&mut text, &WORDS, random);
        }
        text.into_bytes()
    }

    fn judge(&mut self, input: &[u8]) -> Result<bool> {
        let text = &*text(input);
        let pipeline = match Pipeline::parse(text) {
            Ok(pipeline) => pipeline,
            Err(error) => return explained(error, text).map(|()| false),
        };
        // It fails for an integer above that of TOML's own type, which is fine in JSON.
        if let Ok(table) = toml::from_str::<toml::Table>(text) {
            table.values().try_for_each(representable)?;
        }
        let written = serde_json::to_value(&pipeline)?;
        let again: Pipeline = serde_json::from_value(written)?;
        ensure!(again == pipeline, "a pipeline is read as another one");
        let planned = match plan(&pipeline, &mut describe) {
            Ok(planned) => planned,
            Err(error) => {
                let pointer = error.field_name().is_some_and(|field| field.starts_with('/'));
                ensure!(pointer, "refused without a pointer: {error}");
                return explained(error, text).map(|()| false);
            }
        };
        ensure!(plan(&pipeline, &mut describe)? == planned, "two plans of one pipeline differ");
        check(&planned)?;
        Ok(true)
    }
}

fn explained(error: Error, text: &str) -> Result<()> {
    refused(&error, &[Code::Invalid, Code::NotFound])?;
    let (code, plain) = (error.code(), error.to_string());
    let located = Pipeline::explain(error, Path::new(FILE), text);
    ensure!(located.code() == code, "explaining makes {code:?} {:?}", located.code());
    // The parser does not say where it gives up on too deep nesting.
    let place = if plain == "recursion limit" { "--> " } else { "--> pipeline.toml:" };
    ensure!(located.to_string().contains(place), "no line of the file is shown: {plain}");
    Ok(())
}

/// What has no form in JSON would silently become something else.
fn representable(value: &toml::Value) -> Result<()> {
    match value {
        toml::Value::Float(float) => ensure!(float.is_finite(), "{float} is accepted"),
        toml::Value::Datetime(time) => ensure!(false, "the time {time} is accepted"),
        toml::Value::Array(items) => items.iter().try_for_each(representable)?,
        toml::Value::Table(table) => table.values().try_for_each(representable)?,
        toml::Value::String(_) | toml::Value::Integer(_) | toml::Value::Boolean(_) => {}
    }
    Ok(())
}

fn check(plan: &Plan) -> Result<()> {
    let stored = serde_json::to_vec(plan)?;
    let again: Plan = serde_json::from_slice(&stored)?;
    ensure!(again == *plan, "a plan is read as another one");
    let order: Vec<_> = plan.collections.iter().map(|c| (c.tier, c.name.as_str())).collect();
    ensure!(order.is_sorted_by(|a, b| a < b), "collections are out of order: {order:?}");
    for (at, collection) in plan.collections.iter().enumerate() {
        check_collection(plan, at, collection)
            .with_context(|| format!("collection {}", collection.name))?;
    }
    let layout = plan.layout()?;
    Layout::merge(&Layout::default(), &layout).context("an empty namespace refuses the layout")?;
    Ok(())
}

fn check_collection(plan: &Plan, at: usize, collection: &PlannedCollection) -> Result<()> {
    let fields = |source: &Source| -> Vec<RowField> {
        match source {
            Source::Bucket(bucket) => {
                plan.buckets[*bucket].columns.iter().map(|column| column.field.clone()).collect()
            }
            Source::Collection(other) => plan.collections[*other].fields(),
        }
    };
    ensure!(!collection.sources.is_empty(), "it has no source");
    for source in &collection.sources {
        if let Source::Collection(other) = source {
            ensure!(*other < at, "it comes before its source");
            ensure!(plan.collections[*other].tier < collection.tier, "its tier is too low");
            ensure!(plan.readers(*other).contains(&at), "its source does not know of it");
        }
        let fields = fields(source);
        let there = |reference: &FieldRef| {
            let root = |field: &RowField| {
                field.name == reference.root && field.kind == reference.root_kind
            };
            ensure!(fields.iter().any(root), "it reads {reference:?}, which is not there");
            Ok(())
        };
        collection.inputs.iter().flatten().try_for_each(there)?;
        collection.passthrough.iter().try_for_each(|field| there(&field.source))?;
    }
    let description = &collection.description;
    ensure!(collection.inputs.len() == description.inputs.len(), "an input is not bound");
    ensure!(collection.outputs.len() == description.outputs.len(), "an output has no name");
    let fields = collection.fields();
    for (at, field) in fields.iter().enumerate() {
        let same = fields[..at].iter().any(|other| other.name == field.name);
        ensure!(!same, "it has two fields `{}`", field.name);
        ensure!(!field.name.starts_with('_'), "it has the field `{}`", field.name);
    }
    Ok(())
}

/// The extractors of these pipelines: each type of input and output is somewhere.
fn describe(
    reference: &ExtractorRef,
    parameters: &Value,
) -> quarry::error::Result<(Pinned, Description)> {
    let dimension = parameters["dimensions"].as_u64().unwrap_or(4).clamp(1, 65_536);
    let (inputs, outputs) = match reference.name.as_str() {
        "chunk" | "text-chunk" => (
            json!([{ "name": "text", "type": "utf8", "required": true }]),
            json!([{ "name": "text", "type": "utf8" }, { "name": "start_byte", "type": "i64" },
                { "name": "end_byte", "type": "i64" }, { "name": "meta", "type": "json" }]),
        ),
        "embed" | "text-embed" => (
            json!([{ "name": "text", "type": "utf8", "required": true },
                { "name": "weight", "type": "f64" }]),
            json!([{ "name": "embedding", "type": "dense", "dimension": dimension,
                "distance": "cosine" }, { "name": "sparse", "type": "sparse" }]),
        ),
        "look" | "image-features" => (
            json!([{ "name": "image", "type": "blob", "required": true },
                { "name": "hint", "type": "json" }, { "name": "near", "type": "dense" }]),
            json!([{ "name": "features", "type": "multi", "dimension": dimension,
                "distance": "dot" }, { "name": "thumbnail", "type": "blob" },
                { "name": "flag", "type": "bool" }, { "name": "score", "type": "f64" }]),
        ),
        name => return Err(Error::new(Code::NotFound, format!("there is no extractor `{name}`"))),
    };
    if parameters.get("wrong").is_some() {
        return Err(Error::invalid("there is no parameter `wrong`").field("/wrong"));
    }
    let (name, version) = (&reference.name, reference.version.as_deref().unwrap_or("1.0.0"));
    let description = json!({ "name": name, "version": version, "inputs": inputs,
        "outputs": outputs });
    let description = serde_json::from_value(description)
        .map_err(|error| Error::internal("a description does not fit").source(error))?;
    let pinned =
        Pinned { name: name.clone(), version: version.to_string(), digest: "0".repeat(64) };
    Ok((pinned, description))
}
