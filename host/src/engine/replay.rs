//! A row of a batch run once more: with the plan, the digest and the stored rows of that batch, and
//! without writing anything.

use super::bind::{Bound, bind};
use super::columns::{DOCUMENT_ID, OBJECT_ID, needed_columns, strings, uuids};
use super::dead::DeadLetter;
use super::flatten::artifact_name;
use super::plan::{Plan, PlannedCollection, RowField, Source};
use super::{BatchManifest, Engine};
use crate::artifact::{Artifacts, PartReader, References};
use crate::error::{Code, Context, Error, Result};
use crate::model::DocumentId;
use crate::store::BatchRecord;
use arrow_array::{Array, BooleanArray, RecordBatch};
use std::sync::Arc;
use uuid::Uuid;

/// Dead letters of a batch that are looked through.
const LETTERS_MAX: usize = 1_000_000;

/// A row of a collection's source.
#[derive(Debug, Clone, PartialEq)]
pub struct RowName {
    pub collection: String,
    pub object: String,
    /// The document it was to be made from; absent in tier 0.
    pub parent: Option<String>,
    /// What became of it, where it failed.
    pub letter: Option<DeadLetter>,
}

/// Rows of one object as the extractor gets them.
pub struct Stored {
    pub collection: PlannedCollection,
    pub bound: Bound,
}

impl Engine {
    /// The rows that `row` means: an object with dead letters, the number of a dead letter, or
    /// with a collection any object.
    pub fn rows_named(
        &self,
        record: &BatchRecord,
        row: &str,
        collection: Option<&str>,
    ) -> Result<Vec<RowName>> {
        let letters = self.dead_letters(record, LETTERS_MAX)?;
        let count = letters.len();
        let named = |letter: DeadLetter| RowName {
            collection: letter.collection.clone(),
            object: letter.object.clone(),
            parent: letter.parent.clone(),
            letter: Some(letter),
        };
        let wanted = |letter: &&DeadLetter| collection.is_none_or(|name| letter.collection == name);
        let of_object: Vec<RowName> = letters
            .iter()
            .filter(|letter| letter.object == row)
            .filter(wanted)
            .map(|letter| named(letter.clone()))
            .collect();
        if !of_object.is_empty() {
            return Ok(of_object);
        }
        if let Some(letter) = row.parse().ok().and_then(|at: usize| letters.get(at)) {
            return Ok(vec![named(letter.clone())]);
        }
        if let Some(collection) = collection {
            let (collection, object) = (collection.to_string(), row.to_string());
            return Ok(vec![RowName { collection, object, parent: None, letter: None }]);
        }
        let message = format!("no row of object `{row}` failed in {}", record.id);
        let hint = match count {
            0 => "no row failed at all".to_string(),
            _ => format!("`quarry batch errors {}` lists {count}, from 0", record.id),
        };
        let hint = format!("{hint}; --collection C runs any object");
        Err(Error::new(Code::NotFound, message).hint(hint))
    }

    /// Reads the rows from the artifact or part they came from.
    pub fn stored_rows(&self, record: &BatchRecord, name: &RowName) -> Result<Stored> {
        let manifest = self.manifest(record)?;
        let plan = &manifest.plan;
        let at = plan.collection(&name.collection).ok_or_else(|| {
            let known: Vec<&str> = plan.collections.iter().map(|c| c.name.as_str()).collect();
            let message = format!("batch {} has no collection `{}`", record.id, name.collection);
            Error::new(Code::NotFound, message).hint(format!("it has {}", known.join(", ")))
        })?;
        let collection = &plan.collections[at];
        let parent = name.parent.as_deref().map(document_id).transpose()?;
        for (index, source) in collection.sources.iter().enumerate() {
            let files = self.files(record, &manifest, at, index)?;
            let rows = find(&self.folder(record), &files, collection, &name.object, parent)?;
            if rows.num_rows() == 0 {
                continue;
            }
            let blobs = self.artifacts.folder(&format!("{}/blobs", plan.namespace));
            let (options, runtime) = (self.storage_options.clone(), self.runtime.clone());
            let references = References::new(options, blobs.url().to_string(), runtime);
            let fields = fields(plan, *source);
            let bound = bind(collection, &fields, &rows, &Arc::new(references))?;
            return Ok(Stored { collection: collection.clone(), bound });
        }
        let (object, collection) = (&name.object, &name.collection);
        let message = format!("no row of object `{object}` went into collection `{collection}`");
        Err(Error::new(Code::NotFound, message)
            .hint("the object id is as in the manifest, and as `quarry batch errors` shows it"))
    }

    /// The files that hold the rows of a source, relative to the batch's folder.
    fn files(
        &self,
        record: &BatchRecord,
        manifest: &BatchManifest,
        collection: usize,
        source: usize,
    ) -> Result<Vec<String>> {
        let planned = &manifest.plan.collections[collection];
        match planned.sources[source] {
            Source::Collection(above) => self.parts(record, above),
            Source::Bucket(_) => {
                let mut flattened = manifest.flattened.iter();
                let found = flattened.find(|f| f.collection == collection && f.source == source);
                let partitions = 0..found.map_or(0, |found| found.partitions);
                Ok(partitions.map(|at| artifact_name(planned.name.as_str(), source, at)).collect())
            }
        }
    }
}

fn fields(plan: &Plan, source: Source) -> Vec<RowField> {
    match source {
        Source::Bucket(index) => {
            plan.buckets[index].columns.iter().map(|column| column.field.clone()).collect()
        }
        Source::Collection(index) => plan.collections[index].fields(),
    }
}

fn document_id(text: &str) -> Result<Uuid> {
    DocumentId::parse(text).map(|id| id.0)
}

/// The rows of an object, of one parent where that is given; an empty batch where there are none.
fn find(
    folder: &Artifacts,
    files: &[String],
    collection: &PlannedCollection,
    object: &str,
    parent: Option<Uuid>,
) -> Result<RecordBatch> {
    let columns = needed_columns(&collection.needs());
    let mut found = Vec::new();
    let mut schema = None;
    for file in files {
        // Most files have none of it: ids first.
        let ids = PartReader::read(folder, file, Some(&[OBJECT_ID.to_string()]), None)?;
        let mut here = false;
        for batch in &ids {
            here |= strings(batch, OBJECT_ID)?.iter().any(|id| id == Some(object));
        }
        if !here {
            continue;
        }
        for batch in PartReader::read(folder, file, Some(&columns), None)? {
            let mask = mask(&batch, object, parent)?;
            schema.get_or_insert(batch.schema());
            found.push(
                arrow_select::filter::filter_record_batch(&batch, &mask)
                    .context(Code::Internal, || {
                        "can not select the rows of an object".to_string()
                    })?,
            );
        }
    }
    match schema {
        None => Ok(RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty()))),
        Some(schema) => arrow_select::concat::concat_batches(&schema, &found)
            .context(Code::Internal, || "can not join the rows of an object".to_string()),
    }
}

fn mask(batch: &RecordBatch, object: &str, parent: Option<Uuid>) -> Result<BooleanArray> {
    let objects = strings(batch, OBJECT_ID)?;
    let parents = match (parent, batch.column_by_name(DOCUMENT_ID)) {
        (Some(parent), Some(_)) => Some((parent, uuids(batch, DOCUMENT_ID)?)),
        _ => None,
    };
    let fits = |row: usize| {
        let of_parent = parents.is_none_or(|(parent, ids)| ids.value(row) == parent.as_bytes());
        objects.value(row) == object && of_parent
    };
    Ok((0..objects.len()).map(|row| Some(fits(row))).collect())
}
