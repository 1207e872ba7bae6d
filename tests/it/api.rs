//! The REST API, operation by operation.

mod batches;
mod buckets;
mod collections;
mod documents;
mod errors;
mod extractors;
mod namespaces;
mod objects;
mod search;
mod uploads;
