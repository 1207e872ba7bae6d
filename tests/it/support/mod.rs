//! What several tests need.

pub(crate) mod qdrant_server;
