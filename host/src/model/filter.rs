//! Conditions over the fields of a row or document, in the shape of the client API:
//! `{"AND": [{"field", "operator", "value"}, …], "OR": […], "NOT": […], "case_sensitive"}`,
//! nestable.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All three lists hold together: every AND, at least one OR (when there is any), no NOT.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    #[serde(rename = "AND", alias = "and", default, skip_serializing_if = "Vec::is_empty")]
    pub and: Vec<Condition>,
    #[serde(rename = "OR", alias = "or", default, skip_serializing_if = "Vec::is_empty")]
    pub or: Vec<Condition>,
    #[serde(rename = "NOT", alias = "not", default, skip_serializing_if = "Vec::is_empty")]
    pub not: Vec<Condition>,
    /// Whether text comparisons distinguish upper and lower case.
    #[serde(default = "yes")]
    pub case_sensitive: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Condition {
    Field {
        /// Dotted path.
        field: String,
        operator: Operator,
        #[serde(default)]
        value: Value,
    },
    Nested(Box<Filter>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    Eq,
    Ne,
    Gt,
    Lt,
    Gte,
    Lte,
    In,
    Nin,
    Contains,
    StartsWith,
    EndsWith,
    Regex,
    Exists,
    IsNull,
    Text,
}
