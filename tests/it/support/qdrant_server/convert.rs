//! Protobuf to the engine and back, the way the real server does it.

use engine::{EdgeConfig, EdgeShard, OperationError};
use proto::point_id::PointIdOptions;
use proto::vectors_config::Config;
use qdrant_client::{Payload, qdrant as proto};
use qdrant_edge as engine;
use serde_json::{Value, json};
use std::collections::HashMap;
use tonic::Status;

fn invalid(text: impl Into<String>) -> Status {
    Status::invalid_argument(text.into())
}

pub(super) fn config(request: proto::CreateCollection) -> Result<EdgeConfig, Status> {
    let mut builder = EdgeConfig::builder().max_search_threads(1);
    match request.vectors_config.and_then(|config| config.config) {
        Some(Config::ParamsMap(map)) => {
            for (name, params) in map.map {
                let distance = distance(params.distance())?;
                let size = params.size as usize;
                let mut vector = engine::EdgeVectorParams::builder(size, distance);
                if params.multivector_config.is_some() {
                    vector = vector.multivector_config(MULTI);
                }
                builder = builder.vector(name, vector.build());
            }
        }
        Some(Config::Params(_)) => return Err(invalid("a vector without a name")),
        None => {}
    }
    for name in request.sparse_vectors_config.unwrap_or_default().map.into_keys() {
        builder = builder.sparse_vector(name, engine::EdgeSparseVectorParams::default());
    }
    Ok(builder.build())
}

const MULTI: engine::MultiVectorConfig =
    engine::MultiVectorConfig { comparator: engine::MultiVectorComparator::MaxSim };

fn distance(distance: proto::Distance) -> Result<engine::Distance, Status> {
    match distance {
        proto::Distance::Cosine => Ok(engine::Distance::Cosine),
        proto::Distance::Dot => Ok(engine::Distance::Dot),
        proto::Distance::Euclid => Ok(engine::Distance::Euclid),
        proto::Distance::Manhattan => Ok(engine::Distance::Manhattan),
        proto::Distance::UnknownDistance => Err(invalid("unknown distance")),
    }
}

fn distance_back(distance: engine::Distance) -> proto::Distance {
    match distance {
        engine::Distance::Cosine => proto::Distance::Cosine,
        engine::Distance::Dot => proto::Distance::Dot,
        engine::Distance::Euclid => proto::Distance::Euclid,
        engine::Distance::Manhattan => proto::Distance::Manhattan,
    }
}

pub(super) fn info(shard: &EdgeShard) -> Result<proto::CollectionInfo, OperationError> {
    let schema = shard.info()?.payload_schema;
    let config = shard.config();
    let dense = config.vectors.iter().map(|(name, params)| {
        let max_sim = proto::MultiVectorComparator::MaxSim.into();
        let multi =
            params.multivector_config.map(|_| proto::MultiVectorConfig { comparator: max_sim });
        let params = proto::VectorParams {
            size: params.size as u64,
            distance: distance_back(params.distance).into(),
            multivector_config: multi,
            ..Default::default()
        };
        (name.clone(), params)
    });
    let dense = proto::VectorParamsMap { map: dense.collect() };
    let sparse = config.sparse_vectors.keys().map(|name| (name.clone(), Default::default()));
    let params = proto::CollectionParams {
        vectors_config: Some(proto::VectorsConfig { config: Some(Config::ParamsMap(dense)) }),
        sparse_vectors_config: Some(proto::SparseVectorConfig { map: sparse.collect() }),
        ..Default::default()
    };
    let payload_schema = schema.into_iter().map(|(path, info)| {
        let data_type = match info.data_type {
            engine::PayloadSchemaType::Keyword => proto::PayloadSchemaType::Keyword,
            engine::PayloadSchemaType::Integer => proto::PayloadSchemaType::Integer,
            engine::PayloadSchemaType::Float => proto::PayloadSchemaType::Float,
            engine::PayloadSchemaType::Geo => proto::PayloadSchemaType::Geo,
            engine::PayloadSchemaType::Text => proto::PayloadSchemaType::Text,
            engine::PayloadSchemaType::Bool => proto::PayloadSchemaType::Bool,
            engine::PayloadSchemaType::Datetime => proto::PayloadSchemaType::Datetime,
            engine::PayloadSchemaType::Uuid => proto::PayloadSchemaType::Uuid,
        };
        let data_type = data_type.into();
        (path.to_string(), proto::PayloadSchemaInfo { data_type, ..Default::default() })
    });
    Ok(proto::CollectionInfo {
        config: Some(proto::CollectionConfig { params: Some(params), ..Default::default() }),
        payload_schema: payload_schema.collect(),
        ..Default::default()
    })
}

pub(super) fn index(
    request: proto::CreateFieldIndexCollection,
) -> Result<engine::CreateIndex, Status> {
    let kind = match request.field_type() {
        proto::FieldType::Keyword => "keyword",
        proto::FieldType::Integer => "integer",
        proto::FieldType::Float => "float",
        proto::FieldType::Geo => "geo",
        proto::FieldType::Text => "text",
        proto::FieldType::Bool => "bool",
        proto::FieldType::Datetime => "datetime",
        proto::FieldType::Uuid => "uuid",
    };
    let path = |()| invalid(format!("{} is not a path", request.field_name));
    Ok(engine::CreateIndex {
        field_name: request.field_name.parse().map_err(path)?,
        field_schema: serde_json::from_value(json!(kind)).ok(),
    })
}

pub(super) fn vector_name(
    request: proto::CreateVectorNameRequest,
) -> Result<engine::CreateVectorName, Status> {
    use proto::create_vector_name_request::VectorConfig;
    let config = match request.vector_config {
        Some(VectorConfig::SparseConfig(_)) => json!({ "sparse": {} }),
        Some(VectorConfig::DenseConfig(dense)) => {
            let distance = distance(dense.distance())?;
            let multi = dense.multivector_config.map(|_| MULTI);
            let (size, distance) = (dense.size, json!(distance));
            json!({ "dense": { "size": size, "distance": distance, "multivector_config": multi } })
        }
        None => return Err(invalid("a vector name without a configuration")),
    };
    let config = serde_json::from_value(config).map_err(|error| invalid(error.to_string()))?;
    Ok(engine::CreateVectorName { vector_name: request.vector_name, config })
}

pub(super) fn point(point: proto::PointStruct) -> Result<engine::PointStructPersisted, Status> {
    use proto::vector::Vector;
    use proto::vectors::VectorsOptions;
    let named = match point.vectors.and_then(|vectors| vectors.vectors_options) {
        Some(VectorsOptions::Vectors(named)) => named.vectors,
        Some(VectorsOptions::Vector(_)) => return Err(invalid("a vector without a name")),
        None => HashMap::new(),
    };
    let mut vectors = HashMap::new();
    for (name, vector) in named {
        let vector = match vector.vector {
            Some(Vector::Dense(dense)) => engine::VectorPersisted::Dense(dense.data),
            Some(Vector::Sparse(proto::SparseVector { values, indices })) => {
                engine::VectorPersisted::Sparse(engine::SparseVector { indices, values })
            }
            Some(Vector::MultiDense(multi)) => engine::VectorPersisted::MultiDense(
                multi.vectors.into_iter().map(|row| row.data).collect(),
            ),
            _ => return Err(invalid("a vector without values")),
        };
        vectors.insert(name, vector);
    }
    Ok(engine::PointStructPersisted {
        id: point_id(point.id.ok_or_else(|| invalid("Empty ID is not allowed"))?)?,
        vector: engine::VectorStructPersisted::Named(vectors),
        payload: Some(engine::Payload(Payload::from(point.payload).into())),
    })
}

pub(super) fn point_id(id: proto::PointId) -> Result<engine::PointId, Status> {
    match id.point_id_options {
        Some(PointIdOptions::Num(number)) => Ok(engine::PointId::NumId(number)),
        Some(PointIdOptions::Uuid(text)) => match text.parse() {
            Ok(uuid) => Ok(engine::PointId::Uuid(uuid)),
            Err(_) => Err(invalid(format!("Unable to parse UUID: {text}"))),
        },
        None => Err(invalid("No ID options provided")),
    }
}

pub(super) fn id_back(id: engine::PointId) -> proto::PointId {
    let options = match id {
        engine::PointId::NumId(number) => PointIdOptions::Num(number),
        engine::PointId::Uuid(uuid) => PointIdOptions::Uuid(uuid.to_string()),
    };
    proto::PointId { point_id_options: Some(options) }
}

pub(super) fn with_vectors(selector: Option<proto::WithVectorsSelector>) -> engine::WithVector {
    use proto::with_vectors_selector::SelectorOptions;
    match selector.and_then(|selector| selector.selector_options) {
        Some(SelectorOptions::Enable(enable)) => engine::WithVector::Bool(enable),
        Some(SelectorOptions::Include(list)) => engine::WithVector::Selector(list.names),
        None => engine::WithVector::Bool(false),
    }
}

pub(super) fn retrieved(record: engine::Record) -> proto::RetrievedPoint {
    proto::RetrievedPoint {
        id: Some(id_back(record.id)),
        payload: payload_back(record.payload),
        vectors: record.vector.map(vectors_back),
        ..Default::default()
    }
}

pub(super) fn scored(point: engine::ScoredPoint) -> proto::ScoredPoint {
    proto::ScoredPoint {
        id: Some(id_back(point.id)),
        payload: payload_back(point.payload),
        score: point.score,
        ..Default::default()
    }
}

pub(super) fn payload(payload: HashMap<String, proto::Value>) -> engine::Payload {
    engine::Payload(Payload::from(payload).into())
}

/// Ids or a filter.
pub(super) fn selector(
    selector: Option<proto::PointsSelector>,
) -> Result<(Option<Vec<engine::PointId>>, Option<engine::Filter>), Status> {
    use proto::points_selector::PointsSelectorOneOf;
    Ok(match selector.and_then(|selector| selector.points_selector_one_of) {
        Some(PointsSelectorOneOf::Filter(given)) => (None, Some(filter(given)?)),
        Some(PointsSelectorOneOf::Points(list)) => {
            let ids = list.ids.into_iter().map(point_id).collect::<Result<_, _>>()?;
            (Some(ids), None)
        }
        None => (None, None),
    })
}

fn payload_back(payload: Option<engine::Payload>) -> HashMap<String, proto::Value> {
    payload.map(|payload| Payload::from(payload.0).into()).unwrap_or_default()
}

fn vectors_back(vectors: engine::VectorStructInternal) -> proto::VectorsOutput {
    use proto::vector_output::Vector;
    let engine::VectorStructInternal::Named(named) = vectors else { return Default::default() };
    let vectors = named.into_iter().map(|(name, vector)| {
        let vector = match vector {
            engine::VectorInternal::Dense(data) => Vector::Dense(proto::DenseVector { data }),
            engine::VectorInternal::Sparse(engine::SparseVector { indices, values }) => {
                Vector::Sparse(proto::SparseVector { values, indices })
            }
            engine::VectorInternal::MultiDense(multi) => {
                let rows = multi.flattened_vectors.chunks(multi.dim);
                let rows = rows.map(|row| proto::DenseVector { data: row.to_vec() });
                Vector::MultiDense(proto::MultiDenseVector { vectors: rows.collect() })
            }
        };
        (name, proto::VectorOutput { vector: Some(vector), ..Default::default() })
    });
    let named = proto::NamedVectorsOutput { vectors: vectors.collect() };
    proto::VectorsOutput {
        vectors_options: Some(proto::vectors_output::VectorsOptions::Vectors(named)),
    }
}

pub(super) fn query(request: proto::QueryPoints) -> Result<engine::QueryRequest, Status> {
    let mut query = engine::QueryRequest::new(request.limit.unwrap_or(10) as usize);
    query.query = request.query.map(|it| scoring(it, request.using)).transpose()?;
    query.filter = request.filter.map(filter).transpose()?;
    query.with_payload = engine::WithPayloadInterface::Bool(true);
    for prefetch in request.prefetch {
        let mut stage = engine::Prefetch::new(prefetch.limit.unwrap_or(10) as usize);
        stage.query = prefetch.query.map(|it| scoring(it, prefetch.using)).transpose()?;
        stage.filter = prefetch.filter.map(filter).transpose()?;
        query.prefetches.push(stage);
    }
    Ok(query)
}

fn scoring(query: proto::Query, using: Option<String>) -> Result<engine::ScoringQuery, Status> {
    use proto::query::Variant;
    use proto::vector_input::Variant as Input;
    let input = match query.variant {
        Some(Variant::Nearest(input)) => input,
        Some(Variant::Fusion(fusion)) if fusion == i32::from(proto::Fusion::Rrf) => {
            let fusion = engine::Fusion::Rrf { k: 2, weights: None };
            return Ok(engine::ScoringQuery::Fusion(fusion));
        }
        _ => return Err(Status::unimplemented("this query")),
    };
    let vector = match input.variant {
        Some(Input::Dense(dense)) => engine::Vector::new_dense(dense.data),
        Some(Input::Sparse(sparse)) => {
            engine::Vector::new_sparse(sparse.indices, sparse.values).map_err(super::wrong)?
        }
        Some(Input::MultiDense(multi)) => {
            let rows: Vec<_> = multi.vectors.into_iter().map(|row| row.data).collect();
            engine::Vector::new_multi(rows).map_err(super::wrong)?
        }
        _ => return Err(Status::unimplemented("this query vector")),
    };
    let query = engine::NamedQuery::new(vector.0, using.unwrap_or_default());
    Ok(engine::ScoringQuery::Vector(engine::QueryEnum::Nearest(query)))
}

/// Through the JSON of the REST API, which the engine reads.
pub(super) fn filter(filter: proto::Filter) -> Result<engine::Filter, Status> {
    serde_json::from_value(filter_json(filter)?).map_err(|error| invalid(error.to_string()))
}

fn filter_json(filter: proto::Filter) -> Result<Value, Status> {
    let list = |conditions: Vec<proto::Condition>| {
        conditions.into_iter().map(condition).collect::<Result<Vec<_>, _>>()
    };
    let mut json = json!({});
    for (key, conditions) in
        [("must", filter.must), ("should", filter.should), ("must_not", filter.must_not)]
    {
        if !conditions.is_empty() {
            json[key] = json!(list(conditions)?);
        }
    }
    Ok(json)
}

fn condition(condition: proto::Condition) -> Result<Value, Status> {
    use proto::condition::ConditionOneOf;
    match condition.condition_one_of {
        Some(ConditionOneOf::Filter(filter)) => filter_json(filter),
        Some(ConditionOneOf::IsEmpty(it)) => Ok(json!({ "is_empty": { "key": it.key } })),
        Some(ConditionOneOf::IsNull(it)) => Ok(json!({ "is_null": { "key": it.key } })),
        Some(ConditionOneOf::HasId(it)) => {
            let ids = it.has_id.into_iter().map(point_id).collect::<Result<Vec<_>, _>>()?;
            Ok(json!({ "has_id": ids }))
        }
        Some(ConditionOneOf::Field(field)) => field_condition(field),
        _ => Err(invalid("Malformed Condition type")),
    }
}

fn field_condition(field: proto::FieldCondition) -> Result<Value, Status> {
    use proto::r#match::MatchValue;
    let mut json = json!({ "key": field.key });
    if let Some(proto::Match { match_value }) = field.r#match {
        json["match"] = match match_value {
            Some(MatchValue::Keyword(value)) => json!({ "value": value }),
            Some(MatchValue::Integer(value)) => json!({ "value": value }),
            Some(MatchValue::Boolean(value)) => json!({ "value": value }),
            Some(MatchValue::Text(text)) => json!({ "text": text }),
            Some(MatchValue::Keywords(list)) => json!({ "any": list.strings }),
            Some(MatchValue::Integers(list)) => json!({ "any": list.integers }),
            Some(MatchValue::Prefix(prefix)) => json!({ "prefix": prefix }),
            Some(MatchValue::Substring(substring)) => json!({ "substring": substring }),
            _ => return Err(invalid("Malformed Match condition")),
        };
    }
    if let Some(proto::Range { lt, gt, gte, lte }) = field.range {
        json["range"] = json!({ "lt": lt, "gt": gt, "gte": gte, "lte": lte });
    }
    if let Some(proto::DatetimeRange { lt, gt, gte, lte }) = field.datetime_range {
        let time = |stamp: Option<proto::Timestamp>| {
            let stamp = stamp?;
            Some(chrono::DateTime::from_timestamp(stamp.seconds, stamp.nanos as u32)?.to_rfc3339())
        };
        json["range"] =
            json!({ "lt": time(lt), "gt": time(gt), "gte": time(gte), "lte": time(lte) });
    }
    Ok(json)
}
