//! Chance, the same for the same seed.

use super::super::batch::mix;

pub(crate) struct Dice {
    seed: u64,
    rolled: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice { seed, rolled: 0 }
    }

    /// A number below `end`, which is at least 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.rolled += 1;
        mix(mix(self.seed) ^ self.rolled) % end
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}
