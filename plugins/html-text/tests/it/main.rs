//! The extractor as the host sees it: rows in, documents out.

mod golden;
mod hostile;
mod links;
mod main_text;
mod markup;
mod support;
