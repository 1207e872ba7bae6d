//! Rows of a part as documents for the vector sink.

use super::columns::{
    DOCUMENT_ID, OBJECT_ID, PARENT_ID, POSITION, column, sparse_columns, strings, typed, uuids,
};
use super::plan::{PlannedCollection, RowField, RowKind};
use super::value::Cells;
use crate::error::{Code, Context, Error, Result};
use crate::model::{
    Document, DocumentId, Enrichment, LINEAGE_FIELD, Lineage, SparseVector, Vector,
};
use crate::store::Timing;
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, BinaryArray, FixedSizeListArray, Int64Array, RecordBatch};
use serde_json::{Map, Value};
use uuid::Uuid;

/// What all documents of a partition have in common.
pub struct Origin<'a> {
    pub collection: &'a PlannedCollection,
    pub path: &'a str,
    pub batch: &'a str,
    pub run: u64,
    pub timing: Option<&'a Timing>,
}

impl Origin<'_> {
    fn history(&self) -> Vec<Enrichment> {
        let extractor = &self.collection.extractor;
        let enrichment = |timing: &Timing| Enrichment {
            extractor: extractor.name.clone(),
            version: extractor.version.clone(),
            digest: extractor.digest.clone(),
            parameters_hash: parameters_hash(&self.collection.parameters),
            started_at: timing.started_at.clone(),
            duration_ms: timing.duration_ms,
        };
        self.timing.map(enrichment).into_iter().collect()
    }
}

/// BLAKE3 of the parameters as canonical JSON, in hex.
pub fn parameters_hash(parameters: &Value) -> String {
    blake3::hash(super::submit::canonical(parameters).as_bytes()).to_hex().to_string()
}

pub fn documents(origin: &Origin<'_>, rows: &RecordBatch) -> Result<Vec<Document>> {
    let ids = uuids(rows, DOCUMENT_ID)?;
    let objects = strings(rows, OBJECT_ID)?;
    let parents = uuids(rows, PARENT_ID)?;
    let positions: &Int64Array = typed(column(rows, POSITION)?, POSITION)?;
    let fields = origin.collection.fields();
    let scalars = scalars(&fields, rows)?;
    let vectors = origin
        .collection
        .vectors
        .iter()
        .map(|vector| Ok((vector.name.as_str(), VectorColumn::of(&fields[vector.output], rows)?)))
        .collect::<Result<Vec<_>>>()?;
    let history = origin.history();
    let mut documents = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let mut payload = Map::new();
        for (name, cells) in &scalars {
            let value = cells.get(row);
            if !value.is_null() {
                payload.insert((*name).to_string(), value);
            }
        }
        let parent = parents.is_valid(row).then(|| parents.value(row));
        let lineage = Lineage {
            collection: origin.collection.name.to_string(),
            object: objects.value(row).to_string(),
            parent: parent.map(|bytes| document_id(bytes).map(|id| id.to_string())).transpose()?,
            position: positions.value(row),
            path: origin.path.to_string(),
            extractor: origin.collection.extractor.to_string(),
            digest: origin.collection.extractor.digest.clone(),
            batch: origin.batch.to_string(),
            run: origin.run,
            history: history.clone(),
        };
        let lineage = serde_json::to_value(lineage)
            .context(Code::Internal, || "can not encode a lineage".to_string())?;
        payload.insert(LINEAGE_FIELD.to_string(), lineage);
        let mut named = Vec::with_capacity(vectors.len());
        for (name, vector) in &vectors {
            if let Some(vector) = vector.get(row) {
                named.push(((*name).to_string(), vector));
            }
        }
        named.sort_by(|a, b| a.0.cmp(&b.0));
        documents.push(Document { id: document_id(ids.value(row))?, payload, vectors: named });
    }
    Ok(documents)
}

fn document_id(bytes: &[u8]) -> Result<DocumentId> {
    let uuid = Uuid::from_slice(bytes);
    uuid.map(DocumentId).map_err(|_| Error::new(Code::Corrupt, "a document id is not a UUID"))
}

fn scalars<'a>(fields: &'a [RowField], rows: &'a RecordBatch) -> Result<Vec<(&'a str, Cells<'a>)>> {
    fields
        .iter()
        .filter(|field| !field.kind.is_vector())
        .map(|field| {
            let cells = Cells::of(field.kind, column(rows, &field.name)?, &field.name)?;
            Ok((field.name.as_str(), cells))
        })
        .collect()
}

enum VectorColumn<'a> {
    Dense(&'a FixedSizeListArray),
    Sparse { indices: &'a BinaryArray, values: &'a BinaryArray },
    Multi { rows: &'a BinaryArray, dimension: usize },
}

impl<'a> VectorColumn<'a> {
    fn of(field: &RowField, rows: &'a RecordBatch) -> Result<VectorColumn<'a>> {
        let name = &field.name;
        Ok(match field.kind {
            RowKind::Sparse => {
                let (indices, values) = sparse_columns(name);
                VectorColumn::Sparse {
                    indices: typed(column(rows, &indices)?, &indices)?,
                    values: typed(column(rows, &values)?, &values)?,
                }
            }
            RowKind::Multi { dimension } => {
                let dimension = dimension as usize;
                VectorColumn::Multi { rows: typed(column(rows, name)?, name)?, dimension }
            }
            _ => VectorColumn::Dense(typed(column(rows, name)?, name)?),
        })
    }

    fn get(&self, row: usize) -> Option<Vector> {
        match self {
            VectorColumn::Dense(array) => {
                array.is_valid(row).then(|| Vector::Dense(lanes(&array.value(row))))
            }
            VectorColumn::Sparse { indices, values } => indices.is_valid(row).then(|| {
                let words = indices.value(row).chunks_exact(4);
                let indices = words.map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
                Vector::Sparse(SparseVector {
                    indices: indices.collect(),
                    values: floats(values.value(row)),
                })
            }),
            VectorColumn::Multi { rows, dimension } => rows.is_valid(row).then(|| {
                let all = floats(rows.value(row));
                Vector::Multi(all.chunks(*dimension).map(<[f32]>::to_vec).collect())
            }),
        }
    }
}

fn lanes(vector: &dyn Array) -> Vec<f32> {
    vector.as_primitive::<Float32Type>().values().to_vec()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]])).collect()
}

/// Lineage of a document that came back from a sink.
pub fn lineage(document: &Document) -> Option<Lineage> {
    serde_json::from_value(document.payload.get(LINEAGE_FIELD).cloned().unwrap_or(Value::Null)).ok()
}
