//! Numbers of telephones: `+` or `00` and a country, a leading `0`, or groups as in North America.

use crate::digits::Digits;
use crate::word::{ends, follows_digit, separator};

/// The end of the longest number that starts at `start`.
pub fn end(text: &str, start: usize) -> Option<usize> {
    let rest = &text[start..];
    let number = rest.strip_prefix('(').unwrap_or(rest);
    let (abroad, number) = match number.strip_prefix('+') {
        Some(number) => (true, number),
        None => (false, number),
    };
    if !abroad && follows_digit(text, start, b"-./,:") {
        return None;
    }
    let digits = Digits::read(text, text.len() - number.len(), gap);
    let mut sizes = [0; crate::digits::DIGITS_MAX];
    for (slot, size) in sizes.iter_mut().zip(digits.sizes()) {
        *slot = size;
    }
    for (index, &group) in digits.groups().iter().enumerate().rev() {
        let number = digits.until(group);
        let matches = match number {
            [0, ..] if abroad => false,
            _ if abroad => (7..=15).contains(&number.len()),
            _ => is_local(number, &sizes[..=index]),
        };
        if matches && ends(text, group.end) && is_balanced(&text[start..group.end]) {
            return Some(group.end);
        }
    }
    None
}

fn is_local(digits: &[u8], sizes: &[usize]) -> bool {
    match (digits, sizes) {
        ([0, 0, 0, ..], _) => false,
        ([0, 0, ..], [first, ..]) if *first >= 2 => (9..=17).contains(&digits.len()),
        ([0, ..], _) => {
            let grouped = sizes.iter().all(|&size| size >= 2);
            grouped && (9..=12).contains(&digits.len()) && !is_date(digits, sizes)
        }
        ([area, _, _, exchange, ..], [3, 3, 4]) => *area >= 2 && *exchange >= 2,
        ([1, area, _, _, exchange, ..], [1, 3, 3, 4]) => *area >= 2 && *exchange >= 2,
        _ => false,
    }
}

/// Whether it begins with a day, a month and a year.
fn is_date(digits: &[u8], sizes: &[usize]) -> bool {
    let (&[a, b, c, d, ..], [2, 2, 4, ..]) = (digits, sizes) else { return false };
    let (first, second) = (a * 10 + b, c * 10 + d);
    first.min(second) <= 12 && first.max(second) <= 31
}

fn is_balanced(text: &str) -> bool {
    let mut open = false;
    let fits = text.bytes().all(|byte| match byte {
        b'(' => !std::mem::replace(&mut open, true),
        b')' => std::mem::replace(&mut open, false),
        _ => true,
    });
    fits && !open
}

/// What may stand between two groups: one sign, a bracket and a space or dash outside of it, or a
/// sign with spaces around it, unless a number of its own seems to follow.
fn gap(text: &str) -> Option<usize> {
    if let Some(rest) = text.strip_prefix(')') {
        return Some(1 + separator(rest).unwrap_or(0));
    }
    if text.starts_with(['.', '/', '(']) {
        return Some(1);
    }
    if text.starts_with(" / ") || text.starts_with(" - ") {
        return (text.as_bytes().get(3) != Some(&b'0')).then_some(3);
    }
    let bytes = separator(text)?;
    Some(bytes + usize::from(text[bytes..].starts_with('(')))
}
