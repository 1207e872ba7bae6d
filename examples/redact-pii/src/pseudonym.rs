//! A name for a value: the same for each way of writing it, everywhere and for ever.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::Kind;

/// Bytes of the hash that are written.
const HASH_BYTES: usize = 8;

/// Appends the name of `source` to `text`. In letters only, which no later run takes for a number.
pub fn push(kind: Kind, source: &str, value: &mut String, text: &mut String) {
    value.clear();
    normalise(kind, source, value);
    let hash = Sha256::new().chain_update(kind.name()).chain_update(":").chain_update(value);
    for byte in &hash.finalize()[..HASH_BYTES] {
        text.push(char::from(b'a' + (byte >> 4)));
        text.push(char::from(b'a' + (byte & 15)));
    }
}

fn normalise(kind: Kind, source: &str, value: &mut String) {
    let digits = source.chars().filter(char::is_ascii_digit);
    match kind {
        Kind::Email => value.extend(source.chars().flat_map(char::to_lowercase)),
        Kind::Card => value.extend(digits),
        Kind::Iban => {
            let letters = source.chars().filter(char::is_ascii_alphanumeric);
            value.extend(letters.map(|letter| letter.to_ascii_uppercase()));
        }
        Kind::Ipv4 | Kind::Ipv6 => match source.parse::<IpAddr>() {
            Ok(address) => value.push_str(&address.to_string()),
            Err(_) => value.push_str(source),
        },
        Kind::Phone => phone(source, value),
    }
}

/// `00` is `+`, and the `(0)` after a country is not dialled.
fn phone(source: &str, value: &mut String) {
    let (country, rest) = source.split_once("(0)").unwrap_or(("", source));
    value.extend(country.chars().chain(rest.chars()).filter(char::is_ascii_digit));
    if source.contains('+') {
        value.insert(0, '+');
    } else if value.starts_with("00") {
        value.replace_range(..2, "+");
    }
}
