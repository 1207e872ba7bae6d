//! Cutting by any unit: find the units, then slide a window over them.

use std::ops::Range;

use quarry_extractor::Documents;

use crate::chars::Chars;
use crate::headings::Outline;
use crate::{By, Chunk, Join, Offsets, Parameters, TextChunk, Words, units};

/// Kept from row to row, so that a row allocates nothing.
#[derive(Default)]
pub(crate) struct Buffers {
    pub(crate) joined: String,
    /// Byte ranges of the units, ascending.
    units: Vec<Range<usize>>,
    outline: Outline,
    heading: String,
}

/// The cutting of one text.
pub(crate) struct Cut<'a> {
    text: &'a str,
    parameters: &'a Parameters,
    buffers: &'a mut Buffers,
    documents: &'a mut Documents<TextChunk>,
    chars: Chars<'a>,
    index: i64,
}

impl<'a> Cut<'a> {
    pub(crate) fn new(
        text: &'a str,
        parameters: &'a Parameters,
        buffers: &'a mut Buffers,
        documents: &'a mut Documents<TextChunk>,
    ) -> Self {
        Self { text, parameters, buffers, documents, chars: Chars::new(text), index: 0 }
    }

    pub(crate) fn run(mut self) {
        let whole = 0..self.text.len();
        match self.parameters.by {
            By::Words => {
                self.find_words(whole);
                self.windows();
            }
            By::Sentences => {
                units::sentences(self.text, &mut self.buffers.units);
                self.windows();
            }
            By::Paragraphs => {
                units::paragraphs(self.text, &mut self.buffers.units);
                self.windows();
            }
            By::Headings => self.sections(),
        }
    }

    fn find_words(&mut self, within: Range<usize>) {
        let units = &mut self.buffers.units;
        match self.parameters.words {
            Words::Unicode => units::unicode_words(self.text, within, units),
            Words::Ascii => units::ascii_words(self.text, within, units),
        }
    }

    /// A chunk for every `size` units; each begins with the last `overlap` of the one before.
    fn windows(&mut self) {
        let units = std::mem::take(&mut self.buffers.units);
        let (size, overlap) = (self.parameters.units() as usize, self.parameters.overlap as usize);
        let mut first = 0;
        while first < units.len() {
            let end = units.len().min(first + size);
            self.push(units[first].start..units[end - 1].end);
            if end == units.len() {
                break;
            }
            first = end - overlap;
        }
        self.buffers.units = units;
    }

    fn sections(&mut self) {
        let mut outline = std::mem::take(&mut self.buffers.outline);
        outline.read(self.text);
        for section in outline.sections() {
            outline.path(self.text, section, &mut self.buffers.heading);
            self.find_words(section.range.clone());
            let range = trim(self.text, section.range.clone());
            if self.buffers.units.len() > self.parameters.units() as usize {
                self.windows();
            } else if !range.is_empty() {
                self.push(range);
            }
        }
        self.buffers.outline = outline;
    }

    fn push(&mut self, range: Range<usize>) {
        let source = &self.text[range.clone()];
        let joined = &mut self.buffers.joined;
        let text = match self.parameters.join {
            Join::Source => source,
            Join::Space => {
                units::join(source, joined);
                joined.as_str()
            }
        };
        let (start_char, end_char) = match self.parameters.offsets {
            Offsets::Chars => (self.chars.before(range.start), self.chars.before(range.end)),
            Offsets::None | Offsets::Bytes => (0, 0),
        };
        let heading = self.buffers.heading.as_str();
        self.documents.push(Chunk {
            text,
            chunk_index: self.index,
            start_byte: range.start as i64,
            end_byte: range.end as i64,
            start_char: start_char as i64,
            end_char: end_char as i64,
            heading: (!heading.is_empty()).then_some(heading),
        });
        self.index += 1;
    }
}

/// The range without the white space at its ends.
pub(crate) fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let slice = &text[range.clone()];
    let start = range.start + (slice.len() - slice.trim_start().len());
    start..start + slice.trim().len()
}
