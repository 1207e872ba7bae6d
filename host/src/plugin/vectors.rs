//! How a column of dense vectors lies in memory: a list of as many f32 as the dimension says.

use arrow_array::types::Float32Type;
use arrow_array::{Array, FixedSizeListArray, PrimitiveArray};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef};
use std::sync::{Arc, LazyLock};

static ITEM: LazyLock<FieldRef> =
    LazyLock::new(|| Arc::new(Field::new("item", DataType::Float32, false)));

pub fn vector_type(dimension: u32) -> DataType {
    DataType::FixedSizeList(ITEM.clone(), i32::try_from(dimension).unwrap_or(i32::MAX))
}

/// `data` is little-endian f32, `dimension` of them a vector. Panics on an odd length or a buffer
/// that is not aligned.
pub fn vectors(dimension: u32, data: Buffer) -> FixedSizeListArray {
    let floats = Arc::new(PrimitiveArray::<Float32Type>::new(ScalarBuffer::from(data), None));
    let size = i32::try_from(dimension).unwrap_or(i32::MAX);
    FixedSizeListArray::new(ITEM.clone(), size, floats, None)
}

/// The bytes of all vectors, those below nulls included.
pub fn vector_bytes(vectors: &FixedSizeListArray) -> Option<Buffer> {
    let floats = vectors.values().as_any().downcast_ref::<PrimitiveArray<Float32Type>>()?;
    Some(floats.values().inner().clone())
}
