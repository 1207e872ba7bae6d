//! The dense vector: signed counts of hashed tokens, normalised (Weinberger et al., "Feature
//! Hashing for Large Scale Multitask Learning", 2009).

use crate::hash::{Buckets, modulo_three_times};

/// Counts whose quotient is made beforehand, a row.
const QUOTIENTS: usize = 8;

/// Counts tokens by bucket. Between rows every count and every value is zero, so that a row costs
/// what its tokens cost and not what its dimensions cost.
pub(crate) struct Dense {
    buckets: Buckets,
    counts: Vec<i32>,
    vector: Vec<f32>,
    /// The bucket of each token of the row.
    touched: Vec<u32>,
}

impl Dense {
    pub(crate) fn new(dimensions: u32) -> Self {
        let len = dimensions as usize;
        Self {
            buckets: Buckets::new(dimensions),
            counts: vec![0; len],
            vector: vec![0.0; len],
            touched: Vec::new(),
        }
    }

    /// Computes the vector of the tokens with these hashes and lends it to `with`.
    pub(crate) fn embed(&mut self, hashes: &[u64], with: impl FnOnce(&[f32])) {
        let squares = match self.buckets {
            Buckets::PowerOfTwo(mask) => self.count(hashes, |hash| (hash & mask) as u32),
            // The default is a constant, so that its shifts are.
            Buckets::ThreeTimes(7) => self.count(hashes, |hash| modulo_three_times(hash, 7)),
            Buckets::ThreeTimes(shift) => {
                self.count(hashes, |hash| modulo_three_times(hash, shift))
            }
            Buckets::Other(dimensions) => self.count(hashes, |hash| (hash % dimensions) as u32),
        };
        // Without tokens, or when all cancel out, the vector is zero.
        if squares > 0 {
            self.normalise((squares as f64).sqrt());
        }
        with(&self.vector);
        for &bucket in &self.touched {
            self.counts[bucket as usize] = 0;
            self.vector[bucket as usize] = 0.0;
        }
    }

    /// Adds 1 or -1 to the bucket of each token, by the highest bit of its hash. Returns the sum of
    /// the squares of all counts.
    #[inline]
    fn count(&mut self, hashes: &[u64], bucket: impl Fn(u64) -> u32) -> i64 {
        let mut squares = 0;
        self.touched.clear();
        self.touched.extend(hashes.iter().map(|&hash| {
            let bucket = bucket(hash);
            let count = &mut self.counts[bucket as usize];
            // Arithmetic instead of a choice: signs are random and a branch would miss half.
            let sign = 1 - 2 * (hash >> 63) as i32;
            // (count + sign)² - count²
            squares += i64::from(2 * sign * *count + 1);
            *count += sign;
            bucket
        }));
        squares
    }

    fn normalise(&mut self, norm: f64) {
        // Most counts are small: their quotients are divided out once, side by side.
        let quotients: [f32; 2 * QUOTIENTS] =
            std::array::from_fn(|index| ((index as f64 - QUOTIENTS as f64) / norm) as f32);
        for &bucket in &self.touched {
            let count = self.counts[bucket as usize];
            let value = match quotients.get((count + QUOTIENTS as i32) as usize) {
                Some(quotient) => *quotient,
                None => (f64::from(count) / norm) as f32,
            };
            self.vector[bucket as usize] = value;
        }
    }
}
