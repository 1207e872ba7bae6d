//! An extractor tried outside of a batch: a few rows, the limits of a batch, nothing is written.

mod bench;
mod difference;
mod fixture;
mod sample;

pub use bench::{Bench, Effort, Round};
pub use difference::{Difference, differences};
pub use fixture::{Fixture, Outcome, Project};
pub use sample::{Sample, Wanted};

use super::extract::extract;
use crate::error::Result;
use crate::model::{Description, Vector};
use crate::plugin::rows::{self, Row};
use crate::plugin::{Failure, Input, InputColumn, Instance, Output, Usage};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// What became of some rows.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// By row, then in the extractor's order.
    pub documents: Vec<Made>,
    /// By row.
    pub rejected: Vec<Rejected>,
    /// Rows that no call succeeded with, by row.
    pub failed: Vec<Failed>,
    /// What the calls that succeeded logged.
    pub log: Vec<String>,
    /// Calls made: more than one where rows failed.
    pub calls: u32,
    pub took: Duration,
    /// Most linear memory that an instance had after a call.
    pub memory_bytes: usize,
    /// Time in host calls, where the instance measures it.
    pub crossing: Duration,
    pub host_calls: u64,
}

/// One document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The row it was made from, from 0.
    pub row: usize,
    /// Null ones are left out.
    pub fields: Row,
}

/// A row that the extractor refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    pub row: usize,
    pub code: String,
    pub message: String,
}

/// A row that the extractor could not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    pub row: usize,
    /// As in a dead letter: `trap`, `timeout`, `memory_limit` …
    pub reason: String,
    pub message: String,
    /// Last lines the extractor logged.
    pub log: Vec<String>,
}

/// Runs all rows in one call, as a batch does; a call that fails is halved until the rows that it
/// fails for stand alone.
pub fn run(instance: &mut dyn Instance, input: &Input) -> Trial {
    let mut watched = Watched { instance, memory_bytes: 0, crossing: Duration::ZERO, calls: 0 };
    let started = Instant::now();
    let extracted = extract(&mut watched, input, &|| false).unwrap_or_default();
    let mut trial = Trial {
        took: started.elapsed(),
        memory_bytes: watched.memory_bytes,
        crossing: watched.crossing,
        host_calls: watched.calls,
        calls: extracted.calls,
        ..Trial::default()
    };
    for mut piece in extracted.pieces {
        trial.log.append(&mut piece.output.log);
        let mut made = rows::documents(&instance.description().outputs, &piece.output).into_iter();
        for (offset, count) in piece.output.counts.iter().enumerate() {
            let of_row = made.by_ref().take(*count as usize);
            trial.documents.extend(of_row.map(|fields| Made { row: piece.from + offset, fields }));
        }
        trial.rejected.extend(piece.output.rejects.into_iter().map(|reject| Rejected {
            row: piece.from + reject.row,
            code: reject.code,
            message: reject.message,
        }));
    }
    let rejected = |row: usize| trial.rejected.iter().any(|rejected| rejected.row == row);
    let failed = extracted.dead.into_iter().filter(|dead| !rejected(dead.row));
    trial.failed = failed
        .map(|dead| Failed {
            row: dead.row,
            reason: dead.code,
            message: dead.message,
            log: dead.log,
        })
        .collect();
    trial
}

/// One call for each row.
pub fn run_each(instance: &mut dyn Instance, input: &Input) -> Vec<Trial> {
    let one = |row| run(instance, &row_of(input, row));
    (0..input.rows).map(one).collect()
}

/// Row `at` alone.
pub fn row_of(input: &Input, at: usize) -> Input {
    let columns = input.columns.iter().map(|column| match column {
        InputColumn::Array(array) => InputColumn::Array(array.slice(at, 1)),
        InputColumn::Cells(cells) => InputColumn::Cells(cells.slice(at, 1)),
        InputColumn::Absent => InputColumn::Absent,
    });
    Input { rows: 1, columns: columns.collect() }
}

/// Passes calls on and adds up what they took.
struct Watched<'a> {
    instance: &'a mut dyn Instance,
    memory_bytes: usize,
    crossing: Duration,
    calls: u64,
}

impl Instance for Watched<'_> {
    fn description(&self) -> &Description {
        self.instance.description()
    }

    fn run(&mut self, input: &Input) -> std::result::Result<Output, Failure> {
        let answer = self.instance.run(input);
        let Usage { memory_bytes, host_calls, crossing } = self.instance.usage();
        self.memory_bytes = self.memory_bytes.max(memory_bytes);
        self.crossing += crossing;
        self.calls += host_calls;
        answer
    }

    fn embed_query(&mut self, text: &str) -> Result<Vec<(String, Vector)>> {
        self.instance.embed_query(text)
    }
}
