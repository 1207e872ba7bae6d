//! The batch that is tortured: four tiers over generated notes, and what it must end with.

use anyhow::{Context, Result, ensure};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest as _};
use parquet::arrow::ArrowWriter;
use quarry::app::Settings;
use quarry::engine::Patience;
use quarry::model::{Document, LINEAGE_FIELD, Name, Vector};
use quarry::plugin::Limits;
use quarry::sink::{SCROLL_LIMIT_MAX, Scroll, VectorSink};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

pub(crate) const PIPELINE: &str = include_str!("pipeline.toml");
pub(crate) const NAMESPACE: &str = "torture";
/// By tier.
pub(crate) const COLLECTIONS: [&str; 4] = ["pages", "lines", "embedded", "again"];

/// A pipeline and its manifest in a folder.
pub(crate) struct Batch {
    folder: PathBuf,
}

impl Batch {
    /// `pipeline.toml` and `notes.parquet` with that many notes of 30 to 61 words.
    pub(crate) fn write(folder: &Path, objects: u64) -> Result<Batch> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("pipeline.toml"), PIPELINE)?;
        let batch = Batch { folder: folder.to_path_buf() };
        batch.revise(objects, 0)?;
        Ok(batch)
    }

    /// Writes the manifest anew: in every revision but 0 a third of the notes has another text,
    /// and so another number of pieces.
    pub(crate) fn revise(&self, objects: u64, revision: u64) -> Result<()> {
        let ids: Vec<String> = (0..objects).map(|row| format!("note-{row:06}")).collect();
        let changed = |row: u64| revision > 0 && mix(row ^ (revision << 32)).is_multiple_of(3);
        let drawn = |row| if changed(row) { row + (revision << 32) } else { row };
        let texts: Vec<String> = (0..objects).map(|row| text(drawn(row))).collect();
        let column = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        let columns = [("object_id", column(ids)), ("text", column(texts))];
        let rows = RecordBatch::try_from_iter(columns)?;
        let file = File::create(self.manifest())?;
        let mut writer = ArrowWriter::try_new(file, rows.schema(), None)?;
        writer.write(&rows)?;
        writer.close()?;
        Ok(())
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.folder.join("notes.parquet")
    }

    /// `quarry run` over the batch; relative paths are meant from its folder.
    pub(crate) fn run(&self, data: &Path, more: &[&str]) -> Result<Command> {
        let words = ["run", "pipeline.toml", "--manifest", "notes.parquet"];
        self.quarry(data, &[&words[..], more].concat())
    }

    pub(crate) fn quarry(&self, data: &Path, words: &[&str]) -> Result<Command> {
        let binary = std::env::var_os("QUARRY_BIN").context("QUARRY_BIN is not set, use ./x")?;
        let mut command = Command::new(binary);
        command.current_dir(&self.folder).args(words).arg("--data-dir").arg(data);
        command.env_remove("QUARRY_SINK");
        // Every process writes its state anew, however small: also a step to die in.
        command.env("QUARRY_COMPACT_FROM_BYTES", "0");
        Ok(command)
    }

    /// Runs a command to its end and parses what it prints.
    pub(crate) fn json(&self, data: &Path, words: &[&str]) -> Result<serde_json::Value> {
        let answer = self.quarry(data, words)?.args(["--output", "json"]).output()?;
        let shown = String::from_utf8_lossy(&answer.stderr);
        ensure!(answer.status.success(), "quarry {} failed: {shown}", words.join(" "));
        Ok(serde_json::from_slice(&answer.stdout)?)
    }
}

/// Some thousand different words, drawn by splitmix64 over row and position.
fn text(row: u64) -> String {
    let words = 30 + mix(row) % 32;
    let word = |at: u64| format!("w{:x}", mix(row.wrapping_mul(1_000) + at) % 4_096);
    (0..words).map(word).collect::<Vec<_>>().join(" ")
}

/// Numbers from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(mix(seed))
    }

    /// One of 0 to `end` - 1; 0 for an `end` of 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0) % end.max(1)
    }
}

/// Source: Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators (2014).
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What a process without a command line opens a data directory with.
pub(crate) fn settings(data: &Path, sink: &str, workers: usize) -> Settings {
    let extractors = std::env::var_os("QUARRY_EXTRACTORS").map(PathBuf::from);
    Settings {
        data_dir: data.to_path_buf(),
        cache_dir: None,
        artifacts: None,
        sink: sink.to_string(),
        storage_options: Vec::new(),
        extractors: extractors.into_iter().collect(),
        workers,
        patience: Patience::default(),
        limits: Limits::default(),
        compiler: None,
        trust: quarry::plugin::Trust::default(),
        limit_ceilings: Default::default(),
        compact_from_bytes: quarry::config::COMPACT_FROM_BYTES,
    }
}

/// What the sink of a data directory holds, whatever its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) documents: u64,
    /// Sum modulo 2^128 of a 16-byte blake2b over id, payload and vectors of each document.
    pub(crate) digest: u128,
}

/// Of the embedded sink; nobody else may have the data directory open.
pub(crate) fn embedded_content(data: &Path) -> Result<Content> {
    let sink = quarry::sink::EdgeSink::open(&data.join("vectors"))?;
    content(&sink, &Name::parse(NAMESPACE)?)
}

pub(crate) fn content(sink: &dyn VectorSink, namespace: &Name) -> Result<Content> {
    let mut all = Content { documents: 0, digest: 0 };
    each_document(sink, namespace, |document| {
        all.documents += 1;
        all.digest = all.digest.wrapping_add(hash(document));
    })?;
    Ok(all)
}

pub(crate) fn each_document(
    sink: &dyn VectorSink,
    namespace: &Name,
    mut visit: impl FnMut(&Document),
) -> Result<()> {
    let mut scroll = Scroll { limit: SCROLL_LIMIT_MAX, with_vectors: true, ..Scroll::default() };
    loop {
        let page = sink.scroll(namespace, &scroll)?;
        page.documents.iter().for_each(&mut visit);
        let Some(next) = page.next else { return Ok(()) };
        scroll.from = Some(next);
    }
}

/// Without what differs between two batches of the same input: batch, run and fence.
pub(crate) fn hash(document: &Document) -> u128 {
    let mut payload = document.payload.clone();
    if let Some(lineage) = payload.get_mut(LINEAGE_FIELD).and_then(|value| value.as_object_mut()) {
        ["batch", "run", "fence"].iter().for_each(|name| drop(lineage.remove(*name)));
    }
    let mut hash = Blake2b::<U16>::new();
    hash.update(document.id.0.as_bytes());
    hash.update(serde_json::Value::Object(payload).to_string());
    for (name, vector) in &document.vectors {
        hash.update(name);
        let mut floats = |values: &[f32]| values.iter().for_each(|v| hash.update(v.to_le_bytes()));
        match vector {
            Vector::Dense(values) => floats(values),
            Vector::Multi(rows) => rows.iter().for_each(|row| floats(row)),
            Vector::Sparse(sparse) => {
                floats(&sparse.values);
                sparse.indices.iter().for_each(|index| hash.update(index.to_le_bytes()));
            }
        }
    }
    u128::from_le_bytes(hash.finalize().into())
}
