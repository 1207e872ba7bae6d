//! Named vectors: what the features of all collections are called in the sink.

use super::{PlannedCollection, RowField};
use crate::config::Collection;
use crate::error::{Error, Result};
use crate::model::{Description, Distance, Field, FieldKind};
use crate::sink::{IndexSpec, Layout, VectorKind, VectorSpec};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorName {
    /// Index into the description's outputs.
    pub output: usize,
    pub name: String,
}

pub(super) fn names(
    description: &Description,
    outputs: &[RowField],
    collection: &Collection,
    at: &str,
) -> Result<Vec<VectorName>> {
    for field in collection.vectors.keys() {
        let known = description.outputs.iter().any(|o| o.name == *field && o.kind.is_vector());
        if !known {
            let message = format!("extractor {} has no vector `{field}`", description.name);
            return Err(Error::invalid(message).field(format!("{at}/vectors/{field}")));
        }
    }
    let vectors = description.outputs.iter().enumerate().filter(|(_, o)| o.kind.is_vector());
    Ok(vectors
        .map(|(output, field)| VectorName {
            output,
            name: match collection.vectors.get(&field.name) {
                Some(name) => name.to_string(),
                None => outputs[output].name.clone(),
            },
        })
        .collect())
}

/// The layout of all searchable collections together.
pub(super) fn layout(collections: &[PlannedCollection]) -> Result<Layout> {
    let mut vectors: Vec<(VectorSpec, String)> = Vec::new();
    let mut indexes: Vec<IndexSpec> = Vec::new();
    for collection in collections.iter().filter(|collection| collection.searchable) {
        for vector in &collection.vectors {
            let field = &collection.description.outputs[vector.output];
            let spec = VectorSpec { name: vector.name.clone(), kind: kind_of(field) };
            let feature = format!("{} of collection `{}`", field.name, collection.name);
            match vectors.iter().find(|(known, _)| known.name == spec.name) {
                Some((known, _)) if known.kind == spec.kind => {}
                Some((known, other)) => {
                    let message = format!(
                        "two features have the vector name `{}`: {other} is {}, {feature} is {}",
                        spec.name, known.kind, spec.kind
                    );
                    return Err(Error::invalid(message)
                        .field(format!("/collections/{}/vectors/{}", collection.name, field.name))
                        .hint(format!(
                            "give one another name: [collections.{}.vectors] {} = \"…\"",
                            collection.name, field.name
                        )));
                }
                None => vectors.push((spec, feature)),
            }
        }
        for index in &collection.indexes {
            match indexes.iter().find(|known| known.path == index.path) {
                Some(known) if known.kind == index.kind => {}
                Some(_) => {
                    let message = format!("field `{}` is indexed in two ways", index.path);
                    let at = format!("/collections/{}/index", collection.name);
                    return Err(Error::invalid(message).field(at));
                }
                None => indexes.push(index.clone()),
            }
        }
    }
    let mut vectors: Vec<VectorSpec> = vectors.into_iter().map(|(spec, _)| spec).collect();
    vectors.sort_by(|a, b| a.name.cmp(&b.name));
    indexes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Layout { vectors, indexes })
}

fn kind_of(field: &Field) -> VectorKind {
    let dimension = field.dimension.unwrap_or(0);
    let distance = field.distance.unwrap_or(Distance::Dot);
    match field.kind {
        FieldKind::Multi => VectorKind::Multi { dimension, distance },
        FieldKind::Sparse => VectorKind::Sparse,
        FieldKind::Dense
        | FieldKind::Utf8
        | FieldKind::Json
        | FieldKind::I64
        | FieldKind::F64
        | FieldKind::Bool
        | FieldKind::Blob => VectorKind::Dense { dimension, distance },
    }
}
