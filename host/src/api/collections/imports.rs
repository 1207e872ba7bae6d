//! Documents from elsewhere: what a sample of rows holds, whether a mapping fits, and the import
//! itself.

use super::mapping::{Explode, Field, Kind, Mapping, Reconstructed, ValueType, reconstruct};
use crate::api::call::Call;
use crate::api::operation::{NoQuery, Table};
use crate::control::DocumentDraft;
use crate::error::{Code, Error, Result};
use crate::model::Scope;
use crate::store::catalog::Collection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of a sample that are looked at.
const SAMPLE: usize = 100;
const SAMPLE_MAX: usize = 10_000;
/// Different values from which on a field has many.
const CARDINALITY_HIGH: usize = 20;
/// Bytes of an export in one request.
const IMPORT_BYTES_MAX: usize = 32 << 20;

pub(super) fn declare(table: &mut Table) {
    table
        .post(
            "/v1/collections/import/infer",
            "infer_import_schema",
            "Say what rows hold and where it could go",
            infer,
        )
        .scope(Scope::Read)
        .bytes_max(IMPORT_BYTES_MAX);
    table
        .post(
            "/v1/collections/import/validate-mapping",
            "validate_import_mapping",
            "Check a mapping of fields before it is used",
            validate,
        )
        .scope(Scope::Read);
    table
        .post(
            "/v1/collections/{collection_identifier}/import",
            "import_collection",
            "Make documents of an export of another system",
            import,
        )
        .bytes_max(IMPORT_BYTES_MAX);
}

#[derive(Deserialize, JsonSchema)]
struct InferRequest {
    sample_rows: Option<Vec<Map<String, Value>>>,
    /// A JSON Schema, for fields that the rows do not show.
    source_schema: Option<Map<String, Value>>,
    /// Rows that are looked at (100).
    #[schemars(range(min = 1, max = SAMPLE_MAX))]
    sample_size: Option<usize>,
    /// Dimension by vector name: how vectors in base64 are told from texts.
    known_index_dims: Option<BTreeMap<String, u32>>,
}

#[derive(Serialize, JsonSchema)]
struct Inferred {
    fields: Vec<InferredField>,
    warnings: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct InferredField {
    /// Dotted.
    path: String,
    #[serde(rename = "type")]
    kind: ValueType,
    cardinality: Cardinality,
    sample: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    dim: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dtype: Option<&'static str>,
    suggested_target: Suggested,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Cardinality {
    Low,
    High,
}

#[derive(Serialize, JsonSchema)]
struct Suggested {
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dim: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dtype: Option<&'static str>,
}

/// What is known of one path.
#[derive(Default)]
struct Seen {
    kinds: Vec<ValueType>,
    values: BTreeSet<String>,
    sample: Value,
    dimension: Option<u32>,
    dtype: Option<&'static str>,
}

fn infer(_: &Call, _: NoQuery, body: InferRequest) -> Result<Inferred> {
    let known = body.known_index_dims.unwrap_or_default();
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let rows = body.sample_rows.unwrap_or_default();
    for row in rows.iter().take(body.sample_size.unwrap_or(SAMPLE)) {
        for (name, value) in row {
            look(name, value, &known, &mut seen);
        }
    }
    let mut warnings = Vec::new();
    let declared = body.source_schema.unwrap_or_default();
    for (name, field) in declared.get("properties").and_then(Value::as_object).into_iter().flatten()
    {
        let entry = seen.entry(name.clone()).or_default();
        if entry.kinds.is_empty() {
            entry.kinds.push(ValueType::named(field["type"].as_str().unwrap_or_default()));
            warnings.push(format!("`{name}` is declared, and no row has it"));
        }
    }
    let fields = seen.into_iter().map(|(path, seen)| {
        let mut kinds = seen.kinds.clone();
        kinds.retain(|kind| *kind != ValueType::Null);
        let kind = match kinds.as_slice() {
            [] => ValueType::Null,
            [one] => *one,
            [ValueType::Integer, ValueType::Float] | [ValueType::Float, ValueType::Integer] => {
                ValueType::Float
            }
            _ => {
                warnings.push(format!("`{path}` has values of several types"));
                ValueType::String
            }
        };
        InferredField {
            kind,
            cardinality: match seen.values.len() > CARDINALITY_HIGH {
                true => Cardinality::High,
                false => Cardinality::Low,
            },
            sample: seen.sample,
            dim: seen.dimension,
            dtype: seen.dtype,
            suggested_target: suggest(&path, kind, seen.dimension, seen.dtype, &known),
            path,
        }
    });
    let fields: Vec<InferredField> = fields.collect();
    if fields.is_empty() {
        warnings.push("there are no rows to look at".to_string());
    }
    Ok(Inferred { fields, warnings })
}

fn look(
    path: &str,
    value: &Value,
    known: &BTreeMap<String, u32>,
    seen: &mut BTreeMap<String, Seen>,
) {
    if let Value::Object(fields) = value {
        for (name, value) in fields {
            look(&format!("{path}.{name}"), value, known, seen);
        }
        return;
    }
    let entry = seen.entry(path.to_string()).or_default();
    let (kind, dimension, dtype) = ValueType::of(value, known);
    if !entry.kinds.contains(&kind) {
        entry.kinds.push(kind);
    }
    entry.dimension = entry.dimension.or(dimension);
    entry.dtype = entry.dtype.or(dtype);
    if kind != ValueType::Vector {
        if entry.values.len() <= CARDINALITY_HIGH {
            entry.values.insert(value.to_string());
        }
        if entry.sample.is_null() {
            entry.sample = value.clone();
        }
    }
}

fn suggest(
    path: &str,
    kind: ValueType,
    dimension: Option<u32>,
    dtype: Option<&'static str>,
    known: &BTreeMap<String, u32>,
) -> Suggested {
    let none = Suggested { kind: Kind::Ignore, path: None, index: None, dim: None, dtype: None };
    match kind {
        ValueType::Vector => {
            let mut fitting = known.iter().filter(|(_, dim)| Some(**dim) == dimension);
            let named = known.contains_key(path).then(|| path.to_string());
            let index = named.or_else(|| fitting.next().map(|(name, _)| name.clone()));
            Suggested { kind: Kind::Vector, index, dim: dimension, dtype, ..none }
        }
        ValueType::Null => none,
        _ => Suggested { kind: Kind::Metadata, path: Some(path.to_string()), ..none },
    }
}

#[derive(Deserialize, JsonSchema)]
struct ValidateRequest {
    source_fields: Option<Vec<SourceField>>,
    mapping: Mapping,
    known_index_dims: Option<BTreeMap<String, u32>>,
}

#[derive(Deserialize, JsonSchema)]
struct SourceField {
    path: String,
    #[serde(rename = "type")]
    kind: ValueType,
}

#[derive(Serialize, JsonSchema)]
struct Validated {
    ok: bool,
    errors: Vec<MappingError>,
}

#[derive(Serialize, JsonSchema)]
struct MappingError {
    /// Absent where it is about the whole mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    error: String,
}

fn validate(_: &Call, _: NoQuery, body: ValidateRequest) -> Result<Validated> {
    let known = body.known_index_dims.unwrap_or_default();
    let mut errors = Vec::new();
    let mut targets = BTreeSet::new();
    let fields = body.mapping.fields.unwrap_or_default();
    if fields.is_empty() {
        errors.push(MappingError { field: None, error: "the mapping has no fields".to_string() });
    }
    for Field { source_field, target } in &fields {
        let mut wrong =
            |error: String| errors.push(MappingError { field: Some(source_field.clone()), error });
        let source = body.source_fields.iter().flatten().find(|field| field.path == *source_field);
        if source.is_none() && body.source_fields.is_some() {
            wrong("the source has no such field".to_string());
        }
        if let (Some(source), Some(expected)) = (source, target.expected_type)
            && source.kind != expected
        {
            wrong(format!("it is {}, {} is expected", source.kind.word(), expected.word()));
        }
        let place = match target.kind {
            Kind::Metadata => target.path.clone(),
            Kind::Vector => target.index.clone(),
            Kind::Identity => target.role.map(|role| role.word().to_string()),
            Kind::Parent | Kind::Ignore => continue,
        };
        let Some(place) = place else {
            wrong(format!(
                "a target of kind {} needs `{}`",
                target.kind.word(),
                target.kind.needs()
            ));
            continue;
        };
        if target.kind == Kind::Vector {
            match (known.get(&place), target.dim) {
                (Some(known), Some(dim)) if *known != dim => {
                    wrong(format!("vector `{place}` has {known} dimensions, not {dim}"));
                }
                (None, _) if !known.is_empty() => wrong(format!("there is no vector `{place}`")),
                _ => {}
            }
            if source.is_some_and(|source| source.kind != ValueType::Vector) {
                wrong("it is no vector".to_string());
            }
        }
        if !targets.insert((target.kind.word(), place.clone())) {
            wrong(format!("two fields go to `{place}`"));
        }
    }
    Ok(Validated { ok: errors.is_empty(), errors })
}

#[derive(Deserialize, JsonSchema)]
struct ImportRequest {
    /// One exported thing, such as a video with its scenes.
    export: Option<Map<String, Value>>,
    mapping: Mapping,
    /// Where the thing becomes several documents.
    explode: Option<Explode>,
    /// Say what would be written.
    dry_run: Option<bool>,
    /// There is no ledger: only false.
    seed_ledger: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct Imported {
    imported: u64,
    reconstructed: u64,
    /// Rows that could not be made a document.
    skipped: u64,
    dry_run: bool,
    errors: Vec<RowError>,
    warnings: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct RowError {
    /// From 0.
    row: u64,
    error: String,
}

fn import(call: &Call, _: NoQuery, body: ImportRequest) -> Result<Imported> {
    let (namespace, collection) = call.collection()?;
    if body.seed_ledger == Some(true) {
        return Err(Error::new(Code::Unsupported, "this engine keeps no ledger")
            .field("/seed_ledger")
            .hint("ids of documents are deterministic: importing again writes them again"));
    }
    let export = body.export.unwrap_or_default();
    let dry_run = body.dry_run.unwrap_or(false);
    let mut answer = Imported {
        imported: 0,
        reconstructed: 0,
        skipped: 0,
        dry_run,
        errors: Vec::new(),
        warnings: Vec::new(),
    };
    let vectors = vector_names(&collection);
    if !dry_run {
        call.control.prepare_vectors(&namespace, &collection)?;
    }
    let rows = reconstruct(&export, &body.mapping, body.explode.as_ref(), &vectors)?;
    for (row, made) in rows.into_iter().enumerate() {
        let written = made.and_then(|made| {
            answer.reconstructed += 1;
            if !dry_run {
                let Reconstructed { id, fields, vectors, object, parent, notes } = made;
                let draft = DocumentDraft { id, fields, vectors, object, parent, notes };
                call.control.create_document(&namespace, &collection, draft)?;
                answer.imported += 1;
            }
            Ok(())
        });
        match written {
            Ok(()) => {}
            Err(error) if matches!(error.code(), Code::Invalid | Code::Conflict) => {
                answer.skipped += 1;
                answer.errors.push(RowError { row: row as u64, error: error.chain() });
            }
            Err(error) => return Err(error),
        }
    }
    if answer.reconstructed == 0 && answer.errors.is_empty() {
        answer.warnings.push("the export holds nothing to make documents of".to_string());
    }
    Ok(answer)
}

/// Name in the sink by what users call it: output or name.
fn vector_names(collection: &Collection) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for field in &collection.shape.fields {
        if let Some(vector) = &field.vector {
            names.insert(vector.name.clone(), vector.name.clone());
            names.insert(field.name.clone(), vector.name.clone());
        }
    }
    names
}
