//! Everything a guest should not do. The name of an act may carry a number: `documents:3`.

use crate::bindings::exports::quarry::extractor::extractor::{Batch, Sink};
use crate::bindings::quarry::extractor::log;
use crate::tile::{Tile, floats};
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

/// Calls of `run` since the instance was made.
pub(crate) static CALLS: AtomicU32 = AtomicU32::new(0);

pub(crate) fn configure(act: &str, mut description: Value) -> Result<String, String> {
    match act {
        "configure: loop" => spin(),
        "configure: trap" => trap(),
        "configure: error" => return Err("these parameters do not go together".to_string()),
        "configure: garbage" => return Ok("not JSON".to_string()),
        "configure: name" => description["name"] = json!("another"),
        "configure: dimension" => description["outputs"][2]["dimension"] = json!(0),
        _ => {}
    }
    Ok(description.to_string())
}

/// Does the evil instead of pushing the tile, or with it. `row` is the poisoned one.
pub(crate) fn run(
    act: &str,
    row: u32,
    tile: &mut Tile,
    input: &Batch,
    output: &Sink,
) -> Result<(), String> {
    let (name, number) = match act.split_once(':') {
        Some((name, number)) => (name, number.trim().parse().unwrap_or(0)),
        None => (act, 0_usize),
    };
    let at = (row - tile.from) as usize;
    match name {
        "trap" => trap(),
        "panic" => {
            log::write(1, "panicked: the guest had enough");
            trap()
        }
        "loop" => spin(),
        "recurse" => drop(black_box(recurse(1))),
        "memory" => eat(usize::MAX),
        "allocate" => eat(number),
        "count" => {
            eat(number);
            log::write(3, &format!("call {}", CALLS.load(Ordering::Relaxed)));
        }
        "probe" => {
            black_box(core::arch::wasm32::memory_grow::<0>(65_000));
        }
        "error" => return Err("the guest gives up".to_string()),
        "error-huge" => return Err("x".repeat(number)),
        "error-read" => return Err(format!("{:?}", input.cell_read(4, row, 0, 10))),
        "trap-read" => {
            let _ = black_box(input.cell_read(4, row, 0, 10));
            trap()
        }
        "read-all" => read_all(input, row)?,
        "log" => (0..number).for_each(|line| log::write(3, &format!("line {line}\u{1b}[31m\n"))),
        "log-long" => log::write(2, &"y".repeat(number)),
        "input" => drop(input.varlen(99, 0, 1)),
        "input-range" => drop(input.varlen(0, 0, input.rows() + 1)),
        "input-reverse" => drop(input.varlen(0, 1, 0)),
        "input-kind" => drop(input.fixed(0, 0, 1)),
        "input-width" => drop(input.varlen(1, 0, 1)),
        "cell-row" => drop(input.cell_len(4, input.rows())),
        "cell-kind" => drop(input.cell_len(1, 0)),
        "handle" => {
            // SAFETY: none: it is a handle nobody gave out. The host has to trap.
            unsafe { Batch::from_handle(77) }.rows();
        }
        "handle-drop" => {
            // SAFETY: none: the handle is dropped once more when the call returns.
            drop(unsafe { Sink::from_handle(output.handle()) });
        }
        _ => return push(name, number, at, tile, output),
    }
    tile.push(output);
    Ok(())
}

/// Evil in what is pushed.
fn push(
    name: &str,
    number: usize,
    at: usize,
    tile: &mut Tile,
    output: &Sink,
) -> Result<(), String> {
    let documents = tile.counts.len() as u32;
    match name {
        "reject-alive" => {
            tile.push(output);
            output.reject(tile.from, "alive", "but it has a document");
        }
        "documents" => {
            tile.counts[at] = number as u32;
            tile.push_bare(output);
        }
        "announce" => {
            tile.counts[at] = number as u32;
            output.documents(tile.from, &tile.counts);
        }
        "rows-order" => drop(black_box(output.documents(tile.from + 1, &tile.counts))),
        "rows-twice" => {
            tile.push(output);
            tile.push(output);
        }
        "rows-more" => drop(black_box(output.documents(tile.from, &vec![1; number]))),
        "rows-missing" => {}
        "bytes" => {
            let first = tile.push_bare(output);
            output.varlen(6, first, &[], &[0, number as u32], &vec![7; number]);
        }
        "bytes-many" => {
            tile.counts[at] = number as u32;
            let first = tile.push_bare(output);
            let data = vec![7; 1 << 20];
            for document in (first..).take(number) {
                output.varlen(6, document, &[], &[0, 1 << 20], &data);
            }
        }
        "vector-missing" => {
            output.documents(tile.from, &tile.counts);
        }
        "field" => output.vectors(99, 0, &[]),
        "field-kind" => output.vectors(0, 0, &[]),
        "first-far" => {
            let first = tile.push_bare(output);
            output.varlen(0, first + documents, &[], &[0, 1], b"a");
        }
        "first-again" => {
            tile.push(output);
            output.varlen(0, 0, &[], &[0, 1], b"a");
        }
        "vector-again" => {
            tile.push(output);
            output.vectors(2, 0, &floats(&tile.vectors));
        }
        "gaps" => gaps(tile, output),
        _ if name.starts_with("reject") => reject(name, at, tile, output),
        _ => {
            spoil(name, at, tile);
            tile.push(output);
        }
    }
    Ok(())
}

/// Evil in one value of the tile.
fn spoil(name: &str, at: usize, tile: &mut Tile) {
    let dimension = tile.vectors.len() / tile.counts.len();
    match name {
        "dimension" => drop(tile.vectors.pop()),
        "nan" => tile.vectors[at * dimension] = f32::NAN,
        "infinity" => tile.vectors[at * dimension] = f32::NEG_INFINITY,
        "positions" => {
            tile.counts = vec![0; tile.counts.len()];
            tile.counts[at] = tile.position.len() as u32;
        }
        "offsets-start" => tile.text.offsets[0] = 1,
        "offsets-descend" => tile.text.offsets[at + 1] = 0,
        "offsets-far" => *last(&mut tile.text.offsets) += 1,
        "offsets-huge" => *last(&mut tile.text.offsets) = u32::MAX,
        "offsets-none" => tile.text.offsets.clear(),
        "utf8" => tile.text.data[0] = 0xff,
        "utf8-cut" => {
            let end = tile.text.offsets[at + 1] as usize;
            tile.text.data[end - 1] = 0xc3;
            tile.text.data.insert(end, 0xa9);
            tile.text.offsets[at + 2..].iter_mut().for_each(|offset| *offset += 1);
        }
        "validity" => tile.text.validity = vec![255; 99],
        "json" => set(tile, "{oops"),
        "json-two" => set(tile, "1 2"),
        "json-number" => set(tile, "1e999"),
        "json-deep" => set(tile, &format!("{}{}", "[".repeat(21), "]".repeat(21))),
        "json-deep-fits" => set(tile, &format!("{}{}", "[".repeat(20), "]".repeat(20))),
        "json-surrogate" => set(tile, r#""\ud800""#),
        "bool" => tile.flag.data[at] = 2,
        "f64" => tile.score.data[at * 8..at * 8 + 8].copy_from_slice(&f64::NAN.to_le_bytes()),
        "width" => drop(tile.number.data.pop()),
        "sparse-order" => tile.terms.indices.reverse(),
        "sparse-nan" => tile.terms.values[0] = f32::NAN,
        "sparse-length" => drop(tile.terms.values.pop()),
        "pieces" => tile.pieces.offsets[1] += 4,
        _ => {}
    }
}

fn last(offsets: &mut [u32]) -> &mut u32 {
    let end = offsets.len() - 1;
    &mut offsets[end]
}

/// `meta` is `value` in the first row of the tile and missing in the others.
fn set(tile: &mut Tile, value: &str) {
    let rows = tile.counts.len();
    tile.meta.data = value.as_bytes().to_vec();
    tile.meta.offsets = std::iter::once(0).chain((0..rows).map(|_| value.len() as u32)).collect();
    tile.meta.validity = vec![0; rows.div_ceil(8)];
    tile.meta.validity[0] = 1;
}

/// Values only for the first and the last document: what is between them is null.
fn gaps(tile: &Tile, output: &Sink) {
    let first = tile.push_bare(output);
    let end = first + tile.counts.len() as u32 - 1;
    output.varlen(0, first, &[], &[0, 5], b"first");
    output.varlen(0, end, &[], &[0, 4], b"last");
    output.fixed(3, end, &[], &7_i64.to_le_bytes());
}

fn reject(name: &str, at: usize, tile: &mut Tile, output: &Sink) {
    tile.counts[at] = 0;
    tile.push_bare(output);
    let row = tile.from + at as u32;
    match name {
        "reject-code" => output.reject(row, &"c".repeat(65), ""),
        "reject-nameless" => output.reject(row, "\u{7}", ""),
        "reject-long" => output.reject(row, "long", &"m".repeat(1 << 20)),
        _ => output.reject(row, "poisoned", "the text says\nso"),
    }
    if name == "reject-twice" {
        output.reject(row, "poisoned", "again");
    }
}

fn read_all(input: &Batch, row: u32) -> Result<(), String> {
    let length = input.cell_len(4, row)?;
    let bytes = input.cell_read(4, row, 0, u32::MAX)?;
    let beyond = input.cell_read(4, row, length, 10)?;
    Err(format!("{length} long, {} read, {} beyond", bytes.len(), beyond.len()))
}

pub(crate) fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

fn spin() -> ! {
    loop {
        black_box(0);
    }
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 8]);
    // Never false; the compiler must not know.
    let deeper = if black_box(true) { recurse(depth + 1) } else { 0 };
    deeper + black_box(frame[7])
}

/// Takes `bytes` of memory and touches each page, then gives it back.
fn eat(bytes: usize) {
    let mut eaten = Vec::new();
    while eaten.len() << 20 < bytes {
        eaten.push(black_box(vec![1_u8; 1 << 20]));
    }
    drop(black_box(eaten));
}
