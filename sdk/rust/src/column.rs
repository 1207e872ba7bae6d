//! A column of output values: what `output!` writes to and what goes over the contract.

use crate::FieldType;

/// The values of one output field, in the contract's layout. Cleared, never freed, between tiles.
#[derive(Debug, Clone)]
pub struct Column {
    field_type: FieldType,
    dimension: usize,
    enabled: bool,
    name: String,
    nulls: Vec<u32>,
    offsets: Vec<u32>,
    indices: Vec<u32>,
    data: Vec<u8>,
}

impl Column {
    pub(crate) fn new(name: &str, field_type: FieldType) -> Self {
        let mut column = Self {
            field_type,
            dimension: 0,
            enabled: false,
            name: name.to_owned(),
            nulls: Vec::new(),
            offsets: Vec::new(),
            indices: Vec::new(),
            data: Vec::new(),
        };
        column.clear();
        column
    }

    pub(crate) fn enable(&mut self, dimension: Option<u32>) {
        self.enabled = true;
        self.dimension = dimension.unwrap_or(0) as usize;
    }

    /// Whether the configured description has this field.
    #[doc(hidden)]
    #[inline]
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// The name of the field.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of the field.
    pub fn field_type(&self) -> FieldType {
        self.field_type
    }

    /// Floats a vector, for dense and multi fields; 0 for others.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Cell bytes: the values of a fixed column, f32 of vectors and sparse values, the bytes of
    /// utf8, json, blob and multi cells; little-endian.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Value i of a varlen column is `data[offsets[i]..offsets[i + 1]]`; of a sparse column the
    /// range counts entries. Empty for fixed and dense columns.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The indices of a sparse column.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// The numbers of the values that are null, ascending.
    pub fn nulls(&self) -> &[u32] {
        &self.nulls
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        match self.width() {
            Some(width) => self.data.len() / width,
            None => self.offsets.len() - 1,
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the validity bitmap, least significant bit first; nothing when there are no nulls.
    pub fn validity(&self, bitmap: &mut Vec<u8>) {
        bitmap.clear();
        if self.nulls.is_empty() {
            return;
        }
        bitmap.resize(self.len().div_ceil(8), 0xff);
        for &null in &self.nulls {
            bitmap[null as usize / 8] &= !(1 << (null % 8));
        }
    }

    /// Bytes of a value, when all have the same.
    fn width(&self) -> Option<usize> {
        match self.field_type {
            FieldType::Bool => Some(1),
            FieldType::I64 | FieldType::F64 => Some(8),
            FieldType::Dense => Some(self.dimension.max(1) * 4),
            FieldType::Utf8
            | FieldType::Json
            | FieldType::Blob
            | FieldType::Sparse
            | FieldType::Multi => None,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.data.len() + 4 * (self.offsets.len() + self.indices.len())
    }

    pub(crate) fn clear(&mut self) {
        self.nulls.clear();
        self.offsets.clear();
        self.indices.clear();
        self.data.clear();
        if self.width().is_none() {
            self.offsets.push(0);
        }
    }

    /// Drops the values from number `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        while self.nulls.last().is_some_and(|&null| null as usize >= len) {
            self.nulls.pop();
        }
        match self.width() {
            Some(width) => self.data.truncate(len * width),
            None => {
                self.offsets.truncate(len + 1);
                let end = self.offsets[len] as usize;
                if self.field_type == FieldType::Sparse {
                    self.indices.truncate(end);
                    self.data.truncate(end * 4);
                } else {
                    self.data.truncate(end);
                }
            }
        }
    }

    /// Adds the values of `other`, a column of the same field.
    pub(crate) fn append(&mut self, other: &Column) {
        let values = self.len() as u32;
        let base = self.offsets.last().copied().unwrap_or(0);
        self.nulls.extend(other.nulls.iter().map(|null| null + values));
        self.offsets.extend(other.offsets.iter().skip(1).map(|offset| offset + base));
        self.indices.extend_from_slice(&other.indices);
        self.data.extend_from_slice(&other.data);
    }

    #[inline]
    pub(crate) fn put_fixed<const WIDTH: usize>(&mut self, bytes: [u8; WIDTH]) {
        self.data.extend_from_slice(&bytes);
    }

    #[inline]
    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.end_cell();
    }

    pub(crate) fn put_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.data);
        self.end_cell();
    }

    #[inline]
    fn end_cell(&mut self) {
        let end = u32::try_from(self.data.len()).expect("a tile's column stays under 4 GiB");
        self.offsets.push(end);
    }

    pub(crate) fn put_dense(&mut self, vector: &[f32]) {
        assert!(
            vector.len() == self.dimension,
            "`{}` got a vector of {} values, its dimension is {}",
            self.name,
            vector.len(),
            self.dimension
        );
        extend_f32(&mut self.data, vector);
    }

    pub(crate) fn put_multi(&mut self, vectors: &[f32]) {
        assert!(
            vectors.len().is_multiple_of(self.dimension),
            "`{}` got {} values, not a multiple of its dimension {}",
            self.name,
            vectors.len(),
            self.dimension
        );
        extend_f32(&mut self.data, vectors);
        self.end_cell();
    }

    pub(crate) fn put_sparse(&mut self, indices: &[u32], values: &[f32]) {
        assert!(
            indices.len() == values.len(),
            "`{}` got {} indices and {} values",
            self.name,
            indices.len(),
            values.len()
        );
        self.indices.extend_from_slice(indices);
        extend_f32(&mut self.data, values);
        let end = u32::try_from(self.indices.len()).expect("a tile's column stays under 4 GiB");
        self.offsets.push(end);
    }

    pub(crate) fn put_null(&mut self) {
        self.nulls.push(self.len() as u32);
        match self.width() {
            Some(width) => self.data.resize(self.data.len() + width, 0),
            None => self.end_cell(),
        }
    }
}

/// Appends floats little-endian.
#[inline]
fn extend_f32(data: &mut Vec<u8>, values: &[f32]) {
    if cfg!(target_endian = "little") {
        // SAFETY: f32 has no padding and u8 no alignment; the slice covers exactly `values`.
        let bytes = unsafe {
            std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values))
        };
        data.extend_from_slice(bytes);
    } else {
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
}
