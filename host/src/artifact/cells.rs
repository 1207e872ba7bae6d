//! Column chunks of texts and bytes. Not for speed of encoding, which the general writer has, but
//! because it grows fresh buffers for every part, and those cost more than their content.

use super::pages::{Levels, PAGE_BYTES, Pages, run};
use super::recycled;
use arrow_array::types::ByteArrayType;
use arrow_array::{Array, FixedSizeBinaryArray, GenericByteArray};
use arrow_buffer::NullBuffer;
use parquet::errors::Result;

/// PLAIN: a value is its length in four bytes and its bytes.
pub(super) fn write<T>(cells: &GenericByteArray<T>, pages: &mut Pages) -> Result<()>
where
    T: ByteArrayType<Offset = i32>,
{
    let mut values = recycled::take();
    let mut from = 0;
    for row in 0..cells.len() {
        if cells.is_valid(row) {
            let value: &[u8] = cells.value(row).as_ref();
            values.extend_from_slice(&(value.len() as u32).to_le_bytes());
            values.extend_from_slice(value);
        }
        if values.len() >= PAGE_BYTES || row + 1 == cells.len() {
            pages.push(&levels(cells.nulls(), from, row + 1, pages.defined()), &values)?;
            values.clear();
            from = row + 1;
        }
    }
    recycled::give(values);
    Ok(())
}

/// PLAIN: the bytes of all values.
pub(super) fn write_fixed(cells: &FixedSizeBinaryArray, pages: &mut Pages) -> Result<()> {
    let mut values = recycled::take();
    for row in (0..cells.len()).filter(|row| cells.is_valid(*row)) {
        values.extend_from_slice(cells.value(row));
    }
    let pushed = pages.push(&levels(cells.nulls(), 0, cells.len(), pages.defined()), &values);
    recycled::give(values);
    pushed
}

/// Of rows [from, to).
fn levels(nulls: Option<&NullBuffer>, from: usize, to: usize, defined: u8) -> Levels {
    let rows = to - from;
    let mut levels = Levels { count: rows, rows, ..Levels::default() };
    if defined == 0 {
        return levels;
    }
    let there = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
    let mut start = from;
    for row in from..to {
        if row + 1 == to || there(row + 1) != there(row) {
            let length = row + 1 - start;
            let value = if there(row) { defined } else { 0 };
            run(length, value, &mut levels.definition);
            levels.nulls += if there(row) { 0 } else { length };
            start = row + 1;
        }
    }
    levels
}
