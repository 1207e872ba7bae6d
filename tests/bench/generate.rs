//! The benchmark's input: Parquet files of synthetic objects that are the same on every machine.
//!
//! All choices are integer arithmetic on splitmix64 over the seed, the row and the word's position,
//! so the content depends on no random stream, no libm and no thread count. Columns are
//! `object_id`, `text` (300 to 380 words, about 1.96 KB) and `metadata` (JSON), utf8 without nulls.

use anyhow::{Context, Result};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Seed and file size of the published checksums.
pub(crate) const SEED: u64 = 42;
pub(crate) const ROWS_PER_FILE: usize = 2_500;

const RECORD: &str = "_gen.json";

/// What lies in the directory; `_gen.json` holds the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Generated {
    pub(crate) rows: u64,
    pub(crate) seed: u64,
    pub(crate) rows_per_file: usize,
    pub(crate) files: usize,
    /// UTF-8 bytes of the text column.
    pub(crate) text_bytes: u64,
    /// Of the logical content: the hex digests of the files' rows, hashed in file order. A row is
    /// `object_id 0x00 text 0x00 metadata 0x0a`.
    pub(crate) sha256: String,
}

/// Fills `dir` with `part-00000.parquet` and so on. A directory that already holds the same content
/// is left as it is; parts of another content are removed first.
pub(crate) fn generate(
    dir: &Path,
    rows: u64,
    seed: u64,
    rows_per_file: usize,
) -> Result<Generated> {
    anyhow::ensure!(rows_per_file > 0, "rows_per_file must be at least 1");
    if let Some(present) = reusable(dir, rows, seed, rows_per_file) {
        return Ok(present);
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    clear(dir)?;
    let words = Words::new(seed);
    let parts = parts(dir, rows, rows_per_file);
    let next = AtomicUsize::new(0);
    let threads =
        std::thread::available_parallelism().map_or(1, |n| n.get()).min(parts.len().max(1));
    let worker = || -> Result<Vec<(usize, String, u64)>> {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(number) else { return Ok(done) };
            let (sha256, text_bytes) = write_part(part, seed, &words)?;
            done.push((number, sha256, text_bytes));
        }
    };
    let mut results = std::thread::scope(|scope| -> Result<Vec<_>> {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut all = Vec::with_capacity(parts.len());
        for handle in handles {
            all.extend(handle.join().map_err(|_| anyhow::anyhow!("a generator panicked"))??);
        }
        Ok(all)
    })?;
    results.sort_unstable_by_key(|(number, _, _)| *number);
    let mut sha256 = Sha256::new();
    results.iter().for_each(|(_, digest, _)| sha256.update(digest));
    let generated = Generated {
        rows,
        seed,
        rows_per_file,
        files: parts.len(),
        text_bytes: results.iter().map(|(_, _, bytes)| bytes).sum(),
        sha256: hex(&sha256.finalize()),
    };
    fs::write(dir.join(RECORD), serde_json::to_vec(&generated)?)?;
    Ok(generated)
}

fn reusable(dir: &Path, rows: u64, seed: u64, rows_per_file: usize) -> Option<Generated> {
    let present: Generated = serde_json::from_slice(&fs::read(dir.join(RECORD)).ok()?).ok()?;
    let same = (present.rows, present.seed, present.rows_per_file) == (rows, seed, rows_per_file);
    let whole = parts(dir, rows, rows_per_file).iter().all(|part| part.path.is_file());
    (same && whole).then_some(present)
}

/// The record goes first: a directory without it is never taken for a finished one.
fn clear(dir: &Path) -> Result<()> {
    let record = dir.join(RECORD);
    if record.exists() {
        fs::remove_file(record)?;
    }
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if name.starts_with("part-") && name.ends_with(".parquet") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

struct Part {
    path: PathBuf,
    first: u64,
    rows: u64,
}

fn parts(dir: &Path, rows: u64, rows_per_file: usize) -> Vec<Part> {
    (0..rows)
        .step_by(rows_per_file)
        .enumerate()
        .map(|(number, first)| Part {
            path: dir.join(format!("part-{number:05}.parquet")),
            first,
            rows: (rows - first).min(rows_per_file as u64),
        })
        .collect()
}

fn write_part(part: &Part, seed: u64, words: &Words) -> Result<(String, u64)> {
    let mut columns = [(); 3].map(|()| Vec::with_capacity(part.rows as usize));
    let mut sha256 = Sha256::new();
    let mut text_bytes = 0;
    for number in part.first..part.first + part.rows {
        let row = row(number, seed, words);
        text_bytes += row.text.len() as u64;
        for (column, (cell, end)) in
            columns.iter_mut().zip([(row.object_id, 0u8), (row.text, 0), (row.metadata, b'\n')])
        {
            sha256.update(&cell);
            sha256.update([end]);
            column.push(cell);
        }
    }
    let names = ["object_id", "text", "metadata"];
    let schema =
        Arc::new(Schema::new(names.map(|name| Field::new(name, DataType::Utf8, false)).to_vec()));
    let arrays = columns.map(|column| Arc::new(StringArray::from(column)) as ArrayRef).to_vec();
    let batch = RecordBatch::try_new(schema.clone(), arrays)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(Some(part.rows as usize))
        .build();
    let file = fs::File::create(&part.path)
        .with_context(|| format!("cannot write {}", part.path.display()))?;
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok((hex(&sha256.finalize()), text_bytes))
}

struct Row {
    object_id: String,
    text: String,
    metadata: String,
}

fn row(number: u64, seed: u64, words: &Words) -> Row {
    let hash = splitmix64(number.wrapping_mul(2_654_435_761).wrapping_add(seed));
    let text = match (hash >> 40) % 1_000 {
        7 => String::new(),
        8 => format!("{}---", "-- ".repeat(69)),
        _ => text(hash, words),
    };
    let metadata = format!(
        concat!(
            r#"{{"bucket":"bkt_{:02}","content_type":"text/plain","lang":"{}","#,
            r#""score":{},"seq":{},"source":"s3://bench/{:08}.txt"}}"#
        ),
        hash % 16,
        ["en", "de", "fr", "ja"][(hash >> 8 & 3) as usize],
        (hash >> 12) % 1_000,
        number,
        number,
    );
    Row { object_id: format!("obj_{hash:016x}"), text, metadata }
}

/// Ranks are log-uniform over 15 octaves, which is close to Zipf's law. 2 % of the words are unique
/// hex numbers: no cache of tokens can hold them all.
fn text(hash: u64, words: &Words) -> String {
    let mut text = String::with_capacity(2_560);
    for position in 0..300 + hash % 81 {
        let r = splitmix64(hash ^ position.wrapping_mul(0xD134_2543_DE82_EF95));
        if (r >> 45).is_multiple_of(50) {
            write!(text, "{:08x} ", r as u32).expect("a String takes everything");
            continue;
        }
        let octave = 1u64 << (r % 15);
        let rank = (octave + (r >> 4 & (octave - 1))) % WORDS as u64;
        let form = match ((r >> 28) % 200, r >> 24 & 15) {
            (0, _) => Form::Dashes,
            (_, ..=11) => Form::Plain,
            (_, 12 | 13) => Form::Capitalised,
            (_, 14) => Form::Comma,
            _ => Form::Period,
        };
        words.push(&mut text, rank as usize, form);
        text.push_str(match r >> 40 & 31 {
            29 => "\n",
            30 => "  ",
            31 => "\t",
            _ => " ",
        });
    }
    text.truncate(text.trim_end().len());
    text
}

const WORDS: usize = 32_768;
const ONSETS: [&str; 24] = [
    "b", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr",
    "pl", "ch", "sh", "gr", "br", "th",
];
const VOWELS: [&str; 12] = ["a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ea", "ou"];
const CODAS: [&str; 11] = ["", "", "", "", "n", "r", "s", "t", "l", "m", "nd"];
const LETTERS: [&str; 6] = ["é", "ü", "ß", "ñ", "東", "—"];

#[derive(Clone, Copy)]
enum Form {
    Plain,
    Capitalised,
    Comma,
    Period,
    /// `--` in the word's place.
    Dashes,
}

/// Words by rank: one syllable for the most frequent ones, then two, then some of three. One word
/// in 64 carries a letter outside ASCII, never as its first.
struct Words(Vec<String>);

impl Words {
    fn new(seed: u64) -> Self {
        let mut words: Vec<String> = Vec::with_capacity(WORDS);
        let mut seen = HashSet::with_capacity(WORDS);
        let mut counter = seed.wrapping_mul(1_000_003).wrapping_add(77);
        while words.len() < WORDS {
            let mut r = splitmix64(counter);
            counter = counter.wrapping_add(1);
            let syllables = match (words.len(), r & 7) {
                (..768, _) => 1,
                (..8_192, _) | (_, ..6) => 2,
                _ => 3,
            };
            r >>= 3;
            let mut draw = |from: &[&'static str]| {
                let drawn = from[(r % from.len() as u64) as usize];
                r /= from.len() as u64;
                drawn
            };
            let mut word = String::new();
            for _ in 0..syllables {
                word += draw(&ONSETS);
                word += draw(&VOWELS);
                word += draw(&CODAS);
            }
            if words.len() % 64 == 63 {
                word.insert_str(2, LETTERS[words.len() / 64 % LETTERS.len()]);
            }
            if seen.insert(word.clone()) {
                words.push(word);
            }
        }
        Words(words)
    }

    fn push(&self, text: &mut String, rank: usize, form: Form) {
        let word = &self.0[rank];
        match form {
            Form::Plain => text.push_str(word),
            Form::Capitalised => {
                text.extend(word[..1].chars().map(|first| first.to_ascii_uppercase()));
                text.push_str(&word[1..]);
            }
            Form::Comma => text.extend([word.as_str(), ","]),
            Form::Period => text.extend([word.as_str(), "."]),
            Form::Dashes => text.push_str("--"),
        }
    }
}

fn splitmix64(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
