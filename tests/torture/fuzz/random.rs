//! Chance from a seed, and what it does to bytes and texts.

use super::super::batch::mix;
use std::ops::Range;

/// Numbers at which code that counts goes wrong.
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    7,
    8,
    127,
    128,
    255,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];
const ODD_CHARACTERS: [char; 14] = [
    '\0',
    '\u{7f}',
    '\u{1b}',
    '\u{200d}',
    '\u{202e}',
    '\u{feff}',
    '\u{fffd}',
    '\u{10ffff}',
    'ß',
    'İ',
    'ﬁ',
    '漢',
    '\u{301}',
    '\t',
];
/// What a mutated input may grow to.
const BYTES_MAX: usize = 1 << 17;

pub(crate) struct Random(u64);

impl Random {
    /// Of one case: the same in every process.
    pub(crate) fn new(seed: u64, case: u64) -> Random {
        Random(mix(mix(seed) ^ case))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn range(&mut self, range: Range<usize>) -> usize {
        range.start + self.below(range.len().max(1))
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    pub(crate) fn edge(&mut self) -> u64 {
        match self.below(4) {
            0 => EDGES[self.below(EDGES.len())].wrapping_add(self.below(5) as u64).wrapping_sub(2),
            1 => self.below(64) as u64,
            2 => self.next() >> self.below(64),
            _ => EDGES[self.below(EDGES.len())],
        }
    }

    /// A range of an input of `len`, mostly short.
    fn part(&mut self, len: usize) -> Range<usize> {
        let start = self.below(len + 1);
        let most = if self.one_in(4) { len - start } else { (len - start).min(16) };
        start..start + self.below(most + 1)
    }
}

/// One to eight changes anywhere in `bytes`; pieces of `other` are among them.
pub(crate) fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(8).min(random.below(8)) {
        mutate_once(bytes, other, random);
        bytes.truncate(BYTES_MAX);
    }
}

fn mutate_once(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len().max(1)).min(bytes.len());
    let part = random.part(bytes.len());
    match random.below(10) {
        0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
        2 if !bytes.is_empty() => bytes[at] = random.edge() as u8,
        3 | 4 => {
            let width = [1, 2, 4, 8][random.below(4)];
            let number = random.edge().to_le_bytes();
            let end = bytes.len().min(at + width);
            bytes[at..end].copy_from_slice(&number[..end - at]);
        }
        5 => {
            let new: Vec<u8> = (0..random.below(12)).map(|_| random.next() as u8).collect();
            bytes.splice(at..at, new);
        }
        6 => drop(bytes.drain(part)),
        7 => {
            let copy = bytes[part].to_vec();
            bytes.splice(at..at, copy);
        }
        8 => {
            let piece = random.part(other.len());
            let end = bytes.len().min(at + piece.len());
            bytes.splice(at..end, other[piece].iter().copied());
        }
        _ if random.one_in(4) => bytes.truncate(at),
        _ => {
            let to = random.part(bytes.len());
            let len = to.len().min(part.len());
            bytes.copy_within(part.start..part.start + len, to.start);
        }
    }
}

/// As [`mutate`], for a text: words of a dictionary, numbers, repeated and swapped pieces.
pub(crate) fn mutate_text(text: &mut String, words: &[&str], random: &mut Random) {
    for _ in 0..=random.below(6).min(random.below(6)) {
        mutate_text_once(text, words, random);
        if text.len() > BYTES_MAX {
            text.truncate(text.floor_char_boundary(BYTES_MAX));
        }
    }
}

fn mutate_text_once(text: &mut String, words: &[&str], random: &mut Random) {
    let at = text.floor_char_boundary(random.below(text.len() + 1));
    let part = random.part(text.len());
    let part = text.floor_char_boundary(part.start)..text.ceil_char_boundary(part.end);
    match random.below(8) {
        0 => text.replace_range(part, ""),
        1 => text.insert_str(at, random.pick(words)),
        2 => text.replace_range(part, random.pick(words)),
        3 => {
            let times = [1, 1, 2, 3, 30, 3_000][random.below(6)];
            let copy = text[part].repeat(times);
            text.insert_str(at, &copy);
        }
        4 => match number_in(text, at) {
            Some(digits) => text.replace_range(digits, &number(random)),
            None => text.insert_str(at, &number(random)),
        },
        5 => {
            let odd = ODD_CHARACTERS[random.below(ODD_CHARACTERS.len())];
            text.insert(at, odd);
        }
        6 => {
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            let (one, two) = (random.below(lines.len().max(1)), random.below(lines.len().max(1)));
            if one < lines.len() && two < lines.len() {
                match random.below(3) {
                    0 => lines.swap(one, two),
                    1 => lines.insert(one, lines[two]),
                    _ => drop(lines.remove(one)),
                }
            }
            *text = lines.concat();
        }
        _ => {
            let character = char::from(32 + random.below(95) as u8);
            text.insert(at, character);
        }
    }
}

/// The digits after `at`.
fn number_in(text: &str, at: usize) -> Option<Range<usize>> {
    let start = at + text[at..].find(|c: char| c.is_ascii_digit())?;
    let len = text[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len() - start);
    Some(start..start + len)
}

fn number(random: &mut Random) -> String {
    let number = random.edge();
    match random.below(6) {
        0 => format!("-{number}"),
        1 => format!("{number}.{}", random.below(1_000)),
        2 => format!("{number}e{}", random.below(400)),
        3 => format!("1e-{}", random.below(400)),
        _ => number.to_string(),
    }
}
