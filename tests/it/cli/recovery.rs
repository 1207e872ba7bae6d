//! Killed in the middle, resumed, the same documents.

use crate::bench::generate::{ROWS_PER_FILE, SEED, generate};
use crate::support::quarry::Bench;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

const PIPELINE: &str = include_str!("../../bench/pipeline.toml");

/// Parts of the second tier that are in the object store.
fn parts(data: &Path) -> usize {
    let Ok(batches) = std::fs::read_dir(data.join("objects/bench/batches")) else { return 0 };
    let folders = batches.flatten().map(|batch| batch.path().join("tier-1/embed"));
    folders.filter_map(|folder| std::fs::read_dir(folder).ok()).map(Iterator::count).sum()
}

#[test]
fn a_run_that_is_killed_goes_on_with_the_same_documents() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    generate(&bench.path("m"), 3_000, SEED, ROWS_PER_FILE).unwrap();
    bench.json(&["run", "p.toml", "--manifest", "m", "--data-dir", "calm"]);
    let words = ["documents", "list", "embed", "--limit", "10000", "--data-dir", "calm"];
    let expected = bench.json(&words);
    let run = ["run", "p.toml", "--manifest", "m"];
    let mut killed = 0;
    // Kills after the first part, after the fourth and after the eighth.
    for wanted in [1, 4, 8] {
        let resume: &[&str] = if killed == 0 { &[] } else { &["--resume"] };
        let mut child = bench
            .command(&[&run[..], resume].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let data = bench.path("quarry-data");
        while parts(&data) < wanted && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            killed += 1;
        }
        child.wait().unwrap();
    }
    assert!(killed > 0, "the run was too fast to be killed");
    let unfinished = bench.quarry(&run);
    assert_eq!(unfinished.code, 1, "{}", unfinished.stderr);
    assert!(unfinished.stderr.contains("--resume"), "{}", unfinished.stderr);
    let summary = bench.json(&["run", "p.toml", "--manifest", "m", "--resume"]);
    assert_eq!(summary["batch"]["status"], "COMPLETED");
    let repeated = summary["batch"]["repeated_partitions"].as_u64().unwrap();
    let workers = std::thread::available_parallelism().unwrap().get() as u64;
    println!("{killed} kills, {repeated} partitions repeated");
    assert!(repeated <= killed * workers, "{repeated} repeated in {killed} kills");
    let words = ["documents", "list", "embed", "--limit", "10000"];
    let strip = |mut documents: Value| {
        for document in documents.as_array_mut().unwrap() {
            document["lineage"].as_object_mut().unwrap().remove("batch").unwrap();
        }
        documents
    };
    assert!(strip(bench.json(&words)) == strip(expected), "the documents differ");
}

#[test]
fn an_interrupt_drains_and_leaves_a_batch_that_goes_on() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    generate(&bench.path("m"), 3_000, SEED, ROWS_PER_FILE).unwrap();
    let run = ["run", "p.toml", "--manifest", "m", "--sink", "none"];
    let mut child = bench.command(&run).stdout(Stdio::null()).spawn().unwrap();
    let data = bench.path("quarry-data");
    while parts(&data) == 0 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success(), "the run had ended before it could be interrupted");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let batches = bench.json(&["batch", "list"]);
    assert_eq!(batches[0]["status"], "PROCESSING");
    let summary = bench.json(&[&run[..], &["--resume"]].concat());
    assert_eq!(summary["batch"]["status"], "COMPLETED");
    // Drained: what was begun was committed, so nothing is done twice.
    assert_eq!(summary["batch"]["repeated_partitions"], 0);
}

#[test]
fn a_canceled_batch_stays_canceled() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    generate(&bench.path("m"), 3_000, SEED, ROWS_PER_FILE).unwrap();
    let run = ["run", "p.toml", "--manifest", "m", "--sink", "none"];
    let mut child = bench.command(&run).stdout(Stdio::null()).spawn().unwrap();
    let data = bench.path("quarry-data");
    while parts(&data) == 0 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let batches = bench.json(&["batch", "list"]);
    let id = batches[0]["id"].as_str().unwrap();
    assert_eq!(bench.json(&["batch", "cancel", id])["status"], "CANCELED");
    assert_eq!(bench.quarry(&["batch", "cancel", id]).code, 1);
    assert_eq!(bench.quarry(&[&run[..], &["--resume"]].concat()).code, 4);
}
