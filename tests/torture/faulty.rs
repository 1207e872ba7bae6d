//! Every effect fails in every way in turn. What passes by itself costs nothing but time; what does
//! not ends the run with an error of the right kind after bounded tries, and the batch goes on when
//! it is mended.

use super::Torture;
use super::effects::{difference, rows};
use super::world::World;
use super::world::faults::{Failure, GUEST, Plan};
use anyhow::{Context, Result, ensure};
use quarry::error::{Code, Error};
use std::collections::BTreeMap;

/// Calls of a broken thing until a run gives up.
const TRIES_MAX: u64 = 200;

/// `--step N` takes every N-th effect only.
pub(crate) fn run(torture: &Torture) -> Result<String> {
    let step = torture.number("step", 1).max(1);
    let calm = World::new(&torture.work.join("calm"))?;
    let manifest = calm.manifest("notes", &rows())?;
    let engine = calm.open(Plan::Calm)?;
    calm.drive(&engine, &manifest)?;
    let sites = calm.faults.sites();
    calm.close(engine);
    let expected = calm.dump()?;
    let mut counts: BTreeMap<(&str, String), u64> = BTreeMap::new();
    let mut faults = 0;
    for (at, site) in sites.iter().enumerate().step_by(step as usize) {
        for failure in Failure::ALL {
            // A guest that fails buries its row, and that is right.
            if *site == GUEST {
                continue;
            }
            let folder = torture.work.join(format!("{at}-{failure:?}"));
            let case = Case { effect: at as u64 + 1, site, failure };
            case.run(&folder, &expected).with_context(|| format!("{case:?}"))?;
            std::fs::remove_dir_all(&folder)?;
            *counts.entry((site, format!("{failure:?}"))).or_default() += 1;
            faults += 1;
        }
    }
    eprintln!("{counts:?}");
    Ok(format!(
        "{faults} faults at {} effects: nothing lost, classes right, tries bounded",
        sites.len().div_ceil(step as usize)
    ))
}

#[derive(Debug, Clone, Copy)]
struct Case {
    effect: u64,
    site: &'static str,
    failure: Failure,
}

impl Case {
    fn run(&self, folder: &std::path::Path, expected: &str) -> Result<()> {
        let world = World::new(folder)?;
        let manifest = world.manifest("notes", &rows())?;
        let plan = Plan::Fail { effect: self.effect, failure: self.failure };
        let opened = world.open(plan);
        let ended = match &opened {
            Ok(engine) => world.drive(engine, &manifest),
            Err(error) => {
                ensure!(self.effect == 1 && self.site == "state write", "{}", error.chain());
                Err(Error::new(Code::StateFailed, "not opened"))
            }
        };
        let tries = world.faults.tries();
        ensure!(tries <= TRIES_MAX, "{tries} tries");
        match (ended, self.passes_by_itself()) {
            (Ok(_), true) => {}
            (Ok(_), false) => anyhow::bail!("nothing was said"),
            (Err(error), true) => return Err(error).context("it would have passed by itself"),
            (Err(error), false) => {
                let code = error.code();
                ensure!(
                    code == self.code(),
                    "{code:?} instead of {:?}: {}",
                    self.code(),
                    error.chain()
                );
            }
        }
        if self.failure == Failure::Full
            && let Ok(engine) = &opened
            && let Some(batch) = engine.store.batches()?.iter().find(|b| b.fence > 0)
            && self.site != "state write"
        {
            let events = engine.store.events(&batch.id)?;
            ensure!(events.iter().any(|event| event.kind == "parked"), "{events:?}");
        }
        opened.into_iter().for_each(|engine| world.close(engine));
        let engine = world.open(Plan::Calm)?;
        world.drive(&engine, &manifest)?;
        world.close(engine);
        let dump = first_run(&world.dump()?);
        ensure!(dump == expected, "another end:\n{}", difference(&dump, expected));
        Ok(())
    }

    fn passes_by_itself(&self) -> bool {
        match self.failure {
            Failure::Slow => true,
            // A state that failed once accepts nothing any more.
            Failure::Transient | Failure::Lost | Failure::Torn => self.site != "state write",
            Failure::Permanent | Failure::Full => false,
        }
    }

    fn code(&self) -> Code {
        match (self.site, self.failure) {
            ("state write", _) => Code::StateFailed,
            (_, Failure::Full) => Code::StorageFull,
            _ => Code::Invalid,
        }
    }
}

/// A submission that failed has used up a number of a run.
fn first_run(dump: &str) -> String {
    match dump.contains("batch 0: COMPLETED_WITH_ERRORS run 2 ") {
        false => dump.to_string(),
        true => dump
            .replace(" run 2 ", " run 1 ")
            .replace("last run 2", "last run 1")
            .replace("\"run\":2", "\"run\":1"),
    }
}
