//! The hashes of the tokens of a text.

use quarry_extractor::{BLOCK, Bytes64};
use unicode_segmentation::UnicodeSegmentation;

use crate::hash::{ascii_token, fnv1a};

/// Where tokens begin and end, alternating; kept from row to row.
#[derive(Default)]
pub(crate) struct Edges(Vec<u32>);

/// Edges that are written in one go; most blocks have fewer.
const EDGES_AT_ONCE: usize = 24;

impl Edges {
    /// Finds the runs of ASCII letters and digits.
    fn find(&mut self, text: &[u8]) {
        let edges = &mut self.0;
        let (mut from, mut len) = (0, 0);
        let mut before = 0_u64;
        while from <= text.len() {
            let block = Bytes64::at(text, from, b' ');
            let letters = block.with(0x20).between(b'a', b'z') | block.between(b'0', b'9');
            let token = letters.bits();
            // A bit wherever a byte differs from the one before it in being part of a token.
            let mut edge = token ^ (token << 1 | before >> 63);
            before = token;
            let count = edge.count_ones() as usize;
            if edges.len() < len + BLOCK {
                edges.resize((len + BLOCK) * 2, 0);
            }
            // Too many are written, without asking each time whether there is one more; what is
            // too much is overwritten by the next block.
            let room = &mut edges[len..len + BLOCK];
            for slot in &mut room[..EDGES_AT_ONCE] {
                *slot = from as u32 + edge.trailing_zeros();
                edge &= edge.wrapping_sub(1);
            }
            for slot in room.iter_mut().take(count).skip(EDGES_AT_ONCE) {
                *slot = from as u32 + edge.trailing_zeros();
                edge &= edge.wrapping_sub(1);
            }
            len += count;
            from += BLOCK;
        }
        edges.truncate(len);
    }
}

/// Writes the hashes of the runs of ASCII letters and digits in `text`, lower-cased.
pub(crate) fn ascii(text: &str, edges: &mut Edges, hashes: &mut Vec<u64>) {
    let bytes = text.as_bytes();
    edges.find(bytes);
    let (tokens, _) = edges.0.as_chunks::<2>();
    hashes.clear();
    hashes.extend(
        tokens.iter().map(|&[start, end]| ascii_token(bytes, start as usize, end as usize)),
    );
}

/// Writes the hashes of the words UAX #29 finds in `text`, lower-cased.
pub(crate) fn unicode(text: &str, hashes: &mut Vec<u64>) {
    hashes.clear();
    hashes.extend(text.unicode_words().map(unicode_token));
}

/// The hash of a word lower-cased character by character; a final sigma is like any other.
pub(crate) fn unicode_token(word: &str) -> u64 {
    if word.is_ascii() {
        return fnv1a(word.bytes().map(|byte| byte.to_ascii_lowercase()));
    }
    let lower = word.chars().flat_map(char::to_lowercase);
    let folded = lower.map(|character| if character == 'ς' { 'σ' } else { character });
    fnv1a(folded.flat_map(|character| {
        let mut bytes = [0; 4];
        let len = character.encode_utf8(&mut bytes).len();
        bytes.into_iter().take(len)
    }))
}
