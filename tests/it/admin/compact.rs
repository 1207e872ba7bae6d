//! Compacting loses nothing, wherever it is cut off.

use super::{copy, entries, home, small_batch};
use crate::support::quarry::Bench;
use quarry::model::Name;
use quarry::store::{NamespaceRecord, Store};
use std::path::Path;

/// A state that was written over many times. Each round is flushed: posts would gather in memory,
/// and how many of them reach the disk would depend on the speed of the machine.
fn worn(data: &Path) {
    let store = Store::open(&data.join("state")).unwrap();
    for last_run in 0..40 {
        let records = (0..1000).map(|number| {
            let name = Name::parse(&format!("space-{number}")).unwrap();
            let record = NamespaceRecord { last_run, ..NamespaceRecord::default() };
            Store::put_namespace(&name, &record).unwrap()
        });
        store.commit(records.collect()).unwrap();
    }
}

#[test]
fn a_worn_state_becomes_smaller_and_says_the_same() {
    let bench = Bench::new();
    small_batch(&bench);
    let data = bench.path("quarry-data");
    worn(&data);
    let before = entries(&data);
    let compacted = bench.json(&["admin", "compact"]);
    let bytes = |name: &str| compacted[name].as_u64().unwrap();
    assert!(bytes("bytes_after") < bytes("bytes_before"), "{compacted}");
    assert_eq!(bytes("records"), before.len() as u64);
    assert_eq!(entries(&data), before);
    assert_eq!(bench.json(&["admin", "verify"]), serde_json::json!([]));
}

/// Every layout of directories that a crash between two steps of the swap leaves.
#[test]
fn a_swap_that_was_cut_off_leaves_the_old_state_or_the_new() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path();
    let store = Store::open(&data.join("state")).unwrap();
    let name = Name::parse("kept").unwrap();
    let record = NamespaceRecord { last_run: 7, ..NamespaceRecord::default() };
    store.commit(vec![Store::put_namespace(&name, &record).unwrap()]).unwrap();
    drop(store);
    let expected = entries(data);
    let state = |suffix: &str| data.join(format!("state{suffix}"));
    let check = |given: &[&str]| {
        for suffix in given {
            if !state(suffix).exists() {
                copy(&state(""), &state(suffix));
            }
        }
        if !given.contains(&"") {
            std::fs::remove_dir_all(state("")).unwrap();
        }
        assert!(Store::exists(&state("")), "{given:?}");
        assert_eq!(entries(data), expected, "{given:?}");
        let left: Vec<_> = std::fs::read_dir(data).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{given:?} left {left:?}");
    };
    check(&["", ".building"]);
    check(&["", ".new"]);
    check(&[".new"]);
    check(&[".old", ".new"]);
    check(&["", ".old"]);
    check(&["", ".old", ".building"]);
    // What was half written or half removed is never taken for a state.
    std::fs::create_dir(state(".building")).unwrap();
    std::fs::write(state(".building").join("db"), "half").unwrap();
    std::fs::remove_dir_all(state("")).unwrap();
    assert!(!Store::exists(&state("")));
    assert_eq!(entries(data).len(), 1, "only the version of a new state");
}

#[test]
fn a_command_after_such_a_crash_finds_the_state() {
    let bench = Bench::new();
    small_batch(&bench);
    let state = bench.path("quarry-data/state");
    std::fs::rename(&state, state.with_extension("new")).unwrap();
    assert_eq!(bench.json(&["batch", "list"]).as_array().unwrap().len(), 1);
    assert!(!state.with_extension("new").exists());
}

#[test]
fn a_damaged_record_is_not_carried_over() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path();
    let store = Store::open(&data.join("state")).unwrap();
    let key = "namespace/bad".to_string();
    store.commit(vec![quarry::store::Op::Put { key, value: vec![1, 0, 0, 0, 0, b'{'] }]).unwrap();
    drop(store);
    let before = entries(data);
    let error = home(data).compact().unwrap_err();
    assert!(error.to_string().contains("namespace/bad"), "{error}");
    assert_eq!(entries(data), before);
}
