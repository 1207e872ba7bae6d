//! The life of a submitted batch: claim, run, conclude.

use super::flatten::Flattened;
use super::patience::retry;
use super::plan::Plan;
use super::progress::{Progress, Stop};
use super::run::{Earlier, Ended, Run};
use super::schedule::Schedule;
use super::{BatchManifest, Engine, Memo, commit, finish, history, kept, step};
use crate::error::{Code, Context, Error, Result};
use crate::model::{BatchEvent, BatchId, BatchStatus};
use crate::plugin::Extractor;
use crate::store::{BatchRecord, CollectionState, Event, NamespaceRecord, Op, Store};
use crate::telemetry::{Kind, Span};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The final record of a batch, in its folder: what is left when the state is lost.
pub const SUMMARY: &str = "summary.json";

impl Engine {
    /// Runs a submitted batch to its end, from wherever an earlier run left it.
    pub fn run(
        &self,
        id: &BatchId,
        stop: &Arc<Stop>,
        watch: &dyn Fn(&Arc<Plan>, &Arc<Progress>),
    ) -> Result<BatchRecord> {
        let record = self.store.batch(id)?;
        record.status.after(BatchEvent::Claim)?;
        let BatchManifest { plan, flattened, memo, .. } = self.manifest(&record)?;
        let mut span = Span::new("batch", Kind::Internal, None);
        let mut run = self.claim(record, plan, &flattened, memo, stop)?;
        run.trace = span.context();
        span.set("quarry.batch.id", id.as_str());
        span.set("quarry.namespace", run.plan.namespace.as_str());
        span.set("quarry.batch.tiers", run.plan.tiers());
        watch(&run.plan, &run.progress);
        let begun = run.patiently("prepare the vector sink", || match &self.sink {
            Some(sink) => {
                self.mend(&run.plan.namespace)?;
                sink.prepare(&run.plan.namespace, &run.plan.layout()?)
            }
            None => Ok(()),
        });
        let schedule = || Schedule::new(run.plan.clone(), id.clone(), flattened.clone());
        let mut ended = begun.and_then(|()| run.work(schedule()));
        // Vectors that a power cut has torn may open, and fail only when they are written to: as
        // damaged, or once the patience is over as out of reach.
        if matches!(&ended, Err(e) if matches!(e.code(), Code::Corrupt | Code::Unavailable)) {
            match self.mend(&run.plan.namespace) {
                Ok(true) => ended = run.work(schedule()),
                Ok(false) => {}
                Err(error) => ended = Err(error),
            }
        }
        let concluded = self.conclude(&run, &flattened, ended);
        tell(&mut span, &concluded);
        concluded
    }

    /// Takes the batch: whatever an older claim still writes does not count from here on.
    fn claim(
        &self,
        mut record: BatchRecord,
        plan: Plan,
        flattened: &[Flattened],
        memo: Option<Memo>,
        stop: &Arc<Stop>,
    ) -> Result<Run> {
        let plan = Arc::new(plan);
        let memo = memo.filter(|_| record.round == 0);
        let kept = match &memo {
            Some(memo) if memo.kept > 0 => {
                retry(&self.env, &self.patience, || kept::read(&self.folder(&record)))?
            }
            Some(_) | None => Vec::new(),
        };
        let extractors: Vec<Arc<dyn Extractor>> = plan
            .collections
            .iter()
            .map(|collection| self.registry.by_digest(&collection.extractor.digest))
            .collect::<Result<_>>()?;
        record.status = record.status.after(BatchEvent::Claim)?;
        record.fence += 1;
        record.parked = None;
        record.error = None;
        record.started_at.get_or_insert(self.env.timestamp());
        let text = format!("claim {} of {}", record.fence, record.id);
        let mut ops = self.event(&mut record, "claimed", &text)?;
        let changing = self.store.hold_namespaces();
        let mut namespace = self.store.namespace(&record.namespace)?;
        if record.run != namespace.last_run || record.run == 0 {
            // Another batch has written since: this one is the later one from now on, and all its
            // documents have to say so.
            let first = record.run == 0;
            record.kept_in_place = match &memo {
                Some(memo) if first && !kept.is_empty() => {
                    self.kept_in_place(&record, &namespace, &plan, memo, &kept)?
                }
                Some(_) | None => false,
            };
            namespace.last_run += 1;
            record.run = namespace.last_run;
            ops.extend(self.unsink(&record, &plan)?);
        }
        self.occupy(&mut namespace, &record, &plan);
        ops.push(Store::put_namespace(&record.namespace, &namespace)?);
        ops.push(Store::put_batch(&record)?);
        self.store.commit(ops)?;
        drop(changing);
        let artifacts = self.folder(&record);
        self.take_over(&record, &plan, kept)?;
        if record.fence > 1 {
            let found = retry(&self.env, &self.patience, || {
                commit::recover(&self.store, &record.id, &artifacts, record.round)
            })?;
            if found > 0 {
                let text = format!("{found} partitions were committed but not recorded");
                let mut ops = self.event(&mut record, "recovered", &text)?;
                ops.push(Store::put_batch(&record)?);
                self.store.commit(ops)?;
            }
        }
        let progress = Arc::new(Progress::new(&plan));
        for input in flattened {
            let known = &progress.collections[input.collection].rows_known;
            known.fetch_add(input.rows, Ordering::Relaxed);
        }
        let earlier = memo.filter(|memo| memo.collections.iter().any(Option::is_some));
        let earlier = earlier.map(|memo| {
            let folder = format!("{}/batches/{}", record.namespace, memo.batch);
            let (folder, flattened) = (self.artifacts.folder(&folder), flattened.to_vec());
            Earlier { memo, folder, flattened, opened: OnceLock::new() }
        });
        Ok(Run {
            batch: record.id.clone(),
            artifacts,
            blobs: self.artifacts.folder(&format!("{}/blobs", plan.namespace)),
            extractors,
            env: self.env.clone(),
            store: self.store.clone(),
            sink: self.sink.clone(),
            fence: record.fence,
            round: record.round,
            run: record.run,
            workers: self.workers,
            patience: self.patience,
            partition_rows: self.partition_rows,
            storage_options: self.storage_options.clone(),
            runtime: self.runtime.clone(),
            progress,
            earlier,
            stop: stop.clone(),
            trace: None,
            record: Mutex::new(record),
            plan,
        })
    }

    fn conclude(
        &self,
        run: &Run,
        flattened: &[Flattened],
        ended: Result<Ended>,
    ) -> Result<BatchRecord> {
        let mut record = run.record.lock().unwrap_or_else(PoisonError::into_inner).clone();
        record.parked = None;
        // It waited for a store or a sink.
        let canceled = |error: &Error| error.code() == Code::Interrupted && run.stop.canceled();
        match ended {
            Ok(Ended::Finished) => {
                let mut finished = record.clone();
                match self.finish(run, &mut finished, flattened) {
                    Err(error) if canceled(&error) => self.end_canceled(run, record),
                    done => done.map(|()| finished),
                }
            }
            Ok(Ended::Canceled) => self.end_canceled(run, record),
            Err(error) if canceled(&error) => self.end_canceled(run, record),
            Ok(Ended::Drained) => {
                let error = Error::new(Code::Interrupted, "the run was asked to stop");
                self.interrupted(record, &error)
            }
            Err(error) if error.code() == Code::Interrupted => self.interrupted(record, &error),
            Err(error) => {
                record.error = Some(error.chain());
                let mut ops = self.event(&mut record, "stopped", &error.chain())?;
                ops.push(Store::put_batch(&record)?);
                // A store that failed can not take it; the error itself says more.
                let _ = self.store.commit(ops);
                Err(error)
            }
        }
    }

    fn end_canceled(&self, run: &Run, mut record: BatchRecord) -> Result<BatchRecord> {
        self.store.settle()?;
        (record.collections, record.repeated_partitions) = finish::summarize(run)?;
        if run.stop.discarding() {
            self.discard(&mut record, &run.plan)?;
        }
        self.end(run, &mut record, BatchEvent::Cancel).map(|()| record)
    }

    fn interrupted(&self, mut record: BatchRecord, error: &Error) -> Result<BatchRecord> {
        let mut ops = self.event(&mut record, "interrupted", &error.chain())?;
        ops.push(Store::put_batch(&record)?);
        self.store.commit(ops)?;
        let message = format!("batch {} was interrupted", record.id);
        Err(Error::new(Code::Interrupted, message)
            .hint("what is committed stays; the same command with --resume goes on"))
    }

    fn finish(&self, run: &Run, record: &mut BatchRecord, flattened: &[Flattened]) -> Result<()> {
        step::begin("finish");
        self.store.settle()?;
        let (summaries, repeated) = finish::summarize(run)?;
        record.repeated_partitions = repeated;
        let mut verdict = finish::verdict(run, flattened, summaries);
        if verdict.error.is_none() {
            let summaries = &mut verdict.collections;
            run.patiently("delete stale documents", || {
                finish::delete_stale(run, flattened, summaries)
            })?;
        }
        record.error = verdict.error;
        record.collections = verdict.collections;
        self.end(run, record, verdict.event)
    }

    /// The last words: history and summary in the object store, then one commit that ends the batch
    /// and forgets its partitions.
    fn end(&self, run: &Run, record: &mut BatchRecord, event: BatchEvent) -> Result<()> {
        record.status = record.status.after(event)?;
        record.ended_at = Some(self.env.timestamp());
        // What waited since the end of the work has told of it in the run's own record.
        record.events = run.record().events.max(record.events);
        let mut ops = self.event(record, "ended", record.status.as_str())?;
        let history = history::name(run.round);
        let keys = run.to_the_end("write the history", || {
            history::write(&run.artifacts, &history, &run.plan, &self.store, &run.batch)
        })?;
        record.history = Some(history);
        let summary = encode_summary(record)?;
        run.to_the_end("write the summary", || run.artifacts.put(SUMMARY, summary.clone().into()))?;
        ops.push(Store::put_batch(record)?);
        ops.extend(keys.iter().map(|key| Store::delete_partition(&run.batch, key)));
        self.store.commit(ops)
    }

    /// An event of the batch, counted in the record.
    pub(super) fn event(
        &self,
        record: &mut BatchRecord,
        kind: &str,
        text: &str,
    ) -> Result<Vec<Op>> {
        let at = self.env.timestamp();
        let event = Event { at, kind: kind.to_string(), text: text.to_string() };
        Store::put_event(record, &event)
    }

    /// Notes in the namespace which collections the batch writes, and how to search them: from the
    /// claim on, because documents appear from then on.
    fn occupy(&self, namespace: &mut NamespaceRecord, record: &BatchRecord, plan: &Plan) {
        if self.sink.is_some() {
            namespace.collections.extend(collection_states(plan, record));
        }
    }

    /// Everything that is in the sink goes there again.
    pub(super) fn unsink(&self, record: &BatchRecord, plan: &Plan) -> Result<Vec<Op>> {
        let mut ops = Vec::new();
        for entry in self.store.partitions(&record.id) {
            let (key, mut partition) = entry?;
            let searchable = self.sink.is_some() && plan.collections[key.collection].searchable;
            if partition.state.unsink(searchable) {
                ops.push(Store::put_partition(&record.id, &key, &partition)?);
            }
        }
        Ok(ops)
    }
}

pub(super) fn encode_summary(record: &BatchRecord) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(record)
        .context(Code::Internal, || "can not encode the summary".to_string())
}

/// How to search the collections that a batch writes, where it has a sink.
pub fn collection_states(
    plan: &Plan,
    record: &BatchRecord,
) -> impl Iterator<Item = (String, CollectionState)> {
    plan.collections.iter().filter(|collection| collection.searchable).map(|collection| {
        let vectors = collection.vectors.iter().map(|vector| {
            let field = &collection.description.outputs[vector.output];
            (field.name.clone(), vector.name.clone())
        });
        let state = CollectionState {
            digest: collection.extractor.digest.clone(),
            extractor: collection.extractor.to_string(),
            parameters: collection.parameters.to_string(),
            vectors: vectors.collect(),
            sink: record.sink.clone(),
            batch: record.id.to_string(),
            edited: false,
        };
        (collection.name.to_string(), state)
    })
}

/// How it ended.
fn tell(span: &mut Span, concluded: &Result<BatchRecord>) {
    if !span.is_told() {
        return;
    }
    match concluded {
        Ok(record) => {
            let summaries = record.collections.iter();
            let documents: u64 = summaries.clone().map(|known| known.funnel.documents).sum();
            let failed: u64 = summaries.map(|known| known.funnel.failed).sum();
            span.set("quarry.batch.status", record.status.as_str());
            span.set("quarry.documents", documents);
            span.set("quarry.rows.failed", failed);
            if record.status == BatchStatus::Failed {
                span.fail(record.error.clone().unwrap_or_default());
            }
        }
        Err(error) => span.fail(error.code().as_str()),
    }
}
