//! The REST API, operation by operation.

mod batches;
mod buckets;
mod errors;
mod namespaces;
