//! State records that were damaged or made by somebody else.

use quarry::error::Code;
use quarry::model::{BatchId, Funnel};
use quarry::store::{Op, PartitionId, PartitionKey, PartitionRecord, PartitionState, Store};

fn leased() -> PartitionRecord {
    let state = PartitionState::Leased { fence: 1, watch: None };
    PartitionRecord { state, attempts: 1, round: 0, timing: None }
}

#[test]
fn a_partition_under_a_key_that_nobody_would_ask_for_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let batch = BatchId::parse("btch_1").unwrap();
    let key = PartitionKey { collection: 0, source: 1, id: PartitionId(vec![7, 2]) };
    let Op::Put { key: name, value } = Store::put_partition(&batch, &key, &leased()).unwrap()
    else {
        panic!("not put");
    };
    assert_eq!(name, "partition/btch_1/000/01/00007.00002");
    store.commit(vec![Op::Put { key: name.clone(), value: value.clone() }]).unwrap();
    let found: Vec<_> = store.partitions(&batch).map(|entry| entry.unwrap()).collect();
    assert_eq!(found, [(key, leased())]);
    for odd in ["000/01/7.2", "0/1/00007.00002", "000/01/+0007.00002", "000/01/", "000/01/00007."] {
        let key = format!("partition/btch_1/{odd}");
        store.commit(vec![Op::Put { key: key.clone(), value: value.clone() }]).unwrap();
        let codes: Vec<_> =
            store.partitions(&batch).filter_map(|entry| Some(entry.err()?.code())).collect();
        assert_eq!(codes, [Code::Corrupt], "{odd}");
        store.commit(vec![Op::Delete { key }]).unwrap();
    }
}

#[test]
fn counts_beyond_all_numbers_do_not_balance() {
    let large = Funnel { filtered: u64::MAX, missing: 1, submitted: 1, ..Funnel::default() };
    assert!(!large.balances());
    let mut sum = Funnel { fetched: 3, submitted: 3, succeeded: 3, ..Funnel::default() };
    assert!(sum.balances());
    sum.add(&large);
    sum.add(&large);
    assert_eq!(sum.filtered, u64::MAX);
    assert!(!sum.balances());
}

/// As for a moment when another one takes its place.
#[test]
fn a_write_does_not_need_the_state_to_be_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("state")).unwrap();
    let store = store.with_free_bytes(|path| match path.ends_with("state") {
        true => Err(std::io::ErrorKind::NotFound.into()),
        false => Ok(u64::MAX),
    });
    let op = || vec![Op::Delete { key: "event/btch_1/000001".to_string() }];
    store.commit(op()).unwrap();
    let store = store.with_free_bytes(|_| Err(std::io::ErrorKind::NotFound.into()));
    assert_eq!(store.commit(op()).unwrap_err().code(), Code::Unavailable);
}
