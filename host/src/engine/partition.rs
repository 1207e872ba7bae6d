//! Runs one partition: read, bind, extract, assemble, write, commit.

use super::assemble::Assembler;
use super::bind::{self, Bound};
use super::columns::{needed_columns, part_schema};
use super::commit;
use super::counts;
use super::dead;
use super::extract::{Extracted, extract, extract_watched};
use super::flatten::artifact_name;
use super::merge::Merge;
use super::plan::{RowField, Source};
use super::reuse::Reused;
use super::run::Run;
use super::schedule::{Job, JobInput};
use super::step;
use crate::artifact::{PartReader, PartWriter, References, Slice};
use crate::config::PARTITION_BYTES;
use crate::error::{Code, Context, Error, Result};
use crate::model::Funnel;
use crate::plugin::Instance;
use crate::store::{PartitionKey, PartitionRecord, PartitionState, Store, Timing, Watch};
use crate::telemetry::{Kind, Span};
use arrow_array::{Array, RecordBatch};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Rows of a part are handed to the sink and to the next tier in memory up to this size; larger
/// ones are read back.
const HELD_BYTES_MAX: usize = 32 << 20;
/// Processes that died while they ran a partition, after which its rows are run one by one.
const HOST_DEATHS_MAX: u32 = 2;
/// A row group of a part is ended at this size.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// A partition that is durable.
pub struct Done {
    pub key: PartitionKey,
    pub record: PartitionRecord,
    /// What the readers of this collection need, when it is small enough to keep.
    pub held: Option<Arc<RecordBatch>>,
    /// The part, when it is small enough to keep.
    pub rows: Option<Vec<RecordBatch>>,
}

/// One worker thread's share: its instances live as long as it does.
pub struct Worker<'a> {
    run: &'a Run,
    instances: HashMap<usize, Box<dyn Instance>>,
    references: Arc<References>,
}

impl<'a> Worker<'a> {
    pub fn new(run: &'a Run) -> Worker<'a> {
        let blobs = run.blobs.url().to_string();
        let references = References::new(run.storage_options.clone(), blobs, run.runtime.clone());
        Worker { run, instances: HashMap::new(), references: Arc::new(references) }
    }

    /// `None` when the batch was canceled meanwhile.
    pub fn process(&mut self, job: &Job) -> Result<Option<Done>> {
        let tier = self.run.plan.collections[job.key.collection].tier;
        let _leased = counts::Leased::begin(tier);
        self.lease(job)?;
        let done = self.attempt(job);
        if !matches!(done, Ok(Some(_))) {
            // This process lives: the attempt does not count as one that killed its host. A state
            // that can not take it has said why already.
            let (attempts, state) = (job.attempts, self.leased(job.watch.clone()));
            let record = PartitionRecord { state, attempts, round: self.run.round, timing: None };
            let _ = self.run.store.post(vec![Store::put_partition(
                &self.run.batch,
                &job.key,
                &record,
            )?]);
        }
        done
    }

    fn attempt(&mut self, job: &Job) -> Result<Option<Done>> {
        let run = self.run;
        let key = &job.key;
        let mut span = Span::new("partition", Kind::Internal, run.trace);
        let times = &run.progress.times;
        let rows = timed(&times.read, || run.patiently("read rows", || self.read(job)))?;
        let mut bound = self.bind(key, &rows)?;
        let merge = self.reuse(job, &rows, &mut bound)?;
        step::of(key, "guest");
        let (started_at, started) = (run.env.timestamp(), run.env.uptime());
        let Some(extracted) = timed(&times.extract, || self.extract(job, &bound))? else {
            return Ok(None);
        };
        let collection = &run.plan.collections[key.collection];
        counts::extracted(collection, &extracted, run.env.uptime().saturating_sub(started));
        run.progress.calls.fetch_add(u64::from(extracted.calls), Ordering::Relaxed);
        let timing = run.plan.history.then(|| {
            let took = run.env.uptime().saturating_sub(started);
            Timing { started_at, duration_ms: took.as_millis() as u64 }
        });
        step::of(key, "part");
        let written =
            run.patiently("write a part", || self.write(key, &bound, &extracted, merge.as_ref()))?;
        let (state, attempts) = (written.state, job.attempts + 1);
        let record = PartitionRecord { state, attempts, round: run.round, timing };
        let record = timed(&times.commit, || self.commit(key, record))?;
        counts::committed(collection, &funnel(&record));
        if span.is_told() {
            let funnel = funnel(&record);
            span.set("quarry.batch.id", run.batch.as_str());
            span.set("quarry.partition", key.to_string());
            span.set("quarry.collection", collection.name.as_str());
            span.set("quarry.tier", collection.tier);
            span.set("quarry.extractor", collection.extractor.to_string());
            span.set("quarry.rows", funnel.fetched);
            span.set("quarry.rows.failed", funnel.failed);
            span.set("quarry.documents", funnel.documents);
        }
        let held = self.hold(key, written.rows.as_deref())?;
        Ok(Some(Done { key: key.clone(), record, held, rows: written.rows }))
    }

    /// Notes that the partition is begun. Waited for only where an earlier process died: if this
    /// one dies of the same row, that has to be known.
    fn lease(&self, job: &Job) -> Result<()> {
        step::of(&job.key, "lease");
        let run = self.run;
        if job.attempts > 0 {
            counts::lease_expired();
        }
        let (state, attempts) = (self.leased(job.watch.clone()), job.attempts + 1);
        let record = PartitionRecord { state, attempts, round: run.round, timing: None };
        run.patiently("note a lease", || {
            let ops = vec![Store::put_partition(&run.batch, &job.key, &record)?];
            match run.fence {
                1 => run.store.post(ops),
                _ => run.store.commit(ops),
            }
        })
    }

    fn leased(&self, watch: Option<Watch>) -> PartitionState {
        PartitionState::Leased { fence: self.run.fence, watch }
    }

    /// The marker first, which decides; then the record, which may follow at leisure: it can be
    /// made again from the marker.
    fn commit(&self, key: &PartitionKey, record: PartitionRecord) -> Result<PartitionRecord> {
        step::of(key, "marker");
        let run = self.run;
        let record = run.patiently("publish a marker", || {
            commit::publish(&run.artifacts, key, run.fence, record.clone())
        })?;
        step::of(key, "commit");
        run.patiently("record a partition", || {
            run.store.post(vec![Store::put_partition(&run.batch, key, &record)?])
        })?;
        Ok(record)
    }

    fn read(&self, job: &Job) -> Result<RecordBatch> {
        let collection = &self.run.plan.collections[job.key.collection];
        let (name, slice) = match &job.input {
            JobInput::Part { held: Some(rows), from, rows: count, .. } => {
                return Ok(rows.slice(*from, *count));
            }
            JobInput::Part { part, from, rows, .. } => {
                (part.clone(), Some(Slice { from: *from, rows: *rows }))
            }
            JobInput::Artifact(number) => {
                (artifact_name(collection.name.as_str(), job.key.source, *number), None)
            }
        };
        let columns = needed_columns(&collection.needs());
        let batches = PartReader::read(&self.run.artifacts, &name, Some(&columns), slice)?;
        let first = batches.first().ok_or_else(|| {
            Error::new(Code::Corrupt, format!("{} has no rows", self.run.artifacts.name_of(&name)))
        })?;
        if batches.len() == 1 {
            return Ok(first.clone());
        }
        arrow_select::concat::concat_batches(&first.schema(), &batches)
            .context(Code::Internal, || format!("can not join the rows of {name}"))
    }

    fn bind(&self, key: &PartitionKey, rows: &RecordBatch) -> Result<Bound> {
        let plan = &self.run.plan;
        let collection = &plan.collections[key.collection];
        let fields: Vec<RowField> = match collection.sources[key.source] {
            Source::Bucket(index) => {
                plan.buckets[index].columns.iter().map(|c| c.field.clone()).collect()
            }
            Source::Collection(index) => plan.collections[index].fields(),
        };
        bind::bind(collection, &fields, rows, &self.references)
    }

    /// Takes the rows out of `bound` that an earlier batch has extracted. Not where hosts died:
    /// who counts rows then has to find the same ones again.
    fn reuse(&self, job: &Job, rows: &RecordBatch, bound: &mut Bound) -> Result<Option<Merge>> {
        let run = self.run;
        let Some(earlier) = &run.earlier else { return Ok(None) };
        if job.attempts >= HOST_DEATHS_MAX || job.watch.is_some() {
            return Ok(None);
        }
        let found = run.patiently("look for unchanged rows", || match earlier.open()? {
            Some(previous) => previous.find(&run.plan, &job.key, rows),
            None => Ok(Reused::default()),
        });
        Merge::split(bound, found?)
    }

    fn extract(&mut self, job: &Job, bound: &Bound) -> Result<Option<Extracted>> {
        let run = self.run;
        if bound.input.rows == 0 {
            return Ok(Some(Extracted::default()));
        }
        let key = &job.key;
        let instance = match self.instances.entry(key.collection) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let collection = &run.plan.collections[key.collection];
                let mut instance =
                    run.extractors[key.collection].instantiate(&collection.parameters)?;
                instance.stop_with(run.stop.cancel_flag());
                entry.insert(instance)
            }
        };
        let stop = || run.stop.canceled();
        if job.attempts < HOST_DEATHS_MAX && job.watch.is_none() {
            return Ok(extract(instance.as_mut(), &bound.input, &stop));
        }
        let note = |watch: &Watch| {
            let state = PartitionState::Leased { fence: run.fence, watch: Some(watch.clone()) };
            let attempts = job.attempts + 1;
            let record = PartitionRecord { state, attempts, round: run.round, timing: None };
            run.store.commit(vec![Store::put_partition(&run.batch, key, &record)?])
        };
        let watch = job.watch.clone().unwrap_or_default();
        extract_watched(instance.as_mut(), &bound.input, watch, &note, &stop)
    }

    fn write(
        &self,
        key: &PartitionKey,
        bound: &Bound,
        extracted: &Extracted,
        merge: Option<&Merge>,
    ) -> Result<Written> {
        let run = self.run;
        let collection = &run.plan.collections[key.collection];
        let folder = format!("tier-{}/{}", collection.tier, collection.name);
        let file = format!("{:02}-{}.f{}.parquet", key.source, key.id, run.fence);
        let mut funnel = bound.funnel;
        funnel.failed += extracted.dead.len() as u64;
        funnel.skipped += merge.map_or(0, |merge| merge.skipped);
        // Counted, not derived, so that the balance can fail.
        funnel.succeeded = extracted
            .pieces
            .iter()
            .map(|piece| (piece.output.counts.len() - piece.output.rejects.len()) as u64)
            .sum();
        let mut assembler = Assembler::new(&run.plan.namespace, collection);
        let mut part = Part::new(run, format!("{folder}/part-{file}"));
        let mut made = Vec::new();
        for piece in extracted.pieces.iter().filter(|piece| piece.output.documents > 0) {
            let rows = timed(&run.progress.times.assemble, || {
                assembler.rows(bound, piece, &mut |blob| self.store_blob(blob))
            })?;
            match merge {
                Some(_) => made.push(rows),
                None => part.write(rows)?,
            }
        }
        if let Some(rows) = merge.map(|merge| merge.join(extracted, &made)).transpose()?.flatten() {
            part.write(rows)?;
        }
        funnel.documents = part.documents;
        let letters = dead::letters(collection, bound, &extracted.dead);
        let mut dead = None;
        if !letters.is_empty() {
            let name = format!("dead/{folder}/{file}");
            dead::write(&run.artifacts, &name, &letters)?;
            dead = Some(name);
        }
        let row_bytes = part.content_bytes / (funnel.documents.max(1) as usize);
        let slice_rows =
            (PARTITION_BYTES / row_bytes.max(1)).clamp(1, run.partition_rows.max(1)) as u32;
        let (part, rows) = part.finish()?;
        let sunk = part.is_none() || run.sink.is_none() || !collection.searchable;
        let state = PartitionState::Committed { funnel, part, dead, slice_rows, sunk, kept: None };
        Ok(Written { state, rows })
    }

    /// Blobs are named by their content, so writing one twice is harmless.
    fn store_blob(&self, bytes: &[u8]) -> Result<String> {
        let digest = format!("{:x}", Sha256::digest(bytes));
        let name = format!("{}/{digest}", &digest[..2]);
        if !self.run.blobs.exists(&name)? {
            self.run.blobs.put(&name, bytes::Bytes::copy_from_slice(bytes))?;
        }
        Ok(format!("blob:{digest}"))
    }

    /// The columns that the readers of this collection need, as one batch.
    fn hold(
        &self,
        key: &PartitionKey,
        rows: Option<&[RecordBatch]>,
    ) -> Result<Option<Arc<RecordBatch>>> {
        let plan = &self.run.plan;
        let readers: Vec<usize> =
            plan.readers(key.collection).into_iter().filter(|at| !plan.waits(*at)).collect();
        let (Some(rows), false) = (rows, readers.is_empty()) else { return Ok(None) };
        if rows.is_empty() {
            return Ok(None);
        }
        let mut roots = Vec::new();
        for reader in readers {
            roots.extend(plan.collections[reader].needs());
        }
        let wanted = needed_columns(&roots);
        let schema = part_schema(&plan.collections[key.collection]);
        let indices: Vec<usize> = (0..schema.fields().len())
            .filter(|at| wanted.contains(schema.field(*at).name()))
            .collect();
        let projected: std::result::Result<Vec<RecordBatch>, _> =
            rows.iter().map(|rows| rows.project(&indices)).collect();
        let joined = projected.and_then(|projected| {
            arrow_select::concat::concat_batches(&projected[0].schema(), &projected)
        });
        let joined =
            joined.context(Code::Internal, || "can not hand rows to the next tier".to_string())?;
        Ok(Some(Arc::new(joined)))
    }
}

/// Bytes of rows without what their buffers have to spare: the next tier is cut alike whether they
/// come in one batch or, after deaths of the host, one by one.
fn content(rows: &RecordBatch) -> Result<usize> {
    let sizes = rows.columns().iter().map(|column| column.to_data().get_slice_memory_size());
    let sizes: std::result::Result<Vec<usize>, _> = sizes.collect();
    let sizes = sizes.context(Code::Internal, || "rows can not be measured".to_string())?;
    Ok(sizes.into_iter().sum())
}

/// The part of a partition while it is written.
struct Part<'a> {
    run: &'a Run,
    name: String,
    /// From the first documents on.
    writer: Option<PartWriter>,
    kept: Option<Vec<RecordBatch>>,
    bytes: usize,
    content_bytes: usize,
    documents: u64,
}

impl<'a> Part<'a> {
    fn new(run: &'a Run, name: String) -> Part<'a> {
        let kept = Some(Vec::new());
        Part { run, name, writer: None, kept, bytes: 0, content_bytes: 0, documents: 0 }
    }

    fn write(&mut self, rows: RecordBatch) -> Result<()> {
        self.documents += rows.num_rows() as u64;
        self.bytes += rows.get_array_memory_size();
        self.content_bytes += content(&rows)?;
        timed(&self.run.progress.times.write, || -> Result<()> {
            let writer = match &mut self.writer {
                Some(writer) => writer,
                None => {
                    let (artifacts, schema) = (&self.run.artifacts, rows.schema());
                    self.writer.insert(PartWriter::create(artifacts, &self.name, schema)?)
                }
            };
            writer.write(&rows)?;
            if writer.buffered_bytes() > ROW_GROUP_BYTES {
                writer.end_row_group()?;
            }
            Ok(())
        })?;
        if self.bytes > HELD_BYTES_MAX {
            self.kept = None;
        }
        if let Some(kept) = &mut self.kept {
            kept.push(rows);
        }
        Ok(())
    }

    /// Its name, if it has documents, and its rows, if they are few enough to keep.
    fn finish(self) -> Result<(Option<String>, Option<Vec<RecordBatch>>)> {
        let Some(writer) = self.writer else { return Ok((None, self.kept)) };
        timed(&self.run.progress.times.write, || writer.finish())?;
        Ok((Some(self.name), self.kept))
    }
}

struct Written {
    state: PartitionState,
    rows: Option<Vec<RecordBatch>>,
}

/// Adds the time that `work` takes.
pub fn timed<T>(counter: &AtomicU64, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    counter.fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
    result
}

/// The funnel of a committed partition.
pub fn funnel(record: &PartitionRecord) -> Funnel {
    match &record.state {
        PartitionState::Committed { funnel, .. } => *funnel,
        PartitionState::Leased { .. } => Funnel::default(),
    }
}
