//! International bank account numbers: a country, its length, the checksum of ISO 13616.

use crate::word::{ends, separator};

const LENGTH_MAX: usize = 33;

/// How many characters a number has, by country.
const LENGTHS: &[(usize, &str)] = &[
    (15, "NO"),
    (16, "BE"),
    (18, "DK FI FK FO GL NL SD"),
    (19, "MK SI"),
    (20, "AT BA EE KZ LT LU MN XK"),
    (21, "CH HR LI LV"),
    (22, "BG BH CR DE GB GE IE ME RS VA"),
    (23, "AE GI IL IQ OM SO TL"),
    (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
    (25, "LY PT ST"),
    (26, "IS TR"),
    (27, "BI DJ FR GR IT MC MR SM"),
    (28, "AL AZ BY CY DO GT HN HU LB NI PL SV"),
    (29, "BR EG PS QA UA"),
    (30, "JO KW MU YE"),
    (31, "MT SC"),
    (32, "LC"),
    (LENGTH_MAX, "RU"),
];

/// The end of the number that starts at `start`.
pub fn end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let country =
        [*bytes.get(start)?, *bytes.get(start + 1)?].map(|byte| byte.to_ascii_uppercase());
    let check = [bytes.get(start + 2)?, bytes.get(start + 3)?];
    if !check.iter().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let length = length(country)?;
    let mut number = [0; LENGTH_MAX];
    let mut at = start;
    for (place, slot) in number[..length].iter_mut().enumerate() {
        if place > 0 && !bytes.get(at)?.is_ascii_alphanumeric() {
            at += separator(&text[at..])?;
        }
        let byte = bytes.get(at).filter(|byte| byte.is_ascii_alphanumeric())?;
        *slot = byte.to_ascii_uppercase();
        at += 1;
    }
    (remainder(&number[..length]) == 1 && ends(text, at)).then_some(at)
}

fn length(country: [u8; 2]) -> Option<usize> {
    let is_in = |countries: &str| countries.as_bytes().chunks(3).any(|name| name[..2] == country);
    LENGTHS.iter().find(|(_, countries)| is_in(countries)).map(|&(length, _)| length)
}

/// Of the number, its first four characters last and its letters from 10 to 35, by 97.
fn remainder(number: &[u8]) -> u32 {
    let (first, rest) = number.split_at(4);
    rest.iter().chain(first).fold(0, |remainder, &byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
    })
}
