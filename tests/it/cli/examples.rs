//! The examples, run, and the first-party extractors against their golden files.

use super::notes;
use crate::bench::digest::{Expected, digest_directory};
use crate::bench::generate::{ROWS_PER_FILE, SEED, generate};
use crate::support::quarry::{Bench, components, root};
use quarry::plugin::{Extractor, Host, Limits};
use serde_json::Value;
use std::process::Command;

/// Unpacks, builds the manifest, runs, and asks the searches of an example.
fn check(example: &str, manifest: &str) {
    let folder = root().join("examples").join(example);
    let bench = Bench::new();
    let mut tar = Command::new("tar");
    tar.arg("xzf").arg(folder.join("data.tar.gz")).arg("-C").arg(bench.path(""));
    assert!(tar.status().unwrap().success());
    bench.json(&["manifest", "build", manifest, "-o", "m.parquet"]);
    let pipeline = folder.join("pipeline.toml");
    let run = ["run", pipeline.to_str().unwrap(), "--manifest", "m.parquet"];
    let summary = bench.json(&run);
    assert_eq!(summary["batch"]["status"], "COMPLETED", "{summary}");
    assert_eq!(bench.json(&run)["changed"], false);
    let text = std::fs::read_to_string(folder.join("searches.toml")).unwrap();
    let searches: Value = toml::from_str(&text).unwrap();
    let searches = searches["search"].as_array().unwrap();
    assert!(searches.len() >= 3);
    for search in searches {
        let collection = match (example, search.get("like")) {
            ("speeches", _) => "passages",
            (_, Some(_)) => "pictures",
            (_, None) => "captions",
        };
        let hits = match search.get("like") {
            Some(object) => bench.json(&["search", collection, "--like", object.as_str().unwrap()]),
            None => bench.json(&["search", collection, search["query"].as_str().unwrap()]),
        };
        assert_eq!(hits[0]["lineage"]["object"], search["expect_object"], "{search}");
        if let Some(text) = search.get("expect_text").and_then(Value::as_str) {
            assert!(hits[0]["payload"].to_string().contains(text), "{}", hits[0]["payload"]);
        }
    }
}

#[test]
fn the_speeches_are_found_at_rank_one() {
    check("speeches", "speeches.jsonl");
}

#[test]
fn the_pictures_are_found_at_rank_one() {
    check("pictures", "pictures.jsonl");
}

#[test]
fn the_extractor_written_from_the_guide_redacts_in_a_pipeline() {
    let bench = Bench::new();
    let pipeline = "namespace = \"r\"\n[buckets.b.schema]\ntext = \"text\"\n[collections.clean]\n\
        source = \"bucket:b\"\nextractor = \"redact-pii\"\n";
    bench.write("p.toml", pipeline);
    notes(&bench, "m.parquet", &[("a", "write to ada@example.com today")]);
    bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    let documents = bench.documents("clean");
    assert_eq!(documents[0]["payload"]["text"], "write to [email] today");
    assert_eq!(documents[0]["payload"]["count"], 1);
}

/// The benchmark's definition, through components: the published count and digest.
#[test]
fn a_thousand_texts_give_the_published_digest() {
    let bench = Bench::new();
    bench.write("p.toml", include_str!("../../bench/pipeline.toml"));
    generate(&bench.path("m"), 1_000, SEED, ROWS_PER_FILE).unwrap();
    let run = ["run", "p.toml", "--manifest", "m", "--sink", "none"];
    let batch = bench.json(&run)["batch"]["id"].as_str().unwrap().to_string();
    let parts = bench.path(&format!("quarry-data/objects/bench/batches/{batch}/tier-1/embed"));
    let digest = digest_directory(&parts).unwrap();
    let expected = Expected::of(1_000).unwrap();
    assert_eq!(digest.documents(), expected.documents);
    assert_eq!(digest.finish(), expected.digest);
}

/// Every golden row through the real host; vectors to single precision.
fn golden(name: &str, folder: &str, variable: &str, out: &str) {
    let folder = root().join(folder).join(name).join("golden");
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let wasm = std::fs::read(components(variable, out).join(format!("{name}.wasm"))).unwrap();
    let component = Host::new(None, Limits::default()).unwrap().load(&wasm).unwrap();
    let mut instance = component.instantiate(&expected["parameters"]).unwrap();
    let description = instance.description().clone();
    for row in expected["rows"].as_array().unwrap() {
        let inputs = description.inputs.iter().map(|input| {
            crate::support::golden::cell(&row["inputs"][&input.name], input.kind, &folder)
        });
        let input = quarry::plugin::Input { rows: 1, columns: inputs.collect() };
        let output = instance.run(&input).unwrap();
        let documents = crate::support::golden::documents(&description, &output);
        crate::support::golden::same(&documents, row["documents"].as_array().unwrap());
    }
}

#[test]
fn html_text_gives_its_golden_documents_through_the_host() {
    golden("html-text", "plugins", "QUARRY_EXTRACTORS", "extractors");
}

#[test]
fn image_features_gives_its_golden_documents_through_the_host() {
    golden("image-features", "plugins", "QUARRY_EXTRACTORS", "extractors");
}

#[test]
fn redact_pii_gives_its_golden_documents_through_the_host() {
    golden("redact-pii", "examples", "QUARRY_TEST_GUESTS", "test-guests");
}

#[test]
fn a_crate_becomes_a_component_that_can_be_inspected() {
    let bench = Bench::new();
    let component = components("QUARRY_EXTRACTORS", "extractors").join("text-chunk.wasm");
    let shown = bench.json(&["extractor", "inspect", component.to_str().unwrap()]);
    assert_eq!(shown["name"], "text-chunk");
    assert_eq!(shown["api"], "0.1.0");
    assert!(shown["parameters"]["properties"]["size"].is_object(), "{shown}");
    let imports: Vec<&str> =
        shown["imports"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(imports.iter().all(|import| import.starts_with("quarry:extractor/")), "{imports:?}");
}
