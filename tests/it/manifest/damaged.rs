//! A damaged manifest is an error, whatever the library makes of it.

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::file::properties::WriterProperties;
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
