//! What a process collects is seen in a process of its own only.

use super::figure;
use super::kinds::soak;
use crate::support::quarry::components;
use std::process::Command;

/// Set for a test that runs in a process of its own.
const ALONE: &str = "QUARRY_TORTURE_ALONE";

/// Whether this process is the test's own; else it was run in one, and was fine there.
fn alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut own = Command::new(std::env::current_exe().unwrap());
    own.args([&format!("torture::soak::{test}"), "--exact", "--nocapture"]).env(ALONE, "1");
    let answer = own.env("QUARRY_EXTRACTORS", components("QUARRY_EXTRACTORS", "extractors"));
    let answer = answer.output().unwrap();
    let (said, shown) = (String::from_utf8(answer.stdout), String::from_utf8(answer.stderr));
    let (said, shown) = (said.unwrap(), shown.unwrap());
    assert!(answer.status.success(), "{said}{shown}");
    assert!(said.contains("1 passed"), "{test} was not run: {said}");
    print!("{said}");
    false
}

#[test]
fn one_process_runs_batch_after_batch_without_collecting_anything() {
    if alone("one_process_runs_batch_after_batch_without_collecting_anything") {
        println!("{}", figure(soak::run, &[("batches", 12), ("objects", 100), ("seed", 1)]));
    }
}
