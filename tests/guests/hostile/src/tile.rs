//! One tile: what was pulled, and what is pushed for it. Evil changes it in between.

use crate::Config;
use crate::bindings::exports::quarry::extractor::extractor::{Batch, Sink};
use crate::bindings::quarry::extractor::input::{FixedColumn, VarlenColumn};

pub(crate) struct Tile {
    pub(crate) from: u32,
    /// Documents of each row.
    pub(crate) counts: Vec<u32>,
    pub(crate) text: VarlenColumn,
    pub(crate) position: Vec<i64>,
    pub(crate) vectors: Vec<f32>,
    pub(crate) number: FixedColumn,
    pub(crate) score: FixedColumn,
    pub(crate) flag: FixedColumn,
    pub(crate) data: VarlenColumn,
    pub(crate) meta: VarlenColumn,
    pub(crate) terms: Terms,
    pub(crate) pieces: VarlenColumn,
}

pub(crate) struct Terms {
    pub(crate) offsets: Vec<u32>,
    pub(crate) indices: Vec<u32>,
    pub(crate) values: Vec<f32>,
}

impl Tile {
    pub(crate) fn pull(input: &Batch, from: u32, to: u32, config: &Config) -> Self {
        let rows = to - from;
        let text = input.varlen(0, from, to);
        let image = input.fixed(6, from, to);
        let lengths: Vec<u32> = text.offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let dimension = config.dimension as usize;
        let vector = |length: &u32| {
            let length = *length as usize;
            (0..dimension).map(move |lane| (length + lane) as f32)
        };
        let mut terms = Terms { offsets: vec![0], indices: Vec::new(), values: Vec::new() };
        for length in &lengths {
            // A row without text has no sparse vector.
            if *length > 0 {
                terms.indices.extend([*length, length + 1]);
                terms.values.extend([0.5, *length as f32]);
            }
            terms.offsets.push(terms.indices.len() as u32);
        }
        let pieces = match image.lanes {
            2 => VarlenColumn {
                validity: image.validity,
                offsets: (0..=rows).map(|row| row * 8).collect(),
                data: image.data,
            },
            // Nothing is mapped to the input.
            _ => VarlenColumn {
                validity: image.validity,
                offsets: vec![0; rows as usize + 1],
                data: Vec::new(),
            },
        };
        Tile {
            from,
            counts: vec![1; rows as usize],
            position: vec![0; rows as usize],
            vectors: lengths.iter().flat_map(vector).collect(),
            number: input.fixed(1, from, to),
            score: input.fixed(2, from, to),
            flag: input.fixed(3, from, to),
            data: if config.cells { cells(input, from, to) } else { input.varlen(4, from, to) },
            meta: input.varlen(5, from, to),
            terms,
            pieces,
            text,
        }
    }

    /// Row counted from the start of the tile.
    pub(crate) fn text_of(&self, row: u32) -> &str {
        let (start, end) = (self.text.offsets[row as usize], self.text.offsets[row as usize + 1]);
        std::str::from_utf8(&self.text.data[start as usize..end as usize]).unwrap_or("not UTF-8")
    }

    pub(crate) fn push(&self, output: &Sink) {
        let first = output.documents(self.from, &self.counts);
        output.varlen(0, first, &self.text.validity, &self.text.offsets, &self.text.data);
        output.fixed(1, first, &[], &longs(&self.position));
        output.vectors(2, first, &floats(&self.vectors));
        output.fixed(3, first, &self.number.validity, &self.number.data);
        output.fixed(4, first, &self.score.validity, &self.score.data);
        output.fixed(5, first, &self.flag.validity, &self.flag.data);
        output.varlen(6, first, &self.data.validity, &self.data.offsets, &self.data.data);
        output.varlen(7, first, &self.meta.validity, &self.meta.offsets, &self.meta.data);
        let terms = &self.terms;
        output.sparse(8, first, &terms.offsets, &terms.indices, &floats(&terms.values));
        output.varlen(9, first, &self.pieces.validity, &self.pieces.offsets, &self.pieces.data);
    }

    /// Announces the tile and pushes the columns a document can not do without.
    pub(crate) fn push_bare(&self, output: &Sink) -> u32 {
        let first = output.documents(self.from, &self.counts);
        let documents = self.counts.iter().sum::<u32>() as usize;
        let dimension = self.vectors.len() / self.counts.len();
        output.fixed(1, first, &[], &longs(&vec![0; documents]));
        output.vectors(2, first, &floats(&vec![1.0; documents * dimension]));
        first
    }
}

/// The column `data` read cell by cell, in pieces of 10 bytes.
fn cells(input: &Batch, from: u32, to: u32) -> VarlenColumn {
    let mut column = VarlenColumn { validity: Vec::new(), offsets: vec![0], data: Vec::new() };
    column.validity.resize((to - from).div_ceil(8) as usize, 0);
    for row in from..to {
        if let Ok(length) = input.cell_len(4, row) {
            let at = (row - from) as usize;
            column.validity[at / 8] |= 1 << (at % 8);
            let mut read = 0;
            while read < length {
                let Ok(bytes) = input.cell_read(4, row, read, 10) else { break };
                if bytes.is_empty() {
                    break;
                }
                read += bytes.len() as u64;
                column.data.extend(bytes);
            }
        }
        column.offsets.push(column.data.len() as u32);
    }
    column
}

pub(crate) fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(crate) fn longs(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
