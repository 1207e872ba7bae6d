//! Runs the extractor as the host does.

mod golden;
mod hostile;
mod kinds;
mod replace;
mod support;
mod unicode;
