//! How fast an extractor is: the same rows again and again, in rounds.

use crate::config::{PARTITION_BYTES, PARTITION_ROWS};
use crate::error::{Code, Context, Error, Result};
use crate::plugin::{Cells, Input, InputColumn, Instance};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds, of which the median is taken; one at least.
    pub rounds: usize,
    /// A round makes calls until this is over, one at least.
    pub round: Duration,
}

/// Calls in a row.
#[derive(Debug, Clone, Copy, Default)]
pub struct Round {
    pub calls: u64,
    pub rows: u64,
    pub documents: u64,
    pub took: Duration,
    /// Time in host calls.
    pub crossing: Duration,
    pub host_calls: u64,
}

/// What was measured, after one call that does not count.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Rows of each call: those given, repeated until a partition is full.
    pub call_rows: usize,
    /// Bytes of each call's input, referenced blobs included.
    pub call_bytes: u64,
    pub rounds: Vec<Round>,
    /// Most linear memory an instance had after a call.
    pub memory_bytes: usize,
}

impl Bench {
    /// The instance has to measure ([`Instance::meter`]). A call that fails ends it.
    pub fn run(instance: &mut dyn Instance, rows: &Input, effort: Effort) -> Result<Bench> {
        let input = filled(rows)?;
        let call_bytes = bytes(&input)?;
        let mut bench =
            Bench { call_rows: input.rows, call_bytes, rounds: Vec::new(), memory_bytes: 0 };
        bench.call(instance, &input, &mut Round::default())?;
        for _ in 0..effort.rounds.max(1) {
            let mut round = Round::default();
            let started = Instant::now();
            while round.calls == 0 || started.elapsed() < effort.round {
                bench.call(instance, &input, &mut round)?;
            }
            bench.rounds.push(round);
        }
        Ok(bench)
    }

    fn call(&mut self, instance: &mut dyn Instance, input: &Input, to: &mut Round) -> Result<()> {
        let started = Instant::now();
        let answer = instance.run(input);
        to.took += started.elapsed();
        let usage = instance.usage();
        let output = answer.map_err(|failure| {
            let reason = failure.reason.as_str();
            let message = format!("the extractor fails on these rows: {reason}");
            Error::new(Code::Extractor, format!("{message}: {}", failure.message))
                .hint("`quarry extractor run` shows which row it is")
        })?;
        to.calls += 1;
        to.rows += input.rows as u64;
        to.documents += output.documents as u64;
        to.crossing += usage.crossing;
        to.host_calls += usage.host_calls;
        self.memory_bytes = self.memory_bytes.max(usage.memory_bytes);
        Ok(())
    }

    /// Least, median and most of what `of` says of a round.
    pub fn spread(&self, of: impl Fn(&Round) -> f64) -> [f64; 3] {
        let mut values: Vec<f64> = self.rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        match values.as_slice() {
            [] => [0.0; 3],
            sorted => [sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]],
        }
    }

    /// Part of the time that host calls took, 0 to 1.
    pub fn crossing_share(&self) -> f64 {
        let crossing: Duration = self.rounds.iter().map(|round| round.crossing).sum();
        let took: Duration = self.rounds.iter().map(|round| round.took).sum();
        crossing.as_secs_f64() / took.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

impl Round {
    pub fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// The rows, repeated until they fill a partition as a batch would cut it.
fn filled(rows: &Input) -> Result<Input> {
    if rows.rows == 0 {
        return Err(Error::invalid("there are no rows to measure with"));
    }
    let fit = PARTITION_BYTES as u64 / bytes(rows)?.max(1);
    let times = (PARTITION_ROWS / rows.rows).min(usize::try_from(fit).unwrap_or(1)).max(1);
    let columns = rows.columns.iter().map(|column| {
        Ok(match column {
            InputColumn::Array(array) => {
                let parts = vec![array.as_ref(); times];
                let joined = arrow_select::concat::concat(&parts);
                let joined =
                    joined.context(Code::Internal, || "can not repeat rows".to_string())?;
                InputColumn::Array(joined)
            }
            InputColumn::Cells(cells) => InputColumn::Cells(Arc::new(Repeated {
                cells: cells.clone(),
                rows: rows.rows,
                from: 0,
            })),
            InputColumn::Absent => InputColumn::Absent,
        })
    });
    Ok(Input { rows: rows.rows * times, columns: columns.collect::<Result<_>>()? })
}

fn bytes(input: &Input) -> Result<u64> {
    let mut bytes = 0;
    for column in &input.columns {
        bytes += match column {
            InputColumn::Array(array) => {
                let size = array.to_data().get_slice_memory_size();
                size.context(Code::Internal, || "rows can not be measured".to_string())? as u64
            }
            InputColumn::Cells(cells) => {
                let mut sum = 0;
                for row in 0..input.rows {
                    sum += cells.len(row)?.unwrap_or(0);
                }
                sum
            }
            InputColumn::Absent => 0,
        };
    }
    Ok(bytes)
}

/// The same cells over and over.
struct Repeated {
    cells: Arc<dyn Cells>,
    /// Of `cells`.
    rows: usize,
    from: usize,
}

impl Repeated {
    fn at(&self, row: usize) -> usize {
        (self.from + row) % self.rows
    }
}

impl Cells for Repeated {
    fn len(&self, row: usize) -> Result<Option<u64>> {
        self.cells.len(self.at(row))
    }

    fn read(&self, row: usize, offset: u64, len: usize) -> Result<Bytes> {
        self.cells.read(self.at(row), offset, len)
    }

    fn slice(&self, from: usize, _: usize) -> Arc<dyn Cells> {
        let from = self.at(from);
        Arc::new(Repeated { cells: self.cells.clone(), rows: self.rows, from })
    }
}
