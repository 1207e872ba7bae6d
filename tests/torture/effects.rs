//! The process dies at every effect in turn, before it happens and after; started again, it ends
//! where an undisturbed one does.

use super::Torture;
use super::world::World;
use super::world::faults::Plan;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

/// Four partitions in tier 0, one row that traps.
pub(crate) fn rows() -> Vec<(String, String)> {
    let text = |row: u64| match row {
        5 => "this one is poison for all".to_string(),
        row => (0..3 + row % 4).map(|word| format!("w{row}x{word}")).collect::<Vec<_>>().join(" "),
    };
    (0..11).map(|row| (format!("o{row:02}"), text(row))).collect()
}

/// `--step N` takes every N-th effect only, from a different one each time.
pub(crate) fn run(torture: &Torture) -> Result<String> {
    let step = torture.number("step", 1).max(1);
    let calm = World::new(&torture.work.join("calm"))?;
    let manifest = calm.manifest("notes", &rows())?;
    let engine = calm.open(Plan::Calm)?;
    calm.drive(&engine, &manifest)?;
    let sites = calm.faults.sites();
    calm.close(engine);
    let expected = calm.dump()?;
    let documents = calm.sink.documents().len();
    ensure!(documents == 134, "{documents} documents of the undisturbed run:\n{expected}");
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    let mut crashes = 0;
    for (at, site) in sites.iter().enumerate().step_by(step as usize) {
        for after in [false, true] {
            let effect = at as u64 + 1;
            let folder = torture.work.join(format!("{effect}-{after}"));
            crash(&World::new(&folder)?, &rows(), effect, after, &expected)
                .with_context(|| format!("crash at effect {effect}, {site}, after it: {after}"))?;
            std::fs::remove_dir_all(&folder)?;
            *kinds.entry(site).or_default() += 1;
            crashes += 1;
        }
    }
    eprintln!("{kinds:?}");
    Ok(format!(
        "{} effects, {crashes} crashes before and after {}: final state equal in all",
        sites.len(),
        if step == 1 { "each".to_string() } else { format!("every {step}th") }
    ))
}

/// The process dies at the effect, and started again, it ends as `expected`.
pub(crate) fn crash(
    world: &World,
    rows: &[(String, String)],
    effect: u64,
    after: bool,
    expected: &str,
) -> Result<()> {
    let manifest = world.manifest("notes", rows)?;
    // Opening the state for the first time is an effect, too.
    if let Ok(engine) = world.open(Plan::Crash { effect, after }) {
        let died = world.drive(&engine, &manifest);
        ensure!(died.is_err(), "a dead process answered");
        world.close(engine);
    }
    ensure!(world.faults.is_dead(), "effect {effect} was not reached");
    let engine = world.open(Plan::Calm)?;
    world.drive(&engine, &manifest)?;
    world.close(engine);
    let dump = world.dump()?;
    ensure!(dump == expected, "another end:\n{}", difference(&dump, expected));
    Ok(())
}

/// The first lines that differ.
pub(crate) fn difference(got: &str, expected: &str) -> String {
    let mut shown = Vec::new();
    let (mut got, mut expected) = (got.lines(), expected.lines());
    loop {
        match (got.next(), expected.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => shown.push(format!("- {}\n+ {}", b.unwrap_or("-"), a.unwrap_or("-"))),
        }
    }
    shown.truncate(3);
    shown.join("\n")
}
