//! Column chunks of dense vectors: a Parquet list of f32, which any reader knows.
//!
//! The general writer looks at every float three times to find levels that are the same for every
//! vector, and copies it four times. Here a page is two runs of levels a vector and the vectors'
//! bytes straight from the array.

use super::pages::{Levels, PAGE_BYTES, Pages, run};
use super::recycled;
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, FixedSizeListArray};
use parquet::errors::Result;

// A vector's bytes are written as they lie in memory, and Parquet's are little-endian.
const _: () = assert!(cfg!(target_endian = "little"));

pub(super) fn write(vectors: &FixedSizeListArray, pages: &mut Pages) -> Result<()> {
    let dimension = vectors.value_length() as usize;
    let rows = (PAGE_BYTES / (dimension * 4).max(1)).max(1);
    let mut from = 0;
    while from < vectors.len() {
        let rows = rows.min(vectors.len() - from);
        page(&vectors.slice(from, rows), dimension, pages)?;
        from += rows;
    }
    Ok(())
}

fn page(vectors: &FixedSizeListArray, dimension: usize, pages: &mut Pages) -> Result<()> {
    let levels = levels(vectors, dimension, pages.defined());
    let floats = vectors.values().as_primitive::<Float32Type>();
    let all = floats.values().inner().as_slice();
    if vectors.null_count() == 0 {
        return pages.push(&levels, all);
    }
    let mut there = recycled::take();
    for row in (0..vectors.len()).filter(|row| vectors.is_valid(*row)) {
        there.extend_from_slice(&all[row * dimension * 4..(row + 1) * dimension * 4]);
    }
    let pushed = pages.push(&levels, &there);
    recycled::give(there);
    pushed
}

/// A vector is a new row (0) and then more of the same row (1); a null is a row without a value.
fn levels(vectors: &FixedSizeListArray, dimension: usize, defined: u8) -> Levels {
    let (rows, nulls) = (vectors.len(), vectors.null_count());
    let count = (rows - nulls) * dimension + nulls;
    let mut levels = Levels { count, rows, nulls, ..Levels::default() };
    let mut vector = Vec::new();
    run(1, 0, &mut vector);
    run(dimension - 1, 1, &mut vector);
    if nulls == 0 {
        (0..rows).for_each(|_| levels.repetition.extend_from_slice(&vector));
        run(count, defined, &mut levels.definition);
        return levels;
    }
    for row in 0..rows {
        if vectors.is_valid(row) {
            levels.repetition.extend_from_slice(&vector);
            run(dimension, defined, &mut levels.definition);
        } else {
            run(1, 0, &mut levels.repetition);
            run(1, 0, &mut levels.definition);
        }
    }
    levels
}
