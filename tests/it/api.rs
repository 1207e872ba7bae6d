//! The REST API, operation by operation.

mod buckets;
mod errors;
mod namespaces;
mod schedules;
mod webhooks;
