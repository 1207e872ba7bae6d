//! Where units begin and end.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::cut::trim;

/// ASCII white space as this extractor means it: with the vertical tab, which
/// `is_ascii_whitespace` leaves out.
pub(crate) fn is_white(character: char) -> bool {
    matches!(character, ' ' | '\x09'..='\x0d')
}

/// The tokens of `source` with one space between them.
pub(crate) fn join(source: &str, joined: &mut String) {
    joined.clear();
    for token in source.split(is_white).filter(|token| !token.is_empty()) {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(token);
    }
}

pub(crate) fn ascii_words(text: &str, within: Range<usize>, units: &mut Vec<Range<usize>>) {
    units.clear();
    let mut start = within.start;
    for token in text[within].split(is_white) {
        if !token.is_empty() {
            units.push(start..start + token.len());
        }
        start += token.len() + 1;
    }
}

/// Words by UAX #29. Punctuation belongs to the word it touches: what stands between two words is
/// cut at its first white space, and where there is none it goes to the word before it.
pub(crate) fn unicode_words(text: &str, within: Range<usize>, units: &mut Vec<Range<usize>>) {
    units.clear();
    let slice = &text[within.clone()];
    for (offset, word) in slice.unicode_word_indices() {
        let start = within.start + offset;
        let start = match units.last_mut() {
            None => trim(text, within.start..start + word.len()).start,
            Some(before) => {
                let gap = &text[before.end..start];
                let left = gap.find(char::is_whitespace).unwrap_or(gap.len());
                let right = gap[left..].trim_start().len();
                before.end += left;
                start - right
            }
        };
        units.push(start..within.start + offset + word.len());
    }
    if let Some(last) = units.last_mut() {
        last.end = trim(text, last.start..within.end).end;
    }
}

/// Sentences by UAX #29, but a line break alone does not end a sentence: text is often wrapped.
pub(crate) fn sentences(text: &str, units: &mut Vec<Range<usize>>) {
    units.clear();
    for (offset, sentence) in text.split_sentence_bound_indices() {
        let range = trim(text, offset..offset + sentence.len());
        if range.is_empty() {
            continue;
        }
        match units.last_mut() {
            Some(before) if is_wrapped(&text[before.clone()], &text[before.end..range.start]) => {
                before.end = range.end;
            }
            _ => units.push(range),
        }
    }
}

/// Whether a sentence goes on after a gap of white space.
fn is_wrapped(sentence: &str, gap: &str) -> bool {
    let one_break = gap.matches(['\n', '\u{2028}']).count() == 1 && !gap.contains('\u{2029}');
    let closers = ['"', '\'', ')', ']', '}', '»', '”', '’'];
    let end = sentence.trim_end_matches(closers).chars().next_back();
    let ended = end.is_some_and(|end| {
        matches!(end, '.' | '!' | '?' | '…' | ':' | '。' | '！' | '？' | '؟' | '।')
    });
    one_break && !ended
}

/// Text between blank lines.
pub(crate) fn paragraphs(text: &str, units: &mut Vec<Range<usize>>) {
    units.clear();
    let mut open: Option<Range<usize>> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let range = start..start + line.len();
        start = range.end;
        if line.trim().is_empty() {
            units.extend(open.take().map(|paragraph| trim(text, paragraph)));
        } else {
            let from = open.map_or(range.start, |paragraph| paragraph.start);
            open = Some(from..range.end);
        }
    }
    units.extend(open.map(|paragraph| trim(text, paragraph)));
}
