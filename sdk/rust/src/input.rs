//! Typed rows out of the columns of a tile.

use crate::blob::{Blob, Cells};
use crate::{FieldType, JsonText};

/// A row of input, implemented by [`input!`](crate::input!).
pub trait InputRow<'a>: Sized {
    /// The columns in the order of the contract.
    const FIELDS: &'static [InputSpec];
    /// Reads one row of a tile.
    fn read(columns: &[TileColumn<'a>], row: usize) -> Self;
}

/// An input column as declared.
#[derive(Debug)]
pub struct InputSpec {
    /// The field's name.
    pub name: &'static str,
    /// Its type.
    pub field_type: FieldType,
    /// Whether rows without it are kept from the extractor.
    pub required: bool,
    /// The doc comment.
    pub doc: &'static str,
}

/// The rows of one column that are worked on.
#[derive(Clone, Copy)]
pub struct TileColumn<'a> {
    pub(crate) validity: &'a [u8],
    /// Bit of row 0 in `validity`.
    pub(crate) validity_from: usize,
    pub(crate) offsets: &'a [u32],
    pub(crate) data: &'a [u8],
    /// Bytes of a row of a fixed column.
    pub(crate) stride: usize,
    pub(crate) cells: &'a dyn Cells,
    pub(crate) column: u32,
    /// Number of row 0 within the batch.
    pub(crate) from: u32,
}

impl<'a> TileColumn<'a> {
    #[inline]
    fn cell(&self, row: usize) -> &'a [u8] {
        &self.data[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    #[inline]
    fn text(&self, row: usize) -> &'a str {
        // SAFETY: only read for utf8 and json columns. There the host guarantees valid UTF-8 in
        // every cell (wit `varlen-column`), and the native source checks it when it is built.
        unsafe { std::str::from_utf8_unchecked(self.cell(row)) }
    }

    #[inline]
    fn fixed(&self, row: usize) -> &'a [u8] {
        &self.data[row * self.stride..][..self.stride]
    }

    #[inline]
    fn is_valid(&self, row: usize) -> bool {
        let bit = self.validity_from + row;
        self.validity.is_empty() || self.validity[bit / 8] >> (bit % 8) & 1 == 1
    }
}

/// A type a field of [`input!`](crate::input!) may have.
pub trait InputValue<'a>: Sized {
    /// Its type in the contract.
    const TYPE: FieldType;
    /// Whether rows without a value are kept from the extractor.
    const REQUIRED: bool = true;
    /// The value of a row.
    fn read(column: &TileColumn<'a>, row: usize) -> Self;
}

impl<'a> InputValue<'a> for &'a str {
    const TYPE: FieldType = FieldType::Utf8;
    #[inline]
    fn read(column: &TileColumn<'a>, row: usize) -> Self {
        column.text(row)
    }
}

impl<'a> InputValue<'a> for JsonText<'a> {
    const TYPE: FieldType = FieldType::Json;
    #[inline]
    fn read(column: &TileColumn<'a>, row: usize) -> Self {
        JsonText(column.text(row))
    }
}

impl<'a> InputValue<'a> for i64 {
    const TYPE: FieldType = FieldType::I64;
    #[inline]
    fn read(column: &TileColumn<'a>, row: usize) -> Self {
        i64::from_le_bytes(eight(column.fixed(row)))
    }
}

impl<'a> InputValue<'a> for f64 {
    const TYPE: FieldType = FieldType::F64;
    #[inline]
    fn read(column: &TileColumn<'a>, row: usize) -> Self {
        f64::from_le_bytes(eight(column.fixed(row)))
    }
}

impl<'a> InputValue<'a> for bool {
    const TYPE: FieldType = FieldType::Bool;
    #[inline]
    fn read(column: &TileColumn<'a>, row: usize) -> Self {
        column.fixed(row)[0] != 0
    }
}

impl<'a> InputValue<'a> for Vector<'a> {
    const TYPE: FieldType = FieldType::Dense;
    #[inline]
    fn read(column: &TileColumn<'a>, row: usize) -> Self {
        Vector(column.fixed(row))
    }
}

impl<'a> InputValue<'a> for Blob<'a> {
    const TYPE: FieldType = FieldType::Blob;
    #[inline]
    fn read(column: &TileColumn<'a>, row: usize) -> Self {
        Blob { cells: column.cells, column: column.column, row: column.from + row as u32 }
    }
}

/// A type that may stand in an `Option`. Not [`Blob`]: the contract tells whether a blob is there
/// only by reading it.
pub trait Optional {}
impl Optional for &str {}
impl Optional for JsonText<'_> {}
impl Optional for i64 {}
impl Optional for f64 {}
impl Optional for bool {}
impl Optional for Vector<'_> {}

impl<'a, T: InputValue<'a> + Optional> InputValue<'a> for Option<T> {
    const TYPE: FieldType = T::TYPE;
    const REQUIRED: bool = false;
    #[inline]
    fn read(column: &TileColumn<'a>, row: usize) -> Self {
        column.is_valid(row).then(|| T::read(column, row))
    }
}

/// A dense vector of the input.
#[derive(Debug, Clone, Copy)]
pub struct Vector<'a>(&'a [u8]);

impl<'a> Vector<'a> {
    /// Its dimension.
    pub fn len(&self) -> usize {
        self.0.len() / 4
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = f32> + 'a {
        self.0
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

#[inline]
fn eight(bytes: &[u8]) -> [u8; 8] {
    bytes.try_into().expect("an i64 or f64 column has 8 bytes a row")
}
