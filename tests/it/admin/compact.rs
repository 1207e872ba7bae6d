//! Compacting loses nothing, wherever it is cut off.

use super::{copy, entries, home, small_batch};
use crate::cli::space::Disk;
use crate::support::api::Bed;
use crate::support::quarry::Bench;
use quarry::model::Name;
use quarry::store::{NamespaceRecord, Op, Store};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const ROUNDS: u64 = 40;
const RECORDS: u64 = 1000;

fn name(number: u64) -> Name {
    Name::parse(&format!("space-{number:04}")).unwrap()
}

fn round(last_run: u64) -> Vec<Op> {
    let record = NamespaceRecord { last_run, ..NamespaceRecord::default() };
    (0..RECORDS).map(|number| Store::put_namespace(&name(number), &record).unwrap()).collect()
}

/// A state that was written over many times. Each round is flushed: posts would gather in memory,
/// and how many of them reach the disk would depend on the speed of the machine.
fn worn(data: &Path) {
    let store = Store::open(&data.join("state")).unwrap();
    for last_run in 0..ROUNDS {
        store.commit(round(last_run)).unwrap();
    }
}

fn file_bytes(data: &Path) -> u64 {
    std::fs::metadata(data.join("state/db")).unwrap().len()
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

/// Readers find every record at every moment, and never an older one than before.
#[test]
fn a_state_in_use_is_compacted_by_itself() {
    let temporary = tempfile::tempdir().unwrap();
    let (left, compacted) = (temporary.path().join("left"), temporary.path().join("compacted"));
    worn(&left);
    let store = Store::open_compacting(&compacted.join("state"), 0).unwrap();
    store.commit(round(0)).unwrap();
    let written = AtomicU64::new(0);
    let looks = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for last_run in 1..ROUNDS {
                store.commit(round(last_run)).unwrap();
                written.store(last_run, Ordering::SeqCst);
            }
        });
        let mut looks = 0;
        while !writer.is_finished() {
            let least = written.load(Ordering::SeqCst);
            let found = store.namespaces().unwrap();
            assert_eq!(found.len() as u64, RECORDS);
            assert!(found.iter().all(|(_, record)| record.last_run >= least));
            looks += 1;
        }
        looks
    });
    drop(store);
    let (before, after) = (file_bytes(&left), file_bytes(&compacted));
    println!("{looks} looks; {before} bytes without compacting, {after} with it");
    assert!(after * 2 < before, "{before} bytes without compacting, {after} with it");
    assert_eq!(entries(&compacted), entries(&left));
    let names: Vec<_> = std::fs::read_dir(&compacted).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn who_reads_a_state_when_it_is_compacted_reads_to_the_end() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path();
    worn(data);
    let before = file_bytes(data);
    let store = Store::open_compacting(&data.join("state"), 0).unwrap();
    let mut reading = store.entries();
    let first = reading.next().unwrap().unwrap();
    store.commit(round(ROUNDS)).unwrap();
    // Waits for the compaction after that one.
    store.settle().unwrap();
    let after = store.file_bytes().unwrap();
    assert!(after * 2 < before, "{after} bytes, {before} before");
    let keys: Vec<_> = std::iter::once(first).chain(reading.map(Result::unwrap)).collect();
    assert_eq!(keys.len() as u64, RECORDS + 1, "the version, too");
    assert!(store.namespaces().unwrap().iter().all(|(_, record)| record.last_run == ROUNDS));
}

/// By a counter of the whole process: what other tests compact counts, too.
#[test]
fn compactions_are_counted() {
    let bed = Bed::new();
    let counted = || {
        let metrics = String::from_utf8(bed.get("/metrics").body).unwrap();
        let line =
            metrics.lines().find_map(|it| it.strip_prefix("quarry_state_compactions_total "));
        line.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    let temporary = tempfile::tempdir().unwrap();
    worn(temporary.path());
    let before = counted();
    let store = Store::open_compacting(&temporary.path().join("state"), 0).unwrap();
    store.commit(round(ROUNDS)).unwrap();
    store.settle().unwrap();
    assert!(counted() > before);
}

#[test]
fn a_state_that_can_not_be_compacted_stays_in_use() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path();
    worn(data);
    let key = "namespace/bad".to_string();
    let store = Store::open(&data.join("state")).unwrap();
    store.commit(vec![Op::Put { key, value: vec![1, 0, 0, 0, 0, b'{'] }]).unwrap();
    drop(store);
    let before = file_bytes(data);
    let store = Store::open_compacting(&data.join("state"), 0).unwrap();
    store.commit(round(ROUNDS)).unwrap();
    store.settle().unwrap();
    assert!(store.file_bytes().unwrap() * 2 > before, "compacted with a damaged record");
    assert_eq!(store.poison(), None);
    assert_eq!(store.namespace(&name(7)).unwrap().last_run, ROUNDS);
    drop(store);
    assert!(entries(data).contains_key("namespace/bad"));
    let names: Vec<_> = std::fs::read_dir(data).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

/// A mount point can not be renamed.
#[test]
fn a_state_that_can_not_change_places_stays_in_use() {
    let bench = Bench::new();
    let Some(disk) = Disk::mount(&bench, 64) else { return };
    let store = Store::open_compacting(&disk.mount, 0).unwrap();
    for last_run in 0..ROUNDS {
        store.commit(round(last_run)).unwrap();
    }
    store.settle().unwrap();
    assert_eq!(store.poison(), None);
    drop(store);
    let store = Store::open(&disk.mount).unwrap();
    assert!(store.namespaces().unwrap().iter().all(|(_, record)| record.last_run == ROUNDS - 1));
    let left: Vec<_> = std::fs::read_dir(bench.path("")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
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
