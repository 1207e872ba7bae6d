use super::{PIPELINE, ROWS, notes};
use crate::support::quarry::{Bench, reversioned};
use serde_json::Value;

/// The pipeline with this version of text-embed; 1.0.0, 1.2.0 and 2.0.0 are to be had.
fn bench() -> Bench {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("more")).unwrap();
    for version in ["1.2.0", "2.0.0"] {
        let path = bench.path(&format!("more/{version}.wasm"));
        std::fs::write(path, reversioned("text-embed", version)).unwrap();
    }
    notes(&bench, "m.parquet", &ROWS);
    bench
}

fn write(bench: &Bench, version: &str) {
    bench.write("p.toml", &PIPELINE.replace("text-embed@1.0.0", &format!("text-embed{version}")));
}

fn planned(bench: &Bench, version: &str) -> Value {
    write(bench, version);
    let plan = bench.json(&["pipeline", "check", "p.toml", "--extractors", "more"]);
    plan[1]["extractor"].clone()
}

#[test]
fn a_version_that_is_cut_short_is_the_highest_that_begins_like_it() {
    let bench = bench();
    assert_eq!(planned(&bench, "@1"), "text-embed@1.2.0");
    assert_eq!(planned(&bench, "@1.0"), "text-embed@1.0.0");
    assert_eq!(planned(&bench, "@1.0.0"), "text-embed@1.0.0");
    assert_eq!(planned(&bench, "@2"), "text-embed@2.0.0");
    for (version, message) in [("@3", "has no version 3"), ("", "has several versions")] {
        write(&bench, version);
        let answer = bench.quarry(&["pipeline", "check", "p.toml", "--extractors", "more"]);
        assert_eq!(answer.code, 2);
        assert!(answer.stderr.contains(message), "{}", answer.stderr);
    }
}

#[test]
fn another_version_runs_what_is_made_with_it_and_keeps_what_is_above() {
    let bench = bench();
    let run = ["run", "p.toml", "--manifest", "m.parquet", "--extractors", "more"];
    write(&bench, "@1.0.0");
    bench.json(&run);
    let ids = || -> Vec<Value> {
        bench.documents("notes").iter().map(|it| it["document_id"].clone()).collect()
    };
    let first = ids();
    for (version, exact) in [("@2", "text-embed@2.0.0"), ("@1.0.0", "text-embed@1.0.0")] {
        write(&bench, version);
        let summary = bench.json(&run);
        let collections = &summary["batch"]["collections"];
        assert_eq!(
            (&collections[0]["skipped"], &collections[0]["succeeded"]),
            (&3.into(), &0.into())
        );
        assert_eq!(
            (&collections[1]["skipped"], &collections[1]["succeeded"]),
            (&0.into(), &6.into())
        );
        assert_eq!(ids(), first);
        let documents = bench.documents("notes");
        assert!(documents.iter().all(|it| it["lineage"]["extractor"] == exact), "{documents:?}");
    }
}
