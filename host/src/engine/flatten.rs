//! Flattens manifests into the artifacts of tier 0: for every collection that reads a bucket the
//! columns it needs, one small Parquet file a partition. Cuts are the same for all collections of a
//! bucket, so a partition number means the same objects everywhere.

use super::columns::{INVALID, OBJECT_ID, artifact_schema};
use super::convert;
use super::plan::{Plan, RowField, Source};
use crate::artifact::{Artifacts, Location, PartWriter};
use crate::config::{PARTITION_BYTES, PARTITION_ROWS};
use crate::error::{Code, Context, Error, Result};
use crate::manifest::{DuplicateCheck, Manifest};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// What was flattened for one source of one collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flattened {
    pub collection: usize,
    pub source: usize,
    pub bucket: usize,
    pub rows: u64,
    pub partitions: u32,
}

impl Flattened {
    /// Names of its artifacts.
    pub fn artifacts<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = String> + 'a {
        let name = plan.collections[self.collection].name.as_str();
        (0..self.partitions).map(move |number| artifact_name(name, self.source, number))
    }
}

/// Name of an artifact in the batch's folder.
pub fn artifact_name(collection: &str, source: usize, partition: u32) -> String {
    format!("tier-0/{collection}/rows-{source:02}-{partition:05}.parquet")
}

/// `manifests` by bucket index. `scratch` holds temporary files for the duplicate check.
pub fn flatten(
    plan: &Plan,
    manifests: &[(usize, Manifest)],
    artifacts: &Artifacts,
    partition_rows: usize,
    scratch: &Path,
    progress: &dyn Fn(u64),
) -> Result<Vec<Flattened>> {
    let mut flattened = Vec::new();
    for (bucket, manifest) in manifests {
        let mut flattener = Flattener::new(plan, *bucket, manifest, artifacts)?;
        flattener.partition_rows = partition_rows.max(1);
        flattened.extend(flattener.run(scratch, progress)?);
    }
    flattened.sort_by_key(|f| (f.collection, f.source));
    Ok(flattened)
}

struct Flattener<'a> {
    plan: &'a Plan,
    bucket: usize,
    manifest: &'a Manifest,
    artifacts: &'a Artifacts,
    folder: Location,
    readers: Vec<Reader>,
    partition_rows: usize,
    /// Of the open partition.
    rows: usize,
    bytes: usize,
    partition: u32,
}

/// One source of one collection.
struct Reader {
    collection: usize,
    source: usize,
    fields: Vec<RowField>,
    schema: SchemaRef,
    writer: Option<PartWriter>,
}

impl<'a> Flattener<'a> {
    fn new(
        plan: &'a Plan,
        bucket: usize,
        manifest: &'a Manifest,
        artifacts: &'a Artifacts,
    ) -> Result<Flattener<'a>> {
        convert::check(&plan.buckets[bucket], manifest.schema(), &manifest.url())?;
        let mut readers = Vec::new();
        for (at, collection) in plan.collections.iter().enumerate() {
            let source = collection.sources.iter().position(|s| *s == Source::Bucket(bucket));
            let Some(source) = source else { continue };
            let needs = collection.needs();
            let columns = &plan.buckets[bucket].columns;
            let fields: Vec<RowField> = columns
                .iter()
                .filter(|column| needs.contains(&column.field.name))
                .map(|column| column.field.clone())
                .collect();
            let schema = artifact_schema(&fields);
            readers.push(Reader { collection: at, source, fields, schema, writer: None });
        }
        let folder = manifest.folder();
        Ok(Flattener {
            plan,
            bucket,
            manifest,
            artifacts,
            folder,
            readers,
            partition_rows: PARTITION_ROWS,
            rows: 0,
            bytes: 0,
            partition: 0,
        })
    }

    fn run(mut self, scratch: &Path, progress: &dyn Fn(u64)) -> Result<Vec<Flattened>> {
        let bucket = &self.plan.buckets[self.bucket];
        let used =
            |name: &str| self.readers.iter().any(|r| r.fields.iter().any(|f| f.name == name));
        let mut columns = vec![bucket.id_column.clone()];
        columns.extend(
            bucket.columns.iter().filter(|c| used(&c.field.name)).map(|c| c.column.clone()),
        );
        let mut duplicates = DuplicateCheck::new(scratch)?;
        let mut row = 0;
        for batch in self.manifest.read(&columns) {
            let batch = batch?;
            let ids = convert::ids(bucket, &batch, row)?;
            for id in ids.iter().flatten() {
                duplicates.push(id, row)?;
                row += 1;
            }
            self.append(&ids, &batch)?;
            progress(row);
        }
        self.close_partition()?;
        if let Some((first, second)) = duplicates.finish()? {
            return Err(self.duplicate(first, second)?);
        }
        Ok(self.flattened(row))
    }

    fn flattened(&self, rows: u64) -> Vec<Flattened> {
        let one = |reader: &Reader| Flattened {
            collection: reader.collection,
            source: reader.source,
            bucket: self.bucket,
            rows,
            partitions: self.partition,
        };
        self.readers.iter().map(one).collect()
    }

    /// Cuts the rows of a batch into partitions of bounded rows and bytes.
    fn append(&mut self, ids: &StringArray, batch: &RecordBatch) -> Result<()> {
        let bucket = &self.plan.buckets[self.bucket];
        let mut invalid = vec![None; batch.num_rows()];
        let mut fields: Vec<(&str, ArrayRef)> = Vec::new();
        for column in &bucket.columns {
            if batch.column_by_name(&column.column).is_some() {
                let array = convert::field(column, batch, &self.folder, &mut invalid)?;
                fields.push((&column.field.name, array));
            }
        }
        let invalid: ArrayRef = Arc::new(StringArray::from(invalid));
        let bytes: usize = fields.iter().map(|(_, array)| array.get_array_memory_size()).sum();
        let row_bytes = bytes / batch.num_rows().max(1);
        let mut from = 0;
        while from < batch.num_rows() {
            let room_rows = self.partition_rows - self.rows;
            let room_bytes = PARTITION_BYTES.saturating_sub(self.bytes) / row_bytes.max(1);
            let rows = room_rows.min(room_bytes.max(1)).min(batch.num_rows() - from);
            for reader in &mut self.readers {
                let collection = &self.plan.collections[reader.collection];
                let name = artifact_name(collection.name.as_str(), reader.source, self.partition);
                reader.write(self.artifacts, &name, |column| match column {
                    OBJECT_ID => Some(Arc::new(ids.slice(from, rows)) as ArrayRef),
                    INVALID => Some(invalid.slice(from, rows)),
                    field => {
                        let found = fields.iter().find(|(name, _)| *name == field);
                        found.map(|(_, array)| array.slice(from, rows))
                    }
                })?;
            }
            self.rows += rows;
            self.bytes += rows * row_bytes;
            from += rows;
            if self.rows >= self.partition_rows || self.bytes + row_bytes > PARTITION_BYTES {
                self.close_partition()?;
            }
        }
        Ok(())
    }

    fn close_partition(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        for reader in &mut self.readers {
            if let Some(writer) = reader.writer.take() {
                writer.finish()?;
            }
        }
        (self.rows, self.bytes) = (0, 0);
        self.partition += 1;
        Ok(())
    }

    fn duplicate(&self, first: u64, second: u64) -> Result<Error> {
        let bucket = &self.plan.buckets[self.bucket];
        let mut row = 0;
        for batch in self.manifest.read(std::slice::from_ref(&bucket.id_column)) {
            let ids = convert::ids(bucket, &batch?, row)?;
            if let Some(id) = first.checked_sub(row).filter(|at| *at < ids.len() as u64) {
                let message = format!(
                    "the object id `{}` is in rows {first} and {second} of {}",
                    ids.value(id as usize),
                    self.manifest.url()
                );
                return Ok(Error::invalid(message)
                    .field(&bucket.id_column)
                    .hint("an object id may occur once; rows count from 0"));
            }
            row += ids.len() as u64;
        }
        Ok(Error::internal("a duplicate object id can not be found again"))
    }
}

impl Reader {
    fn write(
        &mut self,
        artifacts: &Artifacts,
        name: &str,
        column: impl Fn(&str) -> Option<ArrayRef>,
    ) -> Result<()> {
        let columns: Option<Vec<ArrayRef>> =
            self.schema.fields().iter().map(|field| column(field.name())).collect();
        let columns = columns.ok_or_else(|| Error::internal("a bucket column was not read"))?;
        let rows = RecordBatch::try_new(self.schema.clone(), columns)
            .context(Code::Internal, || format!("can not lay out {name}"))?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(PartWriter::create(artifacts, name, self.schema.clone())?),
        };
        writer.write(&rows)
    }
}
