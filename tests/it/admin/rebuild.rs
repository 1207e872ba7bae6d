//! The state comes back from the object store. `./x torture rebuild` does it in the middle of
//! batches.

use super::{entries, files, small_batch};
use crate::support::quarry::Bench;
use quarry::model::BatchStatus;
use quarry::store::{Entry, PartitionKey, PartitionRecord, PartitionState, Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What can not be derived again: when extractors were registered, and what happened to a batch.
fn lasting(data: &Path) -> BTreeMap<String, Value> {
    let all = entries(data).into_iter().filter(|(key, _)| !key.starts_with("event/"));
    all.map(|(key, bytes)| {
        let mut value = Store::value(&key, &bytes).unwrap();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("registered_at");
        }
        (key, value)
    })
    .collect()
}

#[test]
fn a_finished_batch_comes_back_as_it_was() {
    let bench = Bench::new();
    small_batch(&bench);
    let data = bench.path("quarry-data");
    let before = lasting(&data);
    std::fs::remove_dir_all(data.join("state")).unwrap();
    let rebuilt = bench.json(&["admin", "rebuild"]);
    assert_eq!(lasting(&data), before);
    assert_eq!(rebuilt["batches"], 1);
    assert_eq!(rebuilt["unfinished"], 0);
    assert_eq!(rebuilt["skipped"], json!([]));
    assert_eq!(bench.json(&["admin", "verify", "--deep"]), json!([]));
}

#[test]
fn a_state_that_is_there_is_refused_or_set_aside() {
    let bench = Bench::new();
    small_batch(&bench);
    let data = bench.path("quarry-data");
    let before = lasting(&data);
    let refused = bench.quarry(&["admin", "rebuild"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    let rebuilt = bench.json(&["admin", "rebuild", "--force"]);
    let kept = Path::new(rebuilt["kept"][0].as_str().unwrap());
    assert!(kept.join("db").is_file(), "{}", kept.display());
    assert_eq!(lasting(&data), before);
    // A state that can not be opened.
    std::fs::write(data.join("state/db"), "rubbish").unwrap();
    bench.json(&["admin", "rebuild", "--force"]);
    assert_eq!(lasting(&data), before);
}

#[test]
fn drafts_and_components_that_lie_are_passed_over() {
    let bench = Bench::new();
    small_batch(&bench);
    let data = bench.path("quarry-data");
    let before = lasting(&data);
    let draft = data.join("objects/test/batches/btch_draft/tier-0/chunks");
    std::fs::create_dir_all(&draft).unwrap();
    std::fs::write(draft.join("rows-00-00000.parquet"), "half").unwrap();
    let extractors = files(&data.join("extractors"));
    let wasm = extractors.values().next().unwrap();
    std::fs::write(data.join(format!("extractors/{}.wasm", "0".repeat(64))), wasm).unwrap();
    std::fs::remove_dir_all(data.join("state")).unwrap();
    let rebuilt = bench.json(&["admin", "rebuild"]);
    let skipped = rebuilt["skipped"].to_string();
    assert!(skipped.contains("a draft that was never queued"), "{skipped}");
    assert!(skipped.contains("its SHA-256 is"), "{skipped}");
    assert_eq!(lasting(&data), before);
}

/// Of two builds that claim one version, the one that the last batch used is registered.
#[test]
fn of_two_builds_the_one_that_was_used_is_registered() {
    let bench = Bench::new();
    small_batch(&bench);
    let data = bench.path("quarry-data");
    let before = lasting(&data);
    for wasm in files(&data.join("extractors")).into_values() {
        // A custom section more: another component of the same name.
        let other = [&wasm[..], &[0, 2, 1, b'x']].concat();
        let digest = quarry::plugin::inspect(&other).unwrap().digest;
        std::fs::write(data.join(format!("extractors/{digest}.wasm")), other).unwrap();
    }
    std::fs::remove_dir_all(data.join("state")).unwrap();
    let rebuilt = bench.json(&["admin", "rebuild"]);
    assert_eq!(rebuilt["skipped"].as_array().unwrap().len(), 2, "{rebuilt}");
    assert_eq!(lasting(&data), before);
}

#[test]
fn a_damaged_manifest_ends_it_and_leaves_no_state() {
    let bench = Bench::new();
    small_batch(&bench);
    let data = bench.path("quarry-data");
    let manifest = batch_folder(&data).join("manifest.json");
    std::fs::write(&manifest, "{").unwrap();
    std::fs::remove_dir_all(data.join("state")).unwrap();
    let answer = bench.quarry(&["admin", "rebuild"]);
    assert_eq!(answer.code, 74);
    assert!(answer.stderr.contains("manifest.json can not be read"), "{}", answer.stderr);
    assert!(!data.join("state").exists());
}

fn batch_folder(data: &Path) -> PathBuf {
    let mut batches = std::fs::read_dir(data.join("objects/test/batches")).unwrap();
    batches.next().unwrap().unwrap().path()
}

/// A round that begins with what is to be done again: that and all below it is gone, unless the
/// round has committed it.
#[test]
fn rounds_apply_in_their_order() {
    let bench = Bench::new();
    small_batch(&bench);
    let data = bench.path("quarry-data");
    let folder = batch_folder(&data);
    let marker = |round: &str, key: &str| folder.join(format!("commits/{round}/{key}.json"));
    let (root, child) = ("000-00-00000", "001-00-00000.00000");
    assert!(marker("000", root).exists() && marker("000", child).exists());
    std::fs::create_dir(folder.join("commits/001")).unwrap();
    let redo = json!({ "round": 1, "keys": ["000/00/00000"] }).to_string();
    std::fs::write(folder.join("commits/001/redo.json"), redo).unwrap();
    let partitions = || {
        std::fs::remove_dir_all(data.join("state")).unwrap();
        bench.json(&["admin", "rebuild"]);
        let mut found: Vec<(PartitionKey, PartitionRecord)> = Vec::new();
        for (key, bytes) in entries(&data) {
            match Entry::parse(&key, &bytes).unwrap() {
                Entry::Partition(_, key, record) => found.push((key, record)),
                Entry::Batch(batch) => {
                    assert_eq!((batch.status, batch.round), (BatchStatus::Processing, 1));
                    assert_eq!((batch.history, batch.ended_at), (None, None));
                }
                _ => {}
            }
        }
        found
    };
    assert_eq!(partitions(), []);
    // The round commits the root again: it counts, with what it says; its child is still to do.
    let text = std::fs::read_to_string(marker("000", root)).unwrap();
    let mut again: Value = serde_json::from_str(&text).unwrap();
    (again["round"], again["attempts"]) = (1.into(), 5.into());
    std::fs::write(marker("001", root), again.to_string()).unwrap();
    let found = partitions();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, PartitionKey::parse("000/00/00000").unwrap());
    assert_eq!((found[0].1.round, found[0].1.attempts), (1, 5));
    assert!(matches!(found[0].1.state, PartitionState::Committed { .. }));
}

/// A canceled batch is not taken up again: neither one that was canceled between two runs, nor one
/// that was set aside by --force.
#[test]
fn a_canceled_batch_stays_canceled() {
    let bench = Bench::new();
    small_batch(&bench);
    let data = bench.path("quarry-data");
    let statuses = || -> Vec<String> {
        let batches = bench.json(&["batch", "list"]);
        let rows = batches.as_array().unwrap().iter();
        rows.map(|row| row["status"].as_str().unwrap().to_string()).collect()
    };
    // As if the process had died: the same batch, unfinished.
    let unfinish = || {
        let store = Store::open(&data.join("state")).unwrap();
        let mut record = store.batches().unwrap().pop().unwrap();
        (record.status, record.history, record.ended_at) = (BatchStatus::Processing, None, None);
        let folder = data.join(format!("objects/{}", quarry::engine::batch_folder(&record)));
        std::fs::remove_file(folder.join("summary.json")).unwrap();
        store.commit(vec![Store::put_batch(&record).unwrap()]).unwrap();
        record.id.to_string()
    };
    let first = unfinish();
    bench.json(&["batch", "cancel", &first]);
    bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    unfinish();
    bench.json(&["run", "p.toml", "--manifest", "m.parquet", "--force"]);
    let expected = ["CANCELED", "CANCELED", "COMPLETED"];
    assert_eq!(statuses(), expected);
    std::fs::remove_dir_all(data.join("state")).unwrap();
    assert_eq!(bench.json(&["admin", "rebuild"])["unfinished"], 0);
    assert_eq!(statuses(), expected);
    let again = bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    assert_eq!(again["changed"], false, "{again}");
}
