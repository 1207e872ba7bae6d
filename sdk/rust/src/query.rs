//! The vectors of a search text.

use serde_json::{Map, Value, json};

/// What [`Extractor::embed_query`](crate::Extractor::embed_query) answers: a vector for each field
/// that can be searched with it.
///
/// ```
/// # use quarry_extractor::Query;
/// let query = Query::new().dense("embedding", &[0.5, 0.25]).sparse("terms", &[7], &[1.0]);
/// assert_eq!(
///     query.to_json().to_string(),
///     r#"{"embedding":[0.5,0.25],"terms":{"indices":[7],"values":[1.0]}}"#,
/// );
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    fields: Map<String, Value>,
}

impl Query {
    /// No vectors yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the vector of a dense field.
    pub fn dense(mut self, field: &str, vector: &[f32]) -> Self {
        self.fields.insert(field.to_owned(), floats(vector));
        self
    }

    /// Adds the vector of a sparse field; indices ascend.
    pub fn sparse(mut self, field: &str, indices: &[u32], values: &[f32]) -> Self {
        let vector = json!({ "indices": indices, "values": floats(values) });
        self.fields.insert(field.to_owned(), vector);
        self
    }

    /// The contract's JSON.
    pub fn to_json(&self) -> Value {
        Value::Object(self.fields.clone())
    }
}

/// Through f64, so that reading the text back gives the very same f32.
pub(crate) fn floats(values: &[f32]) -> Value {
    values.iter().map(|&value| Value::from(f64::from(value))).collect()
}
