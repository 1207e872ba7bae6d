//! The order-independent checksum of the benchmark's documents.
//!
//! A document's hash is the little-endian u64 of an 8-byte blake2b over `object_id ":" chunk_index
//! 0x00 object_id 0x00 chunk_index(i32 LE) text 0x00 metadata 0x00 vector(384 f32 LE)`, a negative
//! zero hashed as zero. The digest is the sum of all modulo 2^64, so it depends neither on the
//! order of documents and files nor on an engine's own document ids.

use anyhow::{Context, Result, ensure};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type};
use arrow_array::{Array, ArrayRef, Float32Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) const DIMENSION: usize = 384;

/// What a right run over the generated manifest of seed 42 ends with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expected {
    pub(crate) rows: u64,
    pub(crate) documents: u64,
    /// Sum of all vector elements; compare with [`Expected::vec_sum_holds`].
    pub(crate) vec_sum: f64,
    pub(crate) digest: &'static str,
    /// [`super::generate::Generated::sha256`] for 2,500 rows a file.
    pub(crate) manifest_sha256: &'static str,
}

pub(crate) const EXPECTED: [Expected; 3] = [
    Expected {
        rows: 1_000,
        documents: 5_749,
        vec_sum: 11_730.915711812675,
        digest: "342327d03a3bce22",
        manifest_sha256: "36e75851c5d02f192e1380c744f798aaa630777cc9b5e97bc61d9519a545366b",
    },
    Expected {
        rows: 10_000,
        documents: 57_295,
        vec_sum: 116_805.57668690756,
        digest: "de64f68a97b7e5fc",
        manifest_sha256: "2b452ed8b3b63d0b75d96ea6a879bb0299b75af76ef84f5fa36ba6d8d0e2c5af",
    },
    Expected {
        rows: 100_000,
        documents: 572_975,
        vec_sum: 1_168_240.61508834,
        digest: "05bdb684948e8912",
        manifest_sha256: "03c6adc23c1e1b6e3bdc6b5add956796c4a1779dc837569f5a903b2c4c8177d4",
    },
];

impl Expected {
    pub(crate) fn of(rows: u64) -> Option<&'static Expected> {
        EXPECTED.iter().find(|expected| expected.rows == rows)
    }

    /// Floating-point sums depend on their order: a relative error of 1e-6 is allowed.
    pub(crate) fn vec_sum_holds(&self, vec_sum: f64) -> bool {
        (vec_sum - self.vec_sum).abs() <= self.vec_sum.abs() * 1e-6
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Digest {
    documents: u64,
    sum: u64,
    vec_sum: f64,
}

impl Digest {
    /// Adds a document. `vector` is little-endian f32.
    pub(crate) fn add(
        &mut self,
        object_id: &str,
        chunk_index: i32,
        text: &str,
        metadata: &str,
        vector: &[u8],
    ) {
        let mut hash = Blake2b::<U8>::new();
        hash.update(object_id);
        hash.update(format!(":{chunk_index}\0"));
        hash.update(object_id);
        hash.update(b"\0");
        hash.update(chunk_index.to_le_bytes());
        hash.update(text);
        hash.update(b"\0");
        hash.update(metadata);
        hash.update(b"\0");
        let mut bytes = [0u8; DIMENSION * 4];
        for piece in vector.chunks(bytes.len()) {
            let mut sum = 0.0;
            for (to, from) in bytes.chunks_exact_mut(4).zip(piece.chunks_exact(4)) {
                // Adding zero makes a negative zero positive and nothing else different.
                let value = f32::from_le_bytes([from[0], from[1], from[2], from[3]]) + 0.0;
                sum += f64::from(value);
                to.copy_from_slice(&value.to_le_bytes());
            }
            self.vec_sum += sum;
            hash.update(&bytes[..piece.len()]);
        }
        self.sum = self.sum.wrapping_add(u64::from_le_bytes(hash.finalize().into()));
        self.documents += 1;
    }

    pub(crate) fn merge(&mut self, other: &Digest) {
        self.documents += other.documents;
        self.sum = self.sum.wrapping_add(other.sum);
        self.vec_sum += other.vec_sum;
    }

    pub(crate) fn documents(&self) -> u64 {
        self.documents
    }

    pub(crate) fn vec_sum(&self) -> f64 {
        self.vec_sum
    }

    /// 16 hex digits.
    pub(crate) fn finish(&self) -> String {
        format!("{:016x}", self.sum)
    }
}

/// Digest of an export: every `.parquet` file below `dir`, with columns `object_id`, `chunk_index`
/// (an integer), `text`, `metadata` (any string type) and `vector` (a list of 384 f32, of fixed
/// size or not), none of them null.
pub(crate) fn digest_directory(dir: &Path) -> Result<Digest> {
    let mut files = Vec::new();
    collect(dir, &mut files)?;
    let next = AtomicUsize::new(0);
    let threads =
        std::thread::available_parallelism().map_or(1, |n| n.get()).min(files.len().max(1));
    let worker = || -> Result<Digest> {
        let mut digest = Digest::default();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            digest_file(file, &mut digest).with_context(|| file.display().to_string())?;
        }
        Ok(digest)
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut digest = Digest::default();
        for handle in handles {
            digest.merge(&handle.join().map_err(|_| anyhow::anyhow!("a reader panicked"))??);
        }
        Ok(digest)
    })
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            files.push(path);
        }
    }
    Ok(())
}

fn digest_file(file: &Path, digest: &mut Digest) -> Result<()> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?
        .with_batch_size(4_096)
        .build()?;
    for batch in reader {
        digest_batch(&batch?, digest)?;
    }
    Ok(())
}

/// Adds the rows of one batch of an export.
pub(crate) fn digest_batch(batch: &RecordBatch, digest: &mut Digest) -> Result<()> {
    let object_ids = strings(batch, "object_id")?;
    let texts = strings(batch, "text")?;
    let metadata = strings(batch, "metadata")?;
    let positions = arrow_cast::cast(column(batch, "chunk_index")?, &DataType::Int32)?;
    let positions = positions.as_primitive::<Int32Type>();
    ensure!(positions.null_count() == 0, "a chunk_index is no 32-bit number");
    let vectors = vectors(column(batch, "vector")?)?;
    let mut bytes = Vec::with_capacity(DIMENSION * 4);
    for row in 0..batch.num_rows() {
        bytes.clear();
        let vector = &vectors.values()[row * DIMENSION..(row + 1) * DIMENSION];
        vector.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        let (object_id, text) = (object_ids.value(row), texts.value(row));
        digest.add(object_id, positions.value(row), text, metadata.value(row), &bytes);
    }
    Ok(())
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    let column = batch.column_by_name(name).with_context(|| format!("no column {name}"))?;
    ensure!(column.null_count() == 0, "nulls in column {name}");
    Ok(column)
}

fn strings(batch: &RecordBatch, name: &str) -> Result<StringArray> {
    let strings = arrow_cast::cast(column(batch, name)?, &DataType::Utf8)?;
    Ok(strings.as_string::<i32>().clone())
}

/// The elements of all rows, one after the other.
fn vectors(column: &ArrayRef) -> Result<Float32Array> {
    let size = DIMENSION as i32;
    let (values, even) = match column.data_type() {
        DataType::FixedSizeList(..) => {
            let list = column.as_fixed_size_list();
            (list.values().clone(), list.value_length() == size)
        }
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            let offsets = list.offsets();
            let len = (offsets[list.len()] - offsets[0]) as usize;
            let even = offsets.windows(2).all(|pair| pair[1] - pair[0] == size);
            (list.values().slice(offsets[0] as usize, len), even)
        }
        DataType::LargeList(_) => {
            let list = column.as_list::<i64>();
            let offsets = list.offsets();
            let len = (offsets[list.len()] - offsets[0]) as usize;
            let even = offsets.windows(2).all(|pair| pair[1] - pair[0] == i64::from(size));
            (list.values().slice(offsets[0] as usize, len), even)
        }
        other => anyhow::bail!("column vector is {other}, not a list of float32"),
    };
    ensure!(even, "a vector has not {DIMENSION} elements");
    ensure!(values.null_count() == 0, "nulls in vectors");
    let floats = values.as_primitive_opt::<Float32Type>().context("vectors are not float32")?;
    ensure!(floats.len() == column.len() * DIMENSION, "vectors and rows differ in number");
    Ok(floats.clone())
}
