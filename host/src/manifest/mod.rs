//! Manifests: Parquet files that list a batch's objects, one a row. Built by `quarry manifest
//! build` or anything else that writes Parquet.

pub mod build;
mod duplicates;
mod group;
mod object;
mod pages;
mod read;

pub use duplicates::DuplicateCheck;
pub use read::{Manifest, Rows};
