//! What several tests need.

pub(crate) mod api;
pub(crate) mod golden;
pub(crate) mod live;
pub(crate) mod oci;
pub(crate) mod qdrant_server;
pub(crate) mod quarry;
pub(crate) mod s3;
pub(crate) mod story;
