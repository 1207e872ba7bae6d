//! Values that TOML has and JSON lacks. Parameters, defaults and filters are JSON: a time would
//! silently become an object there, and a NaN nothing at all.

use super::locate;
use crate::error::{Error, Result};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) fn check(text: &str) -> Result<()> {
    let table = DeTable::parse(text).map_err(|error| locate::syntax(&error))?;
    table.get_ref().values().try_for_each(check_value)
}

/// As deep as the parser lets tables and lists be.
fn check_value(value: &Spanned<DeValue<'_>>) -> Result<()> {
    let wrong = |what: &str, hint: &str| {
        Err(Error::invalid(what).field(locate::span(&value.span())).hint(hint))
    };
    match value.get_ref() {
        DeValue::Datetime(_) => {
            wrong("a date or time can not stand by itself", "write it as a text, in quotes")
        }
        DeValue::Float(float) if float.as_str().ends_with(|c: char| c.is_ascii_alphabetic()) => {
            wrong("a number has to be finite", "leave it out, or write a large number")
        }
        DeValue::Array(items) => items.iter().try_for_each(check_value),
        DeValue::Table(table) => table.values().try_for_each(check_value),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
            Ok(())
        }
    }
}
