//! What only the embedded engine has: a directory.

use quarry::error::Code;
use quarry::model::{Distance, Document, DocumentId, Name, Vector};
use quarry::sink::{EdgeSink, Layout, VectorKind, VectorSink, VectorSpec};
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;
use uuid::Uuid;

fn layout() -> Layout {
    let kind = VectorKind::Dense { dimension: 2, distance: Distance::Dot };
    Layout::new(vec![VectorSpec { name: "v".into(), kind }], vec![]).unwrap()
}

fn document(number: u128) -> Document {
    let payload = json!({ "_quarry": { "collection": "c", "object": "obj_1", "run": 1 } });
    Document {
        id: DocumentId(Uuid::from_u128(number)),
        payload: payload.as_object().unwrap().clone(),
        vectors: vec![("v".into(), Vector::Dense(vec![1.0, 2.0]))],
    }
}

fn name() -> Name {
    Name::parse("library").unwrap()
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_directory_is_open_once() {
    let directory = directory();
    let first = EdgeSink::open(directory.path()).unwrap();
    let second = EdgeSink::open(directory.path()).err().unwrap();
    assert_eq!(second.code(), Code::InUse);
    drop(first);
    EdgeSink::open(directory.path()).unwrap();
}

/// Somebody who copied the lock file away, or another program.
#[test]
fn a_shard_that_somebody_else_holds_is_in_use() {
    let directory = directory();
    EdgeSink::open(directory.path()).unwrap().prepare(&name(), &layout()).unwrap();
    let shard = qdrant_edge::EdgeShard::load(&directory.path().join("library"), None).unwrap();
    let sink = EdgeSink::open(directory.path()).unwrap();
    assert_eq!(sink.count(&name(), None).unwrap_err().code(), Code::InUse);
    drop(shard);
    assert_eq!(sink.count(&name(), None).unwrap(), 0);
}

#[test]
fn vectors_of_another_version_are_not_touched() {
    let directory = directory();
    drop(EdgeSink::open(directory.path()).unwrap());
    let marker = directory.path().join("vectors.json");
    assert_eq!(std::fs::read_to_string(&marker).unwrap(), r#"{"engine":"0.9.0","format":1}"#);
    std::fs::write(&marker, r#"{"engine":"0.10.1","format":1}"#).unwrap();
    let error = EdgeSink::open(directory.path()).err().unwrap();
    assert_eq!(error.code(), Code::Conflict);
    assert!(
        error.to_string().contains("engine 0.10.1 in format 1, this program reads 0.9.0 and 1")
    );
    std::fs::write(&marker, "{").unwrap();
    assert_eq!(EdgeSink::open(directory.path()).err().unwrap().code(), Code::Corrupt);
}

#[test]
fn the_marker_names_the_engine_of_the_manifest() {
    let manifest = include_str!("../../../host/Cargo.toml");
    assert!(manifest.contains("qdrant-edge = { version = \"=0.9.0\""));
}

#[test]
fn a_directory_with_other_things_in_it_is_refused() {
    let directory = directory();
    std::fs::create_dir(directory.path().join("photos")).unwrap();
    let error = EdgeSink::open(directory.path()).err().unwrap();
    assert_eq!(error.code(), Code::Conflict);
}

#[test]
fn a_write_is_refused_before_the_disk_is_full() {
    let directory = directory();
    let sink = EdgeSink::open(directory.path()).unwrap();
    sink.prepare(&name(), &layout()).unwrap();
    sink.upsert(&name(), vec![document(1)]).unwrap();
    let sink = sink.with_free_bytes(|_| Ok((128 << 20) + 20));
    let error = sink.upsert(&name(), vec![document(2)]).unwrap_err();
    assert_eq!(error.code(), Code::StorageFull);
    let text = error.to_string();
    let place = directory.path().display().to_string();
    assert!(text.contains(&place) && text.contains("bytes are missing"), "{text}");
    assert_eq!(sink.count(&name(), None).unwrap(), 1);
    // Without anything to write the reserve is enough, and a byte less is not.
    sink.flush(&name()).unwrap();
    let sink = sink.with_free_bytes(|_| Ok((128 << 20) - 1));
    assert_eq!(sink.flush(&name()).unwrap_err().code(), Code::StorageFull);
    assert_eq!(sink.prepare(&name(), &layout()).unwrap_err().code(), Code::StorageFull);
    assert_eq!(sink.optimize(&name()).unwrap_err().code(), Code::StorageFull);
}

#[test]
fn a_crash_while_a_namespace_is_made_leaves_nothing_that_matters() {
    let directory = directory();
    let sink = EdgeSink::open(directory.path()).unwrap();
    let unfinished = directory.path().join(".new-library");
    std::fs::create_dir_all(unfinished.join("wal")).unwrap();
    std::fs::write(unfinished.join("edge_config.json"), "{").unwrap();
    assert_eq!(sink.layout(&name()).unwrap(), None);
    sink.prepare(&name(), &layout()).unwrap();
    sink.upsert(&name(), vec![document(1)]).unwrap();
    assert!(!unfinished.exists());
}

/// Copies what is on disk at one moment, as the page cache would leave it after kill -9.
#[test]
fn writes_survive_a_process_that_dies_without_flushing() {
    let (directory, after) = (directory(), directory());
    let sink = EdgeSink::open(directory.path()).unwrap();
    sink.prepare(&name(), &layout()).unwrap();
    sink.upsert(&name(), (1..=100).map(document).collect()).unwrap();
    sink.flush(&name()).unwrap();
    sink.upsert(&name(), (50..=3_000).map(document).collect()).unwrap();
    copy(directory.path(), after.path());
    let sink = EdgeSink::open(after.path()).unwrap();
    assert_eq!(sink.count(&name(), None).unwrap(), 3_000);
    let ids = [DocumentId(Uuid::from_u128(1)), DocumentId(Uuid::from_u128(3_000))];
    assert_eq!(sink.get(&name(), &ids, true).unwrap(), [document(1), document(3_000)]);
}

#[test]
fn optimizing_keeps_every_document_while_others_are_written() {
    let directory = directory();
    let sink = EdgeSink::open(directory.path()).unwrap();
    sink.prepare(&name(), &wide_layout(2_048)).unwrap();
    // 40 MB of vectors: more than is left without a graph.
    sink.upsert(&name(), (0..5_000).map(|n| wide(n, 2_048)).collect()).unwrap();
    let words = VectorSpec { name: "words".into(), kind: VectorKind::Sparse };
    sink.prepare(&name(), &Layout::new(vec![words], vec![]).unwrap()).unwrap();
    std::thread::scope(|scope| {
        let optimizing = scope.spawn(|| sink.optimize(&name()));
        for start in (5_000..6_000).step_by(100) {
            let documents = (start..start + 100).map(|n| wide(n, 2_048));
            sink.upsert(&name(), documents.collect()).unwrap();
        }
        optimizing.join().unwrap().unwrap();
    });
    sink.flush(&name()).unwrap();
    drop(sink);
    let sink = EdgeSink::open(directory.path()).unwrap();
    assert_eq!(sink.count(&name(), None).unwrap(), 6_000);
    sink.optimize(&name()).unwrap();
    assert_eq!(sink.count(&name(), None).unwrap(), 6_000);
}

#[test]
fn flushing_hands_many_documents_over_to_the_disk() {
    let directory = directory();
    let sink = EdgeSink::open(directory.path()).unwrap();
    sink.prepare(&name(), &wide_layout(128)).unwrap();
    let segments = || {
        let entries = std::fs::read_dir(directory.path().join("library/segments")).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
    };
    sink.upsert(&name(), (0..65_535).map(|n| wide(n, 128)).collect()).unwrap();
    sink.flush(&name()).unwrap();
    assert_eq!(segments(), 1);
    sink.upsert(&name(), vec![wide(65_535, 128)]).unwrap();
    sink.flush(&name()).unwrap();
    assert!(segments() > 1, "the documents are still in the segment that is written to");
    let found = sink.get(&name(), &[DocumentId(Uuid::from_u128(7))], true).unwrap();
    assert_eq!(found, [wide(7, 128)]);
    assert_eq!(sink.count(&name(), None).unwrap(), 65_536);
}

fn wide_layout(dimension: u32) -> Layout {
    let kind = VectorKind::Dense { dimension, distance: Distance::Dot };
    Layout::new(vec![VectorSpec { name: "v".into(), kind }], vec![]).unwrap()
}

fn wide(number: u128, dimension: u128) -> Document {
    let values = (0..dimension).map(|at| ((number * 31 + at) % 97) as f32 - 48.0).collect();
    Document { vectors: vec![("v".into(), Vector::Dense(values))], ..document(number) }
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from).min_depth(1) {
        let entry = entry.unwrap();
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target).unwrap();
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
