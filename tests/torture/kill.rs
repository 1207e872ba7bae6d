//! Kills the process with SIGKILL at random moments of a batch, over and over, and resumes it.
//! The batch that remains must be the one of an undisturbed run.
//!
//! The process says on stderr which step it begins (`QUARRY_LOG=quarry::step=trace`). A kill is
//! aimed at a step by the seed; what counts is the last step that any thread had begun.

mod launch;
mod life;
mod truth;

use super::Torture;
use super::batch::{Batch, Dice};
use anyhow::{Context, Result, bail, ensure};
use launch::{Aim, End, Launch, STEPS, launch};
use life::Life;
use quarry::store::CollectionSummary;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use truth::{Damage, Truth, complete};

const WORKERS: u64 = 2;
/// Of 500 kills so many must hit each step.
const KILLS_FULL: u64 = 500;
const KILLS_EACH: u64 = 30;
/// Kills are given up at this multiple of those asked for, when a step is still not hit enough.
const EXCESS_MAX: u64 = 8;
/// A process comes to one in so many of the batch's steps at most, before it is killed.
const PACE: u64 = 3;
const SPIN_MAX: Duration = Duration::from_millis(500);
/// Exit code of `--resume` without an unfinished batch.
const NOT_FOUND: i32 = 4;

pub(crate) fn run(torture: &Torture) -> Result<String> {
    let (kills, seed) = (torture.number("kills", KILLS_FULL), torture.number("seed", 1));
    let batch = Batch::write(&torture.work.join("batch"), torture.number("objects", 10_000))?;
    let calm = Calm::run(&batch, &torture.work.join("calm"))?;
    eprintln!("undisturbed: {} documents", calm.truth.documents());
    let mut campaign = Campaign {
        batch,
        calm,
        work: torture.work.clone(),
        dice: Dice::new(seed),
        wanted: kills,
        hits: BTreeMap::new(),
        kills: 0,
        repeated_max: 0,
        damage: Damage::default(),
    };
    let mut lives = 0;
    while !campaign.enough() {
        lives += 1;
        campaign.live(lives)?;
    }
    Ok(campaign.figure(lives))
}

/// An undisturbed run: what comes out, and how often and how long it is in each step.
struct Calm {
    truth: Truth,
    collections: Vec<CollectionSummary>,
    /// Lines of a step, and the time to the next line on average.
    steps: BTreeMap<&'static str, (u64, Duration)>,
}

impl Calm {
    fn run(batch: &Batch, data: &Path) -> Result<Calm> {
        let launched = launch(&mut command(batch, data, false)?, None)?;
        let Launch { end, said, batch: acknowledged, .. } = &launched;
        ensure!(*end == End::Exited(0), "the undisturbed run failed: {said}");
        let Some(acknowledged) = acknowledged else { bail!("no batch was acknowledged: {said}") };
        let (_, record) = complete(data, acknowledged)?;
        let mut steps = BTreeMap::new();
        for step in STEPS {
            let lines = launched.steps.iter().filter(|line| line.name == step).count() as u64;
            ensure!(lines > 0, "the process never said that it began the step `{step}`");
            let pairs = launched.steps.windows(2).filter(|pair| pair[0].name == step);
            let time: Duration = pairs.map(|pair| pair[1].at - pair[0].at).sum();
            steps.insert(step, (lines, time / lines as u32));
        }
        Ok(Calm { truth: Truth::read(data)?, collections: record.collections, steps })
    }
}

/// Kills one process after the other while it writes a part, and answers how many rows of the
/// batch failed in the end: none, for no row is to blame.
#[allow(dead_code)]
pub(crate) fn failed_after_deaths_in_parts(work: &Path, kills: u64) -> Result<u64> {
    let batch = Batch::write(&work.join("batch"), 10)?;
    let data = work.join("data");
    for number in 0..kills {
        let aim = Aim { step: "part", lines: 1, spin: Duration::ZERO };
        let launched = launch(&mut command(&batch, &data, number > 0)?, Some(&aim))?;
        match launched.end {
            End::Killed => {}
            // Some got through the part before they were killed.
            End::Exited(0) => break,
            End::Exited(code) => bail!("exit code {code}: {}", launched.said),
        }
    }
    let last = launch(&mut command(&batch, &data, true)?, None)?;
    ensure!(last.end == End::Exited(0), "the last process failed: {}", last.said);
    let summary: serde_json::Value = serde_json::from_str(&last.stdout)?;
    let collections = summary["batch"]["collections"].as_array().context("no collections")?;
    Ok(collections.iter().filter_map(|collection| collection["failed"].as_u64()).sum())
}

fn command(batch: &Batch, data: &Path, resume: bool) -> Result<std::process::Command> {
    let workers = WORKERS.to_string();
    let mut words = vec!["--workers", &workers, "--output", "json"];
    if resume {
        words.push("--resume");
    }
    batch.run(data, &words)
}

struct Campaign {
    batch: Batch,
    calm: Calm,
    work: PathBuf,
    dice: Dice,
    wanted: u64,
    /// Kills by the last step that was begun.
    hits: BTreeMap<String, u64>,
    kills: u64,
    repeated_max: u64,
    damage: Damage,
}

impl Campaign {
    fn enough(&self) -> bool {
        let each = (self.wanted * KILLS_EACH / KILLS_FULL).max(1);
        self.kills >= self.wanted && STEPS.iter().all(|step| self.hit(step) >= each)
    }

    fn hit(&self, step: &str) -> u64 {
        self.hits.get(step).copied().unwrap_or(0)
    }

    /// Kills and resumes until the batch is complete, and compares it.
    fn live(&mut self, number: u64) -> Result<()> {
        let mut life = Life::new(self.work.join(format!("life-{number}")));
        let last = loop {
            let aim = if self.enough() { None } else { Some(self.aim(life.submitted()?)) };
            let mut command = command(&self.batch, &life.data, life.resume)?;
            let launched = launch(&mut command, aim.as_ref())?;
            life.note(&launched)?;
            match launched.end {
                End::Killed => {
                    self.count(&launched)?;
                    life.kills += 1;
                    life.resume = true;
                }
                End::Exited(0) => break launched,
                // Killed before there was a batch.
                End::Exited(NOT_FOUND) if life.acknowledged().is_none() => life.resume = false,
                End::Exited(code) => {
                    let acknowledged = life.acknowledged().unwrap_or("none");
                    let place = life.data.display();
                    let said = launched.said;
                    bail!("exit code {code} with {acknowledged} acknowledged in {place}: {said}");
                }
            }
        };
        let recorded = self.check(&life, &last)?;
        std::fs::remove_dir_all(&life.data)?;
        let (kills, launches, repeated) = (life.kills, life.launches, life.repeated_max());
        eprintln!(
            "batch {number}: as it should be after {kills} kills of {launches} processes, at most \
             {repeated} partitions repeated by one, {recorded} recorded; {} kills so far",
            self.kills
        );
        Ok(())
    }

    fn count(&mut self, launched: &Launch) -> Result<()> {
        self.kills += 1;
        let last = launched.steps.last().map_or("start", |step| &step.name);
        *self.hits.entry(last.to_string()).or_default() += 1;
        let enough = self.kills < EXCESS_MAX * self.wanted.max(STEPS.len() as u64);
        ensure!(enough, "{} kills do not hit every step often enough: {:?}", self.kills, self.hits);
        Ok(())
    }

    /// Steps that were hit less than their share first. A batch is submitted only once, so that is
    /// aimed at while it can be.
    fn aim(&mut self, submitted: bool) -> Aim {
        let share = self.wanted.div_ceil(STEPS.len() as u64);
        let possible = STEPS.into_iter().filter(|step| *step != "submit" || !submitted);
        let possible: Vec<&str> = possible.collect();
        let wanting = possible.iter().copied().filter(|step| self.hit(step) < share);
        let mut wanting: Vec<&str> = wanting.collect();
        if wanting.contains(&"submit") && self.dice.below(4) > 0 {
            wanting = vec!["submit"];
        }
        let among = if wanting.is_empty() { possible } else { wanting };
        let step = among[self.dice.below(among.len() as u64) as usize];
        let (lines, time) = self.calm.steps[step];
        let spin = time.min(SPIN_MAX).as_nanos() as u64;
        Aim {
            step,
            lines: 1 + self.dice.below(lines / PACE),
            spin: Duration::from_nanos(self.dice.below(spin)),
        }
    }

    /// Answers how many partitions were repeated, as the batch recorded it.
    fn check(&mut self, life: &Life, last: &Launch) -> Result<u64> {
        let place = life.data.display();
        let Some(acknowledged) = life.acknowledged() else {
            bail!("a batch was run and never acknowledged in {place}");
        };
        let summary: serde_json::Value = serde_json::from_str(&last.stdout)?;
        let shown = &summary["batch"]["id"];
        ensure!(*shown == acknowledged, "acknowledged was {acknowledged}, complete is {shown}");
        let (app, record) = complete(&life.data, acknowledged)?;
        ensure!(
            record.collections == self.calm.collections,
            "the funnel in {place} is {:?}, undisturbed it was {:?}",
            record.collections,
            self.calm.collections
        );
        let parts = self.calm.truth.compare_parts(&app, &record)?;
        ensure!(parts == Damage::default(), "the parts in {place} have {parts}");
        drop(app);
        self.damage = self.calm.truth.compare(&Truth::read(&life.data)?);
        ensure!(self.damage == Damage::default(), "the sink in {place} has {}", self.damage);
        let repeated = life.repeated_max();
        ensure!(repeated <= WORKERS, "{repeated} partitions were repeated for one kill in {place}");
        let (recorded, seen) = (record.repeated_partitions, life.leased_again());
        ensure!(recorded <= seen, "{recorded} repeated partitions are recorded, {seen} were seen");
        ensure!(recorded <= life.kills * WORKERS, "{recorded} repeated in {} kills", life.kills);
        self.repeated_max = self.repeated_max.max(repeated);
        Ok(recorded)
    }

    fn figure(&self, lives: u64) -> String {
        let hits = self.hits.iter().map(|(step, kills)| format!("{step} {kills}"));
        let hits = hits.collect::<Vec<_>>().join(", ");
        eprintln!("last steps of the killed: {hits}");
        format!(
            "{} kills in {lives} batches: 0 lost, {}, at most {} partitions of {WORKERS} workers \
             repeated",
            self.kills, self.damage, self.repeated_max
        )
    }
}
