//! The one integration binary: every further one would link wasmtime, arrow and qdrant-edge again.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod admin;
mod api;
mod artifact;
mod bench;
mod cli;
mod config;
mod languages;
mod manifest;
mod model;
mod plugin;
mod registry;
mod sink;
mod store;
mod support;
mod tidy;
mod torture;
mod trial;
