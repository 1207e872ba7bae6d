//! Parameters against the JSON Schema of an extractor, before the extractor sees them.

use super::inspect::refused;
use crate::error::{Error, Result};
use serde_json::{Value, json};

/// Values of an enumeration that are named in an error.
const LISTED: usize = 20;

pub(super) struct Parameters {
    schema: Value,
    validator: jsonschema::Validator,
    /// Names of the parameters, when no others are allowed.
    known: Option<Vec<String>>,
}

impl Parameters {
    /// No schema at all: there are no parameters.
    pub(super) fn compile(schema: &Value) -> Result<Self> {
        let schema = match schema {
            Value::Null => json!({"type": "object"}),
            Value::Object(_) => schema.clone(),
            _ => {
                return Err(
                    refused("has a parameter schema that is not an object").field("/parameters")
                );
            }
        };
        let validator = jsonschema::validator_for(&schema).map_err(|error| {
            refused(format_args!("has a parameter schema that is not valid: {error}"))
                .field("/parameters")
        })?;
        let more = schema.get("additionalProperties");
        let open = more.is_some_and(|value| *value != json!(false))
            || schema.get("patternProperties").is_some();
        let combined =
            ["$ref", "allOf", "anyOf", "oneOf"].iter().any(|key| schema.get(key).is_some());
        let properties = schema.get("properties").and_then(Value::as_object);
        let names = || properties.map(|p| p.keys().cloned().collect()).unwrap_or_default();
        let known = (!open && !combined).then(names);
        Ok(Parameters { schema, validator, known })
    }

    /// The parameters as the JSON an extractor gets.
    pub(super) fn check(&self, parameters: &Value) -> Result<String> {
        let empty = json!({});
        let parameters = if parameters.is_null() { &empty } else { parameters };
        let Some(given) = parameters.as_object() else {
            return Err(Error::invalid("the parameters are not a JSON object"));
        };
        if let Some(known) = &self.known
            && let Some(name) = given.keys().find(|name| !known.contains(name))
        {
            return Err(unknown(name, known));
        }
        match self.validator.iter_errors(parameters).next() {
            None => Ok(parameters.to_string()),
            Some(error) => Err(self.explain(&error)),
        }
    }

    fn explain(&self, error: &jsonschema::ValidationError<'_>) -> Error {
        let pointer = error.instance_path().as_str();
        let shown = super::log::clean(&error.to_string(), 400);
        let allowed = self.schema.pointer(error.schema_path().as_str()).and_then(allowed);
        let message = match allowed {
            Some(allowed) => format!("wrong parameter: {shown}; allowed: {allowed}"),
            None => format!("wrong parameter: {shown}"),
        };
        match pointer.is_empty() {
            true => Error::invalid(message),
            false => Error::invalid(message).field(pointer),
        }
    }
}

/// What a list of alternatives (`oneOf` of constants, as for a Rust enum) comes down to.
fn allowed(alternatives: &Value) -> Option<String> {
    let alternatives = alternatives.as_array()?.iter().flat_map(|alternative| {
        let constant = alternative.get("const").into_iter();
        let listed = alternative.get("enum").and_then(Value::as_array).into_iter().flatten();
        let kind =
            alternative.get("type").and_then(Value::as_str).map(|kind| format!("any {kind}"));
        let values: Vec<_> = constant.chain(listed).map(Value::to_string).collect();
        if values.is_empty() { kind.into_iter().collect() } else { values }
    });
    let shown: Vec<_> = alternatives.take(LISTED).collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

fn unknown(name: &str, known: &[String]) -> Error {
    let shown = super::log::clean(name, 64);
    let pointer = format!("/{}", shown.replace('~', "~0").replace('/', "~1"));
    let error = Error::invalid(format!("there is no parameter `{shown}`")).field(pointer);
    match known.is_empty() {
        true => error.hint("the extractor takes no parameters"),
        false => error.hint(format!("the parameters are {}", known.join(", "))),
    }
}
