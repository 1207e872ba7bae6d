//! Bytes to text. The order of the evidence is the one of the WHATWG "determining the character
//! encoding" algorithm, with one difference: a declaration is believed only if the bytes fit it,
//! because a wrong `<meta charset>` is the most common encoding fault in crawled pages.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252, X_USER_DEFINED};

/// Where a declaration must stand to be seen, as in the standard's prescan.
const PRESCAN_BYTES: usize = 1024;

/// Decodes a page: byte order mark, valid UTF-8, the declared encoding, UTF-8 with few faults,
/// and at last windows-1252, which accepts anything.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    let declared = declared(bytes);
    // ISO-2022-JP is the one legacy encoding whose text is valid UTF-8 (it is all ASCII), so for it
    // the declaration has to win.
    if let Some(encoding) = declared.filter(|encoding| !encoding.is_ascii_compatible()) {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    if let Some(encoding) = declared.filter(|encoding| *encoding != UTF_8) {
        let (text, faulty) = encoding.decode_without_bom_handling(bytes);
        if !faulty {
            return text;
        }
    }
    let (text, _) = UTF_8.decode_without_bom_handling(bytes);
    if mostly_utf8(&text) { text } else { WINDOWS_1252.decode_without_bom_handling(bytes).0 }
}

/// A page cut off in the middle of a character, or with a few stray bytes, is still UTF-8: it has
/// at least as many well-formed multi-byte characters as faults.
fn mostly_utf8(lossy: &str) -> bool {
    let count = |wanted: fn(char) -> bool| lossy.chars().filter(|c| wanted(*c)).count();
    let faults = count(|c| c == char::REPLACEMENT_CHARACTER);
    count(|c| !c.is_ascii() && c != char::REPLACEMENT_CHARACTER) >= faults
}

/// The label after `charset=` (or in an XML declaration after `encoding=`) in the first bytes.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(PRESCAN_BYTES)];
    let label = label_after(head, b"charset")
        .or_else(|| head.starts_with(b"<?xml").then(|| label_after(head, b"encoding")).flatten())?;
    match Encoding::for_label(label)? {
        // A page whose declaration could be read as ASCII is not UTF-16 (same rule in the
        // standard).
        encoding if encoding.output_encoding() != encoding => Some(UTF_8),
        encoding if encoding == X_USER_DEFINED => Some(WINDOWS_1252),
        encoding => Some(encoding),
    }
}

fn label_after<'a>(head: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut from = 0;
    while let Some(at) = head[from..].windows(key.len()).position(|w| w.eq_ignore_ascii_case(key)) {
        from += at + key.len();
        let rest = head[from..].trim_ascii_start();
        let Some(value) = rest.strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
        let end = value
            .iter()
            .position(|b| b.is_ascii_whitespace() || b"\"';>/?".contains(b))
            .unwrap_or(value.len());
        return Some(&value[..end]);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(decode(bytes), expected);
    }

    #[test]
    fn byte_order_marks_win_over_declarations() {
        check(b"\xEF\xBB\xBF<meta charset=latin1>\xC3\xA9", "<meta charset=latin1>é");
        check(b"\xFF\xFEa\0\xE9\0", "aé");
        check(b"\xFE\xFF\0a\0\xE9", "aé");
    }

    #[test]
    fn declared_encodings_are_used_when_the_bytes_fit() {
        check(b"<meta charset=\"windows-1251\">\xCF\xF0", "<meta charset=\"windows-1251\">Пр");
        check(
            b"<meta content='text/html; charset=Shift_JIS'>\x93\xFA\x96\x7B",
            "<meta content='text/html; charset=Shift_JIS'>日本",
        );
        check(
            b"<?xml version='1.0' encoding='iso-8859-2'?>\xB1",
            "<?xml version='1.0' encoding='iso-8859-2'?>ą",
        );
        check(b"<meta charset=iso-2022-jp>\x1B$BF|K\\\x1B(B", "<meta charset=iso-2022-jp>日本");
    }

    #[test]
    fn a_wrong_declaration_does_not_spoil_the_text() {
        check("<meta charset=latin1>日本 é".as_bytes(), "<meta charset=latin1>日本 é");
        check(b"<meta charset=utf-8>caf\xE9 \x80", "<meta charset=utf-8>café €");
        check(b"<meta charset=utf-16le>plain", "<meta charset=utf-16le>plain");
        check(b"<meta charset=nonsense>caf\xE9", "<meta charset=nonsense>café");
        check(b"charset is a word, charset=", "charset is a word, charset=");
    }

    #[test]
    fn nearly_valid_utf8_stays_utf8() {
        check(
            "größe €".as_bytes().split_last().map(|(_, cut)| cut).unwrap_or_default(),
            "größe \u{FFFD}",
        );
        check(b"", "");
    }
}
