//! Documents as the engine's points, and back.

use crate::error::{Code, Error, Result};
use crate::model::{Document, DocumentId, SparseVector, Vector};
use crate::sink::{Hit, IndexKind, VectorKind};
use qdrant_edge as engine;
use serde_json::{Map, Value, json};

/// Moves a document; nothing is copied.
pub(super) fn point(document: Document) -> engine::PointStructPersisted {
    let vector = |vector| match vector {
        Vector::Dense(values) => engine::VectorPersisted::Dense(values),
        Vector::Multi(rows) => engine::VectorPersisted::MultiDense(rows),
        Vector::Sparse(SparseVector { indices, values }) => {
            engine::VectorPersisted::Sparse(engine::SparseVector { indices, values })
        }
    };
    let named = document.vectors.into_iter().map(|(name, value)| (name, vector(value)));
    engine::PointStructPersisted {
        id: engine::PointId::Uuid(document.id.0),
        vector: engine::VectorStructPersisted::Named(named.collect()),
        payload: Some(engine::Payload(document.payload)),
    }
}

pub(super) fn query(vector: &Vector) -> Result<engine::VectorInternal> {
    let vector = match vector {
        Vector::Dense(values) => engine::Vector::new_dense(values.clone()),
        Vector::Multi(rows) => engine::Vector::new_multi(rows.clone()).map_err(refused)?,
        Vector::Sparse(sparse) => {
            engine::Vector::new_sparse(sparse.indices.clone(), sparse.values.clone())
                .map_err(refused)?
        }
    };
    Ok(vector.0)
}

pub(super) fn ids(ids: &[DocumentId]) -> Vec<engine::PointId> {
    ids.iter().map(|id| engine::PointId::Uuid(id.0)).collect()
}

/// Reads which of them exist.
pub(super) fn only_ids(given: &[DocumentId]) -> engine::RetrieveRequest {
    engine::RetrieveRequestBuilder::new(ids(given))
        .with_payload(engine::WithPayloadInterface::Bool(false))
        .with_vector(engine::WithVector::Bool(false))
        .build()
}

/// Sets and takes away fields of points that exist.
pub(super) fn payload_operations(
    ids: &[engine::PointId],
    set: &Map<String, Value>,
    unset: &[String],
) -> Vec<engine::UpdateOperation> {
    if ids.is_empty() {
        return Vec::new();
    }
    let mut operations = Vec::new();
    let points = Some(ids.to_vec());
    if !set.is_empty() {
        operations.push(engine::PayloadOps::SetPayload(engine::SetPayloadOp {
            payload: engine::Payload(set.clone()),
            points: points.clone(),
            filter: None,
            key: None,
        }));
    }
    if !unset.is_empty() {
        let path = |key: &String| key.parse().expect("a quoted name without quotes is a path");
        let keys = unset.iter().map(path).collect();
        let delete = engine::DeletePayloadOp { keys, points, filter: None };
        operations.push(engine::PayloadOps::DeletePayload(delete));
    }
    operations.into_iter().map(engine::UpdateOperation::PayloadOperation).collect()
}

pub(super) fn document(record: engine::Record) -> Result<Document> {
    rebuild(record.id, record.payload, record.vector)
}

pub(super) fn hit(point: engine::ScoredPoint) -> Result<Hit> {
    let document = rebuild(point.id, point.payload, None)?;
    Ok(Hit { score: point.score, document })
}

fn rebuild(
    id: engine::PointId,
    payload: Option<engine::Payload>,
    vectors: Option<engine::VectorStructInternal>,
) -> Result<Document> {
    let engine::PointId::Uuid(id) = id else {
        return Err(Error::new(Code::Corrupt, format!("a stored point has the id {id}")));
    };
    let vector = |vector| match vector {
        engine::VectorInternal::Dense(values) => Vector::Dense(values),
        engine::VectorInternal::Sparse(engine::SparseVector { indices, values }) => {
            Vector::Sparse(SparseVector { indices, values })
        }
        engine::VectorInternal::MultiDense(multi) => {
            Vector::Multi(multi.flattened_vectors.chunks(multi.dim).map(<[f32]>::to_vec).collect())
        }
    };
    let mut vectors: Vec<_> = match vectors {
        Some(engine::VectorStructInternal::Named(named)) => {
            named.into_iter().map(|(name, value)| (name, vector(value))).collect()
        }
        // Only the vector without a name comes otherwise, and no namespace has one.
        Some(_) | None => Vec::new(),
    };
    vectors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let payload = payload.map_or_else(Map::new, |payload| payload.0);
    Ok(Document { id: DocumentId(id), payload, vectors })
}

pub(super) fn distance(distance: crate::model::Distance) -> engine::Distance {
    use crate::model::Distance;
    match distance {
        Distance::Cosine => engine::Distance::Cosine,
        Distance::Dot => engine::Distance::Dot,
        Distance::Euclid => engine::Distance::Euclid,
        Distance::Manhattan => engine::Distance::Manhattan,
    }
}

fn known_distance(distance: engine::Distance) -> crate::model::Distance {
    use crate::model::Distance;
    match distance {
        engine::Distance::Cosine => Distance::Cosine,
        engine::Distance::Dot => Distance::Dot,
        engine::Distance::Euclid => Distance::Euclid,
        engine::Distance::Manhattan => Distance::Manhattan,
    }
}

pub(super) fn dense_kind(params: &engine::EdgeVectorParams) -> VectorKind {
    let distance = known_distance(params.distance);
    // The engine took the size from a u32 of ours.
    let dimension = u32::try_from(params.size).unwrap_or(u32::MAX);
    match params.multivector_config {
        None => VectorKind::Dense { dimension, distance },
        Some(_) => VectorKind::Multi { dimension, distance },
    }
}

pub(super) const MULTI: engine::MultiVectorConfig =
    engine::MultiVectorConfig { comparator: engine::MultiVectorComparator::MaxSim };

/// What a name added to a populated shard is; its memory placement is set when it is next opened.
pub(super) fn added_vector(kind: VectorKind) -> engine::VectorNameConfig {
    // The wrapper types are not exported: the engine's own JSON is the way in.
    let config = match kind {
        VectorKind::Sparse => json!({ "sparse": {} }),
        VectorKind::Dense { dimension, distance: d } => {
            json!({ "dense": { "size": dimension, "distance": distance(d) } })
        }
        VectorKind::Multi { dimension, distance: d } => json!({
            "dense": { "size": dimension, "distance": distance(d), "multivector_config": MULTI }
        }),
    };
    serde_json::from_value(config).expect("written in the engine's own format")
}

/// Cold: on disk wherever the segment is immutable, so that it costs page cache and not memory.
pub(super) fn index_schema(kind: IndexKind, links: Links) -> engine::PayloadFieldSchema {
    let mut schema = json!({ "type": kind.as_str(), "memory": "cold" });
    if kind == IndexKind::Text {
        schema["tokenizer"] = json!("word");
        schema["lowercase"] = json!(true);
    }
    if links == Links::No {
        schema["enable_hnsw"] = json!(false);
    }
    serde_json::from_value(schema).expect("written in the engine's own format")
}

/// Whether the graph gets further links so that a search filtered by this field stays good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    Yes,
    No,
}

pub(super) fn index_kind(schema: engine::PayloadSchemaType) -> Option<IndexKind> {
    match schema {
        engine::PayloadSchemaType::Keyword => Some(IndexKind::Keyword),
        engine::PayloadSchemaType::Integer => Some(IndexKind::Integer),
        engine::PayloadSchemaType::Float => Some(IndexKind::Float),
        engine::PayloadSchemaType::Bool => Some(IndexKind::Bool),
        engine::PayloadSchemaType::Text => Some(IndexKind::Text),
        engine::PayloadSchemaType::Datetime => Some(IndexKind::Datetime),
        engine::PayloadSchemaType::Geo | engine::PayloadSchemaType::Uuid => None,
    }
}

/// An error that does not come from the state of the engine but from what it was given.
pub(super) fn refused(error: engine::OperationError) -> Error {
    Error::invalid("the vector engine refused the request").source(error.to_string())
}
