//! The first rows of a manifest, bound to the inputs of an extractor as a batch would do it.

use super::super::bind::{Bound, bind};
use super::super::columns::artifact_schema;
use super::super::convert;
use super::super::plan::{self, Pinned, Plan};
use crate::artifact::References;
use crate::config::{Bucket, BucketField, Collection, FieldType, Pipeline, Sources};
use crate::error::{Code, Context, Error, Result};
use crate::manifest::Manifest;
use crate::model::{Description, ExtractorRef, FieldKind, Input as Described, Name};
use crate::plugin::Input;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::Schema;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Columns that are taken for the object's id, in this order.
const ID_COLUMNS: [&str; 2] = ["object_id", "id"];
/// A column of this name holds where a blob is, not the blob.
const URI_COLUMN: &str = "uri";
const NAME: &str = "sample";

/// What to take from a manifest.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Path or URL.
    pub manifest: String,
    /// Rows at most.
    pub rows: usize,
    /// Column by input; an input is fed by the column of its own name otherwise. `uri:COLUMN` holds
    /// references.
    pub map: BTreeMap<String, String>,
    /// Options for object stores.
    pub storage_options: Vec<(String, String)>,
}

/// Rows that are ready for an extractor.
pub struct Sample {
    pub input: Input,
    /// Object id of each row.
    pub objects: Vec<String>,
    /// Object, code and message of rows that can not be handed over.
    pub unreadable: Vec<(String, String, String)>,
    /// Rows that lack a required input.
    pub missing: u64,
}

impl Sample {
    pub fn read(wanted: &Wanted, description: &Description, runtime: &Handle) -> Result<Sample> {
        let options = &wanted.storage_options;
        let manifest = Manifest::open(&wanted.manifest, options, runtime.clone())?;
        let plan = planned(wanted, description, manifest.schema())?;
        let bucket = &plan.buckets[0];
        convert::check(bucket, manifest.schema(), &manifest.url())?;
        let rows = first_rows(&plan, &manifest, wanted.rows)?;
        let references = References::new(options.clone(), String::new(), runtime.clone());
        let fields: Vec<_> = bucket.columns.iter().map(|column| column.field.clone()).collect();
        let bound = bind(&plan.collections[0], &fields, &rows, &Arc::new(references))?;
        Ok(Sample::of(bound))
    }

    fn of(bound: Bound) -> Sample {
        let unreadable = bound.unreadable.into_iter();
        Sample {
            objects: bound.objects.iter().flatten().map(str::to_string).collect(),
            input: bound.input,
            unreadable: unreadable.map(|r| (r.object, r.code.to_string(), r.message)).collect(),
            missing: bound.funnel.missing,
        }
    }
}

/// A pipeline of one collection over one bucket, whose fields are the extractor's inputs.
fn planned(wanted: &Wanted, description: &Description, schema: &Schema) -> Result<Plan> {
    let has = |column: &str| schema.field_with_name(column).is_ok();
    let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let known = format!("the manifest has {}", known.join(", "));
    if let Some(name) = wanted.map.keys().find(|name| !is_input(description, name)) {
        let inputs: Vec<&str> = description.inputs.iter().map(|i| i.name.as_str()).collect();
        return Err(Error::invalid(format!("the extractor has no input `{name}`"))
            .field("--map")
            .hint(format!("it takes {}", inputs.join(", "))));
    }
    let id = ID_COLUMNS.into_iter().find(|column| has(column)).ok_or_else(|| {
        let message = "the manifest has no column `object_id` or `id`";
        Error::invalid(message).field("object_id").hint(known.clone())
    })?;
    let mut fields = BTreeMap::new();
    for input in &description.inputs {
        let mapped = wanted.map.get(&input.name);
        let column = mapped.map_or(input.name.as_str(), String::as_str);
        if mapped.is_none() && !has(column) {
            if input.required {
                let name = &input.name;
                let message = format!("the required input `{name}` has no column");
                let hint = format!("--map {name}=COLUMN; {known}");
                return Err(Error::invalid(message).field("--map").hint(hint));
            }
            continue;
        }
        fields.insert(input.name.clone(), field(input, column)?);
    }
    let bucket = Bucket { id: id.to_string(), schema: fields };
    let source = Sources::One(format!("bucket:{NAME}"));
    let name = &description.name;
    let extractor = ExtractorRef::parse(&format!("{name}@{}", description.version))?;
    let collection: Collection = serde_json::from_value(json!({
        "source": source, "extractor": extractor, "searchable": false,
    }))
    .context(Code::Internal, || "can not make a collection for a sample".to_string())?;
    let pipeline = Pipeline {
        namespace: Name::parse(NAME)?,
        buckets: BTreeMap::from([(Name::parse(NAME)?, bucket)]),
        collections: BTreeMap::from([(Name::parse(NAME)?, collection)]),
    };
    let pinned = Pinned {
        name: description.name.clone(),
        version: description.version.clone(),
        digest: String::new(),
    };
    plan::plan(&pipeline, &mut |_, _: &Value| Ok((pinned.clone(), description.clone())))
}

fn is_input(description: &Description, name: &str) -> bool {
    description.inputs.iter().any(|input| input.name == name)
}

/// How a bucket would declare the column that feeds an input.
fn field(input: &Described, column: &str) -> Result<BucketField> {
    let kind = match input.kind {
        FieldKind::Utf8 => FieldType::Text,
        FieldKind::Json => FieldType::Json,
        FieldKind::I64 => FieldType::Integer,
        FieldKind::F64 => FieldType::Number,
        FieldKind::Bool => FieldType::Boolean,
        FieldKind::Blob => FieldType::Binary,
        FieldKind::Dense | FieldKind::Sparse | FieldKind::Multi => {
            let message = format!("input `{}` is a vector, which no manifest has", input.name);
            return Err(Error::invalid(message).field("--map").hint("use --fixture"));
        }
    };
    let (column, uri) = match column.strip_prefix("uri:") {
        Some(column) => (None, Some(column.to_string())),
        None if column == URI_COLUMN && input.kind == FieldKind::Blob => {
            (None, Some(column.to_string()))
        }
        None => (Some(column.to_string()), None),
    };
    Ok(BucketField::Column { kind, column, uri })
}

/// The first rows with the columns that the plan needs, laid out as in an artifact.
fn first_rows(plan: &Plan, manifest: &Manifest, rows: usize) -> Result<RecordBatch> {
    let bucket = &plan.buckets[0];
    let fields: Vec<_> = bucket.columns.iter().map(|column| column.field.clone()).collect();
    let schema = artifact_schema(&fields);
    let mut columns = vec![bucket.id_column.clone()];
    columns.extend(bucket.columns.iter().map(|column| column.column.clone()));
    let folder = manifest.folder();
    let mut read = 0;
    let mut taken = Vec::new();
    for batch in manifest.read(&columns) {
        let batch = batch?;
        let batch = batch.slice(0, batch.num_rows().min(rows - read));
        let ids = convert::ids(bucket, &batch, read as u64)?;
        let mut invalid = vec![None; batch.num_rows()];
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for column in &bucket.columns {
            arrays.push(convert::field(column, &batch, &folder, &mut invalid)?);
        }
        let mut all: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(StringArray::from(invalid))];
        all.append(&mut arrays);
        let batch = RecordBatch::try_new(schema.clone(), all)
            .context(Code::Internal, || "can not lay out a sample".to_string())?;
        read += batch.num_rows();
        taken.push(batch);
        if read >= rows {
            break;
        }
    }
    arrow_select::concat::concat_batches(&schema, &taken)
        .context(Code::Internal, || "can not join the rows of a sample".to_string())
}
