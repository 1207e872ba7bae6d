//! Processes that die, for real and as they leave the state behind.

use super::figure;
use super::kinds::batch::{Batch, PIPELINE, settings};
use super::kinds::kill;
use crate::support::quarry::components;
use quarry::app::App;
use quarry::config::Pipeline;
use quarry::engine::{Stop, Submission, Submitted};
use quarry::model::BatchId;
use quarry::store::{
    BatchRecord, PartitionId, PartitionKey, PartitionRecord, PartitionState, Store,
};
use std::path::Path;
use std::sync::Arc;

#[test]
fn killed_in_every_step_a_batch_ends_with_the_same_documents() {
    println!("{}", figure(kill::run, &[("kills", 14), ("objects", 200), ("seed", 1)]));
}

#[test]
fn no_row_is_blamed_for_hosts_that_die_while_they_write_its_part() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(kill::failed_after_deaths_in_parts(folder.path(), 7).unwrap(), 0);
}

/// Begins a batch of so many notes in a data directory of its own, without a sink.
fn begun(folder: &Path, objects: u64) -> (App, BatchId) {
    let batch = Batch::write(&folder.join("batch"), objects).unwrap();
    let mut settings = settings(&folder.join("data"), "none", 1);
    settings.extractors = vec![components("QUARRY_EXTRACTORS", "extractors")];
    let app = App::open(&settings).unwrap();
    let submission = Submission {
        pipeline: &Pipeline::parse(PIPELINE).unwrap(),
        name: "torture",
        manifests: &[(None, batch.manifest().to_str().unwrap().to_string())],
        force: false,
        resume: false,
        memo: true,
    };
    let submitted = app.engine.submit(&submission, &|_| ()).unwrap();
    let Submitted::Ready(id) = submitted else { panic!("nothing ran before") };
    (app, id)
}

/// Leaves what so many claims leave that were killed in one and the same partition, and runs on.
fn run_after_deaths(app: &App, id: &BatchId, key: &PartitionKey, deaths: u32) -> BatchRecord {
    let state = PartitionState::Leased { fence: deaths.into(), watch: None };
    let lease = PartitionRecord { state, attempts: deaths, round: 0, timing: None };
    app.engine.store.commit(vec![Store::put_partition(id, key, &lease).unwrap()]).unwrap();
    app.engine.run(id, &Arc::new(Stop::default()), &|_, _| ()).unwrap()
}

#[test]
fn a_partition_that_was_begun_by_several_claims_counts_once_for_each() {
    let folder = tempfile::tempdir().unwrap();
    let (app, id) = begun(folder.path(), 10);
    let key = PartitionKey { collection: 0, source: 0, id: PartitionId::root(0) };
    let record = run_after_deaths(&app, &id, &key, 3);
    assert_eq!(record.repeated_partitions, 3);
    let mut attempts = Vec::new();
    let visit = &mut |_, partition: PartitionRecord| {
        attempts.push(partition.attempts);
        Ok(true)
    };
    app.engine.partitions(&record, visit).unwrap();
    assert_eq!(attempts, [4, 1, 1, 1]);
}

#[test]
fn the_tier_below_a_partition_that_runs_row_by_row_is_cut_as_always() {
    let folder = tempfile::tempdir().unwrap();
    let (app, id) = begun(folder.path(), 220);
    // The third tier: some 900 rows, which is one partition of the fourth.
    let id_below = PartitionId::root(0).child(0).child(0);
    let key = PartitionKey { collection: 2, source: 0, id: id_below };
    let record = run_after_deaths(&app, &id, &key, 3);
    let funnels = record.collections.iter().map(|c| (c.partitions, c.funnel.documents));
    let documents = record.collections[1].funnel.documents;
    assert!((900..1_024).contains(&documents), "{documents} rows do not fill one partition");
    assert_eq!(funnels.skip(2).collect::<Vec<_>>(), [(1, documents), (1, documents)]);
}
