//! A second run over rows of which most have not changed: the process dies at every effect of it in
//! turn, and started again, it ends where an undisturbed one does, without extracting more.

use super::Torture;
use super::effects;
use super::world::World;
use super::world::faults::Plan;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::sync::atomic::Ordering;

type Rows = Vec<(String, String)>;

fn first() -> Rows {
    let text = |row: u64| match row {
        10 => "this one is poison for all".to_string(),
        row => (0..3 + row % 4).map(|word| format!("w{row}x{word}")).collect::<Vec<_>>().join(" "),
    };
    (0..12).map(|row| (format!("o{row:02}"), text(row))).collect()
}

/// The first partition stays, one row of the second is another, one is new, one is gone.
fn second() -> Rows {
    let mut rows = first();
    rows[4].1 = "something else entirely to be cut in pieces".to_string();
    rows.remove(7);
    rows.insert(6, ("new".to_string(), "a row that was not there".to_string()));
    rows
}

/// What the second run is given.
#[derive(Clone, Copy, PartialEq)]
enum Given {
    /// Other rows in part, in another manifest.
    Changed,
    /// The very same manifest.
    Same,
}

impl Given {
    fn rows(self) -> Rows {
        match self {
            Given::Changed => second(),
            Given::Same => first(),
        }
    }

    /// After the first run.
    fn begun(self, folder: &Path) -> Result<World> {
        let world = World::new(folder)?;
        world.old_manifests.store(self == Given::Same, Ordering::Relaxed);
        world.batches_min.store(2, Ordering::Relaxed);
        let manifest = world.manifest("notes", &first())?;
        let engine = world.open(Plan::Calm)?;
        world.drive(&engine, &manifest)?;
        world.close(engine);
        Ok(world)
    }
}

/// `--step N` takes every N-th effect only.
pub(crate) fn run(torture: &Torture) -> Result<String> {
    let changed = crash_all(torture, Given::Changed)?;
    let same = crash_all(torture, Given::Same)?;
    Ok(format!("a second run over changed rows: {changed}; over the same manifest: {same}"))
}

fn crash_all(torture: &Torture, given: Given) -> Result<String> {
    let step = torture.number("step", 1).max(1);
    let work = torture.work.join(if given == Given::Same { "same" } else { "changed" });
    let calm = given.begun(&work.join("calm"))?;
    let manifest = calm.manifest("notes", &given.rows())?;
    let engine = calm.open(Plan::Calm)?;
    let record = calm.drive(&engine, &manifest)?;
    let sites = calm.faults.sites();
    ensure!(record.kept_in_place, "nothing was left in place: {record:?}");
    let taken: u64 = record.collections.iter().map(|c| c.funnel.skipped).sum();
    let made: u64 = record.collections.iter().map(|c| c.funnel.succeeded).sum();
    ensure!(taken > made, "{taken} rows were taken and {made} extracted");
    calm.close(engine);
    let expected = calm.dump()?;
    let mut crashes = 0;
    for (at, site) in sites.iter().enumerate().step_by(step as usize) {
        for after in [false, true] {
            let effect = at as u64 + 1;
            let folder = work.join(format!("{effect}-{after}"));
            effects::crash(&given.begun(&folder)?, &given.rows(), effect, after, &expected)
                .with_context(|| format!("crash at effect {effect}, {site}, after it: {after}"))?;
            std::fs::remove_dir_all(&folder)?;
            crashes += 1;
        }
    }
    Ok(format!(
        "{} effects, {taken} rows taken, {made} extracted, {crashes} crashes, final state equal \
         in all",
        sites.len()
    ))
}
