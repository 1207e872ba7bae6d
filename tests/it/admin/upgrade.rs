//! A state of an older version is taken to the one of the binary, step by step.

use quarry::error::Code;
use quarry::model::Name;
use quarry::store::{NamespaceRecord, Op, Store, Upgrade};

fn space(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn put(name: &str, last_run: u64) -> Op {
    let record = NamespaceRecord { last_run, ..NamespaceRecord::default() };
    Store::put_namespace(&space(name), &record).unwrap()
}

/// Version 2 counts runs from 100.
fn to_two(store: &Store) -> quarry::error::Result<Vec<Op>> {
    let all = store.namespaces()?;
    Ok(all.into_iter().map(|(name, record)| put(name.as_str(), record.last_run + 100)).collect())
}

/// Version 3 has one namespace more for each it had.
fn to_three(store: &Store) -> quarry::error::Result<Vec<Op>> {
    let all = store.namespaces()?;
    Ok(all.into_iter().map(|(name, record)| put(&format!("{name}-2"), record.last_run)).collect())
}

fn fails(_: &Store) -> quarry::error::Result<Vec<Op>> {
    Err(quarry::error::Error::new(Code::StorageFull, "no space for this"))
}

fn runs(store: &Store) -> Vec<(String, u64)> {
    let all = store.namespaces().unwrap();
    all.into_iter().map(|(name, record)| (name.to_string(), record.last_run)).collect()
}

#[test]
fn steps_run_in_order_and_once() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("state");
    let store = Store::open_upgraded(&directory, &[]).unwrap();
    store.commit(vec![put("a", 1)]).unwrap();
    drop(store);
    let steps: [Upgrade; 2] = [to_two, to_three];
    for _ in 0..2 {
        let store = Store::open_upgraded(&directory, &steps).unwrap();
        assert_eq!(runs(&store), [("a".to_string(), 101), ("a-2".to_string(), 101)]);
    }
}

#[test]
fn a_step_that_fails_leaves_the_version_before_it() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("state");
    let store = Store::open_upgraded(&directory, &[]).unwrap();
    store.commit(vec![put("a", 1)]).unwrap();
    drop(store);
    let steps: [Upgrade; 2] = [to_two, fails];
    let error = Store::open_upgraded(&directory, &steps).err().unwrap();
    assert_eq!(error.code(), Code::StorageFull);
    // The first step stays done, and is not done again.
    let store = Store::open_upgraded(&directory, &steps[..1]).unwrap();
    assert_eq!(runs(&store), [("a".to_string(), 101)]);
}

#[test]
fn a_new_state_needs_no_steps() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("state");
    let steps: [Upgrade; 1] = [fails];
    assert_eq!(runs(&Store::open_upgraded(&directory, &steps).unwrap()), []);
}

#[test]
fn a_state_of_a_newer_version_is_refused_and_stays_as_it_is() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("state");
    let steps: [Upgrade; 1] = [to_two];
    drop(Store::open_upgraded(&directory, &steps).unwrap());
    let error = Store::open_upgraded(&directory, &[]).err().unwrap();
    assert_eq!(error.code(), Code::Corrupt);
    assert!(error.to_string().contains("has version 2"), "{error}");
    assert!(error.hint_text().unwrap().contains("up to 1"), "{error:?}");
    drop(Store::open_upgraded(&directory, &steps).unwrap());
    drop(Store::open_unversioned(&directory).unwrap());
}
