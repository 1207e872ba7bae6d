//! The documents of a collection as files in the object store.

use super::collections::documents_of;
use super::{Control, not_found};
use crate::artifact::{PartWriter, Upload};
use crate::config::FieldType;
use crate::engine::lineage;
use crate::error::{Code, Context, Error, Result};
use crate::model::{Condition, Document, Filter, LINEAGE_FIELD, Vector};
use crate::sink::Scroll;
use crate::store::catalog::{Collection, Namespace};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::sync::Arc;

/// Bytes of one file: it is downloaded as a whole.
const BYTES_MAX: usize = 256 << 20;
/// Documents that are read at once.
const PAGE: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// One document a line.
    Json,
    Csv,
    Parquet,
}

#[derive(Debug, Clone)]
pub struct ExportOrder {
    pub format: ExportFormat,
    /// Vectors as a second file of lines.
    pub vectors: bool,
    /// Columns of the lineage.
    pub lineage: bool,
    /// Dotted paths; everything if absent.
    pub fields: Option<Vec<String>>,
    pub filter: Option<Filter>,
    pub limit: usize,
}

#[derive(Debug, Clone)]
pub struct Exported {
    pub name: String,
    pub location: String,
    pub documents: u64,
    pub bytes: u64,
    /// Name and location of the vectors.
    pub vectors: Option<(String, String)>,
}

/// A column of a table.
struct Column {
    name: String,
    kind: FieldType,
}

enum Sheet {
    Lines(Box<Upload>),
    Csv(Box<csv::Writer<Upload>>),
    Parquet(Box<PartWriter>, Arc<Schema>),
}

impl ExportFormat {
    fn extension(self) -> &'static str {
        match self {
            ExportFormat::Json => "jsonl",
            ExportFormat::Csv => "csv",
            ExportFormat::Parquet => "parquet",
        }
    }
}

fn folder(namespace: &Namespace, collection: &Collection) -> String {
    format!("{}/exports/{}", namespace.key, collection.id)
}

impl Control {
    pub fn export(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        order: &ExportOrder,
    ) -> Result<Exported> {
        let sink = self.engine.sink.as_deref().ok_or_else(|| {
            Error::new(Code::Unsupported, "this engine keeps no documents")
                .hint("start it with a vector sink (--sink) to export them")
        })?;
        let folder = self.engine.artifacts.folder(&folder(namespace, collection));
        let id = self.engine.env.uuid().simple().to_string();
        let name = format!("{id}.{}", order.format.extension());
        let columns = columns(collection, order);
        let mut sheet = match order.format {
            ExportFormat::Json => Sheet::Lines(Box::new(folder.upload(&name))),
            ExportFormat::Csv => {
                let mut writer = csv::Writer::from_writer(folder.upload(&name));
                writer.write_record(columns.iter().map(|column| &column.name)).map_err(failed)?;
                Sheet::Csv(Box::new(writer))
            }
            ExportFormat::Parquet => {
                let schema = Arc::new(schema(&columns));
                let writer = PartWriter::create(&folder, &name, schema.clone())?;
                Sheet::Parquet(Box::new(writer), schema)
            }
        };
        let vectors_name = format!("{id}.vectors.jsonl");
        let mut vectors = order.vectors.then(|| folder.upload(&vectors_name));
        let mut filter = documents_of(&collection.key);
        filter.and.extend(order.filter.clone().map(|given| Condition::Nested(Box::new(given))));
        let (mut documents, mut bytes, mut from) = (0, 0, None);
        let there = sink.layout(&namespace.key)?.is_some();
        while there && documents < order.limit {
            let scroll = Scroll {
                filter: Some(filter.clone()),
                from,
                limit: PAGE.min(order.limit - documents),
                with_vectors: order.vectors,
            };
            let page = sink.scroll(&namespace.key, &scroll)?;
            documents += page.documents.len();
            let rows: Vec<Map<String, Value>> =
                page.documents.iter().map(|document| row(document, order)).collect();
            bytes += sheet.write(&columns, &rows)?;
            if let Some(file) = &mut vectors {
                for document in &page.documents {
                    bytes += line(file, &vectors_of(document))?;
                }
            }
            if bytes > BYTES_MAX {
                let message = format!("the export is larger than {} MiB", BYTES_MAX >> 20);
                return Err(Error::new(Code::TooLarge, message)
                    .hint("export a part of it with `filters` or `sample_size`"));
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        let bytes = sheet.finish()?;
        if let Some(file) = vectors {
            file.finish()?;
        }
        let told = order.vectors.then(|| (vectors_name.clone(), folder.name_of(&vectors_name)));
        let location = folder.name_of(&name);
        Ok(Exported { name, location, documents: documents as u64, bytes, vectors: told })
    }

    /// The bytes of an export's file.
    pub fn exported(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        name: &str,
    ) -> Result<Vec<u8>> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.';
        if name.is_empty() || !name.chars().all(plain) || name.contains("..") {
            return Err(not_found("export", name));
        }
        let folder = self.engine.artifacts.folder(&folder(namespace, collection));
        match folder.get(name) {
            Err(error) if error.code() == Code::NotFound => Err(not_found("export", name)),
            read => Ok(read?.to_vec()),
        }
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Code::Unavailable, "can not write the export").source(error)
}

fn line(file: &mut Upload, value: &Value) -> Result<usize> {
    let text = format!("{value}\n");
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(text.len())
}

/// Fixed ones first, then the fields that were asked for, or those the collection declares.
fn columns(collection: &Collection, order: &ExportOrder) -> Vec<Column> {
    let text = |name: &str| Column { name: name.to_string(), kind: FieldType::String };
    let mut columns = vec![text("document_id"), text("object_id")];
    if order.lineage {
        columns.extend([text("lineage_chain"), text("document_created_at")]);
    }
    let declared = collection.shape.fields.iter().filter(|field| field.vector.is_none());
    let wanted: Vec<Column> = match &order.fields {
        None => {
            declared.map(|field| Column { name: field.name.clone(), kind: field.kind }).collect()
        }
        Some(names) => {
            let known = |name: &str| declared.clone().find(|field| field.name == name);
            let column = |name: &String| Column {
                name: name.clone(),
                kind: known(name).map_or(FieldType::Json, |field| field.kind),
            };
            names.iter().map(column).collect()
        }
    };
    for column in wanted {
        if columns.iter().all(|known| known.name != column.name) {
            columns.push(column);
        }
    }
    columns
}

fn schema(columns: &[Column]) -> Schema {
    let fields = columns.iter().map(|column| {
        let kind = match column.kind {
            FieldType::Integer => DataType::Int64,
            FieldType::Number | FieldType::Float => DataType::Float64,
            FieldType::Boolean => DataType::Boolean,
            _ => DataType::Utf8,
        };
        Field::new(&column.name, kind, true)
    });
    Schema::new(fields.collect::<Vec<_>>())
}

fn row(document: &Document, order: &ExportOrder) -> Map<String, Value> {
    let mut row = Map::new();
    let lineage = lineage(document);
    row.insert("document_id".to_string(), document.id.to_string().into());
    let object = lineage.as_ref().map(|lineage| lineage.object.clone());
    row.insert("object_id".to_string(), object.into());
    if order.lineage {
        let told = document.payload.get(LINEAGE_FIELD).cloned().unwrap_or_default();
        row.insert("document_created_at".to_string(), told["created_at"].clone());
        row.insert("lineage_chain".to_string(), told);
    }
    match &order.fields {
        None => {
            let fields = document.payload.iter().filter(|(name, _)| *name != LINEAGE_FIELD);
            row.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
        }
        Some(names) => {
            for name in names.iter().filter(|name| !name.starts_with(LINEAGE_FIELD)) {
                let mut words = name.split('.');
                let first = words.next().and_then(|word| document.payload.get(word));
                let found = first.and_then(|first| words.try_fold(first, |at, word| at.get(word)));
                row.insert(name.clone(), found.cloned().unwrap_or_default());
            }
        }
    }
    row
}

fn vectors_of(document: &Document) -> Value {
    let vectors = document.vectors.iter().map(|(name, vector)| {
        let value = match vector {
            Vector::Dense(values) => json!(values),
            Vector::Sparse(sparse) => json!({ "indices": sparse.indices, "values": sparse.values }),
            Vector::Multi(rows) => json!(rows),
        };
        (name.clone(), value)
    });
    json!({ "document_id": document.id.to_string(), "vectors": Value::Object(vectors.collect()) })
}

/// A cell as text: strings as they are, the rest as JSON.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

impl Sheet {
    /// About how many bytes that were.
    fn write(&mut self, columns: &[Column], rows: &[Map<String, Value>]) -> Result<usize> {
        let mut bytes = 0;
        match self {
            Sheet::Lines(file) => {
                for row in rows {
                    bytes += line(file, &Value::Object(row.clone()))?;
                }
            }
            Sheet::Csv(file) => {
                for row in rows {
                    let cells: Vec<String> = columns
                        .iter()
                        .map(|column| text(row.get(&column.name)).unwrap_or_default())
                        .collect();
                    bytes += cells.iter().map(|cell| cell.len() + 1).sum::<usize>();
                    file.write_record(&cells).map_err(failed)?;
                }
            }
            Sheet::Parquet(file, schema) => {
                let cells = |name: &str| rows.iter().map(|row| row.get(name)).collect::<Vec<_>>();
                let mut arrays: Vec<ArrayRef> = Vec::new();
                for (column, field) in columns.iter().zip(schema.fields()) {
                    let values = cells(&column.name).into_iter();
                    arrays.push(match field.data_type() {
                        DataType::Int64 => {
                            Arc::new(values.map(|v| v?.as_i64()).collect::<Int64Array>())
                        }
                        DataType::Float64 => {
                            Arc::new(values.map(|v| v?.as_f64()).collect::<Float64Array>())
                        }
                        DataType::Boolean => {
                            Arc::new(values.map(|v| v?.as_bool()).collect::<BooleanArray>())
                        }
                        _ => Arc::new(values.map(text).collect::<StringArray>()),
                    });
                }
                let batch = RecordBatch::try_new(schema.clone(), arrays)
                    .context(Code::Internal, || "can not lay out an export".to_string())?;
                bytes += batch.get_array_memory_size();
                file.write(&batch)?;
            }
        }
        Ok(bytes)
    }

    fn finish(self) -> Result<u64> {
        match self {
            Sheet::Lines(file) => file.finish(),
            Sheet::Csv(file) => {
                let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
                file.finish()
            }
            Sheet::Parquet(file, _) => file.finish(),
        }
    }
}
