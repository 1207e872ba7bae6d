//! A run of several steps: all are tried, each is timed, and a summary closes.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration, bool)>,
}

impl Steps {
    /// Runs one step; its error is printed and remembered. Returns what it made.
    pub(crate) fn run<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Option<T> {
        eprintln!("\n== {name}");
        let started = Instant::now();
        let outcome = step();
        if let Err(error) = &outcome {
            eprintln!("error: {error:#}");
        }
        self.done.push((name.to_owned(), started.elapsed(), outcome.is_ok()));
        outcome.ok()
    }

    /// Prints the summary.
    pub(crate) fn finish(self) -> Result<()> {
        eprintln!();
        for (name, time, good) in &self.done {
            let word = if *good { "ok    " } else { "FAILED" };
            eprintln!("{word} {:>7.1} s  {name}", time.as_secs_f64());
        }
        let bad = self.done.iter().filter(|(_, _, good)| !good).count();
        if bad > 0 {
            bail!("{bad} of {} steps failed", self.done.len());
        }
        Ok(())
    }
}
