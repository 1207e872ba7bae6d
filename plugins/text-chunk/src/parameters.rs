//! The parameters and what they default to.

use quarry_extractor::prelude::*;

/// Most units a chunk may have.
const SIZE_MAX: u32 = 1_000_000;

parameters! {
    /// How text is cut.
    pub struct Parameters {
        /// The unit chunks are made of.
        pub by: By = By::Words,
        /// Units a chunk: words, sentences or paragraphs; by headings, the most words of a piece
        /// of a section. Default: 200 words, 8 sentences, 3 paragraphs, 400 words of a section.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub size: Option<u32> = None,
        /// Units at the end of a chunk that the next one starts with again; less than `size`.
        #[schemars(range(max = 999_999))]
        pub overlap: u32 = 0,
        /// What a word is.
        pub words: Words = Words::Unicode,
        /// Whether the text of a chunk keeps its white space.
        pub join: Join = Join::Source,
        /// Which offsets of the chunk in the source text are put out.
        pub offsets: Offsets = Offsets::Chars,
    }
}

parameters! {
    /// The unit chunks are made of.
    #[derive(Copy)]
    pub enum By {
        /// A fixed number of words.
        Words,
        /// A fixed number of sentences, as Unicode (UAX #29) finds them; a single line break does
        /// not end one.
        Sentences,
        /// A fixed number of paragraphs: text between blank lines.
        Paragraphs,
        /// Sections between markdown headings.
        Headings,
    }
}

parameters! {
    /// What a word is.
    #[derive(Copy)]
    pub enum Words {
        /// Words as Unicode (UAX #29) finds them, with the punctuation at them: right for every
        /// script.
        Unicode,
        /// Whatever stands between ASCII white space (0x20, 0x09 to 0x0D): by far the fastest.
        Ascii,
    }
}

parameters! {
    /// Whether the text of a chunk keeps its white space.
    #[derive(Copy)]
    pub enum Join {
        /// The text is the exact slice of the source.
        Source,
        /// Every run of ASCII white space is one space.
        Space,
    }
}

parameters! {
    /// Which offsets are put out.
    #[derive(Copy)]
    pub enum Offsets {
        /// None.
        None,
        /// `start_byte` and `end_byte`.
        Bytes,
        /// Bytes, and `start_char` and `end_char`.
        Chars,
    }
}

impl Parameters {
    pub(crate) fn check(&self) -> Result<(), String> {
        let size = self.units();
        if !(1..=SIZE_MAX).contains(&size) {
            return Err(format!("parameter `size`: {size} is not in 1..={SIZE_MAX}"));
        }
        if self.overlap >= size {
            let overlap = self.overlap;
            return Err(format!("parameter `overlap`: {overlap} is not less than size {size}"));
        }
        Ok(())
    }

    /// `size`, or its default for the unit.
    pub(crate) fn units(&self) -> u32 {
        self.size.unwrap_or(match self.by {
            By::Words => 200,
            By::Sentences => 8,
            By::Paragraphs => 3,
            By::Headings => 400,
        })
    }
}
