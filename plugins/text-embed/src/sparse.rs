//! The sparse vector: a weight for every different token.

/// Turns the hashes of tokens into term weights.
#[derive(Default)]
pub(crate) struct Sparse {
    terms: Vec<u32>,
    indices: Vec<u32>,
    values: Vec<f32>,
}

impl Sparse {
    /// The index of a token: its hash folded to 32 bits by exclusive or, as FNV recommends.
    fn index(hash: u64) -> u32 {
        (hash >> 32) as u32 ^ hash as u32
    }

    /// Indices, ascending, and weights of the tokens with these hashes: 1 + ln(tf), normalised to
    /// length 1 (the "lnc" weights of SMART; Manning et al., "Introduction to Information
    /// Retrieval", section 6.4). Tokens whose indices collide count as one.
    pub(crate) fn weigh(&mut self, hashes: &[u64]) -> (&[u32], &[f32]) {
        self.terms.clear();
        self.terms.extend(hashes.iter().map(|&hash| Self::index(hash)));
        self.terms.sort_unstable();
        self.indices.clear();
        self.values.clear();
        let mut squares = 0.0;
        for run in self.terms.chunk_by(|left, right| left == right) {
            let weight = 1.0 + (run.len() as f64).ln();
            squares += weight * weight;
            self.indices.push(run[0]);
            self.values.push(weight as f32);
        }
        let norm = f64::sqrt(squares);
        for value in &mut self.values {
            *value = (f64::from(*value) / norm) as f32;
        }
        (&self.indices, &self.values)
    }
}
