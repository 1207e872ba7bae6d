//! OpenAPI 3.1 of the declared operations.

use super::operation::Operation;
use super::reads;
use super::schema::Definitions;
use serde_json::{Map, Value, json};

/// Statuses that any operation may answer besides its own, and why.
const FAILURES: [(u16, &str); 10] = [
    (400, "The request can not be read"),
    (401, "There is no valid key"),
    (403, "The key may not do this"),
    (404, "Something that is named does not exist"),
    (409, "The state does not allow it"),
    (412, "It was changed since it was read"),
    (413, "The body is too large"),
    (422, "Something in the request does not fit"),
    (429, "Too many requests"),
    (503, "The service can not answer right now"),
];

/// An operation as others see it.
#[derive(Debug, Clone)]
pub struct Shape {
    pub id: &'static str,
    pub method: String,
    pub path: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub takes_body: bool,
    /// Names of the query's parameters.
    pub query: Vec<String>,
}

/// The description of the API, OpenAPI 3.1.
pub fn description() -> Value {
    let (operations, definitions) = super::declared();
    describe(&operations, &definitions)
}

/// All operations, in the order of the description.
pub fn operations() -> Vec<Shape> {
    let (operations, definitions) = super::declared();
    let shape = |operation: &Operation| {
        let query = definitions.resolve(&operation.query)["properties"].as_object();
        Shape {
            id: operation.id,
            method: operation.method.to_string(),
            path: operation.path,
            tag: operation.tag,
            summary: operation.summary,
            takes_body: operation.body.is_some(),
            query: query.map(|all| all.keys().cloned().collect()).unwrap_or_default(),
        }
    };
    operations.iter().map(shape).collect()
}

pub(super) fn describe(operations: &[Operation], definitions: &Definitions) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let path = paths.entry(operation.path.to_string()).or_insert_with(|| json!({}));
        let method = operation.method.as_str().to_lowercase();
        path[&method] = one(operation, definitions);
    }
    let mut schemas = definitions.map().clone();
    schemas.extend(error_schemas());
    let mut tags: Vec<&str> = operations.iter().map(|operation| operation.tag).collect();
    tags.dedup();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Quarry",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Batches of objects become searchable documents",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "key": [] }],
        "tags": tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "qk_…" },
            },
        },
    })
}

fn error_schemas() -> Map<String, Value> {
    let mut collector = super::schema::Collector::new();
    collector.given::<super::failure::ErrorResponse>();
    collector.finish().map().clone()
}

fn one(operation: &Operation, definitions: &Definitions) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": parameters(operation, definitions),
        "responses": responses(operation),
    });
    if operation.public {
        described["security"] = json!([]);
    }
    if let Some(body) = &operation.body {
        described["requestBody"] = json!({
            "required": body.required,
            "content": { body.takes: { "schema": body.schema } },
        });
    }
    described
}

fn parameters(operation: &Operation, definitions: &Definitions) -> Value {
    let mut all = Vec::new();
    for part in operation.path.split('/') {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        if let Some(name) = name {
            let schema = json!({ "type": "string", "minLength": 1 });
            all.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        }
    }
    let query = definitions.resolve(&operation.query);
    let required: Vec<&str> =
        query["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, schema) in query["properties"].as_object().into_iter().flatten() {
        let mut parameter = json!({ "name": name, "in": "query", "schema": plain(schema) });
        parameter["required"] = required.contains(&name.as_str()).into();
        if let Some(text) = schema.get("description") {
            parameter["description"] = text.clone();
        }
        all.push(parameter);
    }
    let header = |name: &str, text: &str| {
        let schema = json!({ "type": "string" });
        json!({ "name": name, "in": "header", "description": text, "schema": schema })
    };
    if !operation.public {
        all.push(header("X-Namespace", "Id or name; the one called default if absent"));
    }
    match operation.method.as_str() {
        "GET" => {
            all.push(header("If-None-Match", "ETag of an answer: 304 if it is still the same"))
        }
        "POST" if !reads(operation) => {
            all.push(header("Idempotency-Key", "Equal requests with it are done once"));
        }
        "POST" => {}
        _ => all.push(header("If-Match", "ETag of a read of the same path: 412 if it was changed")),
    }
    Value::Array(all)
}

/// A query parameter that is absent is absent: there is no way to write null.
fn plain(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [one] = kinds.as_slice() {
            let one = one.clone();
            schema["type"] = one;
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&Value::from("null")));
        if let [one] = choices.as_slice() {
            return one.clone();
        }
    }
    schema
}

fn responses(operation: &Operation) -> Value {
    let mut all = Map::new();
    let mut done = json!({ "description": "Done" });
    if let Some(answer) = &operation.answer {
        done["content"] = json!({ operation.gives: { "schema": answer } });
    }
    all.insert(operation.status.to_string(), done);
    if operation.method == axum::http::Method::GET {
        all.insert("304".to_string(), json!({ "description": "Not changed" }));
    }
    let schema = json!({ "$ref": "#/components/schemas/ErrorResponse" });
    for (status, description) in FAILURES {
        let schema = match &operation.answer {
            Some(answer) if operation.otherwise == Some(status) => {
                json!({ "anyOf": [answer, schema] })
            }
            _ => schema.clone(),
        };
        let content = json!({ "application/json": { "schema": schema } });
        let failure = json!({ "description": description, "content": content });
        all.insert(status.to_string(), failure);
    }
    Value::Object(all)
}
