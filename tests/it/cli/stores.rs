//! The same documents wherever artifacts and documents live.

use super::{PIPELINE, ROWS, notes};
use crate::support::qdrant_server::QdrantServer;
use crate::support::quarry::{Bench, root};
use crate::support::s3::S3Server;
use serde_json::Value;

#[test]
fn artifacts_in_s3_and_documents_over_grpc_are_the_embedded_ones() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    notes(&bench, "m.parquet", &ROWS);
    bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    let embedded = bench.documents("notes");
    let remote = Bench::new();
    remote.write("p.toml", PIPELINE);
    std::fs::copy(bench.path("m.parquet"), remote.path("m.parquet")).unwrap();
    let (s3, qdrant) = (S3Server::start(), QdrantServer::start());
    remote_run(&s3, &qdrant, "p.toml", &remote);
    assert_eq!(remote.documents("notes"), embedded);
}

fn remote_run(s3: &S3Server, qdrant: &QdrantServer, pipeline: &str, bench: &Bench) {
    let options = s3.options();
    let mut words = vec!["run", pipeline, "--manifest", "m.parquet"];
    words.extend(["--artifacts", "s3://bucket/quarry", "--sink", qdrant.url()]);
    words.extend(options.iter().map(String::as_str));
    let summary = bench.json(&words);
    assert_eq!(summary["batch"]["status"], "COMPLETED", "{summary}");
}

/// The demo's two pipelines, whole. `pieces` are collections with a filter, because one answer has
/// a bounded number of documents.
#[track_caller]
fn check(example: &str, lines: &str, pieces: &[(&str, &[&str])]) {
    let folder = root().join("examples").join(example);
    let unpacked = || {
        let bench = Bench::new();
        let mut tar = std::process::Command::new("tar");
        tar.arg("xzf").arg(folder.join("data.tar.gz")).arg("-C").arg(bench.path(""));
        assert!(tar.status().unwrap().success());
        bench.json(&["manifest", "build", lines, "-o", "m.parquet"]);
        bench
    };
    let pipeline = folder.join("pipeline.toml");
    let pipeline = pipeline.to_str().unwrap();
    let embedded = unpacked();
    let summary = embedded.json(&["run", pipeline, "--manifest", "m.parquet"]);
    let remote = unpacked();
    let (s3, qdrant) = (S3Server::start(), QdrantServer::start());
    remote_run(&s3, &qdrant, pipeline, &remote);
    let mut compared = 0;
    for (collection, filters) in pieces {
        let expected: Vec<Value> = embedded.documents_where(collection, filters);
        assert!(expected.len() > 5, "{} documents of {collection}", expected.len());
        let documents = remote.documents_where(collection, filters);
        assert!(documents == expected, "the documents of {collection} {filters:?} differ");
        compared += expected.len();
    }
    let searchable = |name: &str| pieces.iter().any(|(collection, _)| *collection == name);
    let collections = summary["batch"]["collections"].as_array().unwrap().iter();
    let made = collections.filter(|c| searchable(c["collection"].as_str().unwrap()));
    assert_eq!(compared as u64, made.map(|c| c["documents"].as_u64().unwrap()).sum::<u64>());
}

#[test]
fn the_speeches_give_the_same_documents_over_s3_and_grpc() {
    let early = ("passages", &["year<1900"][..]);
    let late = ("passages", &["year>=1900"][..]);
    check("speeches", "speeches.jsonl", &[early, late]);
}

#[test]
fn the_pictures_give_the_same_documents_over_s3_and_grpc() {
    check("pictures", "pictures.jsonl", &[("pictures", &[]), ("captions", &[])]);
}
