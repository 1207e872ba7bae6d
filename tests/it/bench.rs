//! The benchmark's own tools: what they say must be right before a benchmark means anything.

#[path = "../bench/digest.rs"]
#[allow(dead_code)]
pub(crate) mod digest;
#[path = "../bench/generate.rs"]
#[allow(dead_code)]
pub(crate) mod generate;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder};
use arrow_array::{ArrayRef, Int32Array, LargeStringArray, RecordBatch, StringArray};
use digest::{DIMENSION, Digest, Expected, digest_batch, digest_directory};
use generate::{ROWS_PER_FILE, SEED, generate};
use parquet::arrow::ArrowWriter;
use std::sync::Arc;

#[test]
fn a_thousand_generated_rows_have_the_published_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let made = generate(dir.path(), 1_000, SEED, ROWS_PER_FILE).unwrap();
    assert_eq!(made.sha256, Expected::of(1_000).unwrap().manifest_sha256);
    assert_eq!((made.rows, made.files), (1_000, 1));
}

#[test]
fn generating_again_reuses_the_same_content_and_replaces_another() {
    let dir = tempfile::tempdir().unwrap();
    let first = generate(dir.path(), 100, SEED, 30).unwrap();
    assert_eq!(first.files, 4);
    let part = dir.path().join("part-00003.parquet");
    let written = std::fs::metadata(&part).unwrap().modified().unwrap();
    assert_eq!(generate(dir.path(), 100, SEED, 30).unwrap(), first);
    assert_eq!(std::fs::metadata(&part).unwrap().modified().unwrap(), written);
    let second = generate(dir.path(), 60, SEED, 30).unwrap();
    assert!(!part.exists(), "a part of the larger content is left");
    assert_ne!(second.sha256, first.sha256);
}

/// Two documents; the second vector starts with a negative zero.
fn tiny() -> [(&'static str, i32, &'static str, &'static str, Vec<f32>); 2] {
    let mut first = vec![0.0; DIMENSION];
    first[0] = 1.0;
    let mut second = vec![0.0; DIMENSION];
    (second[0], second[1], second[383]) = (-0.0, 0.5, -0.5);
    [("a", 0, "x y", r#"{"n":1}"#, first), ("ü", 1, "", "{}", second)]
}

/// Computed with Python's hashlib: for each document blake2b(digest_size=8) over
/// `f"{o}:{k}\0{o}\0".encode() + struct.pack("<i", k) + f"{t}\0{m}\0".encode() +
/// struct.pack("<384f", *(x + 0.0 for x in v))`, the little-endian integers added modulo 2**64.
const TINY_DIGEST: &str = "4dde4f5efb4c4020";

#[test]
fn the_digest_of_a_tiny_example_is_what_python_computes_in_any_order() {
    let mut whole = Digest::default();
    let mut parts = Vec::new();
    for (object_id, position, text, metadata, vector) in tiny() {
        let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
        whole.add(object_id, position, text, metadata, &bytes);
        let mut part = Digest::default();
        part.add(object_id, position, text, metadata, &bytes);
        parts.push(part);
    }
    assert_eq!(whole.finish(), TINY_DIGEST);
    assert_eq!((whole.documents(), whole.vec_sum()), (2, 1.0));
    let mut reversed = Digest::default();
    parts.iter().rev().for_each(|part| reversed.merge(part));
    assert_eq!(reversed, whole);
}

#[test]
fn an_export_has_the_same_digest_with_lists_of_fixed_or_free_size() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixed = FixedSizeListBuilder::new(Float32Builder::new(), DIMENSION as i32);
    let mut free = ListBuilder::new(Float32Builder::new());
    for (.., vector) in tiny() {
        fixed.values().append_slice(&vector);
        fixed.append(true);
        free.values().append_slice(&vector);
        free.append(true);
    }
    let vectors: [ArrayRef; 2] = [Arc::new(fixed.finish()), Arc::new(free.finish())];
    for (number, vector) in vectors.into_iter().enumerate() {
        let batch = export(vector);
        let mut half = Digest::default();
        digest_batch(&batch.slice(1, 1), &mut half).unwrap();
        digest_batch(&batch.slice(0, 1), &mut half).unwrap();
        assert_eq!(half.finish(), TINY_DIGEST, "sliced batches");
        let below = dir.path().join(format!("{number}/deeper"));
        std::fs::create_dir_all(&below).unwrap();
        let file = std::fs::File::create(below.join("x.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let digest = digest_directory(&dir.path().join(number.to_string())).unwrap();
        assert_eq!((digest.documents(), digest.finish().as_str()), (2, TINY_DIGEST));
    }
    assert_eq!(digest_directory(dir.path()).unwrap().documents(), 4);
}

fn export(vector: ArrayRef) -> RecordBatch {
    let rows = tiny();
    let ids = StringArray::from_iter_values(rows.iter().map(|row| row.0));
    let positions = Int32Array::from_iter_values(rows.iter().map(|row| row.1));
    let texts = LargeStringArray::from_iter_values(rows.iter().map(|row| row.2));
    let metadata = StringArray::from_iter_values(rows.iter().map(|row| row.3));
    RecordBatch::try_from_iter([
        ("doc_id", Arc::new(StringArray::from(vec!["doc_1", "doc_2"])) as ArrayRef),
        ("object_id", Arc::new(ids)),
        ("chunk_index", Arc::new(positions)),
        ("text", Arc::new(texts)),
        ("metadata", Arc::new(metadata)),
        ("vector", vector),
    ])
    .unwrap()
}
