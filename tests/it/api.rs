//! The REST API, operation by operation.

mod batches;
mod buckets;
mod collections;
mod errors;
mod extractors;
mod namespaces;
mod objects;
mod uploads;
mod search;
