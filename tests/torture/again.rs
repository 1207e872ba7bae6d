//! A second run over rows of which most have not changed: the process dies at every effect of it in
//! turn, and started again, it ends where an undisturbed one does, without extracting more.

use super::Torture;
use super::effects;
use super::world::World;
use super::world::faults::Plan;
use anyhow::{Context, Result, ensure};
use std::path::Path;

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

/// `--step N` takes every N-th effect only.
pub(crate) fn run(torture: &Torture) -> Result<String> {
    let step = torture.number("step", 1).max(1);
    let calm = begun(&torture.work.join("calm"))?;
    let manifest = calm.manifest("notes", &second())?;
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
            let folder = torture.work.join(format!("{effect}-{after}"));
            effects::crash(&begun(&folder)?, &second(), effect, after, &expected)
                .with_context(|| format!("crash at effect {effect}, {site}, after it: {after}"))?;
            std::fs::remove_dir_all(&folder)?;
            crashes += 1;
        }
    }
    Ok(format!(
        "{} effects of a second run that takes {taken} rows and extracts {made}, {crashes} \
         crashes: final state equal in all",
        sites.len()
    ))
}

fn begun(folder: &Path) -> Result<World> {
    let world = World::new(folder)?;
    let manifest = world.manifest("notes", &first())?;
    let engine = world.open(Plan::Calm)?;
    world.drive(&engine, &manifest)?;
    world.close(engine);
    Ok(world)
}
