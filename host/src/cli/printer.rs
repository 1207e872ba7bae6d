//! Prints data in the format that was asked for, and errors.

use super::options::{GlobalOptions, Output};
use crate::error::Error;
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use std::io::Write;

/// Header of a table column and JSON pointer of its value.
pub(super) type Column = (&'static str, &'static str);

/// Widest cell of a table, in characters; longer texts are cut with an ellipsis.
const CELL_CHARS: usize = 72;

pub(super) fn list(options: &GlobalOptions, rows: &[Value], columns: &[(&str, &str)]) {
    match options.output {
        Output::Json => line(&Value::from(rows.to_vec())),
        Output::Ndjson => rows.iter().for_each(line),
        Output::Table => {
            let mut table = Table::new();
            table.load_style(presets::NOTHING);
            table.set_header(columns.iter().map(|(header, _)| *header));
            for row in rows {
                table.add_row(columns.iter().map(|(_, pointer)| cell(row.pointer(pointer))));
            }
            text(&table.trim_fmt());
        }
    }
}

/// One thing: its fields below each other.
pub(super) fn one(options: &GlobalOptions, value: &Value, columns: &[Column]) {
    match options.output {
        Output::Json | Output::Ndjson => line(value),
        Output::Table => {
            let width = columns.iter().map(|(header, _)| header.len()).max().unwrap_or(0);
            for (header, pointer) in columns {
                if let Some(found) = value.pointer(pointer).filter(|found| !found.is_null()) {
                    text(&format!("{header:width$}  {}", plain(found)));
                }
            }
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(found) => plain(found),
    };
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if one_line.chars().count() <= CELL_CHARS {
        return one_line;
    }
    let cut: String = one_line.chars().take(CELL_CHARS - 1).collect();
    format!("{cut}…")
}

fn line(value: &Value) {
    text(&value.to_string());
}

/// A closed pipe ends the program quietly, as it does `cat`.
pub(super) fn text(line: &str) {
    if writeln!(std::io::stdout().lock(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// For people, on stderr.
pub(super) fn note(options: &GlobalOptions, line: &str) {
    if !options.quiet {
        eprintln!("{line}");
    }
}

pub(super) fn report(options: &GlobalOptions, error: &Error) {
    if options.output != Output::Table {
        let body = json!({
            "success": false,
            "error": {
                "code": error.code().as_str(),
                "message": error.chain(),
                "field": error.field_name(),
                "hint": error.hint_text(),
            }
        });
        eprintln!("{body}");
        return;
    }
    eprintln!("error: {}", error.chain());
    if let Some(hint) = error.hint_text() {
        eprintln!("hint: {hint}");
    }
}

/// 46160 as "46,160".
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
