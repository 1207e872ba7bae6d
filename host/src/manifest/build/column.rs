//! Columns of records: which types were seen, and builders for what that makes of them.

use super::ReportedColumn;
use crate::error::{Code, Error, Result};
use crate::model::FieldKind;
use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_schema::{DataType, Field};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

pub(super) const OBJECT_ID: &str = "object_id";
const COLUMNS_MAX: usize = 1_000;
/// Integers up to here are the same in f64.
const EXACT_IN_F64: u64 = 1 << 53;

/// One value of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    /// Text that stays text.
    Text(&'a str),
    Int(i64),
    Json(&'a Value),
    /// A CSV field, whose type is read off its characters; empty is null.
    Csv(&'a str),
}

const BOOL: u8 = 1;
const INT: u8 = 2;
/// An i64 that f64 can't hold.
const WIDE: u8 = 4;
/// A number beyond i64.
const HUGE: u8 = 8;
const FLOAT: u8 = 16;
const TEXT: u8 = 32;
const NESTED: u8 = 64;

impl Cell<'_> {
    fn type_bits(&self) -> u8 {
        match self {
            Cell::Text(_) => TEXT,
            Cell::Int(value) => int_bits(*value),
            Cell::Csv(text) => csv_bits(text),
            Cell::Json(value) => match value {
                Value::Null => 0,
                Value::Bool(_) => BOOL,
                Value::String(_) => TEXT,
                Value::Array(_) | Value::Object(_) => NESTED,
                Value::Number(number) => match number.as_i64() {
                    Some(value) => int_bits(value),
                    None if number.is_u64() => HUGE,
                    None => FLOAT,
                },
            },
        }
    }
}

fn int_bits(value: i64) -> u8 {
    if value.unsigned_abs() <= EXACT_IN_F64 { INT } else { WIDE }
}

/// Numbers in the form JSON has for them: `007`, `+1`, `.5`, `1,5` and `NaN` stay text.
fn csv_bits(text: &str) -> u8 {
    if text.is_empty() {
        return 0;
    }
    if csv_bool(text).is_some() {
        return BOOL;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || leading_zero || text == "-0" {
        return TEXT;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_or(HUGE, int_bits);
    }
    let numeric = |c: u8| c.is_ascii_digit() || b".eE+-".contains(&c);
    let finite = text.parse::<f64>().is_ok_and(f64::is_finite);
    if digits.bytes().all(numeric) && finite && !text.ends_with('.') { FLOAT } else { TEXT }
}

fn csv_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

#[derive(Debug)]
struct Column {
    name: String,
    seen: u8,
    /// Some value came from JSON: mixed types are then written as JSON, else as the text they were.
    json: bool,
}

impl Column {
    fn kind(&self) -> FieldKind {
        match self.seen {
            BOOL => FieldKind::Bool,
            seen if seen != 0 && seen & !(INT | WIDE) == 0 => FieldKind::I64,
            seen if seen != 0 && seen & !(INT | FLOAT) == 0 => FieldKind::F64,
            0 | TEXT => FieldKind::Utf8,
            _ if self.json => FieldKind::Json,
            _ => FieldKind::Utf8,
        }
    }
}

/// All columns but `object_id`, in the order they were first seen.
#[derive(Debug, Default)]
pub(super) struct Columns {
    columns: Vec<Column>,
    by_name: HashMap<String, usize>,
}

impl Columns {
    pub(super) fn observe(&mut self, name: &str, cell: &Cell<'_>) -> Result<()> {
        if name == OBJECT_ID {
            return Ok(());
        }
        let number = match self.by_name.get(name) {
            Some(number) => *number,
            None => self.add(name)?,
        };
        let column = &mut self.columns[number];
        column.seen |= cell.type_bits();
        column.json |= matches!(cell, Cell::Json(_));
        Ok(())
    }

    fn add(&mut self, name: &str) -> Result<usize> {
        let number = self.columns.len();
        if number == COLUMNS_MAX {
            let message = format!("the records have more than {COLUMNS_MAX} different fields");
            let hint = "put fields whose names are data into one nested object";
            return Err(Error::invalid(message).field(name).hint(hint));
        }
        self.columns.push(Column { name: name.to_string(), seen: 0, json: false });
        self.by_name.insert(name.to_string(), number);
        Ok(number)
    }

    pub(super) fn report(&self) -> Vec<ReportedColumn> {
        let id = ReportedColumn { name: OBJECT_ID.to_string(), kind: FieldKind::Utf8 };
        let column = |c: &Column| ReportedColumn { name: c.name.clone(), kind: c.kind() };
        std::iter::once(id).chain(self.columns.iter().map(column)).collect()
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let field = |column: &Column| {
            Field::new(&column.name, Builder::new(column.kind()).data_type(), true)
        };
        std::iter::once(Field::new(OBJECT_ID, DataType::Utf8, false))
            .chain(self.columns.iter().map(field))
            .collect()
    }

    pub(super) fn rows(&self) -> Rows {
        Rows {
            object_ids: StringBuilder::new(),
            builders: self.columns.iter().map(|column| Builder::new(column.kind())).collect(),
            by_name: self.by_name.clone(),
            rows: 0,
            bytes: 0,
        }
    }
}

/// The rows of a row group that is being filled.
pub(super) struct Rows {
    object_ids: StringBuilder,
    builders: Vec<Builder>,
    by_name: HashMap<String, usize>,
    pub(super) rows: usize,
    /// Bytes of the values.
    pub(super) bytes: usize,
}

impl Rows {
    /// Columns that `fields` does not name become null; a field `object_id` is not looked at.
    pub(super) fn push(&mut self, object_id: &str, fields: &[(&str, Cell<'_>)]) -> Result<()> {
        self.object_ids.append_value(object_id);
        self.rows += 1;
        self.bytes += object_id.len();
        for (name, cell) in fields.iter().filter(|(name, _)| *name != OBJECT_ID) {
            let known = self.by_name.get(*name).map(|number| &mut self.builders[*number]);
            self.bytes += known
                .filter(|builder| builder.len() < self.rows)
                .and_then(|builder| builder.push(cell))
                .ok_or_else(|| {
                    let message = "the source changed while the manifest was built";
                    Error::new(Code::Conflict, message).field(*name)
                })?;
        }
        for builder in &mut self.builders {
            if builder.len() < self.rows {
                builder.push_null();
            }
        }
        Ok(())
    }

    /// Takes all rows out, as arrays.
    pub(super) fn finish(&mut self) -> Vec<ArrayRef> {
        self.rows = 0;
        self.bytes = 0;
        let ids: ArrayRef = Arc::new(self.object_ids.finish());
        std::iter::once(ids).chain(self.builders.iter_mut().map(Builder::finish)).collect()
    }
}

enum Builder {
    Bool(BooleanBuilder),
    I64(Int64Builder),
    F64(Float64Builder),
    Text(StringBuilder),
    Json(StringBuilder),
}

macro_rules! each {
    ($self:expr, $builder:ident => $call:expr) => {
        match $self {
            Builder::Bool($builder) => $call,
            Builder::I64($builder) => $call,
            Builder::F64($builder) => $call,
            Builder::Text($builder) | Builder::Json($builder) => $call,
        }
    };
}

impl Builder {
    fn new(kind: FieldKind) -> Self {
        match kind {
            FieldKind::Bool => Builder::Bool(BooleanBuilder::new()),
            FieldKind::I64 => Builder::I64(Int64Builder::new()),
            FieldKind::F64 => Builder::F64(Float64Builder::new()),
            FieldKind::Json => Builder::Json(StringBuilder::new()),
            FieldKind::Utf8
            | FieldKind::Blob
            | FieldKind::Dense
            | FieldKind::Sparse
            | FieldKind::Multi => Builder::Text(StringBuilder::new()),
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Builder::Bool(_) => DataType::Boolean,
            Builder::I64(_) => DataType::Int64,
            Builder::F64(_) => DataType::Float64,
            Builder::Text(_) | Builder::Json(_) => DataType::Utf8,
        }
    }

    fn len(&self) -> usize {
        use arrow_array::builder::ArrayBuilder as _;
        each!(self, builder => builder.len())
    }

    fn push_null(&mut self) {
        each!(self, builder => builder.append_null());
    }

    fn finish(&mut self) -> ArrayRef {
        each!(self, builder => Arc::new(builder.finish()))
    }

    /// The size of the value; `None` when it is not of the column's type.
    fn push(&mut self, cell: &Cell<'_>) -> Option<usize> {
        if cell.type_bits() == 0 {
            self.push_null();
            return Some(0);
        }
        match self {
            Builder::Bool(builder) => builder.append_value(match cell {
                Cell::Json(value) => value.as_bool()?,
                Cell::Csv(text) => csv_bool(text)?,
                Cell::Text(_) | Cell::Int(_) => return None,
            }),
            Builder::I64(builder) => builder.append_value(match cell {
                Cell::Int(value) => *value,
                Cell::Json(value) => value.as_i64()?,
                Cell::Csv(text) => text.parse().ok()?,
                Cell::Text(_) => return None,
            }),
            Builder::F64(builder) => builder.append_value(match cell {
                Cell::Int(value) => *value as f64,
                Cell::Json(value) => value.as_f64()?,
                Cell::Csv(text) => text.parse().ok()?,
                Cell::Text(_) => return None,
            }),
            Builder::Text(builder) => return push_text(builder, cell),
            Builder::Json(builder) => return Some(push_json(builder, cell)),
        }
        Some(8)
    }
}

fn push_text(builder: &mut StringBuilder, cell: &Cell<'_>) -> Option<usize> {
    let number;
    let text = match cell {
        Cell::Text(text) | Cell::Csv(text) => *text,
        Cell::Json(value) => value.as_str()?,
        Cell::Int(value) => {
            number = value.to_string();
            &number
        }
    };
    builder.append_value(text);
    Some(text.len())
}

fn push_json(builder: &mut StringBuilder, cell: &Cell<'_>) -> usize {
    let json = match cell {
        Cell::Text(text) => Value::from(*text).to_string(),
        Cell::Int(value) => value.to_string(),
        Cell::Json(value) => value.to_string(),
        Cell::Csv(text) if csv_bits(text) == TEXT => Value::from(*text).to_string(),
        Cell::Csv(text) => text.to_ascii_lowercase(),
    };
    builder.append_value(&json);
    json.len()
}
