//! The parameters and what they default to.

use quarry_extractor::prelude::*;

/// Most values a dense vector may have.
pub(crate) const DIMENSIONS_MAX: u32 = 65_536;

parameters! {
    /// How text is embedded.
    pub struct Parameters {
        /// Values of the dense vector. 2^n and 3·2^n (384, 512, 768 …) are the fastest.
        #[schemars(range(min = 1, max = 65_536))]
        pub dimensions: u32 = 384,
        /// What a token is.
        pub tokens: Tokens = Tokens::Unicode,
        /// Whether a sparse vector of term weights is made, too.
        pub sparse: bool = true,
        /// Which words count for nothing.
        pub stopwords: Stopwords = Stopwords::None,
    }
}

parameters! {
    /// What a token is.
    #[derive(Copy)]
    pub enum Tokens {
        /// Words as Unicode (UAX #29) finds them, lower-cased: right for every script.
        Unicode,
        /// Runs of A-Z, a-z and 0-9, lower-cased; all else separates: by far the fastest.
        Ascii,
    }
}

parameters! {
    /// Which words count for nothing.
    #[derive(Copy)]
    pub enum Stopwords {
        /// Every word counts.
        None,
        /// The most frequent English words are left out.
        English,
    }
}

impl Parameters {
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(1..=DIMENSIONS_MAX).contains(&self.dimensions) {
            let dimensions = self.dimensions;
            return Err(format!(
                "parameter `dimensions`: {dimensions} is not in 1..={DIMENSIONS_MAX}"
            ));
        }
        Ok(())
    }
}
