//! From an extractor's output to the rows of a part: ids, lineage columns, passed-through fields.

use super::bind::Bound;
use super::columns::part_schema;
use super::extract::Piece;
use super::identity::Identity;
use super::plan::PlannedCollection;
use crate::error::{Code, Context, Error, Result};
use crate::model::{FieldKind, Name};
use crate::plugin::OutputColumn;
use arrow_array::{
    Array, ArrayRef, BinaryArray, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray,
    UInt32Array,
};
use arrow_buffer::Buffer;
use arrow_schema::SchemaRef;
use std::sync::Arc;

/// Stores a blob and returns the reference that the document keeps.
pub type StoreBlob<'a> = dyn FnMut(&[u8]) -> Result<String> + 'a;

pub struct Assembler<'a> {
    collection: &'a PlannedCollection,
    schema: SchemaRef,
    identity: Identity,
    /// Index of the output that is the position.
    position: Option<usize>,
}

impl<'a> Assembler<'a> {
    pub fn new(namespace: &Name, collection: &'a PlannedCollection) -> Assembler<'a> {
        let position = collection.description.position.as_ref().and_then(|name| {
            collection.description.outputs.iter().position(|output| output.name == *name)
        });
        Assembler {
            collection,
            schema: part_schema(collection),
            identity: Identity::new(namespace, &collection.name),
            position,
        }
    }

    pub fn rows(
        &mut self,
        bound: &Bound,
        piece: &Piece,
        store_blob: &mut StoreBlob<'_>,
    ) -> Result<RecordBatch> {
        let output = &piece.output;
        let origins = Origins::new(piece);
        let positions = self.positions(piece)?;
        let ids = self.ids(bound, piece, &positions);
        let mut columns: Vec<ArrayRef> = vec![ids, origins.take(&bound.objects)?];
        columns.push(match &bound.parents {
            Some(parents) => origins.take(parents)?,
            None => Arc::new(FixedSizeBinaryArray::new_null(16, output.documents)),
        });
        columns.push(Arc::new(positions));
        for (field, column) in self.collection.description.outputs.iter().zip(&output.columns) {
            match column {
                OutputColumn::Scalar(array) if field.kind == FieldKind::Blob => {
                    columns.push(blobs(array, store_blob)?);
                }
                OutputColumn::Scalar(array) => columns.push(array.clone()),
                OutputColumn::Dense(array) => columns.push(Arc::new(array.clone())),
                OutputColumn::Sparse { indices, values } => {
                    columns.push(Arc::new(indices.clone()));
                    columns.push(Arc::new(values.clone()));
                }
                OutputColumn::Multi(array) => columns.push(Arc::new(array.clone())),
            }
        }
        for array in &bound.passthrough {
            columns.push(origins.take(array.as_ref())?);
        }
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|error| {
            let message = format!("extractor {} does not fit its plan", self.collection.extractor);
            Error::new(Code::Extractor, message).source(error)
        })
    }

    /// The position field where there is one, the ordinal within the row otherwise.
    fn positions(&self, piece: &Piece) -> Result<Int64Array> {
        let output = &piece.output;
        if let Some(index) = self.position {
            let column = match &output.columns[index] {
                OutputColumn::Scalar(array) => array.as_any().downcast_ref::<Int64Array>(),
                OutputColumn::Dense(_) | OutputColumn::Sparse { .. } | OutputColumn::Multi(_) => {
                    None
                }
            };
            let missing = || Error::internal("a position field was not checked");
            return Ok(column.ok_or_else(missing)?.clone());
        }
        let mut positions = Vec::with_capacity(output.documents);
        for count in &output.counts {
            positions.extend(0..i64::from(*count));
        }
        Ok(Int64Array::from(positions))
    }

    fn ids(&mut self, bound: &Bound, piece: &Piece, positions: &Int64Array) -> ArrayRef {
        let mut bytes = Vec::with_capacity(16 * piece.output.documents);
        let mut document = 0;
        for (offset, count) in piece.output.counts.iter().enumerate() {
            let row = piece.from + offset;
            let parent = bound.parents.as_ref().map(|parents| parents.value(row));
            for _ in 0..*count {
                let position = positions.value(document);
                let id = self.identity.document(bound.objects.value(row), parent, position);
                bytes.extend_from_slice(id.as_bytes());
                document += 1;
            }
        }
        Arc::new(FixedSizeBinaryArray::new(16, Buffer::from_vec(bytes), None))
    }
}

/// Which row each document of a piece comes from.
enum Origins {
    /// One document a row.
    Same {
        from: usize,
        rows: usize,
    },
    Rows(UInt32Array),
}

impl Origins {
    fn new(piece: &Piece) -> Origins {
        let counts = &piece.output.counts;
        if counts.iter().all(|count| *count == 1) {
            return Origins::Same { from: piece.from, rows: counts.len() };
        }
        let mut rows = Vec::with_capacity(piece.output.documents);
        for (offset, count) in counts.iter().enumerate() {
            rows.extend(std::iter::repeat_n((piece.from + offset) as u32, *count as usize));
        }
        Origins::Rows(UInt32Array::from(rows))
    }

    fn take(&self, array: &dyn Array) -> Result<ArrayRef> {
        match self {
            Origins::Same { from, rows } => Ok(array.slice(*from, *rows)),
            Origins::Rows(rows) => arrow_select::take::take(array, rows, None)
                .context(Code::Internal, || "can not carry a field along".to_string()),
        }
    }
}

fn blobs(array: &ArrayRef, store_blob: &mut StoreBlob<'_>) -> Result<ArrayRef> {
    let array = super::columns::typed::<BinaryArray>(array, "blob")?;
    let mut references = Vec::with_capacity(array.len());
    for cell in array {
        references.push(cell.map(&mut *store_blob).transpose()?);
    }
    Ok(Arc::new(StringArray::from(references)))
}
