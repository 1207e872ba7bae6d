//! The bytes behind a document, and whether a document would be taken.

use super::shown::blob_url;
use crate::api::call::Call;
use crate::api::operation::{NoQuery, Plainly};
use crate::error::{Code, Error, Result};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Serialize, JsonSchema)]
pub(super) struct Download {
    /// Path on this server.
    download_url: String,
    /// True: the bytes are stored, nothing is cut for the request.
    cached: bool,
    /// Seconds, as the extractor says; 0 where it does not.
    start_time: f64,
    end_time: f64,
}

/// Of the first field that holds bytes.
pub(super) fn download(call: &Call, _: NoQuery) -> Result<Download> {
    let (namespace, collection) = call.collection()?;
    let id = call.path("document_id");
    let document = call.control.document(&namespace, &collection, id, false)?;
    let held = document.payload.iter().find(|(_, value)| {
        value.as_str().is_some_and(|text| text.starts_with("blob:") && text.len() == 69)
    });
    let Some((field, _)) = held else {
        let message = format!("document {id} holds no bytes");
        return Err(Error::new(Code::NotFound, message)
            .hint("only fields of the type blob do, which an extractor has to make"));
    };
    let second = |names: [&str; 2]| {
        names.iter().find_map(|name| document.payload.get(*name)?.as_f64()).unwrap_or(0.0)
    };
    Ok(Download {
        download_url: blob_url(collection.id.as_str(), document.id, field),
        cached: true,
        start_time: second(["start_time", "start_s"]),
        end_time: second(["end_time", "end_s"]),
    })
}

pub(super) fn blob(call: &Call, _: NoQuery) -> Result<Plainly> {
    let (namespace, collection) = call.collection()?;
    let id = call.path("document_id");
    let document = call.control.document(&namespace, &collection, id, false)?;
    let bytes = call.control.document_blob(&namespace, &document, call.path("field"))?;
    Ok(Plainly::Bytes {
        content_type: "application/octet-stream".to_string(),
        bytes: bytes.to_vec(),
    })
}

/// What is wrong with a document that nobody has written.
#[derive(Serialize, JsonSchema)]
pub(super) struct Validated {
    valid: bool,
    collection_id: String,
    /// Whose fields it was compared with; null while no batch has used the extractor.
    extractor: Option<String>,
    /// Empty when it is valid.
    violations: Vec<Violation>,
}

#[derive(Serialize, JsonSchema)]
struct Violation {
    /// JSON pointer.
    field: String,
    message: String,
}

/// Against what the collection's extractor makes: the types of its fields. Fields that it does not
/// make are free.
pub(super) fn validate(call: &Call, _: NoQuery, body: Map<String, Value>) -> Result<Validated> {
    let (namespace, collection) = call.collection()?;
    let checked = call.control.check_document(&namespace, &collection, &body)?;
    let violations = checked.violations.into_iter();
    let violations: Vec<Violation> =
        violations.map(|(field, message)| Violation { field, message }).collect();
    Ok(Validated {
        valid: violations.is_empty(),
        collection_id: collection.id.to_string(),
        extractor: checked.extractor,
        violations,
    })
}
