//! Hostile input by chance for everything that reads what others wrote. cargo-fuzz needs a nightly
//! compiler, libFuzzer and a build of all dependencies of its own; these are plain loops in the one
//! build there is, over generators that know the form of what they spoil.
//!
//! A case is a target, a seed and a number: the same bytes in every process. It is found wanting
//! when it panics, aborts, takes too long or too much memory, ends in an error of the wrong class,
//! or when something was accepted that does not hold what its place promises.

mod bucket;
mod component;
mod filter;
mod guard;
pub(crate) mod guest;
mod manifest;
mod names;
pub(crate) mod output;
mod pipeline;
mod process;
mod query;
mod random;
mod record;
mod schema;

use super::Torture;
use anyhow::{Context, Result, ensure};
use quarry::error::{Code, Error};
use random::Random;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use process::child;

/// Something that reads untrusted bytes.
pub(crate) trait Target {
    fn make(&self, random: &mut Random) -> Vec<u8>;

    /// Whether the input was accepted. An error says which promise it broke.
    fn judge(&mut self, input: &[u8]) -> Result<bool>;
}

/// Opens a target that may use the folder.
type Open = fn(&Path) -> Result<Box<dyn Target>>;

pub(crate) const TARGETS: [(&str, Open); 10] = [
    ("names", names::open),
    ("filter", filter::open),
    ("pipeline", pipeline::open),
    ("record", record::open),
    ("query", query::open),
    ("output", output::open),
    ("schema", schema::open),
    ("component", component::open),
    ("manifest", manifest::open),
    ("bucket", bucket::open),
];

/// What became of the cases of one target.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) cases: u64,
    pub(crate) accepted: u64,
    /// Cases, not kinds of them.
    pub(crate) findings: u64,
}

/// `--seconds` for each target, each in processes of its own; `--case N` runs that one case.
pub(crate) fn run(torture: &Torture) -> Result<String> {
    let (seconds, seed) = (torture.number("seconds", 600), torture.number("seed", 1));
    let chosen = match torture.word("target") {
        None => TARGETS.iter().map(|(name, _)| *name).collect(),
        Some(name) => vec![find(name)?.0],
    };
    let case = torture.number("case", u64::MAX);
    if case != u64::MAX {
        let target = torture.word("target").context("--case needs a --target")?;
        return reproduce(&torture.work, target, seed, case);
    }
    let mut all = Tally::default();
    for name in &chosen {
        let started = Instant::now();
        let tally = process::drive(&torture.work, name, seed, Duration::from_secs(seconds))?;
        eprintln!("{}", line(name, tally, started.elapsed()));
        all.cases += tally.cases;
        all.accepted += tally.accepted;
        all.findings += tally.findings;
    }
    let (cases, findings) = (all.cases, all.findings);
    ensure!(findings == 0, "{findings} of {cases} cases fail, see {}", torture.work.display());
    Ok(format!("fuzz: {cases} cases of {} targets, seed {seed}, none fails", chosen.len()))
}

fn line(name: &str, tally: Tally, elapsed: Duration) -> String {
    let Tally { cases, accepted, findings } = tally;
    let (each, share) = (cases as f64 / elapsed.as_secs_f64(), accepted * 100 / cases.max(1));
    format!("{name}: {cases} cases, {each:.0} a second, {share} % accepted, {findings} fail")
}

fn find(name: &str) -> Result<(&'static str, Open)> {
    let known = || TARGETS.map(|(name, _)| name).join(", ");
    let found = TARGETS.iter().find(|(known, _)| *known == name).copied();
    found.with_context(|| format!("there is no target `{name}`, there are {}", known()))
}

fn reproduce(work: &Path, name: &str, seed: u64, case: u64) -> Result<String> {
    let input = Runner::open(work, name, seed)?.make(case);
    save(work, name, seed, case, &input, "being run again")?;
    let accepted = process::once(work, name, seed, case)?;
    Ok(format!("fuzz: {name} {seed} {case} holds, {} bytes, accepted: {accepted}", input.len()))
}

/// Cases of one target, one after the other, in this process.
struct Runner {
    open: Open,
    folder: PathBuf,
    target: Box<dyn Target>,
    seed: u64,
}

impl Runner {
    fn open(folder: &Path, name: &str, seed: u64) -> Result<Runner> {
        let open = find(name)?.1;
        let target = open(folder)?;
        Ok(Runner { open, folder: folder.to_path_buf(), target, seed })
    }

    fn make(&self, case: u64) -> Vec<u8> {
        self.target.make(&mut Random::new(self.seed, case))
    }

    fn judge(&mut self, input: &[u8]) -> Result<bool> {
        let judged = guard::guard(|| self.target.judge(input));
        if judged.is_err() {
            // Whatever it stopped in the middle of must not spoil the next case.
            self.target = (self.open)(&self.folder)?;
        }
        judged
    }
}

/// The first `cases` of seed 1, here; for tests. The first one that fails is an error.
pub(crate) fn small(folder: &Path, name: &str, cases: u64) -> Result<Tally> {
    let mut runner = Runner::open(folder, name, 1)?;
    let mut tally = Tally::default();
    for case in 0..cases {
        let input = runner.make(case);
        let command = command(name, 1, case);
        let accepted = runner.judge(&input).with_context(|| format!("fails: {command}"))?;
        tally.cases += 1;
        tally.accepted += u64::from(accepted);
    }
    Ok(tally)
}

fn command(name: &str, seed: u64, case: u64) -> String {
    format!("./x torture fuzz --target {name} --seed {seed} --case {case}")
}

/// The input, and beside it how to run it again and what is wrong with it.
fn save(
    folder: &Path,
    name: &str,
    seed: u64,
    case: u64,
    input: &[u8],
    message: &str,
) -> Result<()> {
    let file = folder.join(format!("{name}-{case}"));
    std::fs::write(file.with_extension("bin"), input)?;
    let text = format!("{}\n{message}\n{} bytes\n", command(name, seed, case), input.len());
    Ok(std::fs::write(file.with_extension("txt"), text)?)
}

/// Tells kinds of failures apart: by the place of a panic, or by the first words.
fn signature(message: &str) -> String {
    if let Some(panic) = message.strip_prefix(guard::PANICKED) {
        return panic.split(": ").next().unwrap_or_default().to_string();
    }
    let words = message.split(['`', '"', '{', '[']).next().unwrap_or_default();
    words.chars().filter(|c| !c.is_ascii_digit()).take(60).collect()
}

/// An error about input is one of `codes`, says something and shows no sign of a bug.
fn refused(error: &Error, codes: &[Code]) -> Result<()> {
    let (code, text) = (error.code(), error.chain());
    ensure!(codes.contains(&code), "refused with {code:?}: {text}");
    ensure!(!text.is_empty(), "refused without a word");
    Ok(())
}

/// `Ok(None)` for a refusal with one of `codes`.
fn answer<T>(result: quarry::error::Result<T>, codes: &[Code]) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => refused(&error, codes).map(|()| None),
    }
}

/// The input as text; what is not UTF-8 is replaced.
fn text(input: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(input)
}
