//! Every damage that can be planted is found, and nothing is found where nothing is wrong.

use super::{files, small_batch};
use crate::cli::column;
use crate::support::quarry::Bench;
use quarry::model::{BatchId, Name};
use quarry::sink::{EdgeSink, VectorSink};
use quarry::store::{Op, PartitionState, Store};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn findings(bench: &Bench, words: &[&str]) -> Vec<Value> {
    let words = [&["admin", "verify", "--output", "json"], words].concat();
    let answer = bench.quarry(&words);
    let Value::Array(found) = answer.json() else { panic!("{}", answer.stdout) };
    assert_eq!(answer.code, i32::from(!found.is_empty()), "{}{}", answer.stdout, answer.stderr);
    found
}

/// Damages a data directory after a small batch; what is found then names `thing`.
#[track_caller]
fn check(words: &[&str], thing: &str, damage: impl Fn(&Path)) {
    let bench = Bench::new();
    small_batch(&bench);
    assert_eq!(findings(&bench, &["--deep"]), [] as [Value; 0]);
    damage(&bench.path("quarry-data"));
    let found = findings(&bench, words);
    let named = found.iter().any(|finding| {
        let text = |name: &str| finding[name].as_str().unwrap();
        let about = [text("thing"), text("problem")].iter().any(|text| text.contains(thing));
        about && !text("fix").is_empty()
    });
    assert!(named, "{thing} is not among {found:?}");
    // Nothing was mended by looking.
    assert_eq!(findings(&bench, words), found);
}

/// The only file below the data directory whose path has all of these words.
fn only(data: &Path, words: &[&str]) -> PathBuf {
    let fits = |name: &String| words.iter().all(|word| name.contains(word));
    let found: Vec<String> = files(data).into_keys().filter(fits).collect();
    assert_eq!(found.len(), 1, "{words:?}: {found:?}");
    data.join(&found[0])
}

fn commit(data: &Path, ops: impl Fn(&Store) -> Vec<Op>) {
    let store = Store::open(&data.join("state")).unwrap();
    store.commit(ops(&store)).unwrap();
}

fn put(key: &str, value: &[u8]) -> Op {
    Op::Put { key: key.to_string(), value: value.to_vec() }
}

#[test]
fn records_that_are_damaged_or_strange_are_found() {
    check(&[], "namespace/test", |data| commit(data, |_| vec![put("namespace/test", b"\x01xx")]));
    let flipped = |data: &Path| {
        commit(data, |store| {
            let found = store.entries().map(Result::unwrap);
            let (key, mut bytes) =
                found.into_iter().find(|(k, _)| k.starts_with("batch/")).unwrap();
            let last = bytes.len() - 1;
            bytes[last - 20] ^= 1;
            vec![put(&key, &bytes)]
        });
    };
    check(&[], "batch/btch_", flipped);
    check(&[], "nonsense/a", |data| commit(data, |_| vec![put("nonsense/a", b"")]));
    check(&[], "meta/version", |data| {
        commit(data, |_| vec![Op::Delete { key: "meta/version".to_string() }]);
    });
}

#[test]
fn objects_that_are_missing_are_found() {
    check(&[], "manifest.json", |data| {
        std::fs::remove_file(only(data, &["manifest.json"])).unwrap();
    });
    check(&[], "summary.json", |data| {
        std::fs::remove_file(only(data, &["summary.json"])).unwrap();
    });
    check(&[], "history-000.parquet", |data| {
        std::fs::remove_file(only(data, &["history-"])).unwrap();
    });
    check(&[], "tier-1/notes/part-", |data| {
        std::fs::remove_file(only(data, &["tier-1", "part-"])).unwrap();
    });
    check(&[], "batch/btch_", |data| {
        std::fs::rename(data.join("objects"), data.join("elsewhere")).unwrap();
    });
}

#[test]
fn extractors_that_are_missing_or_changed_are_found() {
    let one = |data: &Path| {
        let name = files(&data.join("extractors")).into_keys().next().unwrap();
        data.join("extractors").join(name)
    };
    check(&[], "extractors/", |data| std::fs::remove_file(one(data)).unwrap());
    check(&[], "extractors/", |data| {
        let mut wasm = std::fs::read(one(data)).unwrap();
        wasm[100] ^= 1;
        std::fs::write(one(data), wasm).unwrap();
    });
}

/// One that was set aside before it was queued has no objects and misses none.
#[test]
fn a_canceled_draft_is_in_order() {
    let bench = Bench::new();
    small_batch(&bench);
    commit(&bench.path("quarry-data"), |store| {
        let mut record = store.batches().unwrap().remove(0);
        record.id = BatchId::parse("btch_draft").unwrap();
        record.status = quarry::model::BatchStatus::Draft;
        (record.fence, record.history) = (0, None);
        vec![Store::put_batch(&record).unwrap()]
    });
    assert_eq!(findings(&bench, &["--deep"]), [] as [Value; 0]);
    bench.json(&["batch", "cancel", "btch_draft"]);
    assert_eq!(findings(&bench, &["--deep"]), [] as [Value; 0]);
}

#[test]
fn references_to_nothing_are_found() {
    let unknown = BatchId::parse("btch_unknown").unwrap();
    check(&[], "partition/btch_unknown", |data| {
        let key = quarry::store::PartitionKey::parse("000/00/00000").unwrap();
        let record = quarry::store::PartitionRecord {
            state: PartitionState::Leased { fence: 1, watch: None },
            attempts: 1,
            round: 0,
            timing: None,
        };
        commit(data, |_| vec![Store::put_partition(&unknown, &key, &record).unwrap()]);
    });
    let name = Name::parse("test").unwrap();
    check(&[], "namespace/test", |data| {
        commit(data, |store| {
            let mut record = store.namespace(&name).unwrap();
            record.collections.get_mut("notes").unwrap().batch = unknown.to_string();
            vec![Store::put_namespace(&name, &record).unwrap()]
        });
    });
    check(&[], "namespace/test", |data| {
        commit(data, |store| {
            let mut record = store.namespace(&name).unwrap();
            record.last_run = 0;
            vec![Store::put_namespace(&name, &record).unwrap()]
        });
    });
}

#[test]
fn rows_and_documents_that_are_missing_are_found_when_everything_is_read() {
    let part = |data: &Path| only(data, &["tier-1", "part-"]);
    check(&["--deep"], "part-", |data| {
        let mut bytes = std::fs::read(part(data)).unwrap();
        bytes.truncate(bytes.len() / 2);
        std::fs::write(part(data), bytes).unwrap();
    });
    check(&["--deep"], "part-", |data| {
        // A readable file with one row.
        let rows = arrow_array::RecordBatch::try_from_iter([("x", column(&["y"]))]).unwrap();
        let file = std::fs::File::create(part(data)).unwrap();
        let schema = rows.schema();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, schema, None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
    });
    check(&["--deep"], "edge: test/notes", |data| {
        let sink = EdgeSink::open(&data.join("vectors")).unwrap();
        let name = Name::parse("test").unwrap();
        let gone = sink.delete_stale(&name, "notes", &["a".to_string()], 9).unwrap();
        assert!(gone > 0);
        sink.flush(&name).unwrap();
    });
    check(&[], "batch/btch_", |data| {
        commit(data, |store| {
            let mut record = store.batches().unwrap().remove(0);
            record.collections[0].funnel.documents += 1;
            vec![Store::put_batch(&record).unwrap()]
        });
    });
}
