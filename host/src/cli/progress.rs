//! Live progress of a batch: one bar on a terminal, one line every ten seconds elsewhere.

use super::options::GlobalOptions;
use super::printer::thousands;
use crate::app::{DISCARD, cancel_request};
use crate::engine::plan::Plan;
use crate::engine::{Progress, Stop};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Rates are over this window.
const WINDOW: Duration = Duration::from_secs(10);

type Watched = Arc<Mutex<Option<(Arc<Plan>, Arc<Progress>)>>>;

/// Watches a run from a thread of its own until it is dropped.
pub(super) struct Watch {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    watched: Watched,
}

impl Watch {
    pub(super) fn start(
        options: &GlobalOptions,
        data_dir: &Path,
        batch: &str,
        stop: Arc<Stop>,
    ) -> Watch {
        let watched = Watched::default();
        let (end, ended) = channel();
        let request = cancel_request(data_dir, batch);
        // One that is older than this run was not meant for it.
        let _ = std::fs::remove_file(&request);
        let quiet = options.quiet;
        let seen = watched.clone();
        let thread = std::thread::spawn(move || {
            let mut display = Display::new(quiet);
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                obey(&request, &stop);
                let state = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some((plan, progress)) = state {
                    display.update(&plan, &progress);
                }
            }
            display.clear();
        });
        Watch { end: Some(end), thread: Some(thread), watched }
    }

    pub(super) fn attach(&self, plan: &Arc<Plan>, progress: &Arc<Progress>) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        *watched = Some((plan.clone(), progress.clone()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `quarry batch cancel` in another process leaves a file.
fn obey(request: &PathBuf, stop: &Stop) {
    if request.exists() && !stop.canceled() {
        match std::fs::read_to_string(request) {
            Ok(text) if text == DISCARD => stop.cancel_and_discard(),
            _ => stop.cancel(),
        }
        let _ = std::fs::remove_file(request);
    }
}

struct Display {
    bar: Option<ProgressBar>,
    quiet: bool,
    last_line: Instant,
    parked: bool,
    /// When and how many rows, within the window.
    samples: VecDeque<(Instant, u64)>,
}

impl Display {
    fn new(quiet: bool) -> Display {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg}").expect("a fixed template"),
            );
            bar
        });
        Display { bar, quiet, last_line: Instant::now(), parked: false, samples: VecDeque::new() }
    }

    fn update(&mut self, plan: &Plan, progress: &Progress) {
        let sum = |of: fn(&crate::engine::Counters) -> u64| -> u64 {
            progress.collections.iter().map(of).sum()
        };
        let done = sum(|c| c.rows_done.load(Ordering::Relaxed));
        let known = sum(|c| c.rows_known.load(Ordering::Relaxed));
        let failed = sum(|c| c.failed.load(Ordering::Relaxed));
        let now = Instant::now();
        self.samples.push_back((now, done));
        while self.samples.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            self.samples.pop_front();
        }
        let rate = self.rate(now, done);
        let tier = plan
            .collections
            .iter()
            .zip(&progress.collections)
            .filter(|(_, c)| c.rows_done.load(Ordering::Relaxed) > 0)
            .map(|(collection, _)| collection.tier)
            .max()
            .unwrap_or(0);
        let eta = match known.saturating_sub(done) {
            left if rate > 0.0 => human(left as f64 / rate),
            _ => "unknown".to_string(),
        };
        let parked = progress.parked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let waiting = parked.as_ref().map(|reason| format!("waiting, {reason}"));
        let line = waiting.unwrap_or_else(|| {
            format!(
                "tier {}/{} · {} of {} rows · {:.0} rows/s · ~{eta} remaining · {} errors",
                tier + 1,
                plan.tiers(),
                thousands(done),
                thousands(known),
                rate,
                thousands(failed)
            )
        });
        if parked.is_some() != self.parked {
            // Whoever reads a log should not have to wait for the next line.
            self.parked = parked.is_some();
            self.last_line = now - LINE_EVERY;
        }
        if let Some(bar) = &self.bar {
            bar.set_message(line);
            bar.tick();
        } else if !self.quiet && now.duration_since(self.last_line) >= LINE_EVERY {
            self.last_line = now;
            eprintln!("{line}");
        }
    }

    fn rate(&self, now: Instant, done: u64) -> f64 {
        let Some((at, before)) = self.samples.front() else { return 0.0 };
        let seconds = now.duration_since(*at).as_secs_f64();
        if seconds < 0.1 { 0.0 } else { done.saturating_sub(*before) as f64 / seconds }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// 17,820 seconds as "4h 57m".
pub(super) fn human(seconds: f64) -> String {
    let seconds = seconds.round().clamp(0.0, 1e9) as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s}s"),
        (h, m, _) => format!("{h}h {m}m"),
    }
}
