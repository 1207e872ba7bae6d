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

#[test]
fn the_speeches_give_the_same_documents_over_s3_and_grpc() {
    let data = root().join("examples/speeches/data.tar.gz");
    let pipeline = root().join("examples/speeches/pipeline.toml");
    let unpack = |bench: &Bench| {
        let to = bench.path("");
        let mut tar = std::process::Command::new("tar");
        assert!(tar.arg("xzf").arg(&data).arg("-C").arg(to).status().unwrap().success());
        // A tenth of them is enough to see a difference.
        let all = std::fs::read_to_string(bench.path("speeches.jsonl")).unwrap();
        let some: Vec<&str> = all.lines().step_by(10).collect();
        bench.write("some.jsonl", &some.join("\n"));
        bench.json(&["manifest", "build", "some.jsonl", "-o", "m.parquet"]);
    };
    let pipeline = pipeline.to_str().unwrap();
    let embedded = Bench::new();
    unpack(&embedded);
    embedded.json(&["run", pipeline, "--manifest", "m.parquet"]);
    let expected: Vec<Value> = embedded.documents("passages");
    assert!(expected.len() > 500, "{} documents", expected.len());
    let remote = Bench::new();
    unpack(&remote);
    let (s3, qdrant) = (S3Server::start(), QdrantServer::start());
    remote_run(&s3, &qdrant, pipeline, &remote);
    assert!(remote.documents("passages") == expected, "the documents differ");
}
