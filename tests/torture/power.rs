//! Simulated power cuts. A run is killed at a chosen moment of what it makes durable; the data
//! directory is laid out anew as a power cut may leave it (`power/disk.rs`); then it must open, and
//! go on with everything that was acknowledged.
//!
//! The moments come from a library that is loaded into the process (`tests/shim`) and keeps what
//! was made durable, and when. It is stricter than any file system that people use: a name is
//! durable by an fsync of its directory and by nothing else.

pub(crate) mod dice;
pub(crate) mod disk;
#[path = "../shim/src/shadow.rs"]
#[allow(dead_code, reason = "only the library keeps single pages")]
pub(crate) mod shadow;

use super::Torture;
use super::batch::{Batch, Content, embedded_content};
use anyhow::{Context, Result, bail, ensure};
use dice::Dice;
use disk::Weather;
use serde_json::Value;
use shadow::{EVENTS, Shadow};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

const WORKERS: u64 = 2;
/// Nothing passes by itself here: what can not go on is to say so.
const ENGINE: [&str; 4] = ["--workers", "2", "--patience", "1"];
/// Cuts between two lines on stderr.
const SHOWN_CUTS: u64 = 10;

pub(crate) fn run(torture: &Torture) -> Result<String> {
    let cuts = torture.number("cuts", 200);
    let seed = torture.number("seed", 1);
    let objects = torture.number("objects", 400);
    let mut power = Power::new(torture, objects, seed)?;
    eprintln!(
        "an undisturbed run: {} documents, {} moments at which the power may go",
        power.documents, power.moments
    );
    let mut scenario = 0_usize;
    while power.tally.cuts < cuts {
        // Into a namespace with documents of an earlier run, every third time.
        let grown = scenario % 3 == 2;
        power.again = [&["--force", "--no-memo"][..], &["--force"]][scenario / 3 % 2];
        let begun = power.tally.cuts;
        power.scenario(grown, cuts).with_context(|| {
            format!("--seed {seed} --objects {objects}, scenario {scenario} from cut {begun}")
        })?;
        scenario += 1;
        if power.tally.cuts / SHOWN_CUTS > begun / SHOWN_CUTS {
            eprintln!("{} cuts: {}", power.tally.cuts, power.tally.acknowledgements());
        }
    }
    let Tally { cuts, opens, again, .. } = power.tally;
    Ok(format!(
        "{cuts} simulated power cuts over {} moments of runs with {} documents: {}, 0 lost; \
         {opens} of {opens} opens succeeded; {again} partitions run again",
        power.moments,
        power.documents,
        power.tally.acknowledgements()
    ))
}

/// What was seen.
#[derive(Default)]
struct Tally {
    cuts: u64,
    /// Commands that opened the directory after a cut.
    opens: u64,
    /// Cuts after a batch was acknowledged as queued, and after one was acknowledged as complete.
    queued: u64,
    complete: u64,
    again: u64,
}

impl Tally {
    fn acknowledgements(&self) -> String {
        format!("{} queued and {} complete batches acknowledged before", self.queued, self.complete)
    }
}

/// What the command line has said of one batch.
#[derive(Default)]
struct Said {
    /// It is durable as QUEUED.
    queued: Option<String>,
    /// It is durable as COMPLETED.
    complete: bool,
}

struct Power {
    batch: Batch,
    shim: PathBuf,
    work: PathBuf,
    dice: Dice,
    expected: Content,
    documents: u64,
    /// Of an undisturbed run.
    moments: u64,
    /// The batch of that run.
    calm: String,
    keep: bool,
    /// How a batch is run that has been run before: with all its rows, or with those that changed.
    again: &'static [&'static str],
    tally: Tally,
}

impl Power {
    fn new(torture: &Torture, objects: u64, seed: u64) -> Result<Power> {
        // As the system names what a descriptor stands for.
        let work = fs::canonicalize(&torture.work)?;
        let binary = std::env::var_os("QUARRY_BIN").context("QUARRY_BIN is not set, use ./x")?;
        let shim = Path::new(&binary).with_file_name("libpower_shim.so");
        ensure!(shim.is_file(), "{} is not there, use ./x", shim.display());
        let mut power = Power {
            batch: Batch::write(&work.join("batch"), objects)?,
            shim,
            work,
            dice: Dice::new(seed),
            expected: Content { documents: 0, digest: 0 },
            documents: 0,
            moments: 0,
            calm: String::new(),
            keep: torture.number("keep", 0) > 0,
            again: &["--force"],
            tally: Tally::default(),
        };
        fs::create_dir(power.data())?;
        let summary = match power.watched(&[], None, Before::Durable)? {
            Ended::Done(summary) => summary,
            Ended::Killed(_) => bail!("the undisturbed run was killed"),
        };
        power.calm = text(&summary, "/batch/id")?;
        power.documents = number(&summary, "/documents")?;
        power.moments = fs::metadata(power.shadow().join(EVENTS))?.len();
        power.expected = embedded_content(&power.data())?;
        ensure!(power.expected.documents == power.documents, "the undisturbed run lost documents");
        fs::rename(power.data(), power.work.join("calm"))?;
        Ok(power)
    }

    /// Always the same: it belongs to the identity of a batch.
    fn data(&self) -> PathBuf {
        self.work.join("data")
    }

    fn shadow(&self) -> PathBuf {
        self.work.join("shadow")
    }

    /// One batch from the beginning to the end, with one cut or several.
    fn scenario(&mut self, grown: bool, cuts: u64) -> Result<()> {
        self.begin(grown)?;
        let mut said = Said::default();
        let mut words: &[&str] = if grown { self.again } else { &[] };
        let mut deaths = 0;
        loop {
            let weather = Weather::roll(&mut self.dice);
            let mut context = String::new();
            let mut shadow = Before::Durable;
            loop {
                // What an earlier run has left has fewer moments.
                let moments = if deaths == 0 { self.moments * 11 / 10 } else { self.moments / 2 };
                let moment = 1 + self.dice.below(moments);
                context += &format!("run {words:?} to moment {moment}, ");
                let killed = self.die(words, moment, shadow, &mut said).context(context.clone())?;
                deaths += 1;
                // Sometimes only the process dies, and the power goes during the next one.
                if !killed || said.queued.is_none() || self.dice.below(4) > 0 {
                    break;
                }
                (words, shadow) = (&["--resume"], Before::Kept);
            }
            context += &format!("cut with {weather:?}");
            self.cut(weather, &said).context(context.clone())?;
            words = self.next(grown, &said).context(context.clone())?;
            if self.tally.cuts == cuts || self.dice.below(3) > 0 {
                return self.finish(grown, words, deaths, &said).context(context);
            }
        }
    }

    /// A disk that is durable to the last byte: an empty one, or one with a complete batch.
    fn begin(&mut self, grown: bool) -> Result<()> {
        for folder in [self.data(), self.work.join("live"), self.work.join("kept")] {
            if folder.exists() {
                fs::remove_dir_all(folder)?;
            }
        }
        let calm = self.work.join("calm");
        if grown {
            return disk::copy(&calm, &self.data());
        }
        fs::create_dir(self.data())?;
        // Compiling takes longer than all the rest; every fourth run does it again.
        if self.dice.below(4) > 0 {
            disk::copy(&calm.join("cache"), &self.data().join("cache"))?;
        }
        Ok(())
    }

    /// A run that is killed at the moment. Whether it was, and not faster.
    fn die(
        &mut self,
        words: &[&str],
        moment: u64,
        before: Before,
        said: &mut Said,
    ) -> Result<bool> {
        let (killed, queued) = match self.watched(words, Some(moment), before)? {
            Ended::Done(summary) => {
                self.check(&summary, said)?;
                said.complete = true;
                (false, Some(text(&summary, "/batch/id")?))
            }
            Ended::Killed(queued) => (true, queued),
        };
        if let Some(queued) = queued {
            let before = said.queued.replace(queued.clone());
            ensure!(
                before.is_none_or(|before| before == queued),
                "another batch than the acknowledged one goes on as {queued}"
            );
        }
        Ok(killed)
    }

    fn cut(&mut self, weather: Weather, said: &Said) -> Result<()> {
        self.tally.queued += u64::from(said.queued.is_some());
        self.tally.complete += u64::from(said.complete);
        let live = self.work.join("live");
        if live.exists() {
            fs::remove_dir_all(&live)?;
        }
        fs::rename(self.data(), &live)?;
        let shadow = Shadow::new(&self.shadow());
        disk::cut(&live, &shadow, &self.data(), weather, &mut self.dice)?;
        if self.keep {
            let kept = self.work.join("kept");
            if kept.exists() {
                fs::remove_dir_all(&kept)?;
            }
            disk::copy(&self.data(), &kept)?;
        }
        self.tally.cuts += 1;
        Ok(())
    }

    /// Runs until the moment, if there is one.
    fn watched(&mut self, words: &[&str], moment: Option<u64>, before: Before) -> Result<Ended> {
        let (data, folder) = (self.data(), self.shadow());
        if before == Before::Durable {
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir(&folder)?;
            Shadow::new(&folder).keep_all(&data)?;
        }
        let mut command = self.batch.run(&data, words)?;
        command.args(ENGINE).args(["--output", "json"]);
        command.env("LD_PRELOAD", &self.shim);
        command.env("QUARRY_SHIM_DATA", &data).env("QUARRY_SHIM_SHADOW", &folder);
        if let Some(moment) = moment {
            command.env("QUARRY_SHIM_CUT", moment.to_string());
        }
        let answer = command.output()?;
        let shown = String::from_utf8_lossy(&answer.stderr);
        self.tally.opens += u64::from(self.tally.cuts > 0);
        if answer.status.success() {
            return Ok(Ended::Done(serde_json::from_slice(&answer.stdout)?));
        }
        ensure!(answer.status.signal() == Some(9), "the run failed: {}\n{shown}", answer.status);
        let mut lines = shown.lines().filter_map(|line| line.strip_prefix("batch "));
        Ok(Ended::Killed(lines.find(|id| id.starts_with("btch_")).map(str::to_string)))
    }

    /// How the batch goes on after a cut: as a user would do it.
    fn next(&mut self, grown: bool, said: &Said) -> Result<&'static [&'static str]> {
        if said.queued.is_some() {
            return Ok(&["--resume"]);
        }
        if !self.data().join("state").exists() {
            // Nothing was acknowledged, and `batch list` says that there is no data directory.
            return Ok(if grown { self.again } else { &[] });
        }
        self.tally.opens += 1;
        let batches = self.batch.json(&self.data(), &["batch", "list"])?;
        let begun = |batch: &Value| {
            ["DRAFT", "QUEUED", "PROCESSING"].iter().any(|status| batch["status"] == *status)
        };
        Ok(match batches.as_array().context("no list of batches")?.iter().any(begun) {
            true => &["--resume"],
            false if grown => self.again,
            false => &[],
        })
    }

    fn finish(&mut self, grown: bool, words: &[&str], deaths: u64, said: &Said) -> Result<()> {
        let run = ["run", "pipeline.toml", "--manifest", "notes.parquet"];
        let run = [&run[..], &ENGINE, words].concat();
        let summary = self.batch.json(&self.data(), &run)?;
        self.tally.opens += 1;
        self.check(&summary, said)?;
        let batches = self.batch.json(&self.data(), &["batch", "list"])?;
        let complete = |id: &str| {
            let batches = batches.as_array().into_iter().flatten();
            batches.filter(|batch| batch["status"] == "COMPLETED").any(|batch| batch["id"] == id)
        };
        let last = text(&summary, "/batch/id")?;
        ensure!(complete(&last), "batch {last} is not listed as complete");
        ensure!(!grown || complete(&self.calm), "the earlier batch {} is lost", self.calm);
        let content = embedded_content(&self.data())?;
        ensure!(
            content == self.expected,
            "the sink holds other documents: {} instead of {}",
            content.documents,
            self.expected.documents
        );
        let again = run_again(&self.data(), &last)?;
        ensure!(
            again <= deaths * WORKERS,
            "{again} partitions were run again after {deaths} deaths of {WORKERS} workers"
        );
        self.tally.again += again;
        Ok(())
    }

    /// A summary, against what was said of the batch before.
    fn check(&self, summary: &Value, said: &Said) -> Result<()> {
        let (id, status) = (text(summary, "/batch/id")?, text(summary, "/batch/status")?);
        ensure!(status == "COMPLETED", "batch {id} is {status}");
        if let Some(queued) = &said.queued {
            ensure!(*queued == id, "batch {queued} was acknowledged, {id} goes on");
        }
        ensure!(!said.complete || summary["changed"] == false, "a complete batch was run again");
        let documents = number(summary, "/documents")?;
        ensure!(documents == self.documents, "{documents} documents, {} before", self.documents);
        Ok(())
    }
}

enum Ended {
    Done(Value),
    /// With the batch that was acknowledged by then.
    Killed(Option<String>),
}

/// What a run finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// All of it is durable.
    Durable,
    /// What the killed run before it has left in the shadow is.
    Kept,
}

/// Partitions of a batch that have parts of more than one claim: what an earlier claim had written
/// did not count, because it was not committed.
fn run_again(data: &Path, batch: &str) -> Result<u64> {
    let folder = data.join("objects").join(super::batch::NAMESPACE).join("batches").join(batch);
    let mut claims: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    let mut waiting = vec![folder];
    while let Some(folder) = waiting.pop() {
        for name in shadow::entries(&folder)?.into_keys() {
            let path = folder.join(&name);
            let name = name.to_string_lossy();
            if path.is_dir() {
                waiting.push(path);
            } else if let Some(name) = name.strip_suffix(".parquet")
                && name.starts_with("part-")
                && let Some((partition, claim)) = name.rsplit_once(".f")
            {
                claims.entry(folder.join(partition)).or_default().insert(claim.to_string());
            }
        }
    }
    ensure!(!claims.is_empty(), "batch {batch} has no parts");
    Ok(claims.values().map(|claims| claims.len() as u64 - 1).sum())
}

fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str).map(str::to_string);
    found.with_context(|| format!("the summary has no {pointer}: {value}"))
}

fn number(value: &Value, pointer: &str) -> Result<u64> {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.with_context(|| format!("the summary has no {pointer}: {value}"))
}
