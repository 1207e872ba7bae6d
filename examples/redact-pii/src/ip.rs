//! Addresses of the Internet Protocol. The standard library says which are valid.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::word::{ends, follows_digit};

/// `255.255.255.255`
const V4_BYTES_MAX: usize = 15;

/// `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`
const V6_BYTES_MAX: usize = 45;

pub fn v4_end(text: &str, start: usize) -> Option<usize> {
    if follows_digit(text, start, b".") {
        return None;
    }
    let run = run(text, start, V4_BYTES_MAX, |byte| byte.is_ascii_digit() || byte == b'.')?;
    run.parse::<Ipv4Addr>().is_ok().then_some(start + run.len())
}

/// An address without any digit is taken for code: `a::b`.
pub fn v6_end(text: &str, start: usize) -> Option<usize> {
    if text[..start].ends_with("::") {
        return None;
    }
    let of_address = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let run = run(text, start, V6_BYTES_MAX, of_address)?;
    let digits = run.bytes().any(|byte| byte.is_ascii_digit());
    (digits && run.parse::<Ipv6Addr>().is_ok()).then_some(start + run.len())
}

/// The bytes from `start` on that belong, without the punctuation of the sentence.
fn run(text: &str, start: usize, max: usize, belongs: fn(u8) -> bool) -> Option<&str> {
    let bytes = text.as_bytes()[start..].iter().take(max + 4);
    let run = &text[start..start + bytes.take_while(|&&byte| belongs(byte)).count()];
    if !ends(text, start + run.len()) {
        return None;
    }
    let run = run.trim_end_matches('.');
    match run.strip_suffix(':') {
        Some(shorter) if !shorter.ends_with(':') => Some(shorter),
        _ => Some(run),
    }
}
