//! Goes through a text once. Whatever is tried at a place looks at a bounded number of bytes, so
//! that the time is linear in the length of the text.

use std::ops::Range;

use crate::{Kind, card, email, iban, ip, phone, word};

/// Everything but an address of mail has a digit in the first so many bytes.
const DIGIT_WITHIN: usize = 40;

/// What was found, and where.
#[derive(Clone, Copy)]
pub struct Found {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Findings of all kinds in their order. They do not overlap.
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    email: Option<Range<usize>>,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, email: email::find(text, 0) }
    }

    /// The next finding that has digits, before `end`.
    fn number(&mut self, end: usize) -> Option<Found> {
        let text = &self.text[..end];
        while let Some(digit) = digit_after(text.as_bytes(), self.at) {
            let first = self.at.max(digit.saturating_sub(DIGIT_WITHIN));
            let Some(start) = (first..=digit).find(|&at| may_start(text, at)) else {
                self.at = digit + 1;
                continue;
            };
            if let Some((kind, end)) = match_at(text, start) {
                self.at = end;
                return Some(Found { kind, start, end });
            }
            self.at = start + 1;
        }
        None
    }
}

impl Iterator for Scanner<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let end = self.email.as_ref().map_or(self.text.len(), |email| email.start);
        if let Some(found) = self.number(end) {
            return Some(found);
        }
        let Range { start, end } = self.email.take()?;
        self.at = end;
        self.email = email::find(self.text, end);
        Some(Found { kind: Kind::Email, start, end })
    }
}

/// The first digit from `from` on. By blocks, which the compiler makes vectors of.
fn digit_after(bytes: &[u8], from: usize) -> Option<usize> {
    let mut start = from;
    for block in bytes.get(from..)?.chunks(64) {
        if block.iter().fold(false, |any, byte| any | byte.is_ascii_digit()) {
            return block.iter().position(u8::is_ascii_digit).map(|digit| start + digit);
        }
        start += block.len();
    }
    None
}

fn may_start(text: &str, at: usize) -> bool {
    match text.as_bytes()[at] {
        b'(' => true,
        b'+' => !text[..at].ends_with(|before: char| before == '+' || before.is_ascii_digit()),
        b':' => text[at..].starts_with("::") && word::begins(text, at),
        byte => byte.is_ascii_alphanumeric() && word::begins(text, at),
    }
}

/// The kind and the end of what starts at `start`. The strictest come first.
fn match_at(text: &str, start: usize) -> Option<(Kind, usize)> {
    let found = |kind| move |end| (kind, end);
    match text.as_bytes()[start] {
        b'(' | b'+' => phone::end(text, start).map(found(Kind::Phone)),
        b':' => ip::v6_end(text, start).map(found(Kind::Ipv6)),
        byte if byte.is_ascii_alphabetic() => iban::end(text, start)
            .map(found(Kind::Iban))
            .or_else(|| ip::v6_end(text, start).map(found(Kind::Ipv6))),
        _ => ip::v6_end(text, start)
            .map(found(Kind::Ipv6))
            .or_else(|| ip::v4_end(text, start).map(found(Kind::Ipv4)))
            .or_else(|| card::end(text, start).map(found(Kind::Card)))
            .or_else(|| phone::end(text, start).map(found(Kind::Phone))),
    }
}
