//! The words of a text as a vector of length 1.

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The vector, kept between rows.
pub(crate) struct Keywords {
    sums: Vec<i64>,
    vector: Vec<f32>,
}

impl Keywords {
    pub(crate) fn new(dimensions: usize) -> Self {
        Self { sums: vec![0; dimensions], vector: vec![0.0; dimensions] }
    }

    pub(crate) fn vector(&self) -> &[f32] {
        &self.vector
    }

    /// Makes the vector of a text.
    pub(crate) fn read(&mut self, text: &str) {
        self.sums.fill(0);
        let words = text.as_bytes().split(|byte| !byte.is_ascii_alphanumeric());
        for word in words.filter(|word| !word.is_empty()) {
            let hash = fnv1a(word);
            let bucket = (hash % self.sums.len() as u64) as usize;
            if let Some(sum) = self.sums.get_mut(bucket) {
                *sum += if hash >> 63 == 0 { 1 } else { -1 };
            }
        }
        self.normalise();
    }

    /// Words may cancel each other out, and there may be none: the first axis stands for both.
    fn normalise(&mut self) {
        let squares: f64 = self.sums.iter().map(|&sum| (sum * sum) as f64).sum();
        if squares == 0.0 {
            self.vector.fill(0.0);
            if let Some(first) = self.vector.first_mut() {
                *first = 1.0;
            }
            return;
        }
        let length = squares.sqrt();
        for (value, &sum) in self.vector.iter_mut().zip(&self.sums) {
            *value = (sum as f64 / length) as f32;
        }
    }
}

/// FNV-1a of the word in lower case, 64 bits.
fn fnv1a(word: &[u8]) -> u64 {
    word.iter().fold(FNV_OFFSET, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(FNV_PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::fnv1a;

    #[test]
    fn the_hash_is_the_published_one() {
        // From the reference implementation's list of test vectors.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"FooBar"), 0x8594_4171_f739_67e8);
    }
}
