//! The REST API, operation by operation.

mod buckets;
mod documents;
mod errors;
mod namespaces;
