//! Errors on the wire: the envelope that existing clients read.

use crate::error::{Code, Error};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What every answer that is not a success holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ErrorResponse {
    /// Always false.
    success: bool,
    /// The HTTP status.
    status: u16,
    error: ErrorDetail,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ErrorDetail {
    /// For people; that of an internal failure says nothing about its cause.
    message: String,
    /// `validation_error`, `not_found`, `conflict`, …: for programs.
    #[serde(rename = "type")]
    kind: String,
    /// One of the engine's closed table of codes.
    code: String,
    /// `field` (JSON pointer), `hint`, `errors` (each with `pointer` and `message`), `request_id`.
    details: Map<String, Value>,
}

pub(super) fn status(code: Code) -> u16 {
    match code {
        Code::Invalid | Code::Extractor | Code::Unsupported => 422,
        Code::NotFound => 404,
        Code::Conflict => 409,
        Code::PreconditionFailed => 412,
        Code::Unauthenticated => 401,
        Code::Forbidden => 403,
        Code::TooLarge => 413,
        Code::TooMany => 429,
        Code::InUse
        | Code::Unavailable
        | Code::StorageFull
        | Code::StateFailed
        | Code::Interrupted => 503,
        Code::Corrupt | Code::Internal => 500,
    }
}

pub(super) fn kind(code: Code) -> &'static str {
    match code {
        Code::Invalid | Code::Extractor => "validation_error",
        Code::Unsupported => "unsupported",
        Code::NotFound => "not_found",
        Code::Conflict => "conflict",
        Code::PreconditionFailed => "precondition_failed",
        Code::Unauthenticated => "authentication_error",
        Code::Forbidden => "permission_denied",
        Code::TooLarge => "payload_too_large",
        Code::TooMany => "rate_limit_exceeded",
        Code::InUse
        | Code::Unavailable
        | Code::StorageFull
        | Code::StateFailed
        | Code::Interrupted => "service_unavailable",
        Code::Corrupt | Code::Internal => "internal_error",
    }
}

/// The body for an error. What goes wrong inside is logged and stays there.
pub(super) fn body(error: &Error, errors: &[Value], request_id: &str) -> Value {
    let (code, status) = (error.code(), status(error.code()));
    let mut details = Map::new();
    let message = if status >= 500 {
        tracing::error!(request_id, code = code.as_str(), "{}", error.chain());
        match status {
            503 => "the service can not answer right now; try again later".to_string(),
            _ => "something failed inside; the log has the request id".to_string(),
        }
    } else {
        if let Some(field) = error.field_name() {
            details.insert("field".to_string(), field.into());
        }
        if let Some(hint) = error.hint_text() {
            details.insert("hint".to_string(), hint.into());
        }
        if !errors.is_empty() {
            details.insert("errors".to_string(), errors.into());
        }
        error.chain()
    };
    details.insert("request_id".to_string(), request_id.into());
    let error = ErrorDetail {
        message,
        kind: kind(code).to_string(),
        code: code.as_str().to_string(),
        details,
    };
    json!(ErrorResponse { success: false, status, error })
}
