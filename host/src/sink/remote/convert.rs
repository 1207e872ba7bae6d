//! Documents and layouts in protobuf, and back.

use crate::error::{Code, Error, Result};
use crate::model::{Distance, Document, DocumentId, SparseVector, Vector};
use crate::sink::{Hit, IndexKind, IndexSpec, LINEAGE, Layout, VectorKind, VectorSpec};
use qdrant::point_id::PointIdOptions;
use qdrant::vectors_config::Config;
use qdrant_client::{Payload, qdrant};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Moves a document; nothing is copied but map entries.
pub(super) fn point(document: Document) -> qdrant::PointStruct {
    let vector = |vector| match vector {
        Vector::Dense(data) => qdrant::vector::Vector::Dense(qdrant::DenseVector { data }),
        Vector::Sparse(SparseVector { indices, values }) => {
            qdrant::vector::Vector::Sparse(qdrant::SparseVector { values, indices })
        }
        Vector::Multi(rows) => qdrant::vector::Vector::MultiDense(multi(rows)),
    };
    let named = document.vectors.into_iter().map(|(name, value)| {
        (name, qdrant::Vector { vector: Some(vector(value)), ..qdrant::Vector::default() })
    });
    let named = qdrant::NamedVectors { vectors: named.collect() };
    qdrant::PointStruct {
        id: Some(point_id(document.id)),
        payload: payload(document.payload),
        vectors: Some(qdrant::Vectors {
            vectors_options: Some(qdrant::vectors::VectorsOptions::Vectors(named)),
        }),
    }
}

pub(super) fn point_id(id: DocumentId) -> qdrant::PointId {
    let text = id.0.hyphenated().to_string();
    qdrant::PointId { point_id_options: Some(PointIdOptions::Uuid(text)) }
}

pub(super) fn ids(ids: &[DocumentId]) -> Vec<qdrant::PointId> {
    ids.iter().copied().map(point_id).collect()
}

pub(super) fn payload(fields: Map<String, Value>) -> HashMap<String, qdrant::Value> {
    HashMap::from(Payload::from(fields))
}

pub(super) fn document_id(id: Option<qdrant::PointId>) -> Result<DocumentId> {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Uuid(text)) => DocumentId::parse(&text),
        Some(PointIdOptions::Num(number)) => {
            Err(Error::new(Code::Corrupt, format!("a stored point has the id {number}")))
        }
        None => Err(Error::new(Code::Corrupt, "a stored point has no id")),
    }
}

pub(super) fn query(vector: &Vector) -> qdrant::Query {
    use qdrant::vector_input::Variant;
    let variant = match vector {
        Vector::Dense(values) => Variant::Dense(qdrant::DenseVector { data: values.clone() }),
        Vector::Sparse(sparse) => Variant::Sparse(qdrant::SparseVector {
            values: sparse.values.clone(),
            indices: sparse.indices.clone(),
        }),
        Vector::Multi(rows) => Variant::MultiDense(multi(rows.clone())),
    };
    let input = qdrant::VectorInput { variant: Some(variant) };
    qdrant::Query { variant: Some(qdrant::query::Variant::Nearest(input)) }
}

fn multi(rows: Vec<Vec<f32>>) -> qdrant::MultiDenseVector {
    let vectors = rows.into_iter().map(|data| qdrant::DenseVector { data }).collect();
    qdrant::MultiDenseVector { vectors }
}

pub(super) fn document(point: qdrant::RetrievedPoint) -> Result<Document> {
    rebuild(point.id, point.payload, point.vectors)
}

pub(super) fn hit(point: qdrant::ScoredPoint) -> Result<Hit> {
    let document = rebuild(point.id, point.payload, None)?;
    Ok(Hit { score: point.score, document })
}

fn rebuild(
    id: Option<qdrant::PointId>,
    payload: HashMap<String, qdrant::Value>,
    vectors: Option<qdrant::VectorsOutput>,
) -> Result<Document> {
    use qdrant::vector_output::Vector as Output;
    let vector = |vector: qdrant::VectorOutput| match vector.into_vector() {
        Output::Dense(dense) => Vector::Dense(dense.data),
        Output::Sparse(qdrant::SparseVector { values, indices }) => {
            Vector::Sparse(SparseVector { indices, values })
        }
        Output::MultiDense(multi) => {
            Vector::Multi(multi.vectors.into_iter().map(|row| row.data).collect())
        }
    };
    let mut vectors: Vec<_> = match vectors.and_then(|vectors| vectors.vectors_options) {
        Some(qdrant::vectors_output::VectorsOptions::Vectors(named)) => {
            named.vectors.into_iter().map(|(name, value)| (name, vector(value))).collect()
        }
        // Only the vector without a name comes otherwise, and no namespace has one.
        Some(qdrant::vectors_output::VectorsOptions::Vector(_)) | None => Vec::new(),
    };
    vectors.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Document { id: document_id(id)?, payload: Payload::from(payload).into(), vectors })
}

pub(super) fn dense_config(layout: &Layout) -> qdrant::VectorsConfig {
    let map = layout.vectors.iter().filter_map(|VectorSpec { name, kind }| {
        let (dimension, distance, multivector_config) = dense(*kind)?;
        let params = qdrant::VectorParams {
            size: u64::from(dimension),
            distance: distance.into(),
            multivector_config,
            memory: Some(qdrant::Memory::Cold.into()),
            ..qdrant::VectorParams::default()
        };
        Some((name.clone(), params))
    });
    let map = qdrant::VectorParamsMap { map: map.collect() };
    qdrant::VectorsConfig { config: Some(Config::ParamsMap(map)) }
}

pub(super) fn sparse_config(layout: &Layout) -> qdrant::SparseVectorConfig {
    let sparse = layout.vectors.iter().filter(|spec| spec.kind == VectorKind::Sparse);
    let map = sparse.map(|spec| (spec.name.clone(), qdrant::SparseVectorParams::default()));
    qdrant::SparseVectorConfig { map: map.collect() }
}

/// The part of a request that names a vector added later.
pub(super) fn added_vector(kind: VectorKind) -> qdrant::create_vector_name_request::VectorConfig {
    use qdrant::create_vector_name_request::VectorConfig;
    match dense(kind) {
        None => VectorConfig::SparseConfig(qdrant::SparseVectorCreationConfig::default()),
        Some((dimension, distance, multivector_config)) => {
            VectorConfig::DenseConfig(qdrant::DenseVectorCreationConfig {
                size: u64::from(dimension),
                distance: distance.into(),
                multivector_config,
                ..qdrant::DenseVectorCreationConfig::default()
            })
        }
    }
}

fn dense(kind: VectorKind) -> Option<(u32, qdrant::Distance, Option<qdrant::MultiVectorConfig>)> {
    let of = |distance| match distance {
        Distance::Cosine => qdrant::Distance::Cosine,
        Distance::Dot => qdrant::Distance::Dot,
        Distance::Euclid => qdrant::Distance::Euclid,
        Distance::Manhattan => qdrant::Distance::Manhattan,
    };
    let max_sim = qdrant::MultiVectorComparator::MaxSim.into();
    match kind {
        VectorKind::Sparse => None,
        VectorKind::Dense { dimension, distance } => Some((dimension, of(distance), None)),
        VectorKind::Multi { dimension, distance } => {
            let config = qdrant::MultiVectorConfig { comparator: max_sim };
            Some((dimension, of(distance), Some(config)))
        }
    }
}

pub(super) fn layout(info: qdrant::CollectionInfo) -> Result<Layout> {
    let params = info.config.and_then(|config| config.params).unwrap_or_default();
    let mut vectors = Vec::new();
    match params.vectors_config.and_then(|config| config.config) {
        Some(Config::ParamsMap(map)) => {
            for (name, params) in map.map {
                vectors.push(VectorSpec { kind: dense_kind(&name, &params)?, name });
            }
        }
        Some(Config::Params(_)) => {
            let message = "the Qdrant collection has a vector without a name";
            return Err(Error::new(Code::Conflict, message).hint("it was not made by Quarry"));
        }
        None => {}
    }
    let sparse = params.sparse_vectors_config.unwrap_or_default().map.into_keys();
    vectors.extend(sparse.map(|name| VectorSpec { name, kind: VectorKind::Sparse }));
    vectors.sort_by(|a, b| a.name.cmp(&b.name));
    let indexes = info.payload_schema.into_iter().filter_map(|(path, schema)| {
        let kind = index_kind(schema.data_type())?;
        LINEAGE.iter().all(|(lineage, _)| *lineage != path).then_some(IndexSpec { path, kind })
    });
    let mut indexes: Vec<_> = indexes.collect();
    indexes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Layout { vectors, indexes })
}

fn dense_kind(name: &str, params: &qdrant::VectorParams) -> Result<VectorKind> {
    let unknown = || Error::new(Code::Conflict, format!("the vector `{name}` is of unknown kind"));
    let dimension = u32::try_from(params.size).map_err(|_| unknown())?;
    let distance = match params.distance() {
        qdrant::Distance::Cosine => Distance::Cosine,
        qdrant::Distance::Dot => Distance::Dot,
        qdrant::Distance::Euclid => Distance::Euclid,
        qdrant::Distance::Manhattan => Distance::Manhattan,
        qdrant::Distance::UnknownDistance => return Err(unknown()),
    };
    match params.multivector_config {
        None => Ok(VectorKind::Dense { dimension, distance }),
        Some(_) => Ok(VectorKind::Multi { dimension, distance }),
    }
}

fn index_kind(schema: qdrant::PayloadSchemaType) -> Option<IndexKind> {
    match schema {
        qdrant::PayloadSchemaType::Keyword => Some(IndexKind::Keyword),
        qdrant::PayloadSchemaType::Integer => Some(IndexKind::Integer),
        qdrant::PayloadSchemaType::Float => Some(IndexKind::Float),
        qdrant::PayloadSchemaType::Bool => Some(IndexKind::Bool),
        qdrant::PayloadSchemaType::Text => Some(IndexKind::Text),
        qdrant::PayloadSchemaType::Datetime => Some(IndexKind::Datetime),
        qdrant::PayloadSchemaType::Geo
        | qdrant::PayloadSchemaType::Uuid
        | qdrant::PayloadSchemaType::UnknownType => None,
    }
}

pub(super) fn field_type(kind: IndexKind) -> qdrant::FieldType {
    match kind {
        IndexKind::Keyword => qdrant::FieldType::Keyword,
        IndexKind::Integer => qdrant::FieldType::Integer,
        IndexKind::Float => qdrant::FieldType::Float,
        IndexKind::Bool => qdrant::FieldType::Bool,
        IndexKind::Text => qdrant::FieldType::Text,
        IndexKind::Datetime => qdrant::FieldType::Datetime,
    }
}
