//! A vector of where colours and edges are, for "looks like this" searches.
//!
//! Colours: the mean L*a*b* of each cell of a 4 x 4 grid, the idea of MPEG-7's Colour Layout
//! Descriptor without its DCT. Edges: MPEG-7's Edge Histogram Descriptor (Won, Park, Park:
//! "Efficient Use of MPEG-7 Edge Histogram Descriptor", ETRI Journal 24, 2002): how many of a
//! cell's blocks hold a vertical, horizontal, 45°, 135° or undirected edge.
//!
//! A sixth bin counts the blocks without an edge. So the edge part of every picture has length 1,
//! and the vector of a plain grey one is not zero, which cosine distance could not take.

use crate::lab::{Linear, lab};
use crate::picture::{Picture, Size};

const GRID: usize = 4;
const EDGES: usize = 6;
const CELLS: usize = GRID * GRID;

/// Floats of the vector: 16 cells of 3 colour values, then 16 cells of 6 edge bins.
pub const DIMENSION: usize = CELLS * (3 + EDGES);

/// Luma is averaged to this before edges are sought: 8 x 8 blocks of 2 x 2 a cell, 1,024 in all
/// as the descriptor recommends.
const EDGE_SIDE: usize = 64;
/// The descriptor's threshold of 11 levels, in the unit of `Picture::luma` times `SCALE`.
const EDGE_MIN: i64 = 11 * 256 * SCALE;
/// Filter coefficients are integers of 1/10,000.
const SCALE: i64 = 10_000;
const ROOT_TWO: i64 = 14_142;

/// Length 1.
pub(crate) fn layout(picture: &Picture, linear: &Linear) -> Vec<f32> {
    let mut vector = Vec::with_capacity(DIMENSION);
    colours(picture, linear, &mut vector);
    edges(picture, &mut vector);
    let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    vector.into_iter().map(|value| (value / length) as f32).collect()
}

/// Per cell L*, a*, b*, each about -1 to 1, over 4 so that all cells together have about length 1.
fn colours(picture: &Picture, linear: &Linear, vector: &mut Vec<f64>) {
    // Cells of at least one pixel, also for pictures smaller than the grid.
    let side = |side: u32| side.next_multiple_of(GRID as u32);
    let fitted = Size { width: side(picture.width), height: side(picture.height) };
    let picture = if fitted == picture.size() { picture.clone() } else { picture.resized(fitted) };
    let cell = (picture.width as usize / GRID, picture.height as usize / GRID);
    let mut light = [[0.0; 3]; CELLS];
    for (line, y) in picture.pixels.chunks_exact(picture.width as usize).zip(0..) {
        for (pixel, x) in line.iter().zip(0..) {
            let sum = &mut light[y / cell.1 * GRID + x / cell.0];
            for (sum, value) in sum.iter_mut().zip(linear.of(*pixel)) {
                *sum += value;
            }
        }
    }
    let pixels = (cell.0 * cell.1) as f64;
    for sum in light {
        let [l, a, b] = lab(sum.map(|value| value / pixels));
        vector.extend([(l - 50.0) / 50.0, a / 64.0, b / 64.0].map(|value| value / 4.0));
    }
}

/// Per cell the square roots of the six shares, so a cell has length 1 and bins compare as in the
/// Hellinger distance; over 4, so all cells together have length 1.
fn edges(picture: &Picture, vector: &mut Vec<f64>) {
    let side = EDGE_SIDE as u32;
    let luma: Vec<i32> = picture.resized(Size { width: side, height: side }).luma().collect();
    let blocks = EDGE_SIDE / 2;
    let mut bins = [[0_u32; EDGES]; CELLS];
    for y in 0..blocks {
        for x in 0..blocks {
            let at = 2 * y * EDGE_SIDE + 2 * x;
            let block = [luma[at], luma[at + 1], luma[at + EDGE_SIDE], luma[at + EDGE_SIDE + 1]];
            let cell = y * GRID / blocks * GRID + x * GRID / blocks;
            bins[cell][edge(block.map(i64::from))] += 1;
        }
    }
    let of_cell = (blocks * blocks / CELLS) as f64;
    vector.extend(bins.iter().flatten().map(|count| (f64::from(*count) / of_cell).sqrt() / 4.0));
}

/// The bin of a block: its strongest edge, or 5 for none.
fn edge([a, b, c, d]: [i64; 4]) -> usize {
    let strengths = [
        (a - b + c - d).abs() * SCALE,
        (a + b - c - d).abs() * SCALE,
        (a - d).abs() * ROOT_TWO,
        (b - c).abs() * ROOT_TWO,
        (a - b - c + d).abs() * 2 * SCALE,
    ];
    let mut best = (5, EDGE_MIN - 1);
    for (at, strength) in strengths.into_iter().enumerate() {
        if strength > best.1 {
            best = (at, strength);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_by_their_edge() {
        let high = 200 * 256;
        for (block, expected) in [
            ([high, 0, high, 0], 0),
            ([high, high, 0, 0], 1),
            ([high, high / 2, high / 2, 0], 2),
            ([high / 2, high, 0, high / 2], 3),
            ([high, 0, 0, high], 4),
            ([high; 4], 5),
            ([256, 0, 256, 0], 5),
        ] {
            assert_eq!(edge(block), expected, "{block:?}");
        }
    }

    #[test]
    fn plain_pictures_have_a_vector_of_length_one() {
        let linear = Linear::new();
        for (size, rgb) in [((1, 1), [119; 3]), ((3, 200), [0; 3]), ((256, 2), [255, 0, 7])] {
            let pixels = vec![rgb; size.0 as usize * size.1 as usize];
            let vector = layout(&Picture { width: size.0, height: size.1, pixels }, &linear);
            assert_eq!(vector.len(), DIMENSION);
            let length: f32 = vector.iter().map(|value| value * value).sum();
            assert!((length - 1.0).abs() < 1e-5, "{length}");
        }
    }
}
