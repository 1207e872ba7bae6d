//! ASCII words without overlap: the fast path. 64 bytes a step, no branch for a byte.

use quarry_extractor::{BLOCK, Bytes64, Documents};

use crate::{Chunk, Join, Offsets, Parameters, TextChunk};

/// Cuts `text` into chunks of `size` runs of bytes that are not ASCII white space.
pub(crate) fn cut(
    text: &str,
    parameters: &Parameters,
    joined: &mut String,
    documents: &mut Documents<TextChunk>,
) {
    let size = parameters.units();
    match (parameters.join, parameters.offsets) {
        (Join::Space, Offsets::Chars) => blocks::<true, true>(text, size, joined, documents),
        (Join::Space, _) => blocks::<true, false>(text, size, joined, documents),
        (Join::Source, Offsets::Chars) => blocks::<false, true>(text, size, joined, documents),
        (Join::Source, _) => blocks::<false, false>(text, size, joined, documents),
    }
}

/// A place in the text.
#[derive(Clone, Copy, Default)]
struct Place {
    byte: usize,
    /// Characters before it; 0 when nobody wants to know.
    char: usize,
}

/// The chunk that is being filled.
struct Open<'a> {
    text: &'a str,
    index: i64,
    start: Place,
    /// With `JOIN`: what stands before it is in `joined` already, with single spaces.
    run: usize,
}

impl Open<'_> {
    fn close(&mut self, end: Place, joined: &mut String, documents: &mut Documents<TextChunk>) {
        let rest = &self.text[self.run..end.byte];
        let text = if joined.is_empty() {
            rest
        } else {
            joined.push_str(rest);
            joined.as_str()
        };
        documents.push(Chunk {
            text,
            chunk_index: self.index,
            start_byte: self.start.byte as i64,
            end_byte: end.byte as i64,
            start_char: self.start.char as i64,
            end_char: end.char as i64,
            heading: None,
        });
        joined.clear();
        self.index += 1;
    }
}

fn blocks<const JOIN: bool, const CHARS: bool>(
    text: &str,
    size: u32,
    joined: &mut String,
    documents: &mut Documents<TextChunk>,
) {
    let bytes = text.as_bytes();
    joined.clear();
    let mut chunk = Open { text, index: 0, start: Place::default(), run: 0 };
    let mut is_open = false;
    // Words of the open chunk that have ended.
    let mut words = 0;
    // The end of the last word.
    let mut last = Place::default();
    let (mut word_before, mut space_before) = (0_u64, 0_u64);
    let mut base = Place::default();

    // One step beyond the last byte, so that a word at the very end ends, too.
    while base.byte <= bytes.len() {
        let block = Bytes64::at(bytes, base.byte, b' ');
        let spaces = block.equal(b' ');
        let space = spaces.bits();
        let word = !(spaces | block.between(9, 13)).bits();
        let heads = if CHARS { !block.between(0x80, 0xbf).bits() } else { 0 };
        let place = |bit: u32| Place {
            byte: base.byte + bit as usize,
            char: if CHARS { base.char + (heads & below(bit)).count_ones() as usize } else { 0 },
        };

        let word_1 = word << 1 | word_before >> 63;
        let mut starts = word & !word_1;
        let mut ends = !word & word_1;
        // Starts of words that do not follow a word and one space.
        let word_2 = word << 2 | word_before >> 62;
        let space_1 = space << 1 | space_before >> 63;
        let mut gaps = if JOIN { starts & !(space_1 & word_2) } else { 0 };
        (word_before, space_before) = (word, space);

        loop {
            let closing = nth_bit(ends, size - words);
            if !is_open && starts != 0 {
                let bit = starts.trailing_zeros();
                chunk.start = place(bit);
                chunk.run = chunk.start.byte;
                is_open = true;
                gaps &= !(1 << bit);
            }
            if JOIN {
                let mut inside = gaps & below(closing);
                while inside != 0 {
                    let bit = inside.trailing_zeros();
                    inside &= inside - 1;
                    let before = ends & below(bit);
                    let end = match before {
                        0 => last.byte,
                        _ => base.byte + before.ilog2() as usize,
                    };
                    joined.push_str(&text[chunk.run..end]);
                    joined.push(' ');
                    chunk.run = base.byte + bit as usize;
                }
            }
            if closing == BLOCK as u32 {
                break;
            }
            chunk.close(place(closing), joined, documents);
            is_open = false;
            words = 0;
            let rest = !(below(closing) | 1 << closing);
            (starts, ends, gaps) = (starts & rest, ends & rest, gaps & rest);
        }
        words += ends.count_ones();
        if ends != 0 {
            last = place(ends.ilog2());
        }
        base.byte += BLOCK;
        if CHARS {
            base.char += heads.count_ones() as usize;
        }
    }
    if is_open {
        chunk.close(last, joined, documents);
    }
}

/// The bits below a bit; all for 64.
#[inline]
fn below(bit: u32) -> u64 {
    1_u64.checked_shl(bit).map_or(u64::MAX, |bit| bit - 1)
}

/// The number of the n-th set bit, counted from 1; 64 when there are fewer.
#[inline]
fn nth_bit(mut bits: u64, n: u32) -> u32 {
    if bits.count_ones() < n {
        return BLOCK as u32;
    }
    for _ in 1..n {
        bits &= bits - 1;
    }
    bits.trailing_zeros()
}
