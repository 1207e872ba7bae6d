//! The one trait an author implements.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Description, Documents, InputRow, OutputRow, Query};

/// Cuts rows into documents.
///
/// One value lives for many batches of the same collection: build tables, patterns and buffers in
/// [`new`](Extractor::new), use them in [`extract`](Extractor::extract). The host may throw an
/// instance away at any row and start another, so a document must depend on nothing but its row
/// and the parameters.
pub trait Extractor: Sized + 'static {
    /// Lower-case letters, digits and `-`, as in `text-chunk`.
    const NAME: &'static str;
    /// A semantic version, usually `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// One sentence for the registry's listing.
    const SUMMARY: &'static str;

    /// Declared with [`parameters!`](crate::parameters!), or [`NoParameters`](crate::NoParameters).
    /// Every parameter must have a default: `{}` is always parsed first, for `describe`.
    type Parameters: DeserializeOwned + JsonSchema;
    /// Declared with [`input!`](crate::input!).
    type Input<'a>: InputRow<'a>;
    /// Declared with [`output!`](crate::output!).
    type Output<'a>: OutputRow;

    /// Builds the extractor, or says which parameter is wrong and why.
    fn new(parameters: Self::Parameters) -> Result<Self, String>;

    /// Completes the description: dimensions, the position field, memory, queries.
    fn describe(&self, description: &mut Description) {
        let _ = description;
    }

    /// Pushes the documents of one row, none to many. After an `Err` what was pushed for this row
    /// is taken back and the row becomes a dead letter; the other rows are not touched.
    fn extract(
        &mut self,
        row: Self::Input<'_>,
        documents: &mut Documents<Self>,
    ) -> Result<(), Reject>;

    /// The vectors a search for `text` should use, for extractors that declare
    /// [`Description::queries`].
    fn embed_query(&mut self, text: &str) -> Result<Query, String> {
        let _ = text;
        Err(format!("{} does not embed queries", Self::NAME))
    }
}

/// Why a row could not be extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// For programs: short, lower-case, stable, like `bad_pdf`.
    pub code: String,
    /// For people: names what is wrong with this row.
    pub message: String,
}

impl Reject {
    /// A rejection; the host cuts codes and messages that are too long.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl std::fmt::Display for Reject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Reject {}
