//! JSON Schemas of what goes in and out, made from the types themselves: what the description of
//! the API says, what a request is checked against, and what is parsed are one thing.

use jsonschema::Validator;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const DEFINITIONS: &str = "/components/schemas";

/// Collects the definitions while operations are declared.
pub(super) struct Collector {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

/// Definitions of all types, by name: those of requests end in `Input`.
#[derive(Clone, Default)]
pub(super) struct Definitions(Arc<Map<String, Value>>);

fn generator(settings: SchemaSettings) -> SchemaGenerator {
    settings
        .with(|settings| {
            settings.definitions_path = DEFINITIONS.into();
            settings.meta_schema = None;
        })
        .into_generator()
}

impl Collector {
    pub(super) fn new() -> Collector {
        let settings = SchemaSettings::draft2020_12;
        Collector {
            taken: generator(settings().for_deserialize()),
            given: generator(settings().for_serialize()),
        }
    }

    /// Of a request: unknown fields are refused in all objects that list their fields.
    pub(super) fn taken<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.taken.subschema_for::<T>().to_value();
        rename(&mut schema);
        schema
    }

    pub(super) fn given<T: JsonSchema>(&mut self) -> Value {
        self.given.subschema_for::<T>().to_value()
    }

    pub(super) fn finish(mut self) -> Definitions {
        let mut all = self.given.take_definitions(true);
        for (name, mut schema) in self.taken.take_definitions(true) {
            rename(&mut schema);
            close(&mut schema);
            all.insert(input_name(&name), schema);
        }
        Definitions(Arc::new(all))
    }
}

fn input_name(name: &str) -> String {
    if name.ends_with("Input") { name.to_string() } else { format!("{name}Input") }
}

/// References of requests go to the definitions of requests.
fn rename(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref")
                && let Some(name) = reference.rsplit('/').next()
            {
                *reference = format!("#{DEFINITIONS}/{}", input_name(name));
            }
            map.values_mut().for_each(rename);
        }
        Value::Array(items) => items.iter_mut().for_each(rename),
        _ => {}
    }
}

/// An object that lists its fields has no others, unless it says so.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let lists = map.get("properties").is_some_and(Value::is_object);
            let open = ["additionalProperties", "unevaluatedProperties"];
            if lists && map.contains_key("type") && !open.iter().any(|key| map.contains_key(*key)) {
                map.insert("additionalProperties".to_string(), Value::Bool(false));
            }
            for (key, value) in map.iter_mut() {
                // Names of fields are no keywords.
                match (key.as_str(), value) {
                    ("properties" | "$defs", Value::Object(fields)) => {
                        fields.values_mut().for_each(close);
                    }
                    ("default" | "example" | "examples" | "enum" | "const", _) => {}
                    (_, value) => close(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

impl Definitions {
    pub(super) fn map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The schema that a reference means, one step.
    pub(super) fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let name = reference.and_then(|reference| reference.rsplit('/').next());
        name.and_then(|name| self.0.get(name)).unwrap_or(schema)
    }

    /// Checks values against a schema that refers to these definitions.
    pub(super) fn validator(&self, schema: &Value) -> Validator {
        let mut root = match schema {
            Value::Object(map) => map.clone(),
            _ => Map::new(),
        };
        root.insert("components".to_string(), json!({ "schemas": *self.0 }));
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(&Value::Object(root))
            .expect("a schema that was made from a type is valid")
    }
}

/// The kinds of value that a schema allows: `integer`, `null`, …
pub(super) fn kinds(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Any JSON value, for answers whose shape is the user's.
#[allow(dead_code, reason = "named in attributes of schemas")]
pub(super) fn any(_: &mut SchemaGenerator) -> Schema {
    Schema::from(true)
}
