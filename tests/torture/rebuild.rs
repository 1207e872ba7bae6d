//! `./x torture rebuild`: a batch loses its process and its whole state in the middle, the state is
//! derived again from the object store, and the batch goes on to the same documents.

use super::Torture;
use super::batch::{Batch, Content, NAMESPACE, embedded_content, mix};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Stdio;

/// Kills of one batch at most; some find that it has ended.
const KILLS: u64 = 3;

pub(crate) fn run(torture: &Torture) -> Result<String> {
    let rounds = torture.number("rounds", 20);
    let batch = Batch::write(&torture.work.join("batch"), torture.number("objects", 3_000))?;
    let calm = torture.work.join("calm");
    let expected = batch.json(&calm, &RUN)?;
    let documents = embedded_content(&calm)?;
    let partitions = markers(&calm);
    ensure!(partitions > 3, "the batch has {partitions} partitions");
    let mut done = Figures::default();
    for round in 0..rounds {
        let data = torture.work.join("data");
        let mut trial = Trial { batch: &batch, data: &data, round, partitions, done: &mut done };
        let ended = trial.run()?;
        let seed = torture.number("seed", 0);
        let told = || format!("round {round}, seed {seed}");
        let counts = |answer: &serde_json::Value| answer["batch"]["collections"].clone();
        ensure!(counts(&ended) == counts(&expected), "{}: {ended}", told());
        compare(&embedded_content(&data)?, &documents).with_context(told)?;
        trial.again(&ended).with_context(told)?;
        compare(&embedded_content(&data)?, &documents).with_context(told)?;
        eprintln!("round {round}: {done:?}");
        std::fs::remove_dir_all(&data)?;
    }
    ensure!(done.lost > 0, "no state was lost in the middle of a batch");
    Ok(format!(
        "{rounds} batches of {partitions} partitions lost their state {} times in the middle, {} \
         before they were queued: 0 documents differ of {}",
        done.lost, done.drafts, documents.documents
    ))
}

const RUN: [&str; 4] = ["run", "pipeline.toml", "--manifest", "notes.parquet"];

#[derive(Debug, Default)]
struct Figures {
    /// States that were deleted while their batch was unfinished.
    lost: u64,
    /// Among the kills: those before the batch was queued, after which it begins anew.
    drafts: u64,
}

struct Trial<'a> {
    batch: &'a Batch,
    data: &'a Path,
    round: u64,
    partitions: u64,
    done: &'a mut Figures,
}

impl Trial<'_> {
    /// To the end of the batch, through kills at random counts of commits.
    fn run(&mut self) -> Result<serde_json::Value> {
        let mut resume: &[&str] = &[];
        for kill in 0..KILLS {
            let before = markers(self.data);
            let wanted = before + mix(self.round * KILLS + kill) % (self.partitions / 2 + 1);
            if !self.kill_at(wanted, resume)? {
                break;
            }
            std::fs::remove_dir_all(self.data.join("state"))?;
            let rebuilt = self.batch.json(self.data, &["admin", "rebuild"])?;
            // Garbage collection in between must not take what the batch still needs.
            self.batch.json(self.data, &["admin", "gc"])?;
            resume = match rebuilt["batches"].as_u64() {
                Some(0) => {
                    self.done.drafts += 1;
                    &[]
                }
                _ if rebuilt["unfinished"] == 1 => {
                    self.done.lost += 1;
                    let (found, least) = (rebuilt["partitions"].as_u64(), markers(self.data));
                    ensure!(found == Some(least), "{found:?} partitions of {least} markers");
                    &["--resume"]
                }
                // It had just ended.
                _ => break,
            };
        }
        let words = match unfinished(self.batch, self.data)? {
            true => [&RUN[..], &["--resume"]].concat(),
            false => RUN.to_vec(),
        };
        let mut ended = self.batch.json(self.data, &words)?;
        let id = ended["batch"]["id"].as_str().context("a run names its batch")?;
        ended["batch"] = self.batch.json(self.data, &["batch", "get", id])?;
        Ok(ended)
    }

    /// Whether the run was killed: it may have ended before.
    fn kill_at(&self, wanted: u64, resume: &[&str]) -> Result<bool> {
        let mut command = self.batch.run(self.data, resume)?;
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let begun = || wanted > 0 || folders(self.data) > 0;
        while (markers(self.data) < wanted || !begun()) && child.try_wait()?.is_none() {
            std::thread::yield_now();
        }
        let killed = child.try_wait()?.is_none();
        child.kill()?;
        child.wait()?;
        Ok(killed)
    }

    /// The state of a finished batch is lost as well: nothing is run again, everything is in order.
    fn again(&self, ended: &serde_json::Value) -> Result<()> {
        let (batch, data) = (self.batch, self.data);
        let names = |list: serde_json::Value| -> Vec<(String, String)> {
            let rows = list.as_array().cloned().unwrap_or_default();
            let text = |row: &serde_json::Value, name: &str| row[name].to_string();
            rows.iter().map(|row| (text(row, "name"), text(row, "digest"))).collect()
        };
        let extractors = names(batch.json(data, &["extractor", "list"])?);
        std::fs::remove_dir_all(data.join("state"))?;
        batch.json(data, &["admin", "rebuild"])?;
        let findings = batch.json(data, &["admin", "verify", "--deep"])?;
        ensure!(findings.as_array().is_some_and(Vec::is_empty), "findings: {findings}");
        let unchanged = batch.json(data, &RUN)?;
        ensure!(unchanged["changed"] == false, "it ran again: {unchanged}");
        ensure!(unchanged["batch"]["id"] == ended["batch"]["id"], "another batch: {unchanged}");
        let now = names(batch.json(data, &["extractor", "list"])?);
        ensure!(now == extractors, "extractors were {extractors:?} and are {now:?}");
        let found = batch.json(data, &["search", "embedded", "w1 w2 w3"])?;
        ensure!(found.as_array().is_some_and(|hits| !hits.is_empty()), "nothing is found");
        Ok(())
    }
}

fn unfinished(batch: &Batch, data: &Path) -> Result<bool> {
    if !data.join("state").is_dir() {
        return Ok(false);
    }
    let batches = batch.json(data, &["batch", "list"])?;
    let open = |row: &serde_json::Value| row["ended_at"].is_null();
    Ok(batches.as_array().is_some_and(|rows| rows.iter().any(open)))
}

fn compare(found: &Content, expected: &Content) -> Result<()> {
    ensure!(found == expected, "documents differ: {found:?}, undisturbed {expected:?}");
    Ok(())
}

fn batches(data: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    let folder = data.join("objects").join(NAMESPACE).join("batches");
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|batch| batch.path())
}

fn folders(data: &Path) -> u64 {
    batches(data).count() as u64
}

/// Committed partitions of all batches.
fn markers(data: &Path) -> u64 {
    let rounds = batches(data).map(|batch| batch.join("commits/000"));
    let files = rounds.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    // Without what is being staged.
    files.filter(|file| file.path().extension().is_some_and(|ending| ending == "json")).count()
        as u64
}
