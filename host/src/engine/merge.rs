//! Documents that were made and documents that were taken, in the order of their rows: the part is
//! the same as if all had been made.

use super::bind::Bound;
use super::extract::Extracted;
use super::reuse::{Reused, Span};
use crate::error::{Code, Context, Result};
use arrow_array::{RecordBatch, UInt32Array};

pub struct Merge {
    /// By row of the partition, as far as they were handed over.
    rows: Vec<Origin>,
    parts: Vec<RecordBatch>,
    /// Rows that are not extracted.
    pub skipped: u64,
}

enum Origin {
    Taken(Span),
    /// The next row that was extracted.
    Made,
}

impl Merge {
    /// Leaves only the rows in `bound` whose documents have to be made; `None` when all have.
    pub fn split(bound: &mut Bound, reused: Reused) -> Result<Option<Merge>> {
        if reused.rows.is_empty() {
            return Ok(None);
        }
        let (mut rows, mut rest) = (Vec::with_capacity(bound.input.rows), Vec::new());
        for row in 0..bound.input.rows {
            let id = match &bound.parents {
                Some(parents) => parents.value(row),
                None => bound.objects.value(row).as_bytes(),
            };
            rows.push(match reused.rows.get(id) {
                Some(span) => Origin::Taken(*span),
                None => {
                    rest.push(row as u32);
                    Origin::Made
                }
            });
        }
        let skipped = (rows.len() - rest.len()) as u64;
        if skipped == 0 {
            return Ok(None);
        }
        bound.keep(&UInt32Array::from(rest))?;
        Ok(Some(Merge { rows, parts: reused.parts, skipped }))
    }

    /// `made` holds the documents of the pieces that have any, in their order.
    pub fn join(&self, extracted: &Extracted, made: &[RecordBatch]) -> Result<Option<RecordBatch>> {
        let rest = self.rows.iter().filter(|origin| matches!(origin, Origin::Made)).count();
        let mut counts = vec![0; rest];
        for piece in &extracted.pieces {
            counts[piece.from..piece.from + piece.output.counts.len()]
                .copy_from_slice(&piece.output.counts);
        }
        let documents = made
            .iter()
            .enumerate()
            .flat_map(|(at, rows)| (0..rows.num_rows()).map(move |row| (at, row)));
        let (mut documents, mut counts) = (documents, counts.into_iter());
        let mut order: Vec<(usize, usize)> = Vec::new();
        for origin in &self.rows {
            match origin {
                Origin::Taken(span) => {
                    let at = made.len() + span.part;
                    order.extend((span.from..span.from + span.rows).map(|row| (at, row)));
                }
                Origin::Made => {
                    let count = counts.next().unwrap_or(0) as usize;
                    order.extend(documents.by_ref().take(count));
                }
            }
        }
        if order.is_empty() {
            return Ok(None);
        }
        let all: Vec<&RecordBatch> = made.iter().chain(&self.parts).collect();
        arrow_select::interleave::interleave_record_batch(&all, &order)
            .map(Some)
            .context(Code::Internal, || "can not merge documents".to_string())
    }
}
