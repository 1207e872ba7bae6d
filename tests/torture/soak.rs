//! Batches without end in one process: changed input, the same again with `--force`, canceled ones.
//! The process must not collect anything, and the sink must hold the last input's documents.

mod vitals;

use super::Torture;
use super::batch::{Batch, Content, Dice, NAMESPACE, PIPELINE, content, settings};
use anyhow::{Context, Result, ensure};
use quarry::app::App;
use quarry::config::Pipeline;
use quarry::engine::{Progress, Stop, Submission, Submitted};
use quarry::model::{BatchStatus, Name};
use quarry::store::BatchRecord;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use vitals::{Figure, Vitals, growth, most, troughs};

const WORKERS: usize = 2;
const MIB: f64 = (1 << 20) as f64;
/// Of the resident memory, in ten minutes.
const GROWTH_MIB_MAX: f64 = 1.0;
/// A shorter run says nothing about growth: its second half still warms up.
const JUDGED_FROM: Duration = Duration::from_secs(600);
/// Bytes of the state's files for each byte in it.
const STATE_RATIO_MAX: u64 = 4;
/// What the files of a small state may have: some of sled's segments of 512 KiB.
const STATE_BYTES_MIN: u64 = 8 << 20;
/// Threads and handles that come and go with how much happens at once.
const SLACK: u64 = 3;
/// Growth is that of the troughs in so many stretches of the second half: memory swings by tens of
/// MiB with what the vector engine has not moved to its files yet.
const STRETCHES: usize = 15;
/// Ended batches that are remembered, unless `--kept` says otherwise: history is no leak, but it
/// grows.
const BATCHES_KEPT: u64 = 50;
const RETAIN_EVERY: u64 = 25;
/// How often a batch that is to be canceled is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(crate) fn run(torture: &Torture) -> Result<String> {
    let length = Duration::from_secs(60 * torture.number("minutes", 30));
    let batches = torture.number("batches", u64::MAX);
    let mut soak = Soak::begin(torture)?;
    let started = Instant::now();
    let mut samples = Vec::new();
    while started.elapsed() < length && soak.batches < batches {
        soak.next()?;
        samples.push(soak.vitals()?);
        if soak.batches.is_multiple_of(50) {
            show(soak.batches, &samples[samples.len() - 1]);
        }
    }
    soak.check(&torture.work)?;
    soak.judge(&samples, started.elapsed() >= JUDGED_FROM)
}

fn show(batches: u64, vitals: &Vitals) {
    eprintln!(
        "{batches} batches: {:.1} MiB resident, {:.1} anonymous, {} handles, {} threads, state \
         {} KiB of {} live",
        vitals.resident_bytes as f64 / MIB,
        vitals.anonymous_bytes as f64 / MIB,
        vitals.handles,
        vitals.threads,
        vitals.state_bytes >> 10,
        vitals.live_bytes >> 10
    );
}

struct Soak {
    app: App,
    batch: Batch,
    pipeline: Pipeline,
    objects: u64,
    kept: usize,
    dice: Dice,
    revision: u64,
    batches: u64,
    canceled: u64,
    stale_deleted: u64,
    forgotten: u64,
}

impl Soak {
    fn begin(torture: &Torture) -> Result<Soak> {
        let objects = torture.number("objects", 2_000);
        Ok(Soak {
            app: App::open(&settings(&torture.work.join("data"), "edge", WORKERS))?,
            batch: Batch::write(&torture.work.join("batch"), objects)?,
            pipeline: Pipeline::parse(PIPELINE)?,
            objects,
            kept: torture.number("kept", BATCHES_KEPT) as usize,
            dice: Dice::new(torture.number("seed", 1)),
            revision: 0,
            batches: 0,
            canceled: 0,
            stale_deleted: 0,
            forgotten: 0,
        })
    }

    fn next(&mut self) -> Result<()> {
        match self.dice.below(4) {
            0 => self.run(None)?,
            1 => {
                self.revise()?;
                // The whole batch has a call for each partition: 4 and more.
                let calls = self.dice.below(6);
                self.run(Some(calls))?
            }
            _ => {
                self.revise()?;
                self.run(None)?
            }
        };
        Ok(())
    }

    fn revise(&mut self) -> Result<()> {
        self.revision += 1;
        self.batch.revise(self.objects, self.revision)
    }

    /// One batch, canceled after so many guest calls.
    fn run(&mut self, cancel_after: Option<u64>) -> Result<()> {
        let manifest = self.batch.manifest().to_string_lossy().into_owned();
        let submission = Submission {
            pipeline: &self.pipeline,
            name: "soak",
            manifests: &[(None, manifest)],
            force: true,
            resume: false,
            memo: true,
        };
        let engine = &self.app.engine;
        let Submitted::Ready(batch) = engine.submit(&submission, &|_| ())? else {
            anyhow::bail!("--force began no batch");
        };
        let stop = Arc::new(Stop::default());
        let canceler = Mutex::new(None);
        let ended = engine.run(&batch, &stop, &|_, progress| {
            if let Some(calls) = cancel_after {
                let (progress, stop) = (Arc::downgrade(progress), stop.clone());
                let thread = std::thread::spawn(move || cancel(&progress, &stop, calls));
                *canceler.lock().expect("nobody panics with it") = Some(thread);
            }
        });
        if let Some(thread) = canceler.into_inner().expect("nobody panics with it") {
            thread.join().ok().context("the canceling thread panicked")?;
        }
        let record = ended?;
        self.note(&record, cancel_after.is_some())?;
        if self.batches.is_multiple_of(RETAIN_EVERY) {
            let namespace = Name::parse(NAMESPACE)?;
            let forgotten = self.app.engine.retain(&namespace, self.kept)?;
            self.forgotten += forgotten.len() as u64;
        }
        Ok(())
    }

    fn note(&mut self, record: &BatchRecord, cancelable: bool) -> Result<()> {
        let canceled = record.status == BatchStatus::Canceled;
        let fine = record.status == BatchStatus::Completed || (canceled && cancelable);
        ensure!(fine, "batch {} is {}", record.id, record.status.as_str());
        self.batches += 1;
        self.canceled += u64::from(canceled);
        self.stale_deleted += record.collections.iter().map(|c| c.stale_deleted).sum::<u64>();
        Ok(())
    }

    fn vitals(&self) -> Result<Vitals> {
        Vitals::read(&self.app.engine.store, &self.app.data_dir.join("state"))
    }

    fn content(&self) -> Result<Content> {
        let sink = self.app.engine.sink.as_ref().context("the soak runs with a sink")?;
        content(sink.as_ref(), &Name::parse(NAMESPACE)?)
    }

    /// After all of it a whole batch leaves what it leaves in an empty data directory.
    fn check(&mut self, work: &Path) -> Result<()> {
        self.run(None)?;
        let found = self.content()?;
        let fresh = settings(&work.join("fresh"), "edge", WORKERS);
        let app = std::mem::replace(&mut self.app, App::open(&fresh)?);
        self.run(None)?;
        let expected = self.content()?;
        self.app = app;
        ensure!(found == expected, "the sink holds {found:?}, a fresh one {expected:?}");
        Ok(())
    }

    fn judge(&self, samples: &[Vitals], growth_counts: bool) -> Result<String> {
        let (first, second) = samples.split_at(samples.len() / 2);
        let grown = |figure: Figure| growth(&troughs(second, STRETCHES, figure), figure) / MIB;
        let anonymous = grown(|v| v.anonymous_bytes);
        let grown = grown(|v| v.resident_bytes);
        let flat = |name: &str, figure: Figure| -> Result<u64> {
            let (before, after) = (most(first, figure), most(second, figure));
            ensure!(after <= before + SLACK, "{name} grew from {before} to {after}");
            Ok(after)
        };
        let handles = flat("file handles", |v| v.handles)?;
        let threads = flat("threads", |v| v.threads)?;
        let last = samples.last().context("not one batch was run")?;
        show(self.batches, last);
        let allowed = (STATE_RATIO_MAX * last.live_bytes).max(STATE_BYTES_MIN);
        let (state, live) = (last.state_bytes, last.live_bytes);
        ensure!(state <= allowed, "the state has {state} bytes for {live} live ones");
        ensure!(self.stale_deleted > 0, "no batch deleted stale documents");
        ensure!(
            !growth_counts || grown < GROWTH_MIB_MAX,
            "resident memory grew by {grown:.2} MiB in 10 minutes"
        );
        let judged = if growth_counts { "" } else { " (too short to judge)" };
        Ok(format!(
            "{} batches, {} canceled, {} forgotten, {} stale documents deleted: {grown:+.2} MiB \
             in 10 minutes{judged} ({anonymous:+.2} anonymous), {handles} handles, {threads} \
             threads, state {:.1} times its {} KiB",
            self.batches,
            self.canceled,
            self.forgotten,
            self.stale_deleted,
            state as f64 / live as f64,
            live >> 10
        ))
    }
}

/// Ends with the batch, or when it was asked to cancel.
fn cancel(progress: &Weak<Progress>, stop: &Stop, calls: u64) {
    while let Some(progress) = progress.upgrade() {
        if progress.calls.load(Ordering::Relaxed) >= calls {
            stop.cancel();
            return;
        }
        drop(progress);
        std::thread::park_timeout(LOOK_EVERY);
    }
}
