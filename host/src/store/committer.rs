//! The one thread that writes.

use super::record;
use crate::error::{Code, Context, Error, Result};
use serde::Serialize;
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// Requests in one group at most. While a group is flushed the next one gathers, so there is no
/// timer.
const GROUP_MAX: usize = 256;
/// Requests waiting at most; a sender blocks above.
const QUEUE_MAX: usize = 1024;

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
    /// `None` for a note.
    answer: Option<Sender<std::result::Result<(), String>>>,
}

pub(super) struct Committer {
    /// `None` only while dropping.
    queue: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(super) fn start(db: sled::Db, directory: &Path) -> Result<Committer> {
        let (queue, requests) = sync_channel(QUEUE_MAX);
        let path = directory.join("db");
        let file = File::open(&path)
            .context(Code::Unavailable, || format!("can not open {}", path.display()))?;
        let thread = std::thread::Builder::new()
            .name("committer".to_string())
            .spawn(move || run(&db, &file, &requests))
            .context(Code::Unavailable, || "can not start the committer thread".to_string())?;
        Ok(Committer { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) fn commit(&self, ops: Vec<Op>) -> Result<()> {
        let (answer, wait) = channel();
        self.send(Request { ops, answer: Some(answer) })?;
        match wait.recv() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(message)) => Err(poisoned(&message)),
            Err(_) => Err(poisoned("the committer thread has ended")),
        }
    }

    pub(super) fn note(&self, ops: Vec<Op>) -> Result<()> {
        self.send(Request { ops, answer: None })
    }

    fn send(&self, request: Request) -> Result<()> {
        let queue = self.queue.as_ref().expect("only drop takes the queue");
        queue.send(request).map_err(|_| poisoned("the committer thread has ended"))
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has already failed every commit; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

fn poisoned(message: &str) -> Error {
    let hint = "the state store stopped at the first failed write; mend the disk and start again";
    Error::new(Code::Unavailable, format!("state was not committed: {message}")).hint(hint)
}

fn run(db: &sled::Db, file: &File, requests: &Receiver<Request>) {
    let mut poison: Option<String> = None;
    while let Ok(first) = requests.recv() {
        let mut group = vec![first];
        while group.len() < GROUP_MAX {
            match requests.try_recv() {
                Ok(request) => group.push(request),
                Err(_) => break,
            }
        }
        if poison.is_none() {
            poison = write(db, file, &group).err();
        }
        for request in group {
            if let Some(answer) = request.answer {
                // The asker may be gone: what it asked for is durable all the same.
                let _ = answer.send(poison.clone().map_or(Ok(()), Err));
            }
        }
    }
}

/// sled's `flush` ends in sync_file_range, which a power cut does not survive: hence the own fsync.
/// One atomic batch instead of a transaction: there is no second writer to conflict with, and a
/// transaction's closure may run twice.
fn write(db: &sled::Db, file: &File, group: &[Request]) -> std::result::Result<(), String> {
    let mut batch = sled::Batch::default();
    for op in group.iter().flat_map(|request| &request.ops) {
        match op {
            Op::Put { key, value } => batch.insert(key.as_bytes(), value.as_slice()),
            Op::Delete { key } => batch.remove(key.as_bytes()),
        }
    }
    db.apply_batch(batch).map_err(|error| error.to_string())?;
    db.flush().map_err(|error| error.to_string())?;
    file.sync_all().map_err(|error| error.to_string())
}
