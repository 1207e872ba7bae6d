//! A seeded simulation: submissions, runs, crashes, cancels, retries, clock jumps, failing stores
//! in random order over one namespace. After every step the process starts again and everything
//! that must hold is checked.

mod model;

use super::Torture;
use super::batch::mix;
use super::world::World;
use super::world::faults::Plan;
use anyhow::{Context, Result, bail, ensure};
use model::{Expected, Model};
use quarry::engine::redo::Redo;
use quarry::engine::{Engine, Stop, Submitted};
use quarry::error::{Code, Error};
use quarry::model::{BatchId, BatchStatus};
use quarry::store::BatchRecord;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const MANIFESTS: [&str; 3] = ["first", "second", "third"];

type Stopping = (&'static str, fn(&Stop));

/// How a user ends a run early.
const STOPS: [Stopping; 3] = [
    ("drained", Stop::drain),
    ("canceled", Stop::cancel),
    ("canceled and discarded", Stop::cancel_and_discard),
];

/// `--seed N --seeds 1` repeats one.
pub(crate) fn run(torture: &Torture) -> Result<String> {
    let (seeds, steps) = (torture.number("seeds", 2_000), torture.number("steps", 12));
    let first = torture.number("seed", 1);
    let expected = Expected::new(&torture.work.join("expected"), &MANIFESTS.map(rows))?;
    let mut done = Counts::default();
    for seed in first..first + seeds {
        let folder = torture.work.join(format!("seed-{seed}"));
        let mut sim = Sim::new(&folder, seed, &expected)?;
        for step in 0..steps {
            sim.step(&mut done).with_context(|| {
                format!(
                    "step {step}: ./x torture sim --seed {seed} --seeds 1 --steps {steps}\n{}",
                    sim.story.join("\n")
                )
            })?;
        }
        drop(sim);
        std::fs::remove_dir_all(&folder)?;
    }
    let Counts { steps, crashes, completed, memoized, in_place, canceled, redone, failed } = done;
    Ok(format!(
        "{seeds} seeds, {steps} steps: {crashes} crashes, {failed} errors, {completed} batches \
         completed ({memoized} with unchanged rows, {in_place} in place), {canceled} canceled, \
         {redone} taken up again, no invariant violated"
    ))
}

/// Overlapping objects with different texts; some trap, some can not be read at first.
fn rows(name: &str) -> Vec<(String, String)> {
    let salt = name.len() as u64;
    let text = |row: u64| match mix(row * 7 + salt) % 9 {
        0 => format!("poison {row} {name}"),
        1 => format!("flaky {row} {name}"),
        words => (0..words).map(|word| format!("{name}{row}x{word}")).collect::<Vec<_>>().join(" "),
    };
    let objects = (0..10).filter(|row| !mix(row * 31 + salt).is_multiple_of(4));
    objects.map(|row| (format!("o{row:02}"), text(row))).collect()
}

#[derive(Default)]
struct Counts {
    steps: u64,
    crashes: u64,
    failed: u64,
    completed: u64,
    /// Of these, batches that took something from an earlier one,
    memoized: u64,
    /// and left it in the sink as it was.
    in_place: u64,
    canceled: u64,
    redone: u64,
}

struct Sim<'a> {
    world: World,
    manifests: Vec<PathBuf>,
    model: Model<'a>,
    seed: u64,
    draws: u64,
    /// The batch that ended in this step.
    ended: Option<BatchRecord>,
    /// The batch whose documents were deleted in this step.
    discarded: Option<BatchId>,
    /// What was done, for whoever reads a failure.
    story: Vec<String>,
}

impl<'a> Sim<'a> {
    fn new(folder: &std::path::Path, seed: u64, expected: &'a Expected) -> Result<Sim<'a>> {
        let world = World::new(folder)?;
        let manifests = MANIFESTS.map(|name| world.manifest(name, &rows(name)));
        let manifests = manifests.into_iter().collect::<Result<_>>()?;
        let model = Model::new(expected);
        let (ended, discarded, story) = (None, None, Vec::new());
        Ok(Sim { world, manifests, model, seed, draws: 0, ended, discarded, story })
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.draws += 1;
        mix(self.seed.wrapping_mul(0x1_0000_0001).wrapping_add(self.draws)) % below
    }

    fn step(&mut self, done: &mut Counts) -> Result<()> {
        done.steps += 1;
        let plan = match self.draw(3) {
            0 => Plan::Calm,
            kind => Plan::Random {
                seed: self.draw(u64::MAX),
                per_mille: self.draw(60),
                crash: (kind == 1).then(|| 2 + self.draw(160)),
            },
        };
        self.story.push(format!("{plan:?}"));
        let acted = match self.world.open(plan) {
            Ok(engine) => {
                let acted = self.act(&engine, done);
                self.world.close(engine);
                acted?
            }
            Err(error) => Some(error),
        };
        done.crashes += u64::from(self.world.faults.is_dead());
        if let Some(error) = acted {
            done.failed += 1;
            self.story.push(format!("  {}", error.chain()));
            let typed = !matches!(error.code(), Code::Internal | Code::Corrupt);
            ensure!(typed, "an error of the kind {:?}", error.code());
        }
        let engine = self.world.open(Plan::Calm)?;
        let (ended, discarded) = (self.ended.take(), self.discarded.take());
        let left = discarded.and_then(|batch| model::left_of(&self.world.sink, &batch));
        ensure!(left.is_none(), "of a batch that was discarded there is {left:?}");
        let ended = ended.map_or(Ok(()), |record| self.model.ended(&engine, &record));
        let checked = ended.and_then(|()| self.model.check(&engine, &self.world.sink));
        self.world.close(engine);
        checked
    }

    /// One thing that a user or the world does; the error it ended with, if any.
    fn act(&mut self, engine: &Engine, done: &mut Counts) -> Result<Option<Error>> {
        let records = match engine.store.batches() {
            Ok(records) => records,
            Err(error) => return Ok(Some(error)),
        };
        let unfinished: Vec<&BatchRecord> =
            records.iter().filter(|b| !b.status.is_terminal()).collect();
        let ended: Vec<&BatchRecord> = records.iter().filter(|b| b.status.is_terminal()).collect();
        let queued: Vec<&&BatchRecord> =
            unfinished.iter().filter(|b| b.status != BatchStatus::Draft).collect();
        match self.draw(10) {
            0..=2 => self.submit(engine),
            3..=5 if !queued.is_empty() => {
                let record = queued[self.draw(queued.len() as u64) as usize];
                self.run(engine, &record.id, done)
            }
            6 if !unfinished.is_empty() => {
                let record = unfinished[self.draw(unfinished.len() as u64) as usize];
                done.canceled += 1;
                self.cancel(engine, record)
            }
            7 | 8 if !ended.is_empty() => {
                let record = ended[self.draw(ended.len() as u64) as usize];
                done.redone += 1;
                self.redo(engine, record)
            }
            _ => {
                let hours = self.draw(100) as i64 - 50;
                self.story.push(format!("  clock {hours} hours, healed"));
                self.world.env.shift_clock(hours * 3_600_000);
                if self.draw(3) == 0 {
                    self.world.heal();
                    self.model.heal();
                }
                Ok(None)
            }
        }
    }

    fn submit(&mut self, engine: &Engine) -> Result<Option<Error>> {
        let number = self.draw(MANIFESTS.len() as u64) as usize;
        let (force, resume) = match self.draw(3) {
            0 => (true, false),
            1 => (false, true),
            _ => (false, false),
        };
        let memo = self.draw(4) > 0;
        self.world.memo.store(memo, Ordering::Relaxed);
        self.story.push(format!("  submit {} force {force} memo {memo}", MANIFESTS[number]));
        match self.world.submit(engine, &self.manifests[number], force, resume) {
            Ok(Submitted::Ready(id)) => {
                self.model.acknowledged(id, number);
                Ok(None)
            }
            Ok(Submitted::Unchanged(record)) => {
                ensure!(record.status.is_terminal(), "an unfinished batch is no answer");
                Ok(None)
            }
            Err(error) => Ok(Some(error)),
        }
    }

    fn run(&mut self, engine: &Engine, id: &BatchId, done: &mut Counts) -> Result<Option<Error>> {
        self.story.push(format!("  run {id}"));
        self.model.begun(engine, id)?;
        let stop = Arc::new(Stop::default());
        if let Some((name, how)) = STOPS.get(self.draw(3 * STOPS.len() as u64) as usize) {
            let after = self.draw(160);
            self.story.push(format!("  {name} after {after} effects"));
            let stop = stop.clone();
            self.world.faults.after(after, move || how(&stop));
        }
        match self.world.run_until(engine, id, &stop) {
            Ok(record) if record.status == BatchStatus::Canceled && stop.canceled() => {
                done.canceled += 1;
                self.discarded = stop.discarding().then_some(record.id);
                Ok(None)
            }
            Ok(record) => {
                done.completed += 1;
                done.memoized += u64::from(record.collections.iter().any(|c| c.funnel.skipped > 0));
                done.in_place += u64::from(record.kept_in_place);
                self.ended = Some(record);
                Ok(None)
            }
            Err(error) => {
                let goes_on = stop.canceled() && error.code() == Code::Interrupted;
                ensure!(!goes_on, "{id} was canceled and is to go on: {}", error.chain());
                Ok(Some(error))
            }
        }
    }

    /// Where nobody runs the batch.
    fn cancel(&mut self, engine: &Engine, record: &BatchRecord) -> Result<Option<Error>> {
        let discard = self.draw(2) == 0;
        self.story.push(format!("  cancel {} discard {discard}", record.id));
        self.model.begun(engine, &record.id)?;
        match engine.cancel(record.clone(), None, discard) {
            Ok((record, _)) => {
                self.discarded = discard.then_some(record.id);
                Ok(None)
            }
            Err(error) => Ok(Some(error)),
        }
    }

    fn redo(&mut self, engine: &Engine, record: &BatchRecord) -> Result<Option<Error>> {
        let redo = match self.draw(3) {
            0 => Redo::FromTier(self.draw(3) as usize),
            kind => Redo::Failed { transient_only: kind == 1, tiers: Vec::new(), limit: 100 },
        };
        self.story.push(format!("  {redo:?} {}", record.id));
        match engine.redo(&record.id, redo) {
            Ok((after, redone)) => {
                let changed = after.round > record.round;
                let unfinished =
                    matches!(record.status, BatchStatus::Canceled | BatchStatus::Failed);
                if changed != (redone.partitions > 0 || unfinished) {
                    bail!(
                        "{redone:?}, but the round went from {} to {}",
                        record.round,
                        after.round
                    );
                }
                Ok(None)
            }
            Err(error) => Ok(Some(error)),
        }
    }
}
