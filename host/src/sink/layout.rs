//! What a namespace holds, and the check that every document and query vector passes before an
//! engine sees it.

use super::batch::{BATCH_BYTES_MAX, weigh, weigh_json};
use super::{IndexKind, IndexSpec, LINEAGE, Layout, VectorKind, VectorSpec, filter};
use crate::error::{Error, Result};
use crate::model::{Distance, Document, LINEAGE_FIELD, SparseVector, VECTOR_VALUE_MAX, Vector};
use serde_json::{Map, Value};

/// Largest dimension that the engines accept.
pub const DIMENSION_MAX: u32 = 65_536;
/// Deepest nesting of a payload: protobuf decoders stop at 100 messages, and a level takes three.
pub const PAYLOAD_DEPTH_MAX: usize = 24;

impl Layout {
    /// Sorts both lists; refuses a name that stands for two things.
    pub fn new(vectors: Vec<VectorSpec>, indexes: Vec<IndexSpec>) -> Result<Layout> {
        Layout::merge(&Layout::default(), &Layout { vectors, indexes })
    }

    pub fn vector(&self, name: &str) -> Option<VectorKind> {
        self.vectors.iter().find(|spec| spec.name == name).map(|spec| spec.kind)
    }

    /// `existing` and what `wanted` adds to it. The same name must mean the same thing.
    pub fn merge(existing: &Layout, wanted: &Layout) -> Result<Layout> {
        let mut merged = existing.clone();
        for spec in &wanted.vectors {
            match merged.vector(&spec.name) {
                Some(kind) => agree(&spec.name, kind, spec.kind)?,
                None => {
                    check_spec(spec)?;
                    merged.vectors.push(spec.clone());
                }
            }
        }
        for spec in &wanted.indexes {
            match merged.indexes.iter().find(|known| known.path == spec.path) {
                Some(known) if known.kind == spec.kind => {}
                Some(known) => {
                    let (old, new) = (known.kind.as_str(), spec.kind.as_str());
                    let path = &spec.path;
                    let message = format!("field `{path}` is indexed as {old}, not as {new}");
                    return Err(Error::invalid(message).field(path));
                }
                None if LINEAGE.iter().any(|(path, _)| *path == spec.path) => {}
                None if filter::path(&spec.path)? == spec.path => merged.indexes.push(spec.clone()),
                None => {
                    let message = format!("field `{}` can not be indexed", spec.path);
                    let hint = "letters, digits, `_` and `-`, with dots between";
                    return Err(Error::invalid(message).field(&spec.path).hint(hint));
                }
            }
        }
        merged.vectors.sort_by(|a, b| a.name.cmp(&b.name));
        merged.indexes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(merged)
    }

    /// Names known, kinds and dimensions right, values finite, payload storable, lineage there.
    /// All zeros are legal with every distance: the engines keep such a vector as it is instead of
    /// normalising it, and it scores 0 against everything.
    pub fn check(&self, document: &Document) -> Result<()> {
        let in_document = |error: Error| error.source(InDocument(document.id.to_string()));
        let mut previous: Option<&str> = None;
        for (name, vector) in &document.vectors {
            if previous.is_some_and(|previous| previous >= name.as_str()) {
                let message = format!("vector `{name}` is given twice or out of order");
                return Err(in_document(Error::invalid(message)));
            }
            previous = Some(name);
            self.check_vector(name, vector).map_err(in_document)?;
        }
        check_payload(&document.payload).map_err(in_document)?;
        if weigh(document) > BATCH_BYTES_MAX {
            let message = format!("a document is larger than {} MiB", BATCH_BYTES_MAX >> 20);
            return Err(in_document(Error::invalid(message)));
        }
        Ok(())
    }

    /// Whether `vector` can be stored or searched under `name`.
    pub fn check_vector(&self, name: &str, vector: &Vector) -> Result<()> {
        let Some(kind) = self.vector(name) else { return Err(self.unknown_vector(name)) };
        let fits = match (kind, vector) {
            (VectorKind::Dense { dimension, .. }, Vector::Dense(values)) => {
                check_values(name, values, Some(dimension))
            }
            (VectorKind::Multi { dimension, .. }, Vector::Multi(rows)) if !rows.is_empty() => {
                rows.iter().try_for_each(|row| check_values(name, row, Some(dimension)))
            }
            (VectorKind::Multi { .. }, Vector::Multi(_)) => {
                Err(Error::invalid(format!("vector `{name}` has no rows")))
            }
            (VectorKind::Sparse, Vector::Sparse(sparse)) => check_sparse(name, sparse),
            (VectorKind::Dense { .. } | VectorKind::Multi { .. } | VectorKind::Sparse, _) => {
                let given = given(vector);
                Err(Error::invalid(format!("vector `{name}` is {kind}, not a {given} vector")))
            }
        };
        fits.map_err(|error| error.field(format!("/vectors/{name}")))
    }

    fn unknown_vector(&self, name: &str) -> Error {
        let known: Vec<_> = self.vectors.iter().map(|spec| format!("`{}`", spec.name)).collect();
        let hint = match known.is_empty() {
            true => "the namespace has no vectors".to_string(),
            false => format!("the namespace has {}", known.join(", ")),
        };
        let message = format!("the namespace has no vector `{name}`");
        Error::invalid(message).field(format!("/vectors/{name}")).hint(hint)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("document {0}")]
struct InDocument(String);

fn agree(name: &str, known: VectorKind, wanted: VectorKind) -> Result<()> {
    if known == wanted {
        return Ok(());
    }
    let difference = match (known.dimension(), wanted.dimension()) {
        (Some(old), Some(new)) if old != new => format!("{old} against {new} dimensions"),
        _ => format!("{known} against {wanted}"),
    };
    let message = format!("two features use the vector name `{name}`: {difference}");
    let hint = "give one of them another name in `[collections.….vectors]`";
    Err(Error::invalid(message).field(format!("/vectors/{name}")).hint(hint))
}

fn check_spec(spec: &VectorSpec) -> Result<()> {
    let name = &spec.name;
    if name.is_empty() {
        return Err(Error::invalid("a vector needs a name"));
    }
    if spec.kind.dimension().is_some_and(|dimension| !(1..=DIMENSION_MAX).contains(&dimension)) {
        let message = format!("vector `{name}` has to have 1 to {DIMENSION_MAX} dimensions");
        return Err(Error::invalid(message).field(format!("/vectors/{name}")));
    }
    Ok(())
}

fn check_values(name: &str, values: &[f32], dimension: Option<u32>) -> Result<()> {
    if let Some(dimension) = dimension
        && values.len() != dimension as usize
    {
        let found = values.len();
        let message = format!("vector `{name}` has {found} values instead of {dimension}");
        return Err(Error::invalid(message));
    }
    let fits = |value: &f32| value.is_finite() && value.abs() <= VECTOR_VALUE_MAX;
    match values.iter().position(|value| !fits(value)) {
        None => Ok(()),
        Some(at) => {
            let value = values[at];
            let message = format!("value {at} of vector `{name}` is {value}");
            Err(Error::invalid(message).hint("finite, at most 1e16 either side of zero"))
        }
    }
}

fn check_sparse(name: &str, sparse: &SparseVector) -> Result<()> {
    let SparseVector { indices, values } = sparse;
    if indices.len() != values.len() {
        let (indices, values) = (indices.len(), values.len());
        let message = format!("sparse vector `{name}` has {indices} indices and {values} values");
        return Err(Error::invalid(message));
    }
    if let Some(at) = indices.windows(2).position(|pair| pair[0] >= pair[1]) {
        let (index, next) = (indices[at], indices[at + 1]);
        let message = format!("sparse vector `{name}` has index {next} after {index}");
        return Err(Error::invalid(message).hint("strictly ascending indices"));
    }
    check_values(name, values, None)
}

fn check_payload(payload: &Map<String, Value>) -> Result<()> {
    let lineage = payload.get(LINEAGE_FIELD);
    let text = |key: &str| lineage.is_some_and(|lineage| lineage[key].is_string());
    if !(text("collection") && text("object") && lineage.is_some_and(|it| it["run"].is_u64())) {
        let message = "the payload has no lineage with `collection`, `object` and `run`";
        return Err(Error::invalid(message).field(format!("/{LINEAGE_FIELD}")));
    }
    for (key, value) in payload {
        check_field(value).map_err(|reason| Error::invalid(reason).field(format!("/{key}")))?;
    }
    Ok(())
}

/// Fields that are set, and the paths of those that are taken away: null is no value to keep.
/// Lineage is not the user's.
pub(super) fn split_fields(
    fields: &Map<String, Value>,
) -> Result<(Map<String, Value>, Vec<String>)> {
    let (mut set, mut unset) = (Map::new(), Vec::new());
    for (key, value) in fields {
        let wrong = |reason: &str| Err(Error::invalid(reason).field(format!("/{key}")));
        if key == LINEAGE_FIELD {
            return wrong("the lineage of a document can not be changed");
        }
        if let Err(reason) = check_field(value) {
            return wrong(reason);
        }
        match value {
            Value::Null if key.is_empty() || key.contains(['"', '\\']) => {
                return wrong("a field of this name can not be taken away");
            }
            // Quoted, a dot in the name is a dot in the name.
            Value::Null => unset.push(format!("\"{key}\"")),
            value => drop(set.insert(key.clone(), value.clone())),
        }
    }
    let weight: usize = set.iter().map(|(key, value)| key.len() + weigh_json(value)).sum();
    if weight > BATCH_BYTES_MAX {
        let message = format!("the fields are larger than {} MiB", BATCH_BYTES_MAX >> 20);
        return Err(Error::invalid(message));
    }
    Ok((set, unset))
}

/// Whether a payload can have a field of this value, and why not.
pub fn check_field(value: &Value) -> std::result::Result<(), &'static str> {
    check_json(value, 1)
}

fn check_json(value: &Value, depth: usize) -> std::result::Result<(), &'static str> {
    if depth > PAYLOAD_DEPTH_MAX {
        return Err("a payload field is nested deeper than 24 levels");
    }
    match value {
        // The protocol has signed integers only: a larger one would silently become a float.
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            Err("a payload field holds an integer above 9223372036854775807")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        Value::Array(items) => items.iter().try_for_each(|item| check_json(item, depth + 1)),
        Value::Object(fields) => fields.values().try_for_each(|it| check_json(it, depth + 1)),
    }
}

fn given(vector: &Vector) -> &'static str {
    match vector {
        Vector::Dense(_) => "dense",
        Vector::Sparse(_) => "sparse",
        Vector::Multi(_) => "multi",
    }
}

impl VectorKind {
    pub fn dimension(self) -> Option<u32> {
        match self {
            VectorKind::Dense { dimension, .. } | VectorKind::Multi { dimension, .. } => {
                Some(dimension)
            }
            VectorKind::Sparse => None,
        }
    }
}

impl std::fmt::Display for VectorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let distance = |distance| match distance {
            Distance::Cosine => "cosine",
            Distance::Dot => "dot",
            Distance::Euclid => "euclid",
            Distance::Manhattan => "manhattan",
        };
        match *self {
            VectorKind::Dense { dimension, distance: d } => {
                write!(f, "dense {dimension} ({})", distance(d))
            }
            VectorKind::Multi { dimension, distance: d } => {
                write!(f, "multi {dimension} ({})", distance(d))
            }
            VectorKind::Sparse => f.write_str("sparse"),
        }
    }
}

impl IndexKind {
    /// Qdrant's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            IndexKind::Keyword => "keyword",
            IndexKind::Integer => "integer",
            IndexKind::Float => "float",
            IndexKind::Bool => "bool",
            IndexKind::Text => "text",
            IndexKind::Datetime => "datetime",
        }
    }
}
