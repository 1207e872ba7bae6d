//! Small forms of `./x torture`; the full ones take minutes to hours.

#[path = "../torture/mod.rs"]
#[allow(dead_code)]
pub(crate) mod kinds;

use kinds::{Torture, effects, faulty, sim};

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
