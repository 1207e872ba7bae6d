//! A few hundred cases of each target, the same in every run. What they found once has a test of
//! its own beside what it broke.

use super::kinds::fuzz::{TARGETS, small};

/// Cases that are run, of which so many per cent have to be accepted: a target that refuses all
/// checks nothing.
#[track_caller]
fn check(target: &str, cases: u64, accepted_least: u64) {
    let folder = tempfile::tempdir().unwrap();
    let tally = small(folder.path(), target, cases).unwrap_or_else(|error| panic!("{error:#}"));
    let share = tally.accepted * 100 / tally.cases;
    assert_eq!((tally.cases, tally.findings), (cases, 0));
    assert!(share >= accepted_least, "only {share} % of {target} are accepted");
}

macro_rules! targets {
    ($($target:ident $cases:literal $accepted_least:literal)+) => {
        $(#[test]
        fn $target() {
            check(stringify!($target), $cases, $accepted_least);
        })+

        #[test]
        fn every_target_has_a_small_form() {
            let here = [$(stringify!($target)),+];
            assert_eq!(here, TARGETS.map(|(name, _)| name));
        }
    };
}

targets! {
    names 2_000 5
    filter 400 5
    pipeline 500 5
    record 50 5
    query 500 5
    output 400 20
    schema 40 5
    component 60 1
    manifest 200 5
    bucket 40 20
}
