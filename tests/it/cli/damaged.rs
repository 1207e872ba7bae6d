//! Vectors that do not open any more are written again from the parts.

use super::{PIPELINE, notes};
use crate::admin::copy;
use crate::support::api::Bed;
use crate::support::quarry::Bench;
use quarry::model::BatchId;
use std::fs;
use std::path::Path;

/// Leaves the file of each segment empty that says what is in it.
fn break_vectors(folder: &Path) -> usize {
    let mut broken = 0;
    for entry in fs::read_dir(folder.join("segments")).unwrap() {
        fs::write(entry.unwrap().path().join("segment.json"), "").unwrap();
        broken += 1;
    }
    broken
}

#[test]
fn vectors_that_do_not_open_are_written_again_with_all_batches_in_their_order() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    let (long, short) = ("one two three four five six seven eight nine ten", "one two three");
    notes(&bench, "first.parquet", &[("a", long), ("b", "a boat on a quiet lake at dawn")]);
    notes(&bench, "second.parquet", &[("a", short), ("c", "the quick brown fox")]);
    bench.json(&["run", "p.toml", "--manifest", "first.parquet"]);
    let second = ["run", "p.toml", "--manifest", "second.parquet"];
    bench.json(&second);
    let list = ["documents", "list", "notes", "--limit", "100"];
    let expected = bench.json(&list);
    // Two pieces of `b`, one of `a` in its second form, one of `c`.
    assert_eq!(expected.as_array().unwrap().len(), 4, "{expected}");
    let vectors = bench.path("quarry-data/vectors");
    assert!(break_vectors(&vectors.join("test")) > 0);
    let broken = bench.quarry(&list);
    assert_ne!(broken.code, 0, "{}", broken.stdout);
    assert!(broken.stderr.contains("writes them again from the parts"), "{}", broken.stderr);
    assert_eq!(bench.json(&second)["changed"], false);
    assert_eq!(bench.json(&list), expected);
    assert!(!vectors.join(".damaged-test").exists());
}

#[test]
fn vectors_that_open_and_can_not_be_written_are_written_again() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    notes(&bench, "first.parquet", &[("a", "one two three"), ("b", "four five six")]);
    notes(&bench, "second.parquet", &[("c", "seven eight")]);
    bench.json(&["run", "p.toml", "--manifest", "first.parquet"]);
    let (data, before) = (bench.path("quarry-data"), bench.path("before"));
    fs::rename(&data, &before).unwrap();
    for torn in ["payload_storage/page_0.dat", "vector_storage-embedding/vectors/chunk_0.mmap"] {
        let _ = fs::remove_dir_all(&data);
        copy(&before, &data);
        let mut segments = fs::read_dir(data.join("vectors/test/segments")).unwrap();
        fs::write(segments.next().unwrap().unwrap().path().join(torn), "").unwrap();
        // Without patience the first failure is the last.
        let run = ["run", "p.toml", "--manifest", "second.parquet", "--patience", "0"];
        let ran = bench.json(&run);
        assert_eq!(ran["batch"]["status"], "COMPLETED", "{torn}: {ran}");
        let documents = bench.json(&["documents", "list", "notes", "--limit", "100"]);
        assert_eq!(documents.as_array().unwrap().len(), 3, "{torn}: {documents}");
    }
}

#[test]
fn a_restoration_that_was_cut_off_begins_anew() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    notes(&bench, "m.parquet", &[("a", "one two three four five six"), ("b", "seven eight")]);
    let run = ["run", "p.toml", "--manifest", "m.parquet"];
    bench.json(&run);
    let list = ["documents", "list", "notes", "--limit", "100"];
    let expected = bench.json(&list);
    let vectors = bench.path("quarry-data/vectors");
    // As after a power cut in the middle: the old ones are put aside, the new ones half written.
    fs::create_dir(vectors.join(".damaged-test")).unwrap();
    assert!(break_vectors(&vectors.join("test")) > 0);
    bench.json(&run);
    assert_eq!(bench.json(&list), expected);
    assert!(!vectors.join(".damaged-test").exists());
}

#[test]
fn documents_that_were_deleted_with_their_batch_do_not_come_back() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    notes(&bench, "first.parquet", &[("a", "one two three"), ("b", "four five six")]);
    notes(&bench, "second.parquet", &[("a", "seven eight"), ("c", "the quick brown fox")]);
    notes(&bench, "third.parquet", &[("d", "a blue lake")]);
    let run = |name: &str| bench.json(&["run", "p.toml", "--manifest", name]);
    run("first.parquet");
    let second = run("second.parquet");
    let list = ["documents", "list", "notes", "--limit", "100"];
    let all = bench.json(&list);
    {
        let bed = Bed::over(&bench.path("quarry-data"));
        let id = BatchId::parse(second["batch"]["id"].as_str().unwrap()).unwrap();
        let record = bed.app.engine.store.batch(&id).unwrap();
        let (_, deleted) = bed.app.engine.discard_ended(record).unwrap();
        assert_eq!(deleted, 2, "one of `a` and one of `c`");
    }
    run("third.parquet");
    let expected = bench.json(&list);
    assert_eq!(expected.as_array().unwrap().len(), 2, "one of `b` and one of `d`: {expected}");
    assert!(break_vectors(&bench.path("quarry-data/vectors/test")) > 0);
    assert_eq!(run("third.parquet")["changed"], false);
    assert_eq!(bench.json(&list), expected);
    // The batch can still be run again, and so can its manifest.
    let id = second["batch"]["id"].as_str().unwrap();
    bench.json(&["batch", "resubmit", id, "--from-tier", "0"]);
    assert_eq!(bench.json(&list).as_array().unwrap().len(), all.as_array().unwrap().len() + 1);
}
