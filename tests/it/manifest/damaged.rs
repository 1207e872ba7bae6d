//! A damaged manifest is an error, whatever the library makes of it.

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use quarry::error::{Code, Result};
use quarry::manifest::Manifest;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

fn written() -> Vec<u8> {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..20).map(|row| format!("a prefix of all {}", row % 7)),
    ));
    let rows = RecordBatch::try_from_iter([("text", texts)]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::DELTA_BYTE_ARRAY)
        .build();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    file
}

fn rows(path: &Path, runtime: &Runtime) -> Result<usize> {
    let manifest = Manifest::open(&path.to_string_lossy(), &[], runtime.handle().clone())?;
    let mut rows = 0;
    for batch in manifest.read(&["text".to_string()]) {
        rows += batch?.num_rows();
    }
    Ok(rows)
}

#[test]
fn damage_anywhere_in_a_manifest_is_an_error_or_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.parquet");
    let runtime = Runtime::new().unwrap();
    let whole = written();
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(rows(&path, &runtime).unwrap(), 20);
    let mut refused = 0;
    for at in 0..whole.len() {
        for flip in [0x01, 0x40, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            std::fs::write(&path, damaged).unwrap();
            if let Err(error) = rows(&path, &runtime) {
                assert_eq!(error.code(), Code::Invalid, "byte {at}: {}", error.chain());
                refused += 1;
            }
        }
    }
    assert!(refused > whole.len() / 4, "only {refused} of {} bytes matter", whole.len() * 3);
}

/// A decoder makes room for what a page claims: gigabytes of it would end the process.
#[test]
fn a_page_that_claims_more_values_than_it_has_is_not_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.parquet");
    let runtime = Runtime::new().unwrap();
    let whole = written();
    // Blocks of 128, four to a block, 20 values: lengths of prefixes, then lengths of the rest.
    let header = [0x80, 0x01, 0x04, 20];
    let places: Vec<usize> =
        (0..whole.len()).filter(|at| whole[*at..].starts_with(&header)).collect();
    assert_eq!(places.len(), 2);
    for at in places {
        let mut crafted = whole.clone();
        crafted[at + 3] = 127;
        std::fs::write(&path, crafted).unwrap();
        let error = rows(&path, &runtime).unwrap_err();
        assert_eq!(error.code(), Code::Invalid);
        let chain = error.chain();
        assert!(chain.contains("a page claims 127 values where 20 can be"), "{chain}");
    }
}

/// Room for a decompressed page is made before anything is decompressed.
#[test]
fn a_page_that_claims_to_decompress_to_gigabytes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.parquet");
    let runtime = Runtime::new().unwrap();
    // A text that compresses as well as one can, in a page larger than any that is usual.
    let zeros: ArrayRef = Arc::new(StringArray::from_iter_values(["0".repeat(32 << 20)]));
    let rows_of_zeros = RecordBatch::try_from_iter([("text", zeros)]).unwrap();
    for compression in [
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_compression(compression);
        let mut file = Vec::new();
        let schema = rows_of_zeros.schema();
        let mut writer = ArrowWriter::try_new(&mut file, schema, Some(properties.build())).unwrap();
        writer.write(&rows_of_zeros).unwrap();
        writer.close().unwrap();
        std::fs::write(&path, &file).unwrap();
        assert_eq!(rows(&path, &runtime).unwrap(), 1, "{compression}");
        // After the magic: a data page (0), then its size, twice because of zigzag.
        let mut header = vec![0x15, 0x00, 0x15];
        varint(&mut header, 2 * ((32 << 20) + 4));
        assert_eq!(file[4..11], header, "{compression}");
        // The largest of as many bytes.
        file[7..11].copy_from_slice(&[0xfe, 0xff, 0xff, 0x7f]);
        std::fs::write(&path, &file).unwrap();
        let error = rows(&path, &runtime).unwrap_err();
        assert_eq!(error.code(), Code::Invalid);
        let chain = error.chain();
        assert!(chain.contains("claims to be 134217727"), "{compression}: {chain}");
    }
}

/// A file of nothing but a footer: the version, and a schema of these elements.
fn footer(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut metadata = vec![0x15, 0x02, 0x19, 0xfc];
    varint(&mut metadata, elements.len() as u64);
    metadata.extend(elements.concat());
    metadata.push(0);
    let length = (metadata.len() as u32).to_le_bytes();
    [&b"PAR1"[..], &metadata, &length, b"PAR1"].concat()
}

/// A required group `a` that claims so many children.
fn group(children: i64) -> Vec<u8> {
    let mut element = vec![0x35, 0x00, 0x18, 0x01, b'a', 0x15];
    varint(&mut element, (children << 1 ^ children >> 63) as u64);
    element.push(0);
    element
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The library makes room for what a group claims, and goes into groups in groups until the stack
/// ends: both end the process.
#[test]
fn a_schema_that_claims_too_much_or_goes_too_deep_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.parquet");
    let runtime = Runtime::new().unwrap();
    let deep = |levels: usize| vec![group(1); levels];
    // A map before the schema, where none may be: what is not understood is not passed over.
    let mut hidden = footer(&deep(1_000_000));
    hidden.splice(6..6, [0x1b, 0x00]);
    let cases = [
        (footer(&[group(i64::from(i32::MAX))]), "claims 2147483647 columns where 0 can be"),
        // 1,257,046,459 in 32 bits.
        (footer(&[group(-3_037_920_837)]), "the footer is damaged"),
        (footer(&[group(2), group(0)]), "a group claims 2 columns where 1 can be"),
        (footer(&deep(1_000_000)), "more than 128 groups are within each other"),
        (hidden, "the footer is damaged"),
        (footer(&[]), "not a readable Parquet file"),
        (b"PAR1\xff\xff\x00\x00PAR1".to_vec(), "the footer is longer than the file"),
        (b"PAR1".to_vec(), "the file is shorter than a footer"),
        (Vec::new(), "not a readable Parquet file"),
    ];
    for (bytes, wanted) in cases {
        std::fs::write(&path, bytes).unwrap();
        let error = rows(&path, &runtime).unwrap_err();
        let text = error.chain();
        assert_eq!(error.code(), Code::Invalid, "{text}");
        assert!(text.contains(wanted), "{text}");
    }
}
