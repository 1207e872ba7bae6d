//! The types an output field may have.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Column, FieldType};

/// A document, implemented by [`output!`](crate::output!).
pub trait OutputRow {
    /// The columns in declared order.
    const FIELDS: &'static [OutputSpec];
    /// Appends the document to the columns, one for each field.
    fn write(self, columns: &mut [Column]);
}

/// An output column as declared.
#[derive(Debug)]
pub struct OutputSpec {
    /// The field's name.
    pub name: &'static str,
    /// Its type.
    pub field_type: FieldType,
    /// The doc comment.
    pub doc: &'static str,
}

/// A type a field of [`output!`](crate::output!) may have.
pub trait OutputValue {
    /// Its type in the contract.
    const TYPE: FieldType;
    /// Appends the value to its column.
    fn write(self, column: &mut Column);
}

/// An output type that may stand in an `Option`. Dense vectors may not: a point has all of its
/// named vectors. An absent sparse vector is one without entries.
pub trait Nullable: OutputValue {}

impl<T: Nullable> OutputValue for Option<T> {
    const TYPE: FieldType = T::TYPE;
    #[inline]
    fn write(self, column: &mut Column) {
        match self {
            Some(value) => value.write(column),
            None => column.put_null(),
        }
    }
}

impl Nullable for &str {}
impl OutputValue for &str {
    const TYPE: FieldType = FieldType::Utf8;
    #[inline]
    fn write(self, column: &mut Column) {
        column.put_bytes(self.as_bytes());
    }
}

impl Nullable for String {}
impl OutputValue for String {
    const TYPE: FieldType = FieldType::Utf8;
    fn write(self, column: &mut Column) {
        column.put_bytes(self.as_bytes());
    }
}

impl Nullable for i64 {}
impl OutputValue for i64 {
    const TYPE: FieldType = FieldType::I64;
    #[inline]
    fn write(self, column: &mut Column) {
        column.put_fixed(self.to_le_bytes());
    }
}

impl Nullable for f64 {}
impl OutputValue for f64 {
    const TYPE: FieldType = FieldType::F64;
    #[inline]
    fn write(self, column: &mut Column) {
        column.put_fixed(self.to_le_bytes());
    }
}

impl Nullable for bool {}
impl OutputValue for bool {
    const TYPE: FieldType = FieldType::Bool;
    #[inline]
    fn write(self, column: &mut Column) {
        column.put_fixed([u8::from(self)]);
    }
}

impl Nullable for &[u8] {}
impl OutputValue for &[u8] {
    const TYPE: FieldType = FieldType::Blob;
    #[inline]
    fn write(self, column: &mut Column) {
        column.put_bytes(self);
    }
}

/// Any value with serde's `Serialize` as a JSON field, written straight into the column.
///
/// # Panics
/// When it is pushed and has no form in JSON, like a map whose keys are lists.
#[derive(Debug)]
pub struct Json<'a, T: ?Sized = serde_json::Value>(pub &'a T);

impl<T: Serialize + ?Sized> Nullable for Json<'_, T> {}
impl<T: Serialize + ?Sized> OutputValue for Json<'_, T> {
    const TYPE: FieldType = FieldType::Json;
    fn write(self, column: &mut Column) {
        column.put_with(|data| {
            serde_json::to_writer(data, self.0).expect("the value has a form in JSON");
        });
    }
}

/// JSON that is text already, in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonText<'a>(pub &'a str);

impl JsonText<'_> {
    /// Parses it.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0)
    }
}

impl Nullable for JsonText<'_> {}
impl OutputValue for JsonText<'_> {
    const TYPE: FieldType = FieldType::Json;
    #[inline]
    fn write(self, column: &mut Column) {
        column.put_bytes(self.0.as_bytes());
    }
}

/// A dense vector; its length must be the dimension set with
/// [`Description::vector`](crate::Description::vector).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dense<'a>(pub &'a [f32]);

impl OutputValue for Dense<'_> {
    const TYPE: FieldType = FieldType::Dense;
    #[inline]
    fn write(self, column: &mut Column) {
        column.put_dense(self.0);
    }
}

/// A sparse vector. Indices ascend and none comes twice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sparse<'a> {
    /// Which dimensions are not zero.
    pub indices: &'a [u32],
    /// Their values, as many as `indices`.
    pub values: &'a [f32],
}

impl OutputValue for Sparse<'_> {
    const TYPE: FieldType = FieldType::Sparse;
    #[inline]
    fn write(self, column: &mut Column) {
        column.put_sparse(self.indices, self.values);
    }
}

/// Several vectors of one document, one after the other: a multiple of the dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Multi<'a>(pub &'a [f32]);

impl OutputValue for Multi<'_> {
    const TYPE: FieldType = FieldType::Multi;
    #[inline]
    fn write(self, column: &mut Column) {
        column.put_multi(self.0);
    }
}
