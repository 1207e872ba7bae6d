//! Spans in the JSON form of OTLP 1.

use super::{Kind, Open};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Of a text that somebody else has chosen.
const TEXT_BYTES_MAX: usize = 1_024;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn span(open: &Open, took: Duration) -> Value {
    let kind = match open.kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
    };
    let ended_at = open.began_at + took;
    let mut span = json!({
        "traceId": hex(&open.context.trace),
        "spanId": hex(&open.context.span),
        "name": open.name,
        "kind": kind,
        "startTimeUnixNano": open.began_at.as_nanos().to_string(),
        "endTimeUnixNano": ended_at.as_nanos().to_string(),
        "attributes": attributes(&open.attributes),
    });
    if let Some(parent) = &open.parent {
        span["parentSpanId"] = hex(parent).into();
    }
    if let Some(error) = &open.error {
        span["status"] = json!({ "code": 2, "message": bounded(error) });
    }
    span
}

pub(super) fn attributes(attributes: &Map<String, Value>) -> Value {
    let one = |(key, value): (&String, &Value)| {
        let value = match value {
            Value::Bool(value) => json!({ "boolValue": value }),
            Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
            // 64 bits are a text in the JSON form.
            Value::Number(number) => json!({ "intValue": number.to_string() }),
            Value::String(text) => json!({ "stringValue": bounded(text) }),
            other => json!({ "stringValue": bounded(&other.to_string()) }),
        };
        json!({ "key": key, "value": value })
    };
    attributes.iter().map(one).collect()
}

fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// One request.
pub(super) fn request(resource: &Map<String, Value>, spans: Vec<Value>) -> Value {
    json!({
        "resourceSpans": [{
            "resource": { "attributes": attributes(resource) },
            "scopeSpans": [{
                "scope": { "name": "quarry", "version": env!("CARGO_PKG_VERSION") },
                "spans": spans,
            }],
        }],
    })
}
