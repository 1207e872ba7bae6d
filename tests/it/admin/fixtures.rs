//! A state that version 1 wrote can be read and worked with for ever; tests/fixtures/README.md says
//! how it was made.

use super::{entries, settings};
use crate::support::quarry::root;
use quarry::app::App;
use quarry::engine::Stop;
use quarry::model::BatchStatus;
use quarry::store::{BatchRecord, Entry, Store};
use std::process::Command;
use std::sync::Arc;

/// A data directory with a finished batch and one that was killed with 7 of 8 partitions.
fn unpacked() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    tar.arg("xzf").arg(root().join("tests/fixtures/state-v1.tar.gz")).arg("-C").arg(folder.path());
    assert!(tar.status().unwrap().success());
    folder
}

fn unfinished(store: &Store) -> BatchRecord {
    let open = |batch: &BatchRecord| batch.status == BatchStatus::Processing;
    store.batches().unwrap().into_iter().find(open).unwrap()
}

/// What an undisturbed run of the unfinished batch made.
fn check_ended(record: &BatchRecord) {
    assert_eq!(record.status, BatchStatus::Completed, "{:?}", record.error);
    let made: Vec<(u64, u64)> =
        record.collections.iter().map(|c| (c.partitions, c.funnel.documents)).collect();
    assert_eq!(made, [(3, 5_000), (5, 10_000)]);
}

#[test]
fn every_record_of_version_1_can_be_read() {
    let folder = unpacked();
    let (mut batches, mut partitions, mut others) = (0, 0, 0);
    for (key, bytes) in entries(folder.path()) {
        match Entry::parse(&key, &bytes).unwrap() {
            Entry::Version(version) => assert_eq!(version, Store::version()),
            Entry::Batch(_) => batches += 1,
            Entry::Partition(..) => partitions += 1,
            Entry::Namespace(..) | Entry::Extractor(_) | Entry::Event(..) => others += 1,
            Entry::Catalog(_) => panic!("version 1 had none"),
        }
    }
    assert_eq!(batches, 2);
    assert!(partitions > 0 && others > 3, "{partitions} partitions, {others} others");
}

#[test]
fn a_batch_that_version_1_began_goes_on() {
    let folder = unpacked();
    let app = App::open(&settings(folder.path())).unwrap();
    let batch = unfinished(&app.engine.store).id;
    let ended = app.engine.run(&batch, &Arc::new(Stop::default()), &|_, _| ()).unwrap();
    check_ended(&ended);
}

#[test]
fn a_state_of_version_1_is_derived_again_from_its_objects() {
    let folder = unpacked();
    std::fs::remove_dir_all(folder.path().join("state")).unwrap();
    let rebuilt = super::home(folder.path()).rebuild(&quarry::admin::Rebuild::default()).unwrap();
    assert_eq!((rebuilt.batches, rebuilt.unfinished, rebuilt.partitions), (2, 1, 7));
    let verified = super::home(folder.path()).verify(true).unwrap();
    assert_eq!(verified.findings, []);
    let app = App::open(&settings(folder.path())).unwrap();
    let batch = unfinished(&app.engine.store).id;
    // Documents may carry runs that only the lost state knew of.
    let name = quarry::model::Name::parse("fixture").unwrap();
    assert!(app.engine.store.namespace(&name).unwrap().last_run > 1_000);
    check_ended(&app.engine.run(&batch, &Arc::new(Stop::default()), &|_, _| ()).unwrap());
}
