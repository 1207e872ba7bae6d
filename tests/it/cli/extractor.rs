//! The author's loop: check, test, run, bench, inspect, replay, watch.

mod fixtures;
mod replay;
mod tries;

use crate::support::quarry::{Bench, components};

/// The hostile guest: echoes its rows until one says "poison".
fn hostile() -> String {
    let path = components("QUARRY_TEST_GUESTS", "test-guests").join("hostile.wasm");
    path.to_str().unwrap().to_string()
}

/// A fixture of the project in the folder of the bench.
fn fixture(bench: &Bench, name: &str, text: &str) {
    std::fs::create_dir_all(bench.path("fixtures")).unwrap();
    bench.write(&format!("fixtures/{name}.json"), text);
}
