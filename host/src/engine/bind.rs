//! From rows of a source to the input of an extractor: filter, required fields, conversions.

use super::columns::{DOCUMENT_ID, INVALID, OBJECT_ID, strings, typed};
use super::filter;
use super::plan::{FieldRef, PlannedCollection, PlannedPassthrough, RowField, RowKind};
use super::value::{self, Cells};
use crate::artifact::References;
use crate::error::{Code, Context, Result};
use crate::model::{FieldKind, Funnel};
use crate::plugin::{self, Input, InputColumn};
use crate::sink;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, RecordBatch, StringArray,
    UInt32Array,
};
use arrow_schema::DataType;
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

/// A text that is read from a reference whole has at most this many bytes.
const TEXT_REFERENCE_BYTES_MAX: u64 = 32 << 20;

/// The rows that go to the extractor and what every document of them carries along.
pub struct Bound {
    pub objects: StringArray,
    /// Absent in tier 0.
    pub parents: Option<FixedSizeBinaryArray>,
    /// One column for each passthrough of the plan.
    pub passthrough: Vec<ArrayRef>,
    pub input: Input,
    /// Rows that can not be handed over, by index into this.
    pub unreadable: Vec<Unreadable>,
    /// fetched, filtered, missing and submitted.
    pub funnel: Funnel,
}

pub struct Unreadable {
    pub object: String,
    pub parent: Option<[u8; 16]>,
    pub code: &'static str,
    pub message: String,
}

pub fn bind(
    collection: &PlannedCollection,
    source_fields: &[RowField],
    batch: &RecordBatch,
    references: &Arc<References>,
) -> Result<Bound> {
    let fetched = batch.num_rows();
    let mut keep = vec![true; fetched];
    if let Some(conditions) = &collection.filter {
        keep = filter::mask(conditions, source_fields, batch)?;
    }
    let filtered = keep.iter().filter(|keep| !**keep).count();
    drop_missing(collection, batch, &mut keep)?;
    let kept = keep.iter().filter(|keep| **keep).count();
    let mut funnel = Funnel {
        fetched: fetched as u64,
        filtered: filtered as u64,
        missing: (fetched - filtered - kept) as u64,
        submitted: kept as u64,
        ..Funnel::default()
    };
    let rows = select(batch, &keep, kept)?;
    let (columns, mut failures) = input_columns(collection, &rows, references)?;
    let passthrough: Vec<ArrayRef> =
        collection.passthrough.iter().map(|entry| carried(entry, &rows)).collect::<Result<_>>()?;
    for (entry, column) in collection.passthrough.iter().zip(&passthrough) {
        unfit(&entry.target, column, &mut failures)?;
    }
    let mut bound = Bound {
        objects: strings(&rows, OBJECT_ID)?.clone(),
        parents: match rows.column_by_name(DOCUMENT_ID) {
            Some(ids) => Some(typed::<FixedSizeBinaryArray>(ids, DOCUMENT_ID)?.clone()),
            None => None,
        },
        passthrough,
        input: Input { rows: kept, columns },
        unreadable: Vec::new(),
        funnel: Funnel::default(),
    };
    if !failures.is_empty() {
        set_aside(&mut bound, failures)?;
    }
    funnel.failed = bound.unreadable.len() as u64;
    bound.funnel = funnel;
    Ok(bound)
}

/// Rows whose required inputs or required passthrough fields are null do not stay.
fn drop_missing(
    collection: &PlannedCollection,
    batch: &RecordBatch,
    keep: &mut [bool],
) -> Result<()> {
    let inputs = collection.inputs.iter().zip(&collection.description.inputs);
    let required_inputs =
        inputs.filter(|(_, input)| input.required).filter_map(|(field, _)| field.as_ref());
    let required_fields = collection
        .passthrough
        .iter()
        .filter(|entry| entry.required && entry.default.is_none())
        .map(|entry| &entry.source);
    let invalid = batch.column_by_name(INVALID);
    for field in required_inputs.chain(required_fields) {
        let column = value::resolve(batch, field)?;
        if column.null_count() > 0 {
            for (row, keep) in keep.iter_mut().enumerate() {
                // An unusable row is a failure, not a missing input.
                *keep &= column.is_valid(row) || invalid.is_some_and(|why| why.is_valid(row));
            }
        }
    }
    Ok(())
}

fn select(batch: &RecordBatch, keep: &[bool], kept: usize) -> Result<RecordBatch> {
    if kept == keep.len() {
        return Ok(batch.clone());
    }
    let mask = BooleanArray::from(keep.to_vec());
    arrow_select::filter::filter_record_batch(batch, &mask)
        .context(Code::Internal, || "can not select the rows of a partition".to_string())
}

fn carried(entry: &PlannedPassthrough, rows: &RecordBatch) -> Result<ArrayRef> {
    let column = value::resolve(rows, &entry.source)?;
    match &entry.default {
        Some(default) if column.null_count() > 0 => fill(&column, entry.target.kind, default),
        _ => Ok(column),
    }
}

/// JSON that no sink takes: found here it costs its row, found by the sink the whole batch.
fn unfit(field: &RowField, column: &ArrayRef, failures: &mut Failures) -> Result<()> {
    if field.kind != RowKind::Json {
        return Ok(());
    }
    let cells = Cells::of(field.kind, column, &field.name)?;
    for row in 0..column.len() {
        if let Err(reason) = sink::check_field(&cells.get(row)) {
            failures.push((row, "unfit_json", format!("field `{}`: {reason}", field.name)));
        }
    }
    Ok(())
}

/// The default was checked against the kind when the pipeline was planned.
fn fill(column: &ArrayRef, kind: RowKind, default: &Value) -> Result<ArrayRef> {
    let cells = Cells::of(kind, column, "passthrough")?;
    let values = (0..column.len()).map(|row| match cells.get(row) {
        Value::Null => default.clone(),
        found => found,
    });
    Ok(match kind {
        RowKind::Utf8 | RowKind::Reference => {
            Arc::new(values.map(|v| v.as_str().map(str::to_string)).collect::<StringArray>())
        }
        RowKind::Json => Arc::new(values.map(|v| Some(v.to_string())).collect::<StringArray>()),
        RowKind::I64 => Arc::new(values.map(|v| v.as_i64()).collect::<arrow_array::Int64Array>()),
        RowKind::F64 => Arc::new(values.map(|v| v.as_f64()).collect::<arrow_array::Float64Array>()),
        RowKind::Bool => Arc::new(values.map(|v| v.as_bool()).collect::<BooleanArray>()),
        RowKind::Blob | RowKind::Dense { .. } | RowKind::Sparse | RowKind::Multi { .. } => {
            column.clone()
        }
    })
}

/// Failures are (row, code, message).
type Failures = Vec<(usize, &'static str, String)>;

fn input_columns(
    collection: &PlannedCollection,
    rows: &RecordBatch,
    references: &Arc<References>,
) -> Result<(Vec<InputColumn>, Failures)> {
    let mut failures = Failures::new();
    if let Some(invalid) = rows.column_by_name(INVALID) {
        let invalid = typed::<StringArray>(invalid, INVALID)?;
        let noted = invalid.iter().enumerate().filter_map(|(row, why)| why.map(|why| (row, why)));
        failures.extend(noted.map(|(row, why)| (row, "invalid_utf8", why.to_string())));
    }
    let mut columns = Vec::new();
    for (field, input) in collection.inputs.iter().zip(&collection.description.inputs) {
        columns.push(match field {
            None => InputColumn::Absent,
            Some(field) => convert(field, input.kind, rows, references, &mut failures)?,
        });
    }
    Ok((columns, failures))
}

fn convert(
    field: &FieldRef,
    wanted: FieldKind,
    rows: &RecordBatch,
    references: &Arc<References>,
    failures: &mut Failures,
) -> Result<InputColumn> {
    let column = value::resolve(rows, field)?;
    let cast = |to: &DataType| {
        arrow_cast::cast(&column, to)
            .context(Code::Internal, || format!("can not convert the field `{}`", field.root))
    };
    let array: ArrayRef = match (field.kind(), wanted) {
        (RowKind::Json, FieldKind::Utf8) => {
            let texts = typed::<StringArray>(&column, &field.root)?;
            Arc::new(texts.iter().map(|text| text.map(unquoted)).collect::<StringArray>())
        }
        (RowKind::Blob, FieldKind::Utf8) => checked_text(typed(&column, &field.root)?, failures),
        (RowKind::Reference, FieldKind::Utf8) => {
            fetched_text(typed(&column, &field.root)?, references, failures)
        }
        (RowKind::Reference, FieldKind::Blob) => {
            let urls = typed::<StringArray>(&column, &field.root)?.clone();
            let cells = ReferencedCells { urls, references: references.clone() };
            return Ok(InputColumn::Cells(Arc::new(cells)));
        }
        (RowKind::Utf8, FieldKind::Blob) => cast(&DataType::Binary)?,
        (RowKind::I64, FieldKind::F64) => cast(&DataType::Float64)?,
        _ => column,
    };
    Ok(InputColumn::Array(array))
}

/// A JSON string is its content, anything else its JSON text.
fn unquoted(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(Value::String(content)) => content,
        _ => text.to_string(),
    }
}

fn checked_text(cells: &BinaryArray, failures: &mut Failures) -> ArrayRef {
    let mut texts: Vec<Option<&str>> = Vec::with_capacity(cells.len());
    for (row, cell) in cells.iter().enumerate() {
        texts.push(match cell.map(std::str::from_utf8) {
            None => None,
            Some(Ok(text)) => Some(text),
            Some(Err(error)) => {
                failures.push((row, "invalid_utf8", error.to_string()));
                None
            }
        });
    }
    Arc::new(StringArray::from(texts))
}

fn fetched_text(urls: &StringArray, references: &References, failures: &mut Failures) -> ArrayRef {
    let mut texts: Vec<Option<String>> = Vec::with_capacity(urls.len());
    for (row, url) in urls.iter().enumerate() {
        texts.push(match url.map(|url| fetch_text(url, references)) {
            None => None,
            Some(Ok(text)) => Some(text),
            Some(Err((code, message))) => {
                failures.push((row, code, message));
                None
            }
        });
    }
    Arc::new(StringArray::from(texts))
}

fn fetch_text(
    url: &str,
    references: &References,
) -> std::result::Result<String, (&'static str, String)> {
    let unreadable = |error: crate::error::Error| ("unreadable_reference", error.chain());
    let size = references.len(url).map_err(unreadable)?;
    if size > TEXT_REFERENCE_BYTES_MAX {
        let message =
            format!("{url} has {size} bytes, {TEXT_REFERENCE_BYTES_MAX} are allowed for a text");
        return Err(("too_large", message));
    }
    let bytes = references.read(url, 0, size as usize).map_err(unreadable)?;
    match String::from_utf8(bytes.to_vec()) {
        Ok(text) => Ok(text),
        Err(error) => Err(("invalid_utf8", format!("{url}: {}", error.utf8_error()))),
    }
}

/// Takes rows that failed before any extractor saw them out of the input.
fn set_aside(bound: &mut Bound, mut failures: Failures) -> Result<()> {
    failures.sort_by_key(|(row, ..)| *row);
    failures.dedup_by_key(|(row, ..)| *row);
    let failed = |row: usize| failures.binary_search_by_key(&row, |(row, ..)| *row).is_ok();
    let good: UInt32Array =
        (0..bound.input.rows).filter(|row| !failed(*row)).map(|row| row as u32).collect();
    bound.unreadable = failures
        .into_iter()
        .map(|(row, code, message)| Unreadable {
            object: bound.objects.value(row).to_string(),
            parent: bound.parents.as_ref().and_then(|ids| ids.value(row).try_into().ok()),
            code,
            message,
        })
        .collect();
    bound.keep(&good)
}

impl Bound {
    /// Leaves only these of the rows that go to the extractor.
    pub fn keep(&mut self, rows: &UInt32Array) -> Result<()> {
        let take = |array: &dyn Array| {
            arrow_select::take::take(array, rows, None)
                .context(Code::Internal, || "can not set rows aside".to_string())
        };
        let objects = take(&self.objects)?;
        self.objects = typed::<StringArray>(&objects, OBJECT_ID)?.clone();
        if let Some(parents) = &self.parents {
            let parents = take(parents)?;
            self.parents = Some(typed::<FixedSizeBinaryArray>(&parents, DOCUMENT_ID)?.clone());
        }
        self.passthrough =
            self.passthrough.iter().map(|array| take(array.as_ref())).collect::<Result<_>>()?;
        let columns = std::mem::take(&mut self.input.columns).into_iter().map(|column| {
            Ok(match column {
                InputColumn::Array(array) => InputColumn::Array(take(array.as_ref())?),
                InputColumn::Cells(cells) => InputColumn::Cells(Arc::new(PickedCells {
                    cells,
                    rows: rows.values().iter().map(|row| *row as usize).collect(),
                })),
                InputColumn::Absent => InputColumn::Absent,
            })
        });
        self.input = Input { columns: columns.collect::<Result<_>>()?, rows: rows.len() };
        Ok(())
    }
}

/// Blob cells that are URLs.
struct ReferencedCells {
    urls: StringArray,
    references: Arc<References>,
}

impl plugin::Cells for ReferencedCells {
    fn len(&self, row: usize) -> Result<Option<u64>> {
        if self.urls.is_null(row) {
            return Ok(None);
        }
        self.references.len(self.urls.value(row)).map(Some)
    }

    fn read(&self, row: usize, offset: u64, len: usize) -> Result<Bytes> {
        self.references.read(self.urls.value(row), offset, len)
    }

    fn slice(&self, from: usize, rows: usize) -> Arc<dyn plugin::Cells> {
        let urls = self.urls.slice(from, rows);
        Arc::new(ReferencedCells { urls, references: self.references.clone() })
    }
}

/// Some rows of other cells.
struct PickedCells {
    cells: Arc<dyn plugin::Cells>,
    rows: Vec<usize>,
}

impl plugin::Cells for PickedCells {
    fn len(&self, row: usize) -> Result<Option<u64>> {
        self.cells.len(self.rows[row])
    }

    fn read(&self, row: usize, offset: u64, len: usize) -> Result<Bytes> {
        self.cells.read(self.rows[row], offset, len)
    }

    fn slice(&self, from: usize, rows: usize) -> Arc<dyn plugin::Cells> {
        let picked = self.rows[from..from + rows].to_vec();
        Arc::new(PickedCells { cells: self.cells.clone(), rows: picked })
    }
}
