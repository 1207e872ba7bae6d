//! Calls over the network: which failures pass, and how often to try.

use crate::error::{Code, Error, Result};
use qdrant_client::QdrantError;
use std::time::Duration;

/// First call and repetitions. Every call of ours may run twice.
const TRIES: u32 = 5;
/// Doubles with every try, plus up to as much again so that workers do not come back together:
/// the one thing here that is meant to differ between runs.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs `call` until it succeeds, fails for good or has failed [`TRIES`] times.
pub(super) async fn calling<T, F>(url: &str, mut call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = std::result::Result<T, QdrantError>>,
{
    let mut tried = 0;
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        tried += 1;
        if permanent(&error).is_some() || tried == TRIES {
            return Err(failure(url, error));
        }
        let pause = PAUSE * 2_u32.pow(tried - 1);
        let pause = pause.mul_f64(1.0 + rand::random::<f64>());
        let reason = error.to_string();
        tracing::warn!(url, tried, ?pause, reason, "vector engine out of reach, trying again");
        tokio::time::sleep(pause).await;
    }
}

/// Numbers of gRPC status codes, <https://grpc.io/docs/guides/status-codes/>.
mod grpc {
    pub(super) const INVALID_ARGUMENT: i32 = 3;
    pub(super) const NOT_FOUND: i32 = 5;
    pub(super) const ALREADY_EXISTS: i32 = 6;
    pub(super) const PERMISSION_DENIED: i32 = 7;
    pub(super) const FAILED_PRECONDITION: i32 = 9;
    pub(super) const OUT_OF_RANGE: i32 = 11;
    pub(super) const UNIMPLEMENTED: i32 = 12;
    pub(super) const UNAUTHENTICATED: i32 = 16;
}

/// The code of a failure that trying again does not cure. Everything else is transient: besides
/// Unavailable, DeadlineExceeded and ResourceExhausted also Internal, Unknown and Cancelled, which
/// is what the client makes of refused and broken connections and of its own timeout.
fn permanent(error: &QdrantError) -> Option<Code> {
    match error {
        QdrantError::ResponseError { status } => match i32::from(status.code()) {
            grpc::INVALID_ARGUMENT
            | grpc::FAILED_PRECONDITION
            | grpc::OUT_OF_RANGE
            | grpc::UNIMPLEMENTED
            | grpc::PERMISSION_DENIED
            | grpc::UNAUTHENTICATED => Some(Code::Invalid),
            grpc::NOT_FOUND => Some(Code::NotFound),
            grpc::ALREADY_EXISTS => Some(Code::Conflict),
            _ => None,
        },
        QdrantError::ResourceExhaustedError { .. } | QdrantError::Io(_) => None,
        QdrantError::InvalidUri(_)
        | QdrantError::ConversionError(_)
        | QdrantError::NoSnapshotFound(_)
        | QdrantError::JsonToPayload(_)
        | QdrantError::PayloadDeserialization(_) => Some(Code::Invalid),
    }
}

fn failure(url: &str, error: QdrantError) -> Error {
    let (code, message) = match permanent(&error) {
        Some(code) => (code, format!("the vector engine at {url} refused the request")),
        None => (Code::Unavailable, format!("the vector engine at {url} is out of reach")),
    };
    let reason = match &error {
        QdrantError::ResponseError { status } => status.message().to_string(),
        _ => error.to_string(),
    };
    let denied = matches!(&error, QdrantError::ResponseError { status }
        if matches!(i32::from(status.code()), grpc::PERMISSION_DENIED | grpc::UNAUTHENTICATED));
    let error = Error::new(code, message).source(reason);
    if denied { error.hint("check the API key of the vector engine") } else { error }
}
