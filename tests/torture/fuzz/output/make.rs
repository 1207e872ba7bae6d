//! Right scripts: rows announced in pieces, every column pushed in pieces of its own, with gaps.

use super::super::guest::{FIXED, LOG, REJECT, SPARSE, VARLEN, VECTORS};
use super::super::random::Random;
use super::Steps;
use quarry::model::{Description, Field, FieldKind};

const TEXTS: [&str; 8] = ["", "a", "ä漢", "some words", "\u{0}", "\u{10ffff}", "ﬁ", "\n"];
const JSON: [&str; 10] = [
    "1",
    "null",
    "\"x\"",
    "{\"a\":[1,2,{\"b\":null}]}",
    "[]",
    "-0.5e-7",
    "9223372036854775807",
    " true ",
    "{\"a\":1,\"a\":2}",
    "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
];
const FLOATS: [f32; 8] = [0.0, -0.0, 1.5, 1e-45, -1e16, 1e16, f32::MIN_POSITIVE, 3.0];

pub(super) fn steps(description: &Description, rows: usize, random: &mut Random) -> Steps {
    let mut steps = Steps::default();
    let (mut row, mut first) = (0, 0);
    while row < rows {
        let piece = random.range(1..rows - row + 1);
        let counts: Vec<u32> = (0..piece).map(|_| count(random)).collect();
        let documents: u32 = counts.iter().sum();
        steps.announce(row as u32, &counts);
        for (field, described) in description.outputs.iter().enumerate() {
            let is_position = description.position.as_ref() == Some(&described.name);
            let column = Column { field: field as u32, described, is_position };
            column.push(first, documents, &counts, &mut steps, random);
        }
        for (at, _) in counts.iter().enumerate().filter(|(_, count)| **count == 0) {
            if random.one_in(2) {
                reject((row + at) as u32, &mut steps, random);
            }
        }
        if random.one_in(6) {
            let text = random.pick(&TEXTS);
            let at = steps.data(text.as_bytes());
            steps.push(LOG, &[random.below(7) as u32, at, text.len() as u32]);
        }
        row += piece;
        first += documents;
    }
    steps
}

fn count(random: &mut Random) -> u32 {
    match random.below(12) {
        0 => 50,
        1..4 => 0,
        n => (n / 3) as u32,
    }
}

fn reject(row: u32, steps: &mut Steps, random: &mut Random) {
    let code = random.pick(&["code", "", "\u{1b}[31m", "ä"]).repeat(1 + random.below(40));
    let message = random.pick(&TEXTS).repeat([1, 3, 2_000][random.below(3)]);
    let (code_at, message_at) = (steps.data(code.as_bytes()), steps.data(message.as_bytes()));
    steps.push(REJECT, &[row, code_at, code.len() as u32, message_at, message.len() as u32]);
}

struct Column<'a> {
    field: u32,
    described: &'a Field,
    is_position: bool,
}

impl Column<'_> {
    /// The documents from `first` on, in up to three calls; some are left out where that may be.
    fn push(
        &self,
        first: u32,
        documents: u32,
        counts: &[u32],
        steps: &mut Steps,
        random: &mut Random,
    ) {
        let must = self.is_position || self.described.kind == FieldKind::Dense;
        let mut at = 0;
        while at < documents {
            let piece = if random.one_in(2) { documents - at } else { 1 };
            if must || !random.one_in(5) {
                if self.is_position {
                    let positions = positions(counts);
                    let bytes = &positions[at as usize * 8..(at + piece) as usize * 8];
                    let data = steps.data(bytes);
                    let len = bytes.len() as u32;
                    steps.push(FIXED, &[self.field, first + at, data, 0, data, len]);
                } else {
                    self.values(first + at, piece as usize, steps, random);
                }
            }
            at += piece;
        }
    }

    fn values(&self, first: u32, count: usize, steps: &mut Steps, random: &mut Random) {
        let dimension = self.described.dimension.unwrap_or(0) as usize;
        let kind = self.described.kind;
        let validity = match random.below(3) {
            0 => (0..count.div_ceil(8)).map(|_| random.next() as u8).collect(),
            _ => Vec::new(),
        };
        match kind {
            FieldKind::Dense => {
                let data = floats(count * dimension, random);
                let at = steps.data(&data);
                steps.push(VECTORS, &[self.field, first, at, data.len() as u32]);
            }
            FieldKind::Sparse => self.sparse(first, count, steps, random),
            FieldKind::I64 | FieldKind::F64 | FieldKind::Bool => {
                let data = fixed(kind, count, random);
                let (bits, at) = (steps.data(&validity), steps.data(&data));
                let (bits_len, len) = (validity.len() as u32, data.len() as u32);
                steps.push(FIXED, &[self.field, first, bits, bits_len, at, len]);
            }
            FieldKind::Utf8 | FieldKind::Json | FieldKind::Blob | FieldKind::Multi => {
                let (mut offsets, mut data) = (vec![0], Vec::new());
                for _ in 0..count {
                    data.extend(value(kind, dimension, random));
                    offsets.push(data.len() as u32);
                }
                let bits = steps.data(&validity);
                let (starts, at) = (steps.numbers(&offsets), steps.data(&data));
                let (bits_len, len) = (validity.len() as u32, data.len() as u32);
                let count = offsets.len() as u32;
                let place = [self.field, first, bits, bits_len, starts, count, at, len];
                steps.push(VARLEN, &place);
            }
        }
    }

    fn sparse(&self, first: u32, count: usize, steps: &mut Steps, random: &mut Random) {
        let (mut offsets, mut indices) = (vec![0], Vec::new());
        for _ in 0..count {
            let mut index = random.below(5) as u32;
            for _ in 0..random.below(4) {
                indices.push(index);
                index += 1 + (random.edge() as u32 >> 4);
            }
            offsets.push(indices.len() as u32);
        }
        let values = floats(indices.len(), random);
        let (starts, at) = (steps.numbers(&offsets), steps.numbers(&indices));
        let weights = steps.data(&values);
        let (count, entries) = (offsets.len() as u32, indices.len() as u32);
        let values = values.len() as u32;
        let place = [self.field, first, starts, count, at, entries, weights, values];
        steps.push(SPARSE, &place);
    }
}

/// One number a document, different over all of the piece and so within each row.
fn positions(counts: &[u32]) -> Vec<u8> {
    (0..counts.iter().sum::<u32>()).rev().flat_map(|n| i64::from(n).to_le_bytes()).collect()
}

fn floats(count: usize, random: &mut Random) -> Vec<u8> {
    (0..count).flat_map(|_| FLOATS[random.below(FLOATS.len())].to_le_bytes()).collect()
}

fn fixed(kind: FieldKind, count: usize, random: &mut Random) -> Vec<u8> {
    let mut data = Vec::new();
    for _ in 0..count {
        match kind {
            FieldKind::Bool => data.push(random.below(2) as u8),
            FieldKind::F64 => data.extend((random.edge() as f64).to_le_bytes()),
            _ => data.extend(random.edge().to_le_bytes()),
        }
    }
    data
}

fn value(kind: FieldKind, dimension: usize, random: &mut Random) -> Vec<u8> {
    match kind {
        FieldKind::Utf8 => random.pick(&TEXTS).as_bytes().to_vec(),
        FieldKind::Json => random.pick(&JSON).as_bytes().to_vec(),
        FieldKind::Multi => floats(random.below(4) * dimension, random),
        _ => (0..random.below(20)).map(|_| random.next() as u8).collect(),
    }
}
