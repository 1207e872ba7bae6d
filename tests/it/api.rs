//! The REST API, operation by operation.

mod batches;
mod buckets;
mod collections;
mod documents;
mod errors;
mod exchange;
mod extractors;
mod namespaces;
mod search;
