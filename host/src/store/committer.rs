//! The one thread that writes.

use super::compaction::Compaction;
use super::database::{Database, Files};
use super::record;
use crate::env::{FreeBytes, free_bytes};
use crate::error::{Code, Context, Error, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Requests in one group at most.
const GROUP_MAX: usize = 256;
/// How long posts wait for company when nobody waits for them: a flush costs more than all else
/// that a partition does to the state.
const LINGER: Duration = Duration::from_millis(20);
/// Left free on the disk of the state: more than everything that can wait to be written.
pub(super) const RESERVE_BYTES: u64 = 16 << 20;
/// Requests waiting at most; a sender blocks above.
const QUEUE_MAX: usize = 1024;

#[derive(Debug, Clone)]
pub enum Op {
    Put { key: String, value: Vec<u8> },
    Delete { key: String },
}

impl Op {
    pub(super) fn put<T: Serialize>(key: impl Into<String>, value: &T) -> Result<Op> {
        let key = key.into();
        let value = record::encode(&key, value)?;
        Ok(Op::Put { key, value })
    }
}

struct Request {
    ops: Vec<Op>,
    /// `None` for a post.
    answer: Option<Sender<std::result::Result<(), String>>>,
}

/// When a [`Hook`] is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    BeforeWrite,
    AfterWrite,
}

/// Told of every write; an error is what a failing disk would say.
pub type Hook = dyn Fn(Moment) -> std::result::Result<(), String> + Send + Sync;

pub(super) struct Committer {
    /// `None` only while dropping.
    writer: Option<Writer>,
    /// The first failure: nothing is written after it.
    poison: Arc<OnceLock<String>>,
    directory: PathBuf,
    free_bytes: FreeBytes,
}

enum Writer {
    Thread {
        queue: SyncSender<Request>,
        thread: JoinHandle<()>,
    },
    /// In the thread that asks, one write a request: for tests that count effects.
    Inline {
        database: Database,
        hook: Arc<Hook>,
        alone: Mutex<()>,
    },
}

impl Committer {
    pub(super) fn start(
        database: Database,
        directory: &Path,
        hook: Option<Arc<Hook>>,
        compaction: Option<Compaction>,
    ) -> Result<Committer> {
        let poison = Arc::new(OnceLock::new());
        let writer = match hook {
            Some(hook) => Writer::Inline { database, hook, alone: Mutex::default() },
            None => {
                let (queue, requests) = sync_channel(QUEUE_MAX);
                let poison = poison.clone();
                let mut thread = Writing { database, compaction, poison };
                let thread = std::thread::Builder::new()
                    .name("committer".to_string())
                    .spawn(move || thread.run(&requests))
                    .context(Code::Unavailable, || {
                        "can not start the committer thread".to_string()
                    })?;
                Writer::Thread { queue, thread }
            }
        };
        let directory = directory.to_path_buf();
        Ok(Committer { writer: Some(writer), poison, directory, free_bytes })
    }

    /// Reads free space otherwise, for tests.
    pub(super) fn with_free_bytes(mut self, free_bytes: FreeBytes) -> Committer {
        self.free_bytes = free_bytes;
        self
    }

    /// A write that fails for lack of space ends everything, so it is refused before.
    fn require_space(&self) -> Result<()> {
        let place = self.directory.display();
        let above = self.directory.parent().unwrap_or(&self.directory);
        let free = (self.free_bytes)(&self.directory)
            // For a moment it is not there while another one takes its place.
            .or_else(|_| (self.free_bytes)(above))
            .context(Code::Unavailable, || format!("can not read the free space of {place}"))?;
        if free >= RESERVE_BYTES {
            return Ok(());
        }
        let message = format!("no space left for the state in {place}: {free} bytes are free");
        Err(Error::new(Code::StorageFull, message)
            .hint(format!("free {} bytes", RESERVE_BYTES - free)))
    }

    pub(super) fn commit(&self, ops: Vec<Op>) -> Result<()> {
        if !ops.is_empty() {
            self.require_space()?;
        }
        let (answer, wait) = channel();
        self.send(Request { ops, answer: Some(answer) })?;
        match wait.recv() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(message)) => Err(poisoned(&message)),
            Err(_) => Err(poisoned("the committer thread has ended")),
        }
    }

    pub(super) fn post(&self, ops: Vec<Op>) -> Result<()> {
        self.require_space()?;
        match self.poison.get() {
            Some(message) => Err(poisoned(message)),
            None => self.send(Request { ops, answer: None }),
        }
    }

    pub(super) fn poison(&self) -> Option<&str> {
        self.poison.get().map(String::as_str)
    }

    fn send(&self, request: Request) -> Result<()> {
        match self.writer.as_ref().expect("only drop takes the writer") {
            Writer::Thread { queue, .. } => {
                queue.send(request).map_err(|_| poisoned("the committer thread has ended"))
            }
            Writer::Inline { database, hook, alone } => {
                let _alone = alone.lock().unwrap_or_else(PoisonError::into_inner);
                let written = || {
                    hook(Moment::BeforeWrite)?;
                    write(&database.current(), std::slice::from_ref(&request))?;
                    hook(Moment::AfterWrite)
                };
                let done = attempt(&self.poison, written);
                answer(vec![request], &done);
                Ok(())
            }
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        if let Some(Writer::Thread { queue, thread }) = self.writer.take() {
            drop(queue);
            // A panic there has already failed every commit; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

fn poisoned(message: &str) -> Error {
    let hint = "the state store stopped at the first failed write; mend the disk and start again";
    Error::new(Code::StateFailed, format!("state was not committed: {message}")).hint(hint)
}

/// What the thread has.
struct Writing {
    database: Database,
    compaction: Option<Compaction>,
    poison: Arc<OnceLock<String>>,
}

impl Writing {
    fn run(&mut self, requests: &Receiver<Request>) {
        while let Some(group) = gather(requests) {
            let started = Instant::now();
            let done = attempt(&self.poison, || write(&self.database.current(), &group));
            metrics::histogram!("quarry_commit_seconds").record(started.elapsed().as_secs_f64());
            let ops = group.iter().map(|request| request.ops.len()).sum();
            answer(group, &done);
            if done.is_ok() {
                self.compact(ops);
            }
        }
    }

    /// Where that fails half-way, all writes after it fail.
    fn compact(&mut self, ops: usize) {
        let Some(compaction) = &mut self.compaction else { return };
        if let Err(error) = compaction.after(ops, &self.database) {
            self.poison.get_or_init(|| error.chain());
        }
    }
}

/// Nothing is written after the first failure.
fn attempt(
    poison: &OnceLock<String>,
    write: impl FnOnce() -> std::result::Result<(), String>,
) -> std::result::Result<(), String> {
    if let Some(message) = poison.get() {
        return Err(message.clone());
    }
    write().map_err(|message| poison.get_or_init(|| message).clone())
}

fn answer(group: Vec<Request>, done: &std::result::Result<(), String>) {
    for asker in group.into_iter().filter_map(|request| request.answer) {
        // The asker may be gone: what it asked for is durable all the same.
        let _ = asker.send(done.clone());
    }
}

/// What waits, in the order it came. As soon as somebody waits for an answer, nothing is waited
/// for; while a group is flushed the next one gathers.
fn gather(requests: &Receiver<Request>) -> Option<Vec<Request>> {
    let mut group = vec![requests.recv().ok()?];
    let deadline = Instant::now() + LINGER;
    let mut awaited = group[0].answer.is_some();
    while group.len() < GROUP_MAX {
        let next = match awaited {
            true => requests.try_recv().map_err(|_| RecvTimeoutError::Timeout),
            false => requests.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        };
        let Ok(request) = next else { break };
        awaited |= request.answer.is_some();
        group.push(request);
    }
    Some(group)
}

/// sled's `flush` ends in sync_file_range, which a power cut does not survive: hence the own fsync.
/// One atomic batch instead of a transaction: there is no second writer to conflict with, and a
/// transaction's closure may run twice.
fn write(files: &Files, group: &[Request]) -> std::result::Result<(), String> {
    let mut batch = sled::Batch::default();
    for op in group.iter().flat_map(|request| &request.ops) {
        match op {
            Op::Put { key, value } => batch.insert(key.as_bytes(), value.as_slice()),
            Op::Delete { key } => batch.remove(key.as_bytes()),
        }
    }
    files.db.apply_batch(batch).map_err(|error| error.to_string())?;
    files.db.flush().map_err(|error| error.to_string())?;
    files.file.sync_all().map_err(|error| error.to_string())
}
