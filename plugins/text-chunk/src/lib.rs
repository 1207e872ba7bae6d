#![doc = include_str!("../README.md")]

mod chars;
mod cut;
mod headings;
mod parameters;
#[cfg(test)]
mod tests;
mod units;
mod words;

use quarry_extractor::prelude::*;

use crate::cut::{Buffers, Cut};
pub use crate::parameters::{By, Join, Offsets, Parameters, Words};

input! {
    /// A row to cut.
    pub struct Input<'a> {
        /// The text to cut; markdown when cut by headings.
        pub text: &'a str,
    }
}

output! {
    /// A piece of the text.
    pub struct Chunk<'a> {
        /// The text of the chunk.
        pub text: &'a str,
        /// The number of the chunk in its text, from 0.
        pub chunk_index: i64,
        /// The byte of the source text the chunk starts at.
        pub start_byte: i64,
        /// The byte of the source text after the chunk.
        pub end_byte: i64,
        /// The character (Unicode scalar value) of the source text the chunk starts at.
        pub start_char: i64,
        /// The character of the source text after the chunk.
        pub end_char: i64,
        /// The titles the chunk stands under, outermost first, joined with " > ".
        pub heading: Option<&'a str>,
    }
}

/// The extractor.
pub struct TextChunk {
    parameters: Parameters,
    buffers: Buffers,
}

impl Extractor for TextChunk {
    const NAME: &'static str = "text-chunk";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str =
        "Cuts text into chunks by words, sentences, paragraphs or markdown headings";

    type Parameters = Parameters;
    type Input<'a> = Input<'a>;
    type Output<'a> = Chunk<'a>;

    fn new(parameters: Parameters) -> Result<Self, String> {
        parameters.check()?;
        Ok(Self { parameters, buffers: Buffers::default() })
    }

    fn describe(&self, description: &mut Description) {
        description.position("chunk_index").memory_bytes(8 << 20);
        let (bytes, chars) = match self.parameters.offsets {
            Offsets::None => (false, false),
            Offsets::Bytes => (true, false),
            Offsets::Chars => (true, true),
        };
        if !bytes {
            description.omit("start_byte").omit("end_byte");
        }
        if !chars {
            description.omit("start_char").omit("end_char");
        }
        if self.parameters.by != By::Headings {
            description.omit("heading");
        }
    }

    fn extract(&mut self, row: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        let parameters = &self.parameters;
        if parameters.by == By::Words && parameters.words == Words::Ascii && parameters.overlap == 0
        {
            words::cut(row.text, parameters, &mut self.buffers.joined, documents);
        } else {
            Cut::new(row.text, parameters, &mut self.buffers, documents).run();
        }
        Ok(())
    }
}

quarry_extractor::export!(TextChunk);
