//! Parameters out of JSON, with errors that name the parameter.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// For extractors without parameters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// Parses the parameters of a collection.
pub(crate) fn parse<P: DeserializeOwned>(text: &str) -> Result<P, String> {
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| format!("the parameters are not a JSON object: {error}"))?;
    P::deserialize(&Value::Object(object.clone())).map_err(|error| match culprit::<P>(object) {
        Some(name) => format!("parameter `{name}`: {error}"),
        None => format!("parameters: {error}"),
    })
}

/// serde does not say which field a value was for. Every parameter has a default, so the one that
/// fails alone is to blame.
fn culprit<P: DeserializeOwned>(object: Map<String, Value>) -> Option<String> {
    object.into_iter().find_map(|(name, value)| {
        let alone = Value::Object(Map::from_iter([(name.clone(), value)]));
        P::deserialize(&alone).is_err().then_some(name)
    })
}
