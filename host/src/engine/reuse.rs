//! Rows that did not change: what an earlier batch made of them goes into the new part.
//!
//! A row is looked for under its id, the object's or the parent document's, where it was before: in
//! the artifact or part of the same name, then where an index of the objects says. It is the same
//! row if every cell that the collection reads is the same. Rows that failed are never taken.

use super::columns::{
    DOCUMENT_ID, OBJECT_ID, PARENT_ID, needed_columns, part_schema, strings, uuids,
};
use super::dead;
use super::flatten::{Flattened, artifact_name};
use super::memo::{Memo, gone};
use super::plan::{Plan, Source};
use super::redo::parent;
use super::{BatchManifest, history, read_manifest};
use crate::artifact::{Artifacts, PartReader};
use crate::error::{Code, Context, Result};
use crate::model::DocumentId;
use crate::store::{PartitionId, PartitionKey, PartitionState};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow_schema::DataType;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// Artifacts or parts that the rows of one partition are looked for in.
const UNITS_MAX: usize = 8;
/// Objects of an index: 24 bytes each. Above, rows are found where they were or beside it.
const INDEX_ROWS_MAX: u64 = 1 << 20;
/// An index of more than so many times the rows of this batch is not worth reading them.
const INDEX_RATIO_MAX: u64 = 16;

/// The earlier batch, as far as it is needed to find rows.
pub struct Previous {
    folder: Artifacts,
    plan: Plan,
    flattened: Vec<Flattened>,
    partitions: BTreeMap<PartitionKey, Prior>,
    /// As in [`Memo`].
    collections: Vec<Option<usize>>,
    /// Rows of this batch.
    rows: u64,
    /// By bucket of the earlier plan; `None` where there would be too many.
    indexes: Mutex<HashMap<usize, Option<Index>>>,
}

/// Number of the artifact by the hash of the object.
type Index = HashMap<u64, u32>;

struct Prior {
    part: Option<String>,
    dead: Option<String>,
    slice_rows: usize,
}

/// What was made of some rows before.
#[derive(Default)]
pub struct Reused {
    /// Earlier parts with the schema of the new one.
    pub parts: Vec<RecordBatch>,
    /// By id of the row: object or parent document.
    pub rows: HashMap<Vec<u8>, Span>,
}

/// Documents [from, from + rows) of an earlier part; no rows for a row without documents.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub part: usize,
    pub from: usize,
    pub rows: usize,
}

impl Previous {
    /// `None` when it is not there any more. `flattened` is that of the new batch.
    pub fn open(
        folder: Artifacts,
        memo: &Memo,
        flattened: &[Flattened],
    ) -> Result<Option<Previous>> {
        let opened = || -> Result<Previous> {
            let BatchManifest { plan, flattened: old, .. } = read_manifest(&folder)?;
            let mut partitions = BTreeMap::new();
            history::read(&folder, &memo.history, &mut |key, record| {
                if let PartitionState::Committed { part, dead, slice_rows, .. } = record.state {
                    let slice_rows = slice_rows.max(1) as usize;
                    partitions.insert(key, Prior { part, dead, slice_rows });
                }
                Ok(true)
            })?;
            Ok(Previous {
                folder: folder.clone(),
                plan,
                flattened: old,
                partitions,
                collections: memo.collections.clone(),
                rows: flattened.iter().map(|input| input.rows).max().unwrap_or(0),
                indexes: Mutex::default(),
            })
        };
        optional(opened())
    }

    /// What was made of the rows of a partition of the new plan that are as they were.
    pub fn find(&self, plan: &Plan, key: &PartitionKey, rows: &RecordBatch) -> Result<Reused> {
        let mut reused = Reused::default();
        let Some(old) = self.collections.get(key.collection).copied().flatten() else {
            return Ok(reused);
        };
        let collection = &plan.collections[key.collection];
        let columns = needed_columns(&collection.needs());
        let tier_0 = matches!(collection.sources[key.source], Source::Bucket(_));
        let ids = Ids::of(rows, if tier_0 { OBJECT_ID } else { DOCUMENT_ID })?;
        let mut open: HashMap<&[u8], usize> =
            (0..rows.num_rows()).map(|row| (ids.get(row), row)).collect();
        let lookup = Lookup { previous: self, plan, key, old, rows };
        let mut tried: HashSet<PartitionKey> = HashSet::new();
        let mut units = vec![lookup.aligned()];
        let mut asked = false;
        while !open.is_empty() && tried.len() < UNITS_MAX {
            let Some(unit) = units.pop() else {
                if std::mem::replace(&mut asked, true) {
                    break;
                }
                units = lookup.elsewhere(open.values().copied())?;
                continue;
            };
            let Some(unit) = unit.filter(|unit| tried.insert(unit.clone())) else { continue };
            let Some(input) = optional(lookup.input(&unit, &columns))? else { continue };
            let known = Ids::of(&input, if tier_0 { OBJECT_ID } else { DOCUMENT_ID })?;
            let same = Same::new(rows, &input, &columns);
            let mut hits: BTreeMap<PartitionKey, Vec<&[u8]>> = BTreeMap::new();
            for row in 0..input.num_rows() {
                if let Some((id, new)) = open.remove_entry(known.get(row))
                    && same.row(new, row)
                {
                    hits.entry(lookup.reader(&unit, row)).or_default().push(id);
                }
            }
            for (partition, ids) in hits {
                let Some(prior) = self.partitions.get(&partition) else { continue };
                let schema = part_schema(collection);
                let Some((part, dead)) = optional(self.made(prior, tier_0, &schema))? else {
                    continue;
                };
                reused.add(part, tier_0, ids.into_iter().filter(|id| !dead.contains(*id)))?;
            }
        }
        Ok(reused)
    }

    /// The part of a partition, if it has one, and the ids of its rows that failed.
    fn made(
        &self,
        prior: &Prior,
        tier_0: bool,
        schema: &arrow_schema::SchemaRef,
    ) -> Result<(Option<RecordBatch>, HashSet<Vec<u8>>)> {
        let mut failed = HashSet::new();
        if let Some(name) = &prior.dead {
            for letter in dead::read(&self.folder, name)? {
                failed.insert(match letter.parent.filter(|_| !tier_0) {
                    Some(parent) => DocumentId::parse(&parent)?.0.as_bytes().to_vec(),
                    None => letter.object.into_bytes(),
                });
            }
        }
        let Some(name) = &prior.part else { return Ok((None, failed)) };
        let part = join(&PartReader::read(&self.folder, name, None, None)?, name)?;
        // The same fields, in whatever order, and as arrays that were just made name their types.
        let columns = schema.fields().iter().map(|field| {
            let column = super::columns::column(&part, field.name())?;
            arrow_cast::cast(column, field.data_type())
                .context(Code::Corrupt, || format!("{name} has other columns than planned"))
        });
        let columns: Result<Vec<ArrayRef>> = columns.collect();
        let part = RecordBatch::try_new(schema.clone(), columns?)
            .context(Code::Corrupt, || format!("{name} has other columns than planned"))?;
        Ok((Some(part), failed))
    }

    /// Artifacts of a bucket that the objects were in.
    fn roots(&self, bucket: usize, objects: &[&str]) -> Result<Option<Vec<u32>>> {
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match indexes.entry(bucket) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(self.index(bucket)?),
        };
        let Some(index) = index else { return Ok(None) };
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for object in objects {
            if let Some(number) = index.get(&hash(object)) {
                *counts.entry(*number).or_default() += 1;
            }
        }
        let mut roots: Vec<(u32, usize)> = counts.into_iter().collect();
        roots.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Ok(Some(roots.into_iter().map(|(number, _)| number).take(UNITS_MAX).collect()))
    }

    fn index(&self, bucket: usize) -> Result<Option<Index>> {
        let Some(input) = self.flattened.iter().find(|input| input.bucket == bucket) else {
            return Ok(None);
        };
        let worth = self.rows.saturating_mul(INDEX_RATIO_MAX);
        if input.rows > INDEX_ROWS_MAX.min(worth) {
            return Ok(None);
        }
        let mut index = Index::with_capacity(input.rows as usize);
        let collection = self.plan.collections[input.collection].name.as_str();
        for number in 0..input.partitions {
            let name = artifact_name(collection, input.source, number);
            let columns = [OBJECT_ID.to_string()];
            let read = PartReader::read(&self.folder, &name, Some(&columns), None);
            for rows in optional(read)?.unwrap_or_default() {
                let objects = strings(&rows, OBJECT_ID)?;
                index.extend(objects.iter().flatten().map(|object| (hash(object), number)));
            }
        }
        Ok(Some(index))
    }
}

/// The rows of one partition of the new plan on their way through the old one.
struct Lookup<'a> {
    previous: &'a Previous,
    plan: &'a Plan,
    key: &'a PartitionKey,
    /// The collection in the old plan.
    old: usize,
    rows: &'a RecordBatch,
}

impl Lookup<'_> {
    fn source(&self) -> Source {
        self.previous.plan.collections[self.old].sources[self.key.source]
    }

    /// An artifact goes by the key of the partition that reads it.
    fn artifact(&self, number: u32) -> PartitionKey {
        let id = PartitionId::root(number);
        PartitionKey { collection: self.old, source: self.key.source, id }
    }

    /// Where the rows are if nothing moved.
    fn aligned(&self) -> Option<PartitionKey> {
        match self.source() {
            Source::Bucket(_) => Some(self.artifact(self.key.id.slice())),
            Source::Collection(from) => {
                let above = parent(self.plan, self.key)?;
                Some(PartitionKey { collection: from, ..above })
            }
        }
    }

    /// Where else they may be, the best guess last.
    fn elsewhere(&self, open: impl Iterator<Item = usize>) -> Result<Vec<Option<PartitionKey>>> {
        let objects = strings(self.rows, OBJECT_ID)?;
        let open: Vec<&str> = open.map(|row| objects.value(row)).collect();
        let (_, bucket) = super::schedule::path(self.plan, self.key);
        let name = &self.plan.buckets[bucket].name;
        let Some(bucket) = self.previous.plan.buckets.iter().position(|it| it.name == *name) else {
            return Ok(Vec::new());
        };
        let own = self.key.id.0.first().copied().unwrap_or(0);
        let roots = match self.previous.roots(bucket, &open)? {
            Some(roots) => roots,
            None => own.checked_sub(1).into_iter().chain([own + 1]).collect(),
        };
        let mut units: Vec<Option<PartitionKey>> = match self.source() {
            Source::Bucket(_) => roots.into_iter().map(|root| Some(self.artifact(root))).collect(),
            Source::Collection(from) => {
                let below = |key: &&PartitionKey| {
                    let of_root = |root| key.id.0.first() == Some(root);
                    key.collection == from && roots.iter().any(of_root)
                };
                self.previous.partitions.keys().filter(below).cloned().map(Some).collect()
            }
        };
        units.reverse();
        Ok(units)
    }

    /// The rows that were in an artifact or a part.
    fn input(&self, unit: &PartitionKey, columns: &[String]) -> Result<RecordBatch> {
        let previous = self.previous;
        let name = match self.source() {
            Source::Bucket(_) => {
                let collection = previous.plan.collections[self.old].name.as_str();
                artifact_name(collection, unit.source, unit.id.slice())
            }
            Source::Collection(_) => {
                let part = previous.partitions.get(unit).and_then(|prior| prior.part.clone());
                part.ok_or_else(|| {
                    crate::error::Error::new(Code::NotFound, format!("{unit} had no documents"))
                })?
            }
        };
        let wanted = PartReader::read(&previous.folder, &name, Some(columns), None)?;
        join(&wanted, &name)
    }

    /// The partition that a row of an artifact or part was given to.
    fn reader(&self, unit: &PartitionKey, row: usize) -> PartitionKey {
        let previous = self.previous;
        let Source::Collection(from) = self.source() else { return unit.clone() };
        let slice_rows = previous.partitions.get(unit).map_or(1, |prior| prior.slice_rows);
        let above = match previous.plan.waits(from) {
            true => unit.id.child(unit.source as u32),
            false => unit.id.clone(),
        };
        let id = above.child((row / slice_rows) as u32);
        PartitionKey { collection: self.old, source: self.key.source, id }
    }
}

impl Reused {
    fn add<'a>(
        &mut self,
        part: Option<RecordBatch>,
        tier_0: bool,
        ids: impl Iterator<Item = &'a [u8]>,
    ) -> Result<()> {
        let mut spans: HashMap<&[u8], Span> = HashMap::new();
        let number = self.parts.len();
        if let Some(part) = &part {
            let origins = Ids::of(part, if tier_0 { OBJECT_ID } else { PARENT_ID })?;
            for row in 0..part.num_rows() {
                // The documents of a row follow each other.
                let first = Span { part: number, from: row, rows: 0 };
                spans.entry(origins.get(row)).or_insert(first).rows += 1;
            }
        }
        for id in ids {
            let none = Span { part: number, from: 0, rows: 0 };
            self.rows.insert(id.to_vec(), spans.get(id).copied().unwrap_or(none));
        }
        drop(spans);
        self.parts.extend(part);
        Ok(())
    }
}

/// The column that tells rows apart.
pub enum Ids<'a> {
    Objects(&'a StringArray),
    Documents(&'a FixedSizeBinaryArray),
}

impl<'a> Ids<'a> {
    fn of(rows: &'a RecordBatch, name: &str) -> Result<Ids<'a>> {
        Ok(match name {
            OBJECT_ID => Ids::Objects(strings(rows, name)?),
            _ => Ids::Documents(uuids(rows, name)?),
        })
    }

    pub fn get(&self, row: usize) -> &'a [u8] {
        match self {
            Ids::Objects(ids) => ids.value(row).as_bytes(),
            Ids::Documents(ids) => ids.value(row),
        }
    }
}

/// Compares rows of two batches by the cells that a collection reads.
struct Same<'a> {
    /// `None` when one of them lacks a column of the other.
    columns: Option<Vec<(&'a ArrayRef, &'a ArrayRef)>>,
}

impl<'a> Same<'a> {
    fn new(new: &'a RecordBatch, old: &'a RecordBatch, names: &[String]) -> Same<'a> {
        let mut columns = Vec::new();
        for name in names {
            match (new.column_by_name(name), old.column_by_name(name)) {
                (None, None) => {}
                (Some(a), Some(b)) if a.data_type() == b.data_type() => columns.push((a, b)),
                _ => return Same { columns: None },
            }
        }
        Same { columns: Some(columns) }
    }

    fn row(&self, new: usize, old: usize) -> bool {
        let equal = |(a, b): &(&ArrayRef, &ArrayRef)| cell(a, new) == cell(b, old);
        self.columns.as_ref().is_some_and(|columns| columns.iter().all(equal))
    }
}

#[derive(PartialEq)]
enum Cell<'a> {
    Null,
    Bytes(&'a [u8]),
    Other(arrow_array::ArrayRef),
}

fn cell(array: &ArrayRef, row: usize) -> Cell<'_> {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Utf8 => Cell::Bytes(array.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => Cell::Bytes(array.as_binary::<i32>().value(row)),
        DataType::FixedSizeBinary(_) => Cell::Bytes(array.as_fixed_size_binary().value(row)),
        // Compared bit by bit.
        _ => Cell::Other(array.slice(row, 1)),
    }
}

fn join(batches: &[RecordBatch], name: &str) -> Result<RecordBatch> {
    let [first, ..] = batches else {
        let message = format!("{name} has no rows");
        return Err(crate::error::Error::new(Code::Corrupt, message));
    };
    arrow_select::concat::concat_batches(&first.schema(), batches)
        .context(Code::Internal, || format!("can not join the rows of {name}"))
}

/// What is gone or damaged is no memo.
fn optional<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Err(error) if gone(error.code()) => Ok(None),
        read => read.map(Some),
    }
}

fn hash(object: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    hasher.finish()
}
