//! Calls an extractor on a partition and isolates the rows that it can not do: a failed call is
//! halved until the poison row stands alone.

use crate::error::Result;
use crate::plugin::{Failure, Input, InputColumn, Instance, Output};
use crate::store::Watch;
use std::collections::BTreeMap;

/// One successful call: rows [from, from + output.counts.len()).
pub struct Piece {
    pub from: usize,
    pub output: Output,
}

/// A row that goes to the dead letters.
pub struct DeadRow {
    pub row: usize,
    pub code: String,
    pub message: String,
    /// Calls that this row was part of.
    pub attempts: u32,
    pub log: Vec<String>,
}

#[derive(Default)]
pub struct Extracted {
    /// By row.
    pub pieces: Vec<Piece>,
    /// By row.
    pub dead: Vec<DeadRow>,
    /// Calls made, failed ones included.
    pub calls: u32,
    /// Those of them that failed, by reason.
    pub failures: BTreeMap<&'static str, u64>,
}

/// `stop` is asked before every call; when it says yes, `None` is the answer.
pub fn extract(
    instance: &mut dyn Instance,
    input: &Input,
    stop: &dyn Fn() -> bool,
) -> Option<Extracted> {
    let mut extracted = Extracted::default();
    // A stack instead of recursion: (from, rows, calls before).
    let mut open = vec![(0, input.rows, 0)];
    while let Some((from, rows, before)) = open.pop() {
        if rows == 0 {
            continue;
        }
        if stop() {
            return None;
        }
        extracted.calls += 1;
        let answer = instance.run(&slice(input, from, rows));
        if answer.is_err() && stop() {
            return None;
        }
        if let Err(failure) = &answer {
            *extracted.failures.entry(failure.reason.as_str()).or_default() += 1;
        }
        match answer {
            Ok(output) => keep(&mut extracted, from, before + 1, output),
            Err(failure) if rows == 1 => extracted.dead.push(buried(from, before + 1, failure)),
            Err(_) => {
                let half = rows / 2;
                open.push((from + half, rows - half, before + 1));
                open.push((from, half, before + 1));
            }
        }
    }
    Some(extracted)
}

/// Times that a row may be begun without an end before it is held to be what kills the host. A host
/// that is killed for other reasons hardly ever dies that often in the same row.
const ROW_DEATHS_MAX: u32 = 3;
/// The code of such a row's dead letter.
const HOST_DEATH: &str = "host_death";

/// One row after the other, each noted durably before it begins: where earlier processes died, the
/// row that killed them is found and left out.
pub fn extract_watched(
    instance: &mut dyn Instance,
    input: &Input,
    mut watch: Watch,
    note: &dyn Fn(&Watch) -> Result<()>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Extracted>> {
    if watch.begun >= ROW_DEATHS_MAX && !watch.buried.contains(&watch.row) {
        watch.buried.push(watch.row);
    }
    let suspect = (watch.row, watch.begun);
    let mut extracted = Extracted::default();
    for row in 0..input.rows {
        let number = row as u32;
        if watch.buried.contains(&number) {
            let message = format!("the host died {ROW_DEATHS_MAX} times while it ran this row");
            let (code, log) = (HOST_DEATH.to_string(), Vec::new());
            extracted.dead.push(DeadRow { row, code, message, attempts: ROW_DEATHS_MAX, log });
            continue;
        }
        let before = if suspect.0 == number { suspect.1 } else { 0 };
        (watch.row, watch.begun) = (number, before + 1);
        note(&watch)?;
        let Some(one) = extract(instance, &slice(input, row, 1), stop) else { return Ok(None) };
        extracted.calls += one.calls;
        for (reason, count) in one.failures {
            *extracted.failures.entry(reason).or_default() += count;
        }
        extracted.pieces.extend(one.pieces.into_iter().map(|piece| Piece { from: row, ..piece }));
        extracted.dead.extend(one.dead.into_iter().map(|dead| DeadRow { row, ..dead }));
    }
    // A host that dies from here on, while it writes the part, does not die of the last row.
    watch.begun = 0;
    note(&watch)?;
    Ok(Some(extracted))
}

fn keep(extracted: &mut Extracted, from: usize, attempts: u32, output: Output) {
    for reject in &output.rejects {
        extracted.dead.push(DeadRow {
            row: from + reject.row,
            code: reject.code.clone(),
            message: reject.message.clone(),
            attempts,
            log: Vec::new(),
        });
    }
    extracted.pieces.push(Piece { from, output });
}

fn buried(row: usize, attempts: u32, failure: Failure) -> DeadRow {
    let code = failure.reason.as_str().to_string();
    DeadRow { row, code, message: failure.message, attempts, log: failure.log }
}

fn slice(input: &Input, from: usize, rows: usize) -> Input {
    if from == 0 && rows == input.rows {
        return input.clone();
    }
    let columns = input.columns.iter().map(|column| match column {
        InputColumn::Array(array) => InputColumn::Array(array.slice(from, rows)),
        InputColumn::Cells(cells) => InputColumn::Cells(cells.slice(from, rows)),
        InputColumn::Absent => InputColumn::Absent,
    });
    Input { rows, columns: columns.collect() }
}
