//! The REST API, operation by operation.

mod buckets;
mod errors;
mod idempotency;
mod keys;
mod limits;
mod namespaces;
mod security;
mod system;
