#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
// The guide shows whole extractors with their tests; tests/guide runs those.
#![allow(clippy::test_attr_in_doctest)]

pub mod assets;
mod blob;
mod bytes64;
pub mod clock;
mod column;
mod description;
mod documents;
pub mod environment;
mod extractor;
pub mod http;
mod input;
pub mod log;
mod macros;
pub mod native;
mod output;
mod parameters;
mod query;
pub mod random;
mod runner;
pub mod testing;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod wasm;

pub use blob::{Blob, BlobError, READ_BYTES_MAX};
pub use bytes64::{BLOCK, Bytes64};
pub use column::Column;
pub use description::{Description, Distance, FieldType, InputField, OutputField};
pub use documents::Documents;
pub use extractor::{Extractor, Reject};
pub use input::{InputRow, InputSpec, InputValue, TileColumn, Vector};
pub use output::{
    Dense, Json, JsonText, Multi, Nullable, OutputRow, OutputSpec, OutputValue, Sparse,
};
pub use parameters::NoParameters;
pub use query::Query;

#[doc(hidden)]
pub use {schemars, serde, serde_json};

/// The version of the contract (the WIT package `quarry:extractor`) this SDK speaks.
pub const API_VERSION: &str = "0.1.0";

/// Everything an extractor needs: `use quarry_extractor::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Blob, Dense, Description, Distance, Documents, Extractor, Json, JsonText, Multi,
        NoParameters, Query, Reject, Sparse, Vector, input, log, output, parameters,
    };
}
