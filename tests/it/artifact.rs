//! Parts: what is written comes back, and other readers see what the host sees.

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, Int64Array, RecordBatch, StringArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::reader::{FileReader, SerializedFileReader};
use quarry::artifact::{Artifacts, Location, PartReader, PartWriter, Slice, resolve_url};
use quarry::error::Code;
use quarry::plugin::vector_type;
use std::fs::File;
use std::sync::Arc;

const DIMENSION: u32 = 24;

struct Folder {
    directory: tempfile::TempDir,
    artifacts: Artifacts,
    _runtime: tokio::runtime::Runtime,
}

impl Folder {
    fn new() -> Folder {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let url = directory.path().to_str().unwrap();
        let artifacts = Artifacts::open(url, &[], runtime.handle().clone()).unwrap();
        Folder { directory, artifacts, _runtime: runtime }
    }

    fn file(&self, name: &str) -> File {
        File::open(self.directory.path().join(name)).unwrap()
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, false),
        Field::new("text", DataType::Utf8, true),
        Field::new("vector", vector_type(DIMENSION), true),
    ]))
}

/// Texts of some thousand rows fill more than one page, too. `float` says what element k of the
/// vector of row n is; a null where `there` says no.
fn rows(
    range: std::ops::Range<usize>,
    there: impl Fn(usize) -> bool,
    float: impl Fn(usize, usize) -> f32,
) -> RecordBatch {
    let dimension = DIMENSION as usize;
    let floats = range.clone().flat_map(|n| (0..dimension).map(move |k| (n, k)));
    let floats: Float32Array = floats.map(|(n, k)| Some(float(n, k))).collect();
    let nulls: NullBuffer = range.clone().map(&there).collect();
    let field = Arc::new(Field::new("item", DataType::Float32, false));
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    let vectors = FixedSizeListArray::new(field, DIMENSION as i32, Arc::new(floats), nulls);
    let texts: StringArray = range
        .clone()
        .map(|n| there(n).then(|| format!("text {n} {}", "-".repeat(n % 200))))
        .collect();
    let numbers: Int64Array = range.map(|n| Some(n as i64)).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(numbers), Arc::new(texts), Arc::new(vectors)];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// Bits of floats that no compression shrinks; never a NaN.
fn noise(n: usize, k: usize) -> f32 {
    let mixed = ((n * 31 + k) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    f32::from_bits((mixed >> 32) as u32 & 0xbfff_ffff)
}

fn joined(batches: &[RecordBatch]) -> RecordBatch {
    arrow_select::concat::concat_batches(&schema(), batches).unwrap()
}

#[track_caller]
fn check(batches: &[RecordBatch], compressed: bool) {
    let folder = Folder::new();
    let mut writer = PartWriter::create(&folder.artifacts, "part.parquet", schema()).unwrap();
    for (at, batch) in batches.iter().enumerate() {
        writer.write(batch).unwrap();
        if at == 1 {
            writer.end_row_group().unwrap();
        }
    }
    assert!(!folder.directory.path().join("part.parquet").exists(), "visible before it is whole");
    let size = writer.finish().unwrap();
    let file = folder.file("part.parquet");
    assert_eq!(file.metadata().unwrap().len(), size);
    let all = joined(batches);

    let back = PartReader::read(&folder.artifacts, "part.parquet", None, None).unwrap();
    assert_eq!(joined(&back), all);
    let wanted = ["vector".to_string()];
    let slice = Slice { from: all.num_rows() / 3, rows: 5 };
    let some = PartReader::read(&folder.artifacts, "part.parquet", Some(&wanted), Some(slice));
    let some = some.unwrap();
    assert_eq!(some.len(), 1);
    let expected = all.project(&[2]).unwrap().slice(slice.from, slice.rows);
    assert_eq!(some[0].column(0).as_ref(), expected.column(0).as_ref());

    // Any reader, without the host's schema: a list of floats.
    let plain =
        parquet::arrow::arrow_reader::ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, plain).unwrap();
    let mut row = 0;
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let lists = batch.column(2).as_list::<i32>();
        for at in 0..lists.len() {
            let vectors = all.column(2).as_fixed_size_list();
            assert_eq!(lists.is_null(at), vectors.is_null(row), "row {row}");
            if lists.is_valid(at) {
                let (got, sent) = (lists.value(at), vectors.value(row));
                let floats = |array: &ArrayRef| array.as_primitive::<Float32Type>().clone();
                assert_eq!(floats(&got).values(), floats(&sent).values(), "row {row}");
            }
            row += 1;
        }
    }
    assert_eq!(row, all.num_rows());

    let reader = SerializedFileReader::new(folder.file("part.parquet")).unwrap();
    let groups = reader.metadata().row_groups();
    assert_eq!(groups.len(), if batches.len() > 2 { 2 } else { 1 });
    let column = groups[0].column(2);
    assert_eq!(column.compression(), Compression::LZ4_RAW);
    let shrunk = column.compressed_size() * 4 < column.uncompressed_size() * 3;
    assert_eq!(shrunk, compressed, "{} bytes", column.compressed_size());
}

#[test]
fn vectors_come_back_whole_over_pages_and_row_groups() {
    // More than one page of 1 MiB each.
    let all = |range| rows(range, |_| true, |n, k| if k % 6 == 0 { n as f32 } else { 0.0 });
    check(&[all(0..15_000), all(15_000..16_000), all(16_000..16_010)], true);
}

#[test]
fn vectors_that_do_not_shrink_are_stored_as_they_are() {
    check(&[rows(0..30_000, |_| true, noise)], false);
}

#[test]
fn missing_vectors_stay_missing() {
    check(&[rows(0..4_000, |n| n % 3 != 1, |n, _| n as f32)], true);
    check(&[rows(0..300, |n| n % 2 == 0, noise), rows(300..310, |_| false, noise)], false);
}

#[test]
fn a_slice_of_a_batch_is_written_as_that_slice() {
    let all = rows(0..100, |n| n % 7 != 0, |n, k| (n * 100 + k) as f32);
    check(&[all.slice(13, 40)], false);
}

#[test]
fn a_file_without_rows_is_one() {
    let folder = Folder::new();
    let writer = PartWriter::create(&folder.artifacts, "none.parquet", schema()).unwrap();
    writer.finish().unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(folder.file("none.parquet")).unwrap();
    assert_eq!(reader.schema(), &schema());
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

#[test]
fn a_relative_reference_stays_where_its_manifest_is() {
    let folder = Location::parse("https://host:8443/in").unwrap();
    let resolved = |reference: &str| resolve_url(reference, &folder);
    assert_eq!(resolved("a b.jpg").unwrap(), "https://host:8443/in/a%20b.jpg");
    assert_eq!(resolved("../x.jpg").unwrap(), "https://host:8443/x.jpg");
    assert_eq!(resolved("s3://bucket/x").unwrap(), "s3://bucket/x");
    for elsewhere in ["mailto:x", "c:\\x.jpg", "\\\\other\\x.jpg", "http:/x", "File:/x"] {
        let error = resolved(elsewhere).unwrap_err();
        assert_eq!(error.code(), Code::Invalid, "{elsewhere}");
        assert!(error.to_string().contains("is not a path below https://host:8443/in"), "{error}");
    }
}
