//! Quarry turns batches of objects into searchable documents by running sandboxed WebAssembly
//! extractors in dependency tiers. ARCHITECTURE.md describes the whole; each module names what it
//! owns.

pub mod admin;
pub mod api;
pub mod app;
pub mod artifact;
pub mod cli;
pub mod client;
pub mod config;
pub mod control;
pub mod durable;
pub mod engine;
pub mod env;
pub mod error;
pub mod manifest;
pub mod memory;
pub mod model;
pub mod net;
pub mod package;
pub mod plugin;
pub mod sink;
pub mod store;
pub mod telemetry;
pub mod webhook;
