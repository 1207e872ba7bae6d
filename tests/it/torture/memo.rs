//! What is taken from an earlier batch, and what is not, in a world where every call is seen.

use super::figure;
use super::kinds::again;
use super::kinds::world::World;
use super::kinds::world::faults::{GUEST, Plan};
use quarry::engine::Submitted;
use quarry::model::{LINEAGE_FIELD, Name};
use quarry::store::BatchRecord;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::Ordering;

type Rows = Vec<(String, String)>;

fn rows(count: u64) -> Rows {
    let text = |row: u64| (0..3 + row % 3).map(|word| format!("w{row}x{word}")).collect::<Vec<_>>();
    (0..count).map(|row| (format!("o{row:02}"), text(row).join(" "))).collect()
}

/// A batch over these rows, and which effects it had.
fn run(world: &World, rows: &Rows) -> (BatchRecord, Vec<&'static str>) {
    let manifest = world.manifest("notes", rows).unwrap();
    let engine = world.open(Plan::Calm).unwrap();
    let Submitted::Ready(id) = world.submit(&engine, &manifest, true, false).unwrap() else {
        panic!("a forced run is a run");
    };
    let record = world.run(&engine, &id).unwrap();
    let sites = world.faults.sites();
    world.close(engine);
    (record, sites)
}

fn sum(record: &BatchRecord, of: fn(&quarry::model::Funnel) -> u64) -> u64 {
    record.collections.iter().map(|collection| of(&collection.funnel)).sum()
}

/// Without what says which batch wrote them.
fn documents(world: &World) -> BTreeSet<String> {
    let shown = |mut document: quarry::model::Document| {
        if let Some(lineage) = document.payload[LINEAGE_FIELD].as_object_mut() {
            ["batch", "run"].iter().for_each(|field| drop(lineage.remove(*field)));
        }
        let payload = serde_json::Value::Object(document.payload);
        format!("{} {payload} {:?}", document.id, document.vectors)
    };
    world.sink.documents().into_iter().map(shown).collect()
}

/// What a run over these rows alone makes.
fn fresh(folder: &Path, rows: &Rows) -> BTreeSet<String> {
    let world = World::new(folder).unwrap();
    run(&world, rows);
    documents(&world)
}

fn count(sites: &[&str], wanted: &str) -> usize {
    sites.iter().filter(|site| **site == wanted).count()
}

#[test]
fn the_same_rows_again_cost_no_call_of_a_guest_and_no_write_to_the_sink() {
    let work = tempfile::tempdir().unwrap();
    let world = World::new(work.path()).unwrap();
    let (first, _) = run(&world, &rows(10));
    let before = documents(&world);
    let (second, sites) = run(&world, &rows(10));
    assert!(second.kept_in_place);
    assert_eq!((count(&sites, GUEST), count(&sites, "upsert")), (0, 0), "{sites:?}");
    assert_eq!(sum(&second, |funnel| funnel.succeeded), 0);
    assert_eq!(sum(&second, |funnel| funnel.skipped), sum(&first, |funnel| funnel.succeeded));
    assert_eq!(sum(&second, |funnel| funnel.documents), sum(&first, |funnel| funnel.documents));
    assert_eq!(documents(&world), before);
    // A third one takes them from the second, which wrote none of them.
    let (third, sites) = run(&world, &rows(10));
    assert!(third.kept_in_place);
    assert_eq!((count(&sites, GUEST), count(&sites, "upsert")), (0, 0), "{sites:?}");
}

#[test]
fn the_artifacts_of_the_very_same_manifest_are_taken() {
    let work = tempfile::tempdir().unwrap();
    let world = World::new(work.path()).unwrap();
    world.old_manifests.store(true, Ordering::Relaxed);
    let (first, sites) = run(&world, &rows(10));
    let before = documents(&world);
    assert_eq!(count(&sites, "put artifact"), 4);
    let (second, sites) = run(&world, &rows(10));
    assert_eq!(second.fingerprint, first.fingerprint);
    for effect in ["put artifact", "get artifact", GUEST, "upsert"] {
        assert_eq!(count(&sites, effect), 0, "{effect}: {sites:?}");
    }
    assert_eq!(sum(&second, |funnel| funnel.skipped), sum(&first, |funnel| funnel.succeeded));
    assert_eq!(documents(&world), before);
    // Another manifest and what is told to take nothing are read.
    let mut other = rows(10);
    other[0].1.push_str(" more");
    let (third, sites) = run(&world, &other);
    assert_eq!((count(&sites, "put artifact"), third.collections[0].funnel.succeeded), (4, 1));
    world.memo.store(false, Ordering::Relaxed);
    let (_, sites) = run(&world, &other);
    assert_eq!(count(&sites, "put artifact"), 4);
    // One that was written when it was read may have been written once more in that moment.
    world.memo.store(true, Ordering::Relaxed);
    world.old_manifests.store(false, Ordering::Relaxed);
    let manifest = world.manifest("notes", &other).unwrap();
    for _ in 0..2 {
        let engine = world.open(Plan::Calm).unwrap();
        let submitted = world.submit(&engine, &manifest, true, false).unwrap();
        assert!(matches!(submitted, Submitted::Ready(id) if world.run(&engine, &id).is_ok()));
        assert_eq!(count(&world.faults.sites(), "put artifact"), 4);
        world.close(engine);
    }
}

#[test]
fn without_memo_everything_is_extracted_again() {
    let work = tempfile::tempdir().unwrap();
    let world = World::new(work.path()).unwrap();
    let (first, before) = run(&world, &rows(10));
    world.memo.store(false, Ordering::Relaxed);
    let (second, sites) = run(&world, &rows(10));
    assert_eq!(count(&sites, GUEST), count(&before, GUEST));
    assert_eq!(second.collections[0].funnel, first.collections[0].funnel);
}

#[test]
fn what_varies_is_extracted_again() {
    let work = tempfile::tempdir().unwrap();
    let world = World::new(work.path()).unwrap();
    world.deterministic.store(false, Ordering::Relaxed);
    let (first, before) = run(&world, &rows(10));
    let (second, sites) = run(&world, &rows(10));
    assert_eq!(count(&sites, GUEST), count(&before, GUEST));
    assert_eq!(second.collections[0].funnel, first.collections[0].funnel);
}

#[test]
fn a_changed_row_is_extracted_with_what_descends_from_it_and_nothing_else() {
    let work = tempfile::tempdir().unwrap();
    let world = World::new(work.path()).unwrap();
    run(&world, &rows(10));
    let mut changed = rows(10);
    changed[4].1 = "quite another text".to_string();
    let (record, _) = run(&world, &changed);
    let extracted: Vec<u64> = record.collections.iter().map(|c| c.funnel.succeeded).collect();
    // Two pieces, each again in two on the left and whole on the right; joined reads both.
    assert_eq!(extracted, [1, 2, 2, 5], "{record:?}");
    assert_eq!(documents(&world), fresh(&work.path().join("fresh"), &changed));
}

#[test]
fn rows_that_moved_are_found_where_they_were() {
    let work = tempfile::tempdir().unwrap();
    let world = World::new(work.path()).unwrap();
    run(&world, &rows(20));
    let mut moved = rows(20);
    for row in 0..7 {
        moved.insert(0, (format!("new{row}"), format!("a text of its own {row}")));
    }
    moved.remove(15);
    let (record, _) = run(&world, &moved);
    assert_eq!(record.collections[0].funnel.succeeded, 7, "{record:?}");
    assert_eq!(record.collections[0].funnel.skipped, 19);
    let gone = rows(20)[8].0.clone();
    let left: BTreeSet<String> =
        documents(&world).into_iter().filter(|it| !it.contains(&format!("\"{gone}\""))).collect();
    assert_eq!(left, fresh(&work.path().join("fresh"), &moved));
}

#[test]
fn rows_that_failed_are_tried_again_and_their_neighbours_are_not() {
    let work = tempfile::tempdir().unwrap();
    let world = World::new(work.path()).unwrap();
    let mut flaky = rows(10);
    flaky[4].1 = "flaky for now".to_string();
    let (first, _) = run(&world, &flaky);
    assert_eq!(first.status.as_str(), "COMPLETED_WITH_ERRORS");
    world.heal();
    let (second, _) = run(&world, &flaky);
    assert_eq!(second.status.as_str(), "COMPLETED");
    assert_eq!(second.collections[0].funnel.succeeded, 1);
    let healed = World::new(&work.path().join("fresh")).unwrap();
    healed.heal();
    run(&healed, &flaky);
    assert_eq!(documents(&world), documents(&healed));
}

#[test]
fn documents_that_somebody_deleted_or_another_batch_wrote_over_are_written_again() {
    let work = tempfile::tempdir().unwrap();
    let world = World::new(work.path()).unwrap();
    run(&world, &rows(10));
    let expected = documents(&world);
    let namespace = Name::parse("world").unwrap();
    // The sink has lost some and nobody knows.
    let engine = world.open(Plan::Calm).unwrap();
    let sink = engine.sink.clone().unwrap();
    let lost: Vec<_> = world.sink.documents().into_iter().map(|it| it.id).take(9).collect();
    sink.delete(&namespace, &lost).unwrap();
    sink.flush(&namespace).unwrap();
    world.close(engine);
    let (record, sites) = run(&world, &rows(10));
    assert!(!record.kept_in_place);
    assert_eq!(count(&sites, GUEST), 0);
    assert_eq!(documents(&world), expected);
    // A user has changed some.
    let engine = world.open(Plan::Calm).unwrap();
    engine.disturb(&namespace).unwrap();
    world.close(engine);
    let (record, sites) = run(&world, &rows(10));
    assert!(!record.kept_in_place && count(&sites, GUEST) == 0);
    assert_eq!(documents(&world), expected);
    let (record, _) = run(&world, &rows(10));
    assert!(record.kept_in_place);
    // Other texts under the same ids, and back.
    let mut other = rows(10);
    other.iter_mut().for_each(|row| row.1.push_str(" and more"));
    run(&world, &other);
    let (record, _) = run(&world, &rows(10));
    assert_eq!(record.collections[0].funnel.skipped, 0);
    assert_eq!(documents(&world), expected);
}

#[test]
fn a_second_run_ends_alike_wherever_its_process_dies() {
    println!("{}", figure(again::run, &[("step", 7)]));
}
