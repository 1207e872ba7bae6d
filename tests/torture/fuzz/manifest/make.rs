//! One table of every type, and the files it is written to.

use anyhow::Result;
use arrow_array::builder::{
    BooleanBuilder, FixedSizeBinaryBuilder, Int64Builder, ListBuilder, MapBuilder, StringBuilder,
    StringDictionaryBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int64Array, LargeStringArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;
use std::sync::Arc;

const ROWS: usize = 40;

pub(super) fn rows() -> Result<RecordBatch> {
    let there = |row: usize, every: usize| !row.is_multiple_of(every);
    let texts = (0..ROWS).map(|row| there(row, 5).then(|| format!("text {} ä", row % 4)));
    let bytes: Vec<Option<Vec<u8>>> =
        (0..ROWS).map(|row| there(row, 7).then(|| vec![row as u8; row % 9])).collect();
    let mut category = StringDictionaryBuilder::<Int32Type>::new();
    let mut flags = BooleanBuilder::new();
    let mut digests = FixedSizeBinaryBuilder::new(4);
    let mut lists = ListBuilder::new(ListBuilder::new(Int64Builder::new()));
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in 0..ROWS {
        category.append_option(there(row, 6).then_some(["red", "green", "blue"][row % 3]));
        flags.append_option(there(row, 4).then_some(row % 3 == 0));
        digests.append_value([row as u8; 4])?;
        for inner in 0..row % 3 {
            lists.values().values().append_option(there(row, 2).then_some(row as i64));
            lists.values().append(inner == 0);
        }
        lists.append(there(row, 5));
        for entry in 0..row % 3 {
            maps.keys().append_value(format!("k{entry}"));
            maps.values().append_option(there(row, 3).then_some(entry as i64));
        }
        maps.append(there(row, 4))?;
    }
    let inner: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS as i64));
    let pairs = StructArray::from(vec![
        (Arc::new(Field::new("a", DataType::Int64, false)), inner),
        (
            Arc::new(Field::new("b", DataType::Utf8, true)),
            Arc::new((0..ROWS).map(|row| there(row, 3).then_some("b")).collect::<StringArray>())
                as ArrayRef,
        ),
    ]);
    let numbers = || 0..ROWS as i64;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("object_id", Arc::new(StringArray::from_iter_values((0..ROWS).map(|n| format!("o{n}"))))),
        ("text", Arc::new(texts.clone().collect::<StringArray>())),
        ("large", Arc::new(texts.collect::<LargeStringArray>())),
        ("category", Arc::new(category.finish())),
        ("bytes", Arc::new(bytes.iter().map(Option::as_deref).collect::<BinaryArray>())),
        ("n", Arc::new(Int64Array::from_iter_values(numbers().map(|n| n * n * 1_000_003)))),
        (
            "tiny",
            Arc::new(numbers().map(|n| (n % 3 != 0).then_some(n as i8)).collect::<Int8Array>()),
        ),
        ("u", Arc::new(UInt64Array::from_iter_values(numbers().map(|n| u64::MAX - n as u64)))),
        ("f", Arc::new(Float64Array::from_iter_values(numbers().map(|n| n as f64 / 7.0)))),
        ("f32", Arc::new(Float32Array::from_iter_values(numbers().map(|n| n as f32 / 3.0)))),
        ("flag", Arc::new(flags.finish())),
        ("day", Arc::new(Date32Array::from_iter_values(numbers().map(|n| n as i32 * 400)))),
        ("at", Arc::new(TimestampMicrosecondArray::from_iter_values(numbers()))),
        ("price", Arc::new(Decimal128Array::from_iter_values(numbers().map(i128::from)))),
        ("digest", Arc::new(digests.finish())),
        ("lists", Arc::new(lists.finish())),
        ("map", Arc::new(maps.finish())),
        ("pair", Arc::new(pairs)),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

pub(super) fn files(rows: &RecordBatch) -> Result<Vec<Vec<u8>>> {
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
    ];
    let mut files = Vec::new();
    for compression in compressions {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for dictionary in [true, false] {
                let properties = WriterProperties::builder()
                    .set_compression(compression)
                    .set_writer_version(version)
                    .set_dictionary_enabled(dictionary)
                    // Several pages a column and several groups a file.
                    .set_data_page_row_count_limit(11)
                    .set_write_batch_size(7)
                    .set_max_row_group_row_count(Some(29))
                    .set_bloom_filter_enabled(dictionary);
                files.push(write(rows, encoded(properties, dictionary))?);
            }
        }
    }
    Ok(files)
}

/// Encodings that no writer chooses by itself.
fn encoded(properties: WriterPropertiesBuilder, dictionary: bool) -> WriterProperties {
    if dictionary {
        return properties.build();
    }
    let column = |name: &str| ColumnPath::from(name);
    properties
        .set_column_encoding(column("n"), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(column("text"), Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_column_encoding(column("large"), Encoding::DELTA_BYTE_ARRAY)
        .set_column_encoding(column("f"), Encoding::BYTE_STREAM_SPLIT)
        .set_column_encoding(column("digest"), Encoding::BYTE_STREAM_SPLIT)
        .build()
}

fn write(rows: &RecordBatch, properties: WriterProperties) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, rows.schema(), Some(properties))?;
    writer.write(rows)?;
    writer.close()?;
    Ok(file)
}
