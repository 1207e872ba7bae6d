//! Extractors: WebAssembly components behind the WIT contract in `wit/`, run without trust.
//!
//! [`Host`] owns the wasmtime engine, [`Component`] is a checked and compiled extractor, an
//! [`Instance`] a configured one that a single worker thread calls.
//! What an extractor may use beside that is a `capability`, linked where it was granted.
//! **Invariant:** what an instance returns has been checked: counts, offsets, dimensions,
//! finiteness, UTF-8, JSON, limits. Nothing a guest says reaches other modules unchecked.

mod asset;
pub mod audit;
mod cache;
mod capability;
mod column;
mod compiler;
mod component;
mod describe;
mod failure;
mod host;
mod input;
mod inspect;
mod instance;
mod limits;
mod log;
mod meter;
mod output;
mod parameters;
mod query;
pub mod rows;
mod signature;
mod state;
mod trust;
mod values;
mod vectors;

pub use asset::{ASSET_BYTES_MAX, ASSETS_SECTION, AssetEntry, with_assets};
pub use cache::CACHE_KEY;
pub use capability::{Asset, AssetSource, Denials, Variables, World};
pub use compiler::{
    COMPILE_COMMAND, CompileLimits, Compiler, answer as compile_answer, own_program,
};
pub use component::Component;
pub use host::Host;
pub use inspect::{API_SECTION, Inspection, NAME_SECTION, inspect};
pub use limits::Limits;
pub use meter::Usage;
pub use signature::{PublicKey, SIGNATURE_BYTES_MAX, SIGNATURE_SUFFIX, Signature, SigningKey};
pub use trust::Trust;
pub use vectors::{vector_bytes, vector_type, vectors};

use crate::error::Result;
use crate::model::{Description, Grants, Vector};
use arrow_array::{ArrayRef, BinaryArray, FixedSizeListArray};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Something that can be configured and run. WebAssembly components are one implementation,
/// natively compiled extractors (in the benchmark) the other.
pub trait Extractor: Send + Sync {
    /// As `describe` says, for default parameters.
    fn description(&self) -> &Description;

    /// SHA-256 of the component, in hex.
    fn digest(&self) -> &str;

    /// What it may use from now on, instead of what was granted before: by every instance, from its
    /// next call on.
    fn grant(&self, _grants: &Grants) {}

    /// A fresh instance for one worker. An error in the parameters is
    /// [`crate::error::Code::Invalid`].
    fn instantiate(&self, parameters: &serde_json::Value) -> Result<Box<dyn Instance>>;
}

pub trait Instance: Send {
    /// The description for the parameters it was configured with.
    fn description(&self) -> &Description;

    /// Extracts one batch. After a [`Failure`] the instance has already been replaced by a fresh
    /// one where needed: it may be called again.
    fn run(&mut self, input: &Input) -> std::result::Result<Output, Failure>;

    /// Ends running calls soon after `stop` becomes true: they fail then.
    fn stop_with(&mut self, _stop: Arc<AtomicBool>) {}

    /// Counts the host calls of later runs, for [`Instance::usage`].
    fn meter(&mut self) {}

    /// What the last run took; nothing where that is not known.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// Vectors for a search text, by output field.
    fn embed_query(&mut self, text: &str) -> Result<Vec<(String, Vector)>>;
}

/// The rows of one call, one column for each of the description's inputs.
#[derive(Clone)]
pub struct Input {
    pub rows: usize,
    pub columns: Vec<InputColumn>,
}

#[derive(Clone)]
pub enum InputColumn {
    /// utf8 and json: `StringArray`; blob: `BinaryArray`; i64, f64, bool: the arrays of that type;
    /// dense: `FixedSizeListArray` of f32, see [`vectors`].
    Array(ArrayRef),
    /// A blob column of references: the host reads on behalf of the guest.
    Cells(Arc<dyn Cells>),
    /// An optional input that nothing is mapped to: every row is null.
    Absent,
}

/// Blob cells that are fetched when they are read. `row` counts from 0 within the batch.
///
/// The guest gets an error as text; if it then fails, the call fails for [`Reason::Input`]. For a
/// null cell it gets the error `null`, which counts for nothing. The time of a read is not the
/// guest's, so it needs a limit of its own.
pub trait Cells: Send + Sync {
    /// Bytes; `None` for a null cell.
    fn len(&self, row: usize) -> Result<Option<u64>>;
    fn read(&self, row: usize, offset: u64, len: usize) -> Result<bytes::Bytes>;
    /// The same cells for the rows [from, from + rows).
    fn slice(&self, from: usize, rows: usize) -> Arc<dyn Cells>;
}

/// What one successful call made, checked.
#[derive(Debug, Clone)]
pub struct Output {
    /// Documents of each input row; 0 for a rejected row.
    pub counts: Vec<u32>,
    /// Sum of `counts`.
    pub documents: usize,
    /// One for each of the description's outputs.
    pub columns: Vec<OutputColumn>,
    /// Rows ascending, each once.
    pub rejects: Vec<Reject>,
    /// Lines the guest logged in this call, bounded.
    pub log: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum OutputColumn {
    /// utf8, json: `StringArray`; i64, f64, bool; blob: `BinaryArray`.
    Scalar(ArrayRef),
    /// f32, as many a document as the dimension says, finite, at most
    /// [`crate::model::VECTOR_VALUE_MAX`]. Never null.
    Dense(FixedSizeListArray),
    /// u32 and f32, little-endian, indices strictly ascending; null where there is no vector.
    Sparse { indices: BinaryArray, values: BinaryArray },
    /// n * dimension * 4 bytes a document, n > 0; null where there is no vector.
    Multi(BinaryArray),
}

/// Cut to 64 bytes of code and 4 KiB of message, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub row: usize,
    pub code: String,
    pub message: String,
}

/// A call that did not succeed. Nothing it pushed is kept.
#[derive(Debug, Clone)]
pub struct Failure {
    pub reason: Reason,
    pub message: String,
    /// Last lines the guest logged.
    pub log: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The guest trapped: unreachable, out of bounds, division by zero, stack overflow.
    Trap,
    /// It ran longer than allowed.
    Timeout,
    /// It asked for more memory or table than allowed.
    Memory,
    /// It returned, logged or held more than allowed.
    Output,
    /// It broke the contract: wrong dimension, NaN, lying lengths, duplicate positions.
    Contract,
    /// `run` returned an error.
    Guest,
    /// The host could not read a referenced blob.
    Input,
}

impl Reason {
    /// The word in dead letters and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Trap => "trap",
            Reason::Timeout => "timeout",
            Reason::Memory => "memory_limit",
            Reason::Output => "output_limit",
            Reason::Contract => "contract",
            Reason::Guest => "guest_error",
            Reason::Input => "input",
        }
    }
}
