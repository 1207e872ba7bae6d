//! The tile loop, through the native source and target.

mod columns;
mod everything;
mod rules;

use everything::Everything;
use quarry_extractor::testing::{Harness, Value, json};

fn harness(parameters: Value) -> Harness<Everything> {
    Harness::new(parameters).expect("the parameters are valid")
}

/// A row that makes `copies` documents and then fails if asked to.
fn row(name: &str, copies: i64, fail: bool) -> Value {
    json!({"name": name, "copies": copies, "fail": fail, "file": "bytes"})
}
