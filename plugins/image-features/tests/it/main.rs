//! The extractor as the host sees it: rows in, documents out.

mod formats;
mod golden;
mod limits;
mod similarity;
mod support;
