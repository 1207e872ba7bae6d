//! Addresses of mail, as people write them: no quoted names, no numbers for domains.

use std::ops::Range;

use crate::word::is_word;

/// Most bytes of an address: RFC 5321 allows a path 256, two of them for its brackets.
const BYTES_MAX: usize = 254;

/// The first address in `text` from `from` on. A search goes back and ahead from each `@`, and not
/// beyond another, so that all of them together see each byte twice at most.
pub fn find(text: &str, from: usize) -> Option<Range<usize>> {
    let signs = text[from..].match_indices('@').map(|(sign, _)| from + sign);
    for sign in signs {
        let start = name_start(text, from, sign);
        if start < sign
            && let Some(end) = domain_end(text, sign + 1)
            && end - start <= BYTES_MAX
        {
            return Some(start..end);
        }
    }
    None
}

fn name_start(text: &str, from: usize, sign: usize) -> usize {
    let mut start = sign;
    for (at, letter) in text[from..sign].char_indices().rev() {
        let dots = letter == '.' && text[start..].starts_with('.');
        if dots || !(is_word(letter) || "._%+-'".contains(letter)) {
            break;
        }
        start = from + at;
    }
    let name = &text[start..sign];
    sign - name.trim_start_matches(['.', '%', '-', '\'']).len()
}

/// The end of the last label that can be a top-level domain.
fn domain_end(text: &str, from: usize) -> Option<usize> {
    let mut end = None;
    let mut start = from;
    loop {
        let rest = &text[start..];
        let label = rest.find(|letter| !is_word(letter) && letter != '-').unwrap_or(rest.len());
        let name = rest[..label].trim_end_matches('-');
        if name.is_empty() || name.starts_with('-') {
            return end;
        }
        if start > from && is_top(name) {
            end = Some(start + name.len());
        }
        if name.len() < label || !rest[label..].starts_with('.') {
            return end;
        }
        start += label + 1;
    }
}

fn is_top(label: &str) -> bool {
    let encoded = label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"));
    let letters = |letter: char| !letter.is_ascii_digit() && letter != '-';
    encoded || (label.chars().nth(1).is_some() && label.chars().all(letters))
}
