//! Quarry turns batches of objects into searchable documents by running sandboxed WebAssembly
//! extractors in dependency tiers. ARCHITECTURE.md describes the whole; each module names what it owns.

pub mod error;
pub mod model;
pub mod sink;
