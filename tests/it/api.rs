//! The REST API, operation by operation.

mod batches;
mod buckets;
mod cancel;
mod collections;
mod documents;
mod errors;
mod exchange;
mod extractors;
mod grants;
mod idempotency;
mod idle;
mod isolation;
mod keys;
mod limits;
mod namespaces;
mod objects;
mod schedules;
mod search;
mod security;
mod system;
mod upgrade;
mod uploads;
mod webhooks;
