//! One output column while it is filled: every check on what a guest pushes into it.

use super::failure::{Violation, contract, too_much};
use super::values::{self, Bits};
use super::vectors::vectors;
use super::{Limits, OutputColumn};
use crate::model::{Field, FieldKind};
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray};
use arrow_array::{PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, MutableBuffer, NullBuffer, NullBufferBuilder};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use std::sync::Arc;

/// The arguments of one call of the sink, still in the guest's memory.
pub(super) enum Pushed<'a> {
    Vectors { data: &'a [u8] },
    Sparse { offsets: &'a [u32], indices: &'a [u32], values: &'a [u8] },
    Fixed { validity: &'a [u8], data: &'a [u8] },
    Varlen { validity: &'a [u8], offsets: &'a [u32], data: &'a [u8] },
}

impl Pushed<'_> {
    /// Bytes beyond what a document costs anyway, see [`Column::document_bytes`].
    pub(super) fn extra_bytes(&self) -> usize {
        match self {
            Pushed::Vectors { .. } | Pushed::Fixed { .. } => 0,
            Pushed::Sparse { indices, values, .. } => indices.len() * 4 + values.len(),
            Pushed::Varlen { data, .. } => data.len(),
        }
    }

    fn method(&self) -> &'static str {
        match self {
            Pushed::Vectors { .. } => "vectors",
            Pushed::Sparse { .. } => "sparse",
            Pushed::Fixed { .. } => "fixed",
            Pushed::Varlen { .. } => "varlen",
        }
    }
}

pub(super) struct Column {
    name: String,
    kind: FieldKind,
    /// Values (documents) it has so far.
    len: usize,
    /// Bytes of one value of a dense or multi vector's row, or of a number.
    width: usize,
    validity: NullBufferBuilder,
    /// Of types of varying width: in bytes of `data`, one more than there are values.
    offsets: Vec<i32>,
    data: MutableBuffer,
    /// Values of a sparse vector; `data` holds its indices.
    weights: MutableBuffer,
}

impl Column {
    pub(super) fn new(field: &Field, expected_bytes: usize) -> Self {
        let dimension = field.dimension.unwrap_or(0) as usize;
        let width = match field.kind {
            FieldKind::Dense | FieldKind::Multi => dimension * 4,
            FieldKind::I64 | FieldKind::F64 => 8,
            FieldKind::Bool => 1,
            FieldKind::Utf8 | FieldKind::Json | FieldKind::Blob | FieldKind::Sparse => 0,
        };
        Column {
            name: field.name.clone(),
            kind: field.kind,
            len: 0,
            width,
            validity: NullBufferBuilder::new(0),
            offsets: vec![0],
            data: MutableBuffer::with_capacity(expected_bytes),
            weights: MutableBuffer::new(0),
        }
    }

    /// What a document costs in this column whatever its value is.
    pub(super) fn document_bytes(&self) -> usize {
        match self.kind {
            FieldKind::Dense | FieldKind::I64 | FieldKind::F64 | FieldKind::Bool => self.width,
            FieldKind::Utf8
            | FieldKind::Json
            | FieldKind::Blob
            | FieldKind::Sparse
            | FieldKind::Multi => 4,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Appends values for the documents from `first` on, of `documents` announced.
    pub(super) fn push(
        &mut self,
        first: usize,
        documents: usize,
        pushed: Pushed<'_>,
        limits: &Limits,
    ) -> Result<(), Violation> {
        match (pushed, self.kind) {
            (Pushed::Vectors { data }, FieldKind::Dense) => self.dense(first, documents, data),
            (Pushed::Sparse { offsets, indices, values }, FieldKind::Sparse) => {
                self.place(first, offsets.len().saturating_sub(1), documents)?;
                self.sparse(offsets, indices, values)
            }
            (
                Pushed::Fixed { validity, data },
                FieldKind::I64 | FieldKind::F64 | FieldKind::Bool,
            ) => self.fixed(first, documents, validity, data),
            (
                Pushed::Varlen { validity, offsets, data },
                FieldKind::Utf8 | FieldKind::Json | FieldKind::Blob | FieldKind::Multi,
            ) => {
                self.place(first, offsets.len().saturating_sub(1), documents)?;
                self.varlen(validity, offsets, data, limits)
            }
            (pushed, kind) => {
                let (method, kind) = (pushed.method(), kind.as_str());
                Err(self.broken(format!("is of type {kind}, `{method}` does not fit it")))
            }
        }
    }

    /// Null for what was not pushed; then the array.
    pub(super) fn finish(mut self, documents: usize) -> Result<OutputColumn, Violation> {
        if self.kind == FieldKind::Dense && self.len != documents {
            let have = self.len;
            return Err(self.broken(format!("has {have} vectors for {documents} documents")));
        }
        self.skip(documents - self.len);
        let nulls = self.validity.build();
        let offsets = || OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let data = Buffer::from(self.data);
        let array: ArrayRef = match self.kind {
            FieldKind::Utf8 | FieldKind::Json => {
                // SAFETY: `varlen` checked that the bytes between offsets are UTF-8, that offsets
                // ascend and end with the bytes; `skip` repeats the last one.
                Arc::new(unsafe { StringArray::new_unchecked(offsets(), data, nulls) })
            }
            FieldKind::Blob => Arc::new(BinaryArray::new(offsets(), data, nulls)),
            FieldKind::I64 => {
                Arc::new(PrimitiveArray::<Int64Type>::new(ScalarBuffer::from(data), nulls))
            }
            FieldKind::F64 => {
                Arc::new(PrimitiveArray::<Float64Type>::new(ScalarBuffer::from(data), nulls))
            }
            FieldKind::Bool => {
                let mut bits = BooleanBufferBuilder::new(documents);
                data.iter().for_each(|byte| bits.append(*byte == 1));
                Arc::new(BooleanArray::new(bits.build(), nulls))
            }
            FieldKind::Dense => {
                return Ok(OutputColumn::Dense(vectors((self.width / 4) as u32, data)));
            }
            FieldKind::Sparse => {
                let offsets = offsets();
                let weights = Buffer::from(self.weights);
                return Ok(OutputColumn::Sparse {
                    indices: BinaryArray::new(offsets.clone(), data, nulls.clone()),
                    values: BinaryArray::new(offsets, weights, nulls),
                });
            }
            FieldKind::Multi => {
                return Ok(OutputColumn::Multi(BinaryArray::new(offsets(), data, nulls)));
            }
        };
        Ok(OutputColumn::Scalar(array))
    }

    fn dense(&mut self, first: usize, documents: usize, data: &[u8]) -> Result<(), Violation> {
        let (count, rest) = (data.len() / self.width, data.len() % self.width);
        if rest != 0 {
            let (bytes, width) = (data.len(), self.width);
            let message = format!("got {bytes} bytes, a vector of its dimension has {width}");
            return Err(self.broken(message));
        }
        if first != self.len {
            return Err(self.broken(format!("got vector {first}, the next one is {}", self.len)));
        }
        self.place(first, count, documents)?;
        self.check_floats(data)?;
        self.data.extend_from_slice(data);
        self.len += count;
        Ok(())
    }

    fn fixed(
        &mut self,
        first: usize,
        documents: usize,
        validity: &[u8],
        data: &[u8],
    ) -> Result<(), Violation> {
        let (count, rest) = (data.len() / self.width, data.len() % self.width);
        if rest != 0 {
            return Err(self.broken(format!("got {} bytes for values of 8", data.len())));
        }
        self.place(first, count, documents)?;
        let bits = self.bits(validity, count)?;
        let wrong = match self.kind {
            FieldKind::F64 => values::first_not_finite_f64(data, &bits),
            FieldKind::Bool => data.iter().position(|byte| *byte > 1),
            _ => None,
        };
        if let Some(at) = wrong {
            let what = if self.kind == FieldKind::Bool { "neither 0 nor 1" } else { "not finite" };
            return Err(self.broken(format!("is {what} in document {}", first + at)));
        }
        self.data.extend_from_slice(data);
        self.append_validity(&bits, count);
        Ok(())
    }

    /// The offsets have been checked.
    fn check_sizes(&self, offsets: &[u32], max: usize) -> Result<(), Violation> {
        let size = |pair: &[u32]| u32::from_le(pair[1]) - u32::from_le(pair[0]);
        match offsets.windows(2).position(|pair| size(pair) as usize > max) {
            None => Ok(()),
            Some(at) => {
                let (name, document) = (&self.name, self.len + at);
                let message =
                    format!("output `{name}` has more than {max} bytes in document {document}");
                Err(too_much(message))
            }
        }
    }

    fn sparse(&mut self, offsets: &[u32], indices: &[u32], data: &[u8]) -> Result<(), Violation> {
        if data.len() != indices.len() * 4 {
            let (values, indices) = (data.len(), indices.len());
            return Err(self.broken(format!("got {values} bytes of values for {indices} indices")));
        }
        self.check_offsets(offsets, indices.len())?;
        self.check_floats(data)?;
        for (at, range) in offsets.windows(2).enumerate() {
            let (start, end) = (u32::from_le(range[0]), u32::from_le(range[1]));
            let entries = &indices[start as usize..end as usize];
            if !entries.is_sorted_by(|a, b| u32::from_le(*a) < u32::from_le(*b)) {
                let document = self.len + at;
                return Err(self.broken(format!("has indices out of order in document {document}")));
            }
        }
        self.append_offsets(offsets, 4)?;
        self.data.extend_from_slice(indices);
        self.weights.extend_from_slice(data);
        for range in offsets.windows(2) {
            self.validity.append(range[0] != range[1]);
        }
        self.len += offsets.len() - 1;
        Ok(())
    }

    fn varlen(
        &mut self,
        validity: &[u8],
        offsets: &[u32],
        data: &[u8],
        limits: &Limits,
    ) -> Result<(), Violation> {
        self.check_offsets(offsets, data.len())?;
        self.check_sizes(offsets, limits.value_bytes_max)?;
        let count = offsets.len() - 1;
        let bits = self.bits(validity, count)?;
        match self.kind {
            FieldKind::Utf8 | FieldKind::Json => {
                let text = values::text(data, offsets);
                let text = text.map_err(|at| self.wrong("is not UTF-8", at))?;
                if self.kind == FieldKind::Json {
                    let parsed = values::check_json(text, offsets, &bits, limits.json_depth_max);
                    parsed.map_err(|(at, why)| self.wrong(&format!("is not JSON, {why},"), at))?;
                }
            }
            FieldKind::Multi => {
                self.check_floats(data)?;
                let width = self.width as u32;
                let odd = offsets.iter().position(|offset| u32::from_le(*offset) % width != 0);
                if let Some(at) = odd {
                    let what = format!("has vectors that are not of {width} bytes");
                    return Err(self.wrong(&what, at.saturating_sub(1)));
                }
            }
            _ => {}
        }
        self.append_offsets(offsets, 1)?;
        self.data.extend_from_slice(data);
        if self.kind == FieldKind::Multi {
            // One without vectors is none: no sink takes it.
            for (at, range) in offsets.windows(2).enumerate() {
                self.validity.append(bits.is_valid(at) && range[0] != range[1]);
            }
            self.len += count;
        } else {
            self.append_validity(&bits, count);
        }
        Ok(())
    }

    /// Where the next values go: what was left out before `first` is null, never overwritten.
    fn place(&mut self, first: usize, count: usize, documents: usize) -> Result<(), Violation> {
        if first < self.len {
            let next = self.len;
            return Err(self.broken(format!("got document {first} again, the next one is {next}")));
        }
        if first.saturating_add(count) > documents {
            let to = first.saturating_add(count);
            let message = format!("got values up to document {to}, {documents} are announced");
            return Err(self.broken(message));
        }
        self.skip(first - self.len);
        Ok(())
    }

    fn skip(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        self.validity.append_n_nulls(count);
        match self.kind {
            FieldKind::I64 | FieldKind::F64 | FieldKind::Bool | FieldKind::Dense => {
                self.data.extend_zeros(count * self.width);
            }
            FieldKind::Utf8
            | FieldKind::Json
            | FieldKind::Blob
            | FieldKind::Sparse
            | FieldKind::Multi => {
                let last = self.offsets[self.offsets.len() - 1];
                self.offsets.resize(self.offsets.len() + count, last);
            }
        }
        self.len += count;
    }

    /// Offsets start at 0, ascend and end at `len`.
    fn check_offsets(&self, offsets: &[u32], len: usize) -> Result<(), Violation> {
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
            return Err(self.broken("got no offsets".to_string()));
        };
        let (first, last) = (u32::from_le(*first), u32::from_le(*last));
        if first != 0 || last as usize != len {
            let message = format!("got offsets from {first} to {last} for {len} entries");
            return Err(self.broken(message));
        }
        if !offsets.is_sorted_by(|a, b| u32::from_le(*a) <= u32::from_le(*b)) {
            return Err(self.broken("got offsets that do not ascend".to_string()));
        }
        Ok(())
    }

    fn append_offsets(&mut self, offsets: &[u32], unit: usize) -> Result<(), Violation> {
        let base = self.data.len();
        let added = u32::from_le(offsets[offsets.len() - 1]) as usize * unit;
        if i32::try_from(base + added).is_err() {
            return Err(too_much(format!("output `{}` has more than 2 GiB", self.name)));
        }
        let offsets = offsets[1..].iter().map(|o| (base + u32::from_le(*o) as usize * unit) as i32);
        self.offsets.extend(offsets);
        Ok(())
    }

    fn check_floats(&self, data: &[u8]) -> Result<(), Violation> {
        let Some(lane) = values::first_unfit_f32(data) else { return Ok(()) };
        let value = data.as_chunks::<4>().0.get(lane).map_or(f32::NAN, |v| f32::from_le_bytes(*v));
        Err(self.broken(match value.is_finite() {
            true => format!("has {value} at value {lane}, at most 1e16 is allowed"),
            false => format!("has a NaN or infinity at value {lane}"),
        }))
    }

    fn bits<'a>(&self, validity: &'a [u8], count: usize) -> Result<Bits<'a>, Violation> {
        if !validity.is_empty() && validity.len() != count.div_ceil(8) {
            let bytes = validity.len();
            return Err(self.broken(format!("got {bytes} bytes of validity for {count} values")));
        }
        Ok(Bits::new(validity))
    }

    fn append_validity(&mut self, bits: &Bits<'_>, count: usize) {
        match bits.bytes() {
            None => self.validity.append_n_non_nulls(count),
            Some(bytes) => {
                let mut bits = BooleanBufferBuilder::new(count);
                bits.append_packed_range(0..count, bytes);
                self.validity.append_buffer(&NullBuffer::new(bits.build()));
            }
        }
        self.len += count;
    }

    fn wrong(&self, what: &str, at: usize) -> Violation {
        self.broken(format!("{what} in document {}", self.len + at))
    }

    fn broken(&self, message: String) -> Violation {
        contract(format!("output `{}` {message}", self.name))
    }
}
