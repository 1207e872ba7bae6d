//! Reads a manifest by row group, never whole.

use super::group::Group;
use super::object::ObjectFile;
use crate::artifact::{Location, guarded, project, store_error};
use crate::error::{Code, Context, Error, Result};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Files of one manifest.
const FILES_MAX: usize = 100_000;
/// Bytes of decoded rows that one batch aims at.
const BATCH_BYTES: usize = 16 << 20;

/// One Parquet file, or all Parquet files of a folder in the order of their names.
pub struct Manifest {
    store: Arc<dyn ObjectStore>,
    files: Vec<ManifestFile>,
    schema: SchemaRef,
    rows: u64,
    location: Location,
    version: String,
    modified: DateTime<Utc>,
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
        let newest = found.iter().map(|(_, _, modified)| *modified).max();
        for (path, version, _) in found {
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
        let modified = newest.unwrap_or_default();
        Ok(Manifest { store, files, schema, rows, location, version, modified, runtime })
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

    /// When the last of its files was written.
    pub fn modified(&self) -> DateTime<Utc> {
        self.modified
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
        Rows { manifest: self, columns: columns.to_vec(), next_file: 0, open: None, left: 0 }
    }
}

/// Batches of rows; reads one row group ahead of nothing.
pub struct Rows<'a> {
    manifest: &'a Manifest,
    columns: Vec<String>,
    next_file: usize,
    open: Option<OpenFile>,
    /// Rows that the footer of the current file promises and that did not come yet.
    left: u64,
}

/// A file that is being read.
struct OpenFile {
    object: ObjectFile,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    levels: FieldLevels,
    batch_rows: usize,
    next_group: usize,
    group: Option<ParquetRecordBatchReader>,
}

impl Iterator for Rows<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let manifest = self.manifest;
        loop {
            let Some(open) = &mut self.open else {
                let file = manifest.files.get(self.next_file)?;
                self.next_file = self.next_file.saturating_add(1);
                let opening = OpenFile::open(manifest, &file.path, &self.columns);
                match opening {
                    Ok(open) => (self.open, self.left) = (Some(open), file.rows),
                    Err(error) => return self.end(error),
                }
                continue;
            };
            let name = manifest.files[self.next_file - 1].path.as_ref();
            let read = guarded(|| open.next(&manifest.runtime, name));
            match read.unwrap_or_else(|| Err(damaged(name))) {
                Ok(Some(batch)) if checked(&batch, &mut self.left) => return Some(Ok(batch)),
                // Pages that were cut off end early, and nobody else says so.
                Ok(None) if self.left == 0 => self.open = None,
                Ok(_) => return self.end(damaged(name)),
                Err(error) => return self.end(error),
            }
        }
    }
}

impl Rows<'_> {
    /// Nothing comes after an error.
    fn end(&mut self, error: Error) -> Option<Result<RecordBatch>> {
        (self.open, self.next_file) = (None, usize::MAX);
        Some(Err(error))
    }
}

impl OpenFile {
    fn open(manifest: &Manifest, path: &ObjectPath, columns: &[String]) -> Result<OpenFile> {
        let name = path.as_ref();
        let read = guarded(|| {
            let mut object = ObjectFile::new(manifest.store.clone(), path.clone());
            let metadata = manifest.runtime.block_on(described(&mut object, name))?;
            let schema = metadata.parquet_schema();
            let mask = project(schema, columns);
            let hint = Some(metadata.schema().fields());
            let levels = parquet_to_arrow_field_levels(schema, mask.clone(), hint)
                .map_err(|error| read_error(error, name))?;
            let batch_rows = batch_rows(&metadata);
            Ok(OpenFile { object, metadata, mask, levels, batch_rows, next_group: 0, group: None })
        });
        read.unwrap_or_else(|| Err(damaged(name)))
    }

    fn next(&mut self, runtime: &Handle, name: &str) -> Result<Option<RecordBatch>> {
        loop {
            let batch = self.group.as_mut().and_then(Iterator::next);
            if let Some(batch) = batch {
                return batch.map(Some).map_err(|error| read_error(error.into(), name));
            }
            let metadata = self.metadata.metadata();
            if self.next_group == metadata.num_row_groups() {
                return Ok(None);
            }
            let group = Group::fetch(&self.object, metadata, self.next_group, &self.mask);
            let group = runtime.block_on(group);
            let group = group.map_err(|error| store_error(error, "read", name))?;
            let group = group.ok_or_else(|| damaged(name))?;
            self.next_group += 1;
            let rows = self.batch_rows;
            let reader =
                ParquetRecordBatchReader::try_new_with_row_groups(&self.levels, &group, rows, None);
            self.group = Some(reader.map_err(|error| read_error(error, name))?);
        }
    }
}

fn batch_rows(metadata: &ArrowReaderMetadata) -> usize {
    let groups = metadata.metadata().row_groups().iter();
    let (bytes, rows) = groups.fold((0_i64, 0_i64), |(bytes, rows), group| {
        (bytes.saturating_add(group.total_byte_size()), rows.saturating_add(group.num_rows()))
    });
    let row_bytes = usize::try_from(bytes / rows.max(1)).unwrap_or(0).max(1);
    (BATCH_BYTES / row_bytes).clamp(1, crate::config::PARTITION_ROWS)
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
) -> Result<Vec<(ObjectPath, String, DateTime<Utc>)>> {
    let version = |meta: &object_store::ObjectMeta| {
        let tag = meta.e_tag.clone().unwrap_or_else(|| meta.last_modified.to_rfc3339());
        format!("{}:{tag}", meta.size)
    };
    if !location.is_local_dir()
        && let Ok(meta) = store.head(base).await
    {
        return Ok(vec![(base.clone(), version(&meta), meta.last_modified)]);
    }
    let mut listing = store.list(Some(base));
    let mut found = Vec::new();
    let named = || format!("can not list {location}");
    while let Some(meta) = listing.try_next().await.context(Code::Unavailable, named)? {
        if meta.location.extension() == Some("parquet") {
            let version = version(&meta);
            found.push((meta.location, version, meta.last_modified));
        }
    }
    found.sort();
    Ok(found)
}

async fn footer(store: &Arc<dyn ObjectStore>, path: &ObjectPath) -> Result<(u64, SchemaRef)> {
    let mut object = ObjectFile::new(store.clone(), path.clone());
    let metadata = described(&mut object, path.as_ref()).await?;
    let rows = metadata.metadata().file_metadata().num_rows();
    Ok((u64::try_from(rows).unwrap_or(0), metadata.schema().clone()))
}

async fn described(object: &mut ObjectFile, name: &str) -> Result<ArrowReaderMetadata> {
    let metadata = ArrowReaderMetadata::load_async(object, ArrowReaderOptions::default()).await;
    metadata.map_err(|error| read_error(error, name))
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
