//! Small forms of `./x torture`; the full ones take minutes to hours.

#[path = "../torture/mod.rs"]
#[allow(dead_code)]
pub(crate) mod kinds;

mod fuzz;
mod hostile;
mod kill;
mod memo;
mod planted;
mod power;
mod soak;

use kinds::world::World;
use kinds::world::faults::{Failure, Plan};
use kinds::world::guest::KILLER;
use kinds::{Torture, effects, faulty, rebuild, sim, webhooks};
use quarry::engine::{Stop, Submitted};
use quarry::error::Code;
use quarry::model::{BatchId, BatchStatus};
use std::sync::Arc;

fn figure(run: fn(&Torture) -> anyhow::Result<String>, numbers: &[(&str, u64)]) -> String {
    let work = tempfile::tempdir().unwrap();
    run(&Torture::new(work.path().to_path_buf(), numbers)).unwrap()
}

#[test]
fn a_process_that_dies_at_any_effect_ends_where_an_undisturbed_one_does() {
    println!("{}", figure(effects::run, &[("step", 23)]));
}

#[test]
fn whatever_fails_costs_time_or_gives_an_error_and_never_a_document() {
    println!("{}", figure(faulty::run, &[("step", 41)]));
}

#[test]
fn whatever_happens_in_whatever_order_nothing_is_lost_or_doubled() {
    println!("{}", figure(sim::run, &[("seeds", 12)]));
}

/// Its documents may be gone already when it dies.
#[test]
fn a_batch_that_dies_while_it_is_discarded_goes_on_with_all_its_documents() {
    let rows: Vec<_> = (0..8).map(|row| (format!("o{row}"), format!("{row} good"))).collect();
    let run = |plan: Plan, cancel: Option<u64>| {
        let work = tempfile::tempdir().unwrap();
        let world = World::new(work.path()).unwrap();
        let manifest = world.manifest("notes", &rows).unwrap();
        let engine = world.open(Plan::Calm).unwrap();
        let Submitted::Ready(id) = world.submit(&engine, &manifest, false, false).unwrap() else {
            panic!("nothing was there to be unchanged");
        };
        world.close(engine);
        let engine = world.open(plan).unwrap();
        let stop = Arc::new(Stop::default());
        if let Some(effects) = cancel {
            let stop = stop.clone();
            world.faults.after(effects, move || stop.cancel_and_discard());
        }
        let _ = world.run_until(&engine, &id, &stop);
        let deleted = world.faults.sites().contains(&"delete batch");
        world.close(engine);
        let engine = world.open(Plan::Calm).unwrap();
        let goes_on = !engine.store.batch(&id).unwrap().status.is_terminal();
        if goes_on {
            world.run(&engine, &id).unwrap();
        }
        world.close(engine);
        (deleted && goes_on, format!("{:?}", world.sink.documents()))
    };
    let (_, undisturbed) = run(Plan::Calm, None);
    let mut taken_up = 0;
    for effect in 85..125 {
        let (was_deleted, documents) = run(Plan::Crash { effect, after: true }, Some(84));
        if was_deleted {
            assert_eq!(documents, undisturbed, "after effect {effect}");
            taken_up += 1;
        }
    }
    assert!(taken_up > 3, "{taken_up} died between the deletion and the end");
}

fn submitted(world: &World, name: &str) -> BatchId {
    let rows: Vec<_> = (0..8).map(|row| (format!("{name}{row}"), format!("{row} good"))).collect();
    let manifest = world.manifest(name, &rows).unwrap();
    let engine = world.open(Plan::Calm).unwrap();
    let submitted = world.submit(&engine, &manifest, false, false).unwrap();
    world.close(engine);
    let Submitted::Ready(id) = submitted else { panic!("there is no such batch yet") };
    id
}

/// The effect of a calm run of the last of these batches at which the site is reached first.
fn effect_of(site: &str, names: &[&str]) -> u64 {
    let work = tempfile::tempdir().unwrap();
    let world = World::new(work.path()).unwrap();
    for name in names {
        let id = submitted(&world, name);
        let engine = world.open(Plan::Calm).unwrap();
        world.run(&engine, &id).unwrap();
        world.close(engine);
    }
    world.faults.sites().iter().position(|reached| *reached == site).unwrap() as u64 + 1
}

#[test]
fn a_batch_that_is_canceled_while_it_waits_for_its_sink_is_canceled() {
    for site in ["prepare", "upsert", "flush", "delete stale"] {
        let work = tempfile::tempdir().unwrap();
        let world = World::new(work.path()).unwrap();
        let early = submitted(&world, "early");
        let engine = world.open(Plan::Calm).unwrap();
        world.run(&engine, &early).unwrap();
        world.close(engine);
        let (id, effect) = (submitted(&world, "o"), effect_of(site, &["early", "o"]));
        let engine = world.open(Plan::Fail { effect, failure: Failure::Full }).unwrap();
        let stop = Arc::new(Stop::default());
        let asked = stop.clone();
        let begun = world.faults.sites().len() as u64;
        world.faults.after(effect + 5 - begun, move || asked.cancel());
        let record = world.run_until(&engine, &id, &stop).unwrap();
        assert_eq!(record.status, BatchStatus::Canceled, "{site}");
        assert!(world.faults.tries() > 1, "{site}: it did not wait");
        let events = engine.store.events(&id).unwrap();
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["claimed", "parked", "ended"], "{site}");
        world.close(engine);
    }
}

#[test]
fn what_a_batch_wrote_before_another_one_goes_with_it() {
    let work = tempfile::tempdir().unwrap();
    let world = World::new(work.path()).unwrap();
    let (first, second) = (submitted(&world, "a"), submitted(&world, "b"));
    let written = effect_of("upsert", &["a"]);
    let engine = world.open(Plan::Calm).unwrap();
    let stop = Arc::new(Stop::default());
    let asked = stop.clone();
    let begun = world.faults.sites().len() as u64;
    world.faults.after(written - begun, move || asked.drain());
    assert_eq!(world.run_until(&engine, &first, &stop).unwrap_err().code(), Code::Interrupted);
    let early = world.sink.documents().len();
    assert!(early > 0, "it wrote nothing before it was stopped");
    world.run(&engine, &second).unwrap();
    let both = world.sink.documents().len();
    assert!(both > early);
    // It is a later run than the second batch now, and ends before it writes anything.
    let stop = Arc::new(Stop::default());
    stop.cancel_and_discard();
    let record = world.run_until(&engine, &first, &stop).unwrap();
    assert_eq!((record.status, record.discarded), (BatchStatus::Canceled, true));
    assert_eq!(world.sink.documents().len(), both - early);
}

#[test]
fn a_row_that_kills_its_host_is_found_and_buried() {
    let work = tempfile::tempdir().unwrap();
    let world = World::new(work.path()).unwrap();
    let rows: Vec<(String, String)> = (0..8)
        .map(|row| (format!("o{row}"), format!("{row} {}", if row == 4 { KILLER } else { "good" })))
        .collect();
    let manifest = world.manifest("notes", &rows).unwrap();
    let mut starts = 0;
    let record = loop {
        starts += 1;
        assert!(starts < 20, "the row kills the host for ever");
        let engine = world.open(Plan::Calm).unwrap();
        let ended = world.drive(&engine, &manifest);
        let letters = ended.as_ref().ok().map(|record| engine.dead_letters(record, 10).unwrap());
        world.close(engine);
        if let (Ok(record), Some(letters)) = (ended, letters) {
            let buried: Vec<(&str, &str)> = letters
                .iter()
                .map(|letter| (letter.object.as_str(), letter.code.as_str()))
                .collect();
            assert_eq!(buried, [("o4", "host_death")]);
            break record;
        }
    };
    // The first lease is only noted, two die with the partition, three with the row.
    println!("{starts} starts");
    assert_eq!(record.status.as_str(), "COMPLETED_WITH_ERRORS");
    assert_eq!(record.collections[0].funnel.succeeded, 7);
}

#[test]
fn every_event_is_delivered_although_sender_and_receiver_die() {
    println!("{}", figure(webhooks::run, &[("kills", 6)]));
}

#[test]
fn a_batch_without_its_state_goes_on_with_the_same_documents() {
    println!("{}", figure(rebuild::run, &[("rounds", 2), ("objects", 1_200)]));
}
