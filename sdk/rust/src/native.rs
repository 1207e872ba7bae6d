//! Extractors without WebAssembly: for tests, and for measuring what the sandbox costs.

use std::borrow::Cow;

use serde_json::Value;

use crate::blob::{Cells, READ_BYTES_MAX};
use crate::runner::{self, Pulled, Runner, Source, Target};
use crate::{Column, Description, Extractor, FieldType, InputRow, Query, Reject};

/// Input a tile should have, as the host cuts it.
const TILE_BYTES: usize = 192 << 10;

/// What an extractor is with its default parameters.
pub fn describe<E: Extractor>() -> Description {
    runner::describe::<E>()
}

/// A column of input, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct NativeColumn<'a> {
    field_type: FieldType,
    validity: &'a [u8],
    offsets: &'a [u32],
    data: &'a [u8],
    stride: usize,
}

impl<'a> NativeColumn<'a> {
    /// Text: row i is `data[offsets[i]..offsets[i + 1]]`.
    ///
    /// # Panics
    /// When an offset is out of order, out of range or within a character.
    pub fn utf8(offsets: &'a [u32], data: &'a str) -> Self {
        let on_boundaries = offsets.iter().all(|&offset| data.is_char_boundary(offset as usize));
        assert!(on_boundaries && offsets.is_sorted(), "the offsets do not fit the text");
        Self::varlen(FieldType::Utf8, offsets, data.as_bytes())
    }

    /// JSON text; as [`utf8`](Self::utf8).
    pub fn json(offsets: &'a [u32], data: &'a str) -> Self {
        Self { field_type: FieldType::Json, ..Self::utf8(offsets, data) }
    }

    /// Blobs: row i is `data[offsets[i]..offsets[i + 1]]`.
    pub fn blob(offsets: &'a [u32], data: &'a [u8]) -> Self {
        Self::varlen(FieldType::Blob, offsets, data)
    }

    /// Little-endian values of type i64, f64, bool (a byte) or dense, `stride` bytes a row.
    pub fn fixed(field_type: FieldType, stride: usize, data: &'a [u8]) -> Self {
        Self { field_type, validity: &[], offsets: &[], data, stride }
    }

    /// Marks nulls: one bit a row, least significant first, 1 for a value.
    pub fn with_validity(self, validity: &'a [u8]) -> Self {
        Self { validity, ..self }
    }

    fn varlen(field_type: FieldType, offsets: &'a [u32], data: &'a [u8]) -> Self {
        Self { field_type, validity: &[], offsets, data, stride: 0 }
    }
}

/// What [`NativeExtractor::run`] makes. Keep one and use it again: the buffers stay.
#[derive(Debug, Default)]
pub struct NativeOutput {
    /// Documents of each row.
    pub counts: Vec<u32>,
    /// One for each field of `output!`; those the description omits stay empty.
    pub columns: Vec<Column>,
    /// Rows that were rejected, ascending.
    pub rejects: Vec<(u32, Reject)>,
    documents: u32,
}

impl NativeOutput {
    /// How many documents there are.
    pub fn documents(&self) -> usize {
        self.documents as usize
    }

    /// The column of a field.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name() == name)
    }

    fn clear(&mut self) {
        self.counts.clear();
        self.columns.iter_mut().for_each(Column::clear);
        self.rejects.clear();
        self.documents = 0;
    }
}

impl Target for NativeOutput {
    fn documents(&mut self, _row: u32, counts: &[u32]) -> u32 {
        let first = self.documents;
        self.counts.extend_from_slice(counts);
        self.documents += counts.iter().sum::<u32>();
        first
    }

    fn column(&mut self, _field: u32, declared: usize, _first: u32, column: &Column) {
        self.columns[declared].append(column);
    }

    fn reject(&mut self, row: u32, reject: &Reject) {
        self.rejects.push((row, reject.clone()));
    }
}

/// A configured extractor that takes slices. It runs the very loop a component runs and allocates
/// nothing for a row.
///
/// ```
/// # use quarry_extractor::prelude::*;
/// # use quarry_extractor::native::{NativeColumn, NativeExtractor, NativeOutput};
/// # input! { struct Input<'a> { text: &'a str } }
/// # output! { struct Output { bytes: i64 } }
/// # struct Length;
/// # impl Extractor for Length {
/// #     const NAME: &'static str = "length";
/// #     const VERSION: &'static str = "1.0.0";
/// #     const SUMMARY: &'static str = "Counts bytes";
/// #     type Parameters = NoParameters;
/// #     type Input<'a> = Input<'a>;
/// #     type Output<'a> = Output;
/// #     fn new(_: NoParameters) -> Result<Self, String> { Ok(Length) }
/// #     fn extract(
/// #         &mut self,
/// #         row: Input<'_>,
/// #         documents: &mut Documents<Self>,
/// #     ) -> Result<(), Reject> {
/// #         documents.push(Output { bytes: row.text.len() as i64 });
/// #         Ok(())
/// #     }
/// # }
/// let mut extractor = NativeExtractor::<Length>::new(&serde_json::json!({})).unwrap();
/// let mut output = NativeOutput::default();
/// extractor.run(&[NativeColumn::utf8(&[0, 2, 5], "abcde")], 2, &mut output);
/// assert_eq!(output.counts, [1, 1]);
/// assert_eq!(output.columns[0].data()[8], 3);
/// ```
pub struct NativeExtractor<E: Extractor> {
    runner: Runner<E>,
    tile: Option<u32>,
}

impl<E: Extractor> NativeExtractor<E> {
    /// Configures the extractor; errors name the parameter.
    pub fn new(parameters: &Value) -> Result<Self, String> {
        Ok(Self { runner: Runner::new(&parameters.to_string())?, tile: None })
    }

    /// Fixes the rows of a tile; otherwise they follow from the size of the rows.
    pub fn with_tile(mut self, rows: u32) -> Self {
        self.tile = Some(rows);
        self
    }

    /// What the extractor is with these parameters.
    pub fn description(&self) -> &Description {
        self.runner.description()
    }

    /// Runs `rows` rows; `columns` are those of `input!`, in its order.
    ///
    /// # Panics
    /// When a column has the wrong type or not enough rows: a mistake of the caller.
    pub fn run(&mut self, columns: &[NativeColumn<'_>], rows: u32, output: &mut NativeOutput) {
        let fields = <E::Input<'static> as InputRow>::FIELDS;
        assert!(columns.len() == fields.len(), "{} takes {} columns", E::NAME, fields.len());
        for (column, field) in columns.iter().zip(fields) {
            assert!(
                column.field_type == field.field_type,
                "column `{}` has another type",
                field.name
            );
        }
        if output.columns.len() != self.runner.columns().len() {
            output.columns = self.runner.columns().to_vec();
        }
        output.clear();
        let bytes: usize = columns.iter().map(|column| column.data.len()).sum();
        let tile = match self.tile {
            Some(tile) => tile,
            None => (rows as usize * TILE_BYTES / bytes.max(1)).clamp(1, u32::MAX as usize) as u32,
        };
        self.runner.run(&NativeBatch { columns, rows, tile }, output);
    }

    /// The vectors for a search text.
    pub fn embed_query(&mut self, text: &str) -> Result<Query, String> {
        self.runner.embed_query(text)
    }
}

struct NativeBatch<'a> {
    columns: &'a [NativeColumn<'a>],
    rows: u32,
    tile: u32,
}

impl NativeBatch<'_> {
    fn cell(&self, column: u32, row: u32) -> &[u8] {
        let column = &self.columns[column as usize];
        let row = row as usize;
        &column.data[column.offsets[row] as usize..column.offsets[row + 1] as usize]
    }
}

impl Source for NativeBatch<'_> {
    fn rows(&self) -> u32 {
        self.rows
    }

    fn tile(&self) -> u32 {
        self.tile
    }

    fn pull(&self, column: u32, field_type: FieldType, from: u32, to: u32) -> Pulled<'_> {
        let column = &self.columns[column as usize];
        let (from, to) = (from as usize, to as usize);
        let mut pulled = Pulled {
            validity: Cow::Borrowed(column.validity),
            validity_from: from,
            ..Pulled::default()
        };
        match field_type {
            FieldType::Utf8 | FieldType::Json => {
                pulled.offsets = Cow::Borrowed(&column.offsets[from..=to]);
                pulled.data = Cow::Borrowed(column.data);
            }
            FieldType::I64 | FieldType::F64 | FieldType::Bool | FieldType::Dense => {
                pulled.stride = column.stride;
                let rows = from * column.stride..to * column.stride;
                pulled.data = Cow::Borrowed(&column.data[rows]);
            }
            FieldType::Blob | FieldType::Sparse | FieldType::Multi => {}
        }
        pulled
    }
}

impl Cells for NativeBatch<'_> {
    fn cell_len(&self, column: u32, row: u32) -> Result<u64, String> {
        Ok(self.cell(column, row).len() as u64)
    }

    fn cell_read(
        &self,
        column: u32,
        row: u32,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, String> {
        let cell = self.cell(column, row);
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(cell.len());
        let len = into.len().min(READ_BYTES_MAX).min(cell.len() - start);
        into[..len].copy_from_slice(&cell[start..start + len]);
        Ok(len)
    }
}
