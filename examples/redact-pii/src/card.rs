//! Numbers of payment cards: a known first few digits, the right length, the check digit.

use crate::digits::Digits;
use crate::word::{ends, separator};

/// Least digits of a group: `4111 111 111 111`, `3782 822463 10005`.
const GROUP_MIN: usize = 3;

/// The end of the longest card number that starts at `start`.
pub fn end(text: &str, start: usize) -> Option<usize> {
    let digits = Digits::read(text, start, separator);
    let usable = digits.sizes().take_while(|&size| size >= GROUP_MIN).count();
    let groups = digits.groups()[..usable].iter().rev();
    let mut cards = groups.filter(|&&group| is_card(digits.until(group)));
    cards.find(|group| ends(text, group.end)).map(|group| group.end)
}

fn is_card(digits: &[u8]) -> bool {
    let length = digits.len();
    let first = digits.iter().take(4).fold(0, |number, &digit| number * 10 + u32::from(digit));
    let issued = match first {
        4000..=4999 => matches!(length, 13 | 16 | 19),
        5100..=5599 | 2221..=2720 | 2200..=2204 => length == 16,
        3400..=3499 | 3700..=3799 => length == 15,
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&length),
        3528..=3589 => (16..=19).contains(&length),
        5000..=5099 | 5600..=5899 | 6000..=6999 => (13..=19).contains(&length),
        _ => false,
    };
    issued && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let doubled = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let values = digits.iter().rev().enumerate().map(|(place, &digit)| match place % 2 {
        0 => u32::from(digit),
        _ => doubled[usize::from(digit)],
    });
    values.sum::<u32>().is_multiple_of(10)
}
