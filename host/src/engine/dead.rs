//! Dead letters: rows that no document could be made of, as Parquet beside the parts.

use super::bind::Bound;
use super::columns::{strings, typed};
use super::extract::DeadRow;
use super::plan::PlannedCollection;
use crate::artifact::{Artifacts, PartReader, PartWriter};
use crate::error::{Code, Context, Result};
use crate::model::DocumentId;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::Serialize;
use std::sync::Arc;
use uuid::Uuid;

/// One row that failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetter {
    pub object: String,
    /// The document it was to be made from; absent in tier 0.
    pub parent: Option<String>,
    pub collection: String,
    pub tier: i64,
    pub extractor: String,
    pub digest: String,
    pub code: String,
    pub message: String,
    pub attempts: i64,
    /// Last lines the extractor logged.
    pub log: String,
}

pub fn letters(collection: &PlannedCollection, bound: &Bound, dead: &[DeadRow]) -> Vec<DeadLetter> {
    let letter = |object: String, parent: Option<String>| DeadLetter {
        object,
        parent,
        collection: collection.name.to_string(),
        tier: collection.tier as i64,
        extractor: collection.extractor.to_string(),
        digest: collection.extractor.digest.clone(),
        code: String::new(),
        message: String::new(),
        attempts: 0,
        log: String::new(),
    };
    let unreadable = bound.unreadable.iter().map(|row| DeadLetter {
        code: row.code.to_string(),
        message: row.message.clone(),
        ..letter(row.object.clone(), row.parent.as_ref().map(|id| shown(id)))
    });
    let failed = dead.iter().map(|row| {
        let parent = bound.parents.as_ref().map(|ids| shown(ids.value(row.row)));
        DeadLetter {
            code: row.code.clone(),
            message: row.message.clone(),
            attempts: i64::from(row.attempts),
            log: row.log.join("\n"),
            ..letter(bound.objects.value(row.row).to_string(), parent)
        }
    });
    unreadable.chain(failed).collect()
}

fn shown(id: &[u8]) -> String {
    Uuid::from_slice(id).map(|uuid| DocumentId(uuid).to_string()).unwrap_or_default()
}

fn schema() -> SchemaRef {
    let text = |name: &str, null| Field::new(name, DataType::Utf8, null);
    Arc::new(Schema::new(vec![
        text("object_id", false),
        text("parent_document_id", true),
        text("collection", false),
        Field::new("tier", DataType::Int64, false),
        text("extractor", false),
        text("digest", false),
        text("code", false),
        text("message", false),
        Field::new("attempts", DataType::Int64, false),
        text("log", false),
    ]))
}

pub fn write(artifacts: &Artifacts, name: &str, letters: &[DeadLetter]) -> Result<()> {
    let texts = |of: fn(&DeadLetter) -> Option<&str>| -> ArrayRef {
        Arc::new(letters.iter().map(of).collect::<StringArray>())
    };
    let numbers = |of: fn(&DeadLetter) -> i64| -> ArrayRef {
        Arc::new(letters.iter().map(of).collect::<Int64Array>())
    };
    let columns = vec![
        texts(|l| Some(&l.object)),
        texts(|l| l.parent.as_deref()),
        texts(|l| Some(&l.collection)),
        numbers(|l| l.tier),
        texts(|l| Some(&l.extractor)),
        texts(|l| Some(&l.digest)),
        texts(|l| Some(&l.code)),
        texts(|l| Some(&l.message)),
        numbers(|l| l.attempts),
        texts(|l| Some(&l.log)),
    ];
    let rows = RecordBatch::try_new(schema(), columns)
        .context(Code::Internal, || "can not lay out dead letters".to_string())?;
    let mut writer = PartWriter::create(artifacts, name, schema())?;
    writer.write(&rows)?;
    writer.finish().map(|_| ())
}

pub fn read(artifacts: &Artifacts, name: &str) -> Result<Vec<DeadLetter>> {
    let mut letters = Vec::new();
    for rows in PartReader::read(artifacts, name, None, None)? {
        let text = |name: &str| strings(&rows, name).cloned();
        let number = |name: &str| -> Result<Int64Array> {
            Ok(typed::<Int64Array>(super::columns::column(&rows, name)?, name)?.clone())
        };
        let (objects, parents) = (text("object_id")?, text("parent_document_id")?);
        let (collections, extractors) = (text("collection")?, text("extractor")?);
        let (digests, codes, messages) = (text("digest")?, text("code")?, text("message")?);
        let (logs, tiers, attempts) = (text("log")?, number("tier")?, number("attempts")?);
        letters.extend((0..rows.num_rows()).map(|row| DeadLetter {
            object: objects.value(row).to_string(),
            parent: parents.iter().nth(row).flatten().map(str::to_string),
            collection: collections.value(row).to_string(),
            tier: tiers.value(row),
            extractor: extractors.value(row).to_string(),
            digest: digests.value(row).to_string(),
            code: codes.value(row).to_string(),
            message: messages.value(row).to_string(),
            attempts: attempts.value(row),
            log: logs.value(row).to_string(),
        }));
    }
    Ok(letters)
}
