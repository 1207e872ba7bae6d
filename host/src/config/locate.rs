//! From a JSON pointer or a byte span to `file:line:column` with the line quoted.

use crate::error::Error;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Marks a field that is a byte span instead of a JSON pointer.
const SPAN: &str = "span:";

pub(super) fn syntax(error: &toml::de::Error) -> Error {
    let wrong = Error::invalid(error.message().to_string());
    match error.span() {
        Some(span) => wrong.field(self::span(&span)),
        None => wrong,
    }
}

pub(super) fn span(span: &Range<usize>) -> String {
    format!("{SPAN}{}..{}", span.start, span.end)
}

pub(super) fn explain(error: Error, path: &Path, text: &str) -> Error {
    let Some(field) = error.field_name().map(str::to_string) else {
        return located(&error, format!("{error}\n  --> {}", path.display()));
    };
    let span = match field.strip_prefix(SPAN) {
        Some(span) => parse_span(span),
        None => span_of(text, &field),
    };
    let Some(span) = span else { return error };
    let (line, column) = position(text, span.start);
    let quoted = text.lines().nth(line - 1).unwrap_or("");
    let marks = text[span.clone()].lines().next().map_or(1, |first| first.chars().count().max(1));
    let pointer = if field.starts_with(SPAN) { String::new() } else { format!(" (at {field})") };
    let message = format!(
        "{}{pointer}\n  --> {}:{line}:{column}\n   | {quoted}\n   | {}{}",
        strip(&error, &field),
        path.display(),
        " ".repeat(column - 1),
        "^".repeat(marks)
    );
    located(&error, message)
}

/// The error with another message.
fn located(error: &Error, message: String) -> Error {
    let mut located = Error::new(error.code(), message);
    if let Some(hint) = error.hint_text() {
        located = located.hint(hint);
    }
    match std::error::Error::source(error) {
        Some(source) => located.source(source.to_string()),
        None => located,
    }
}

/// The message without the field that Display appends.
fn strip(error: &Error, field: &str) -> String {
    let text = error.to_string();
    text.strip_suffix(&format!(" (at {field})")).unwrap_or(&text).to_string()
}

fn parse_span(text: &str) -> Option<Range<usize>> {
    let (start, end) = text.split_once("..")?;
    Some(start.parse().ok()?..end.parse().ok()?)
}

/// The span of the deepest value on the pointer's way that is in the text.
fn span_of(text: &str, pointer: &str) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let mut words =
        pointer.split('/').skip(1).map(|word| word.replace("~1", "/").replace("~0", "~"));
    let first = words.next()?;
    let (key, mut value): (&Spanned<_>, &Spanned<DeValue<'_>>) =
        table.get_ref().iter().find(|(key, _)| key.get_ref().as_ref() == first)?;
    let mut span = key.span();
    for word in words {
        let next = match value.get_ref() {
            DeValue::Table(table) => table
                .iter()
                .find(|(key, _)| key.get_ref().as_ref() == word)
                .map(|(key, value)| (key.span(), value)),
            DeValue::Array(array) => {
                word.parse::<usize>().ok().and_then(|at| array.get(at)).map(|v| (v.span(), v))
            }
            _ => None,
        };
        let Some((found, inner)) = next else { return Some(span) };
        span = if matches!(inner.get_ref(), DeValue::Table(_)) { found } else { inner.span() };
        value = inner;
    }
    Some(span)
}

/// Line and column, both from 1, columns in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
