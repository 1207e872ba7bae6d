//! Reads a manifest by row group, never whole.

use super::object::ObjectFile;
use crate::artifact::{Location, guarded, project};
use crate::error::{Code, Context, Error, Result};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Files of one manifest.
const FILES_MAX: usize = 100_000;
/// Bytes of decoded rows that one batch aims at.
const BATCH_BYTES: usize = 16 << 20;

type Stream = ParquetRecordBatchStream<ObjectFile>;

/// One Parquet file, or all Parquet files of a folder in the order of their names.
pub struct Manifest {
    store: Arc<dyn ObjectStore>,
    files: Vec<ManifestFile>,
    schema: SchemaRef,
    rows: u64,
    location: Location,
    version: String,
    runtime: Handle,
}

struct ManifestFile {
    path: ObjectPath,
    rows: u64,
}

impl Manifest {
    /// Reads the footers. All files must have the same columns.
    pub fn open(url: &str, options: &[(String, String)], runtime: Handle) -> Result<Manifest> {
        let location = Location::parse(url)?;
        if let Location::Local(path) = &location
            && !path.exists()
        {
            return Err(Error::new(Code::NotFound, format!("there is no manifest {url}"))
                .hint("make one with `quarry manifest build DIR -o M.parquet`"));
        }
        let (store, base) = location.open(options, false)?;
        let found = runtime.block_on(find(store.as_ref(), &base, &location))?;
        if found.is_empty() {
            return Err(Error::invalid(format!("{location} holds no .parquet file"))
                .hint("a manifest is a Parquet file or a folder of them"));
        }
        if found.len() > FILES_MAX {
            let message = format!("{location} holds {} files", found.len());
            return Err(Error::invalid(message).hint(format!("{FILES_MAX} are allowed")));
        }
        let mut schema: Option<(SchemaRef, String)> = None;
        let mut hash = blake3::Hasher::new();
        let mut files = Vec::with_capacity(found.len());
        for (path, version) in found {
            hash.update(path.as_ref().as_bytes());
            hash.update(version.as_bytes());
            let read = guarded(|| runtime.block_on(footer(&store, &path)));
            let (rows, columns) = read.unwrap_or_else(|| Err(damaged(path.as_ref())))?;
            match &schema {
                Some((first, name)) => same_columns(first, &columns, name, path.as_ref())?,
                None => schema = Some((columns, path.to_string())),
            }
            files.push(ManifestFile { path, rows });
        }
        let rows = files.iter().map(|file| file.rows).fold(0, u64::saturating_add);
        if rows == 0 {
            return Err(Error::invalid(format!("the manifest {location} has no rows"))
                .hint("a batch needs at least one object"));
        }
        let (schema, _) = schema.expect("there is at least one file");
        let version = hash.finalize().to_hex().to_string();
        Ok(Manifest { store, files, schema, rows, location, version, runtime })
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Changes when a file does: names, sizes, ETags or modification times.
    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn url(&self) -> String {
        self.location.to_string()
    }

    /// The folder that relative references are relative to.
    pub fn folder(&self) -> Location {
        let single = self.files.len() == 1 && !self.location.is_local_dir();
        if single { self.location.parent() } else { self.location.clone() }
    }

    /// The named columns of all rows, in order.
    pub fn read(&self, columns: &[String]) -> Rows<'_> {
        Rows { manifest: self, columns: columns.to_vec(), next_file: 0, stream: None, left: 0 }
    }
}

/// Batches of rows; reads one row group ahead of nothing.
pub struct Rows<'a> {
    manifest: &'a Manifest,
    columns: Vec<String>,
    next_file: usize,
    stream: Option<Stream>,
    /// Rows that the footer of the current file promises and that did not come yet.
    left: u64,
}

impl Iterator for Rows<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(stream) = &mut self.stream {
                let file = &self.manifest.files[self.next_file - 1];
                let name = file.path.as_ref();
                let error = match guarded(|| self.manifest.runtime.block_on(stream.next())) {
                    Some(Some(Ok(batch))) => match checked(&batch, &mut self.left) {
                        true => return Some(Ok(batch)),
                        false => damaged(name),
                    },
                    Some(Some(Err(error))) => read_error(error, name),
                    // Pages that were cut off end early, and nobody else says so.
                    Some(None) if self.left > 0 => damaged(name),
                    Some(None) => {
                        self.stream = None;
                        continue;
                    }
                    None => damaged(name),
                };
                self.next_file = usize::MAX;
                self.stream = None;
                return Some(Err(error));
            }
            let file = self.manifest.files.get(self.next_file)?;
            self.next_file = self.next_file.saturating_add(1);
            let opened = stream(&self.manifest.store, &file.path, &self.columns);
            let opened = guarded(|| self.manifest.runtime.block_on(opened));
            match opened.unwrap_or_else(|| Err(damaged(file.path.as_ref()))) {
                Ok(stream) => (self.stream, self.left) = (Some(stream), file.rows),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Whether the rows are among those that were promised, and hold what their types say: the decoder
/// takes damaged pages for texts that end in the middle of a character, and for nulls where there
/// are none.
fn checked(batch: &RecordBatch, left: &mut u64) -> bool {
    let rows = batch.num_rows() as u64;
    let promised = rows <= *left;
    *left = left.saturating_sub(rows);
    promised && batch.columns().iter().all(|column| column.to_data().validate_full().is_ok())
}

async fn find(
    store: &dyn ObjectStore,
    base: &ObjectPath,
    location: &Location,
) -> Result<Vec<(ObjectPath, String)>> {
    let version = |meta: &object_store::ObjectMeta| {
        let tag = meta.e_tag.clone().unwrap_or_else(|| meta.last_modified.to_rfc3339());
        format!("{}:{tag}", meta.size)
    };
    if !location.is_local_dir()
        && let Ok(meta) = store.head(base).await
    {
        return Ok(vec![(base.clone(), version(&meta))]);
    }
    let mut listing = store.list(Some(base));
    let mut found = Vec::new();
    let named = || format!("can not list {location}");
    while let Some(meta) = listing.try_next().await.context(Code::Unavailable, named)? {
        if meta.location.extension() == Some("parquet") {
            let version = version(&meta);
            found.push((meta.location, version));
        }
    }
    found.sort();
    Ok(found)
}

async fn footer(store: &Arc<dyn ObjectStore>, path: &ObjectPath) -> Result<(u64, SchemaRef)> {
    let reader = ObjectFile::new(store.clone(), path.clone());
    let builder = ParquetRecordBatchStreamBuilder::new(reader)
        .await
        .map_err(|error| read_error(error, path.as_ref()))?;
    let rows = builder.metadata().file_metadata().num_rows();
    Ok((u64::try_from(rows).unwrap_or(0), builder.schema().clone()))
}

async fn stream(
    store: &Arc<dyn ObjectStore>,
    path: &ObjectPath,
    columns: &[String],
) -> Result<Stream> {
    let wrong = |error| read_error(error, path.as_ref());
    let reader = ObjectFile::new(store.clone(), path.clone());
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(wrong)?;
    let metadata = builder.metadata();
    let (bytes, rows) =
        metadata.row_groups().iter().fold((0_i64, 0_i64), |(bytes, rows), group| {
            (bytes.saturating_add(group.total_byte_size()), rows.saturating_add(group.num_rows()))
        });
    let row_bytes = usize::try_from(bytes / rows.max(1)).unwrap_or(0).max(1);
    let batch_rows = (BATCH_BYTES / row_bytes).clamp(1, crate::config::PARTITION_ROWS);
    let mask = project(builder.parquet_schema(), columns);
    builder.with_projection(mask).with_batch_size(batch_rows).build().map_err(wrong)
}

fn same_columns(first: &Schema, other: &Schema, first_name: &str, name: &str) -> Result<()> {
    for field in first.fields() {
        let same =
            other.field_with_name(field.name()).is_ok_and(|f| f.data_type() == field.data_type());
        if !same {
            let message = format!(
                "column `{}` of {first_name} is missing or of another type in {name}",
                field.name()
            );
            return Err(
                Error::invalid(message).hint("all files of a manifest have the same columns")
            );
        }
    }
    Ok(())
}

fn read_error(error: parquet::errors::ParquetError, name: &str) -> Error {
    damaged(name).source(error)
}

fn damaged(name: &str) -> Error {
    Error::invalid(format!("the manifest {name} is not a readable Parquet file"))
        .hint("it may be cut off or of another format; write it again")
}
