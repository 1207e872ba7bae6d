//! Where words end. A number in the middle of a word is not a finding.

/// Letters and digits of scripts that write spaces between words. Text in other scripts may touch a
/// finding: `联系user@example.com谢谢`.
pub fn is_word(letter: char) -> bool {
    match letter {
        '\0'..='\u{7f}' => letter.is_ascii_alphanumeric(),
        '\u{300}'..='\u{36f}' => true,
        '\u{c0}'..='\u{58f}' | '\u{1e00}'..='\u{1fff}' => letter.is_alphanumeric(),
        _ => false,
    }
}

/// Whether no word goes on at `at`.
pub fn ends(text: &str, at: usize) -> bool {
    !text[at..].chars().next().is_some_and(is_word)
}

/// Whether no word was going on before `at`.
pub fn begins(text: &str, at: usize) -> bool {
    !text[..at].chars().next_back().is_some_and(is_word)
}

/// Whether a digit and one of `signs` stand before `at`.
pub fn follows_digit(text: &str, at: usize, signs: &[u8]) -> bool {
    match text.as_bytes()[..at] {
        [.., digit, sign] => digit.is_ascii_digit() && signs.contains(&sign),
        _ => false,
    }
}

/// Bytes of the space or dash that `text` begins with, if it does.
pub fn separator(text: &str) -> Option<usize> {
    let letter = text.chars().next()?;
    let dash = matches!(letter, '-' | '\u{2010}'..='\u{2013}');
    (dash || matches!(letter, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}')).then(|| letter.len_utf8())
}
