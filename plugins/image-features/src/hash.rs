//! The DCT hash of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions"
//! (2010, section 3.2.1): 32 x 32 luma, the 64 lowest frequencies without the constant ones,
//! one bit each for above the median. In integers, so it is the same on every machine.

use crate::picture::{Picture, Size};

const SIDE: usize = 32;
const FREQUENCIES: usize = 8;

/// 64 bits, the lowest frequencies first (highest bit).
pub(crate) fn perceptual_hash(picture: &Picture) -> u64 {
    let small = picture.resized(Size { width: SIDE as u32, height: SIDE as u32 });
    let luma: Vec<i64> = small.luma().map(i64::from).collect();
    let wave = cosines();
    // Rows first: SIDE lines of FREQUENCIES values, then columns of those.
    let mut rows = [[0_i64; FREQUENCIES]; SIDE];
    for (row, line) in rows.iter_mut().zip(luma.chunks_exact(SIDE)) {
        for (value, wave) in row.iter_mut().zip(&wave) {
            *value = line.iter().zip(wave).map(|(level, cosine)| level * cosine).sum();
        }
    }
    let mut values = [0_i64; FREQUENCIES * FREQUENCIES];
    for (at, value) in values.iter_mut().enumerate() {
        let (down, across) = (at / FREQUENCIES, at % FREQUENCIES);
        *value = rows.iter().zip(&wave[down]).map(|(row, cosine)| row[across] * cosine).sum();
    }
    let mut sorted = values;
    sorted.sort_unstable();
    let middle = sorted[31] + sorted[32];
    values.iter().fold(0, |hash, value| hash << 1 | u64::from(2 * value > middle))
}

/// How many bits two hashes differ in. Up to about 10 is the same picture, 32 is chance.
pub fn distance(a: u64, b: u64) -> u32 {
    (a ^ b).count_ones()
}

/// Cosines of the frequencies 1 to 8, times 2^14. Rounded, every wave still adds up to zero, so a
/// plain picture has no frequencies at all.
fn cosines() -> [[i64; SIDE]; FREQUENCIES] {
    std::array::from_fn(|frequency| {
        std::array::from_fn(|x| {
            let angle = (2 * x + 1) as f64 * (frequency + 1) as f64 * std::f64::consts::PI / 64.0;
            (libm::cos(angle) * 16_384.0).round() as i64
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_add_up_to_zero() {
        for wave in cosines() {
            assert_eq!(wave.iter().sum::<i64>(), 0);
        }
    }

    #[test]
    fn a_plain_picture_hashes_to_zero() {
        for level in [0, 1, 127, 255] {
            let picture = Picture { width: 5, height: 3, pixels: vec![[level; 3]; 15] };
            assert_eq!(perceptual_hash(&picture), 0);
        }
    }
}
