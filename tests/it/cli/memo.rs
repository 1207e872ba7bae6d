use super::{PIPELINE, ROWS, column, notes};
use crate::support::quarry::Bench;
use serde_json::Value;

const RUN: [&str; 4] = ["run", "p.toml", "--manifest", "m.parquet"];

fn forced(more: &[&'static str]) -> Vec<&'static str> {
    [&RUN[..], &["--force"], more].concat()
}

/// (succeeded, skipped, documents) of a collection.
fn figures(summary: &Value, name: &str) -> (u64, u64, u64) {
    let all = summary["batch"]["collections"].as_array().unwrap();
    let own = all.iter().find(|c| c["collection"] == name).unwrap();
    let number = |field: &str| own[field].as_u64().unwrap();
    (number("succeeded"), number("skipped"), number("documents"))
}

#[test]
fn what_has_not_changed_is_reported_and_not_extracted() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    notes(&bench, "m.parquet", &ROWS);
    bench.json(&RUN);
    let first = bench.documents("notes");
    let again = bench.json(&forced(&[]));
    assert_eq!(figures(&again, "chunks"), (0, 3, 6));
    assert_eq!(figures(&again, "notes"), (0, 6, 6));
    assert_eq!(bench.documents("notes"), first);
    let all = bench.json(&forced(&["--no-memo"]));
    assert_eq!(figures(&all, "chunks"), (3, 0, 6));
    assert_eq!(bench.documents("notes"), first);
    // Another parameter of the second tier: the first one is as it was.
    bench.write("p.toml", &PIPELINE.replace("dimensions = 16", "dimensions = 16, sparse = false"));
    let other = bench.json(&RUN);
    assert_eq!(figures(&other, "chunks"), (0, 3, 6));
    assert_eq!(figures(&other, "notes"), (6, 0, 6));
    // And one of the first: nothing is.
    bench.write("p.toml", &PIPELINE.replace("size = 4", "size = 5"));
    assert_eq!(figures(&bench.json(&RUN), "chunks").0, 3);
    let findings = bench.json(&["admin", "verify", "--deep"]);
    assert_eq!(findings, Value::Array(Vec::new()));
}

#[test]
fn one_row_of_many_costs_one_row() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    let ids: Vec<String> = (0..3_000).map(|row| format!("n{row:04}")).collect();
    let texts = |changed: usize| -> Vec<String> {
        let more = |row: usize| if row == changed { " and a fifth word" } else { "" };
        (0..3_000).map(|row| format!("note {row} of many{}", more(row))).collect()
    };
    let write = |texts: Vec<String>| {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        bench.parquet("m.parquet", vec![("object_id", column(&ids)), ("text", column(&texts))]);
    };
    write(texts(usize::MAX));
    bench.json(&RUN);
    write(texts(1_500));
    let changed = bench.json(&RUN);
    assert_eq!(figures(&changed, "chunks"), (1, 2_999, 3_001));
    assert_eq!(figures(&changed, "notes"), (1, 3_000, 3_001), "its first four words are the same");
    // The batch that it was made of can go.
    bench.json(&["admin", "gc"]);
    let list = bench.json(&["batch", "list"]);
    let first = list[0]["id"].as_str().unwrap();
    let data = bench.path(changed["data_dir"].as_str().unwrap());
    std::fs::remove_dir_all(data.join("objects/test/batches").join(first)).unwrap();
    let documents = bench.json(&["admin", "rebuild", "--force"]);
    assert_eq!(documents["batches"], 1, "{documents}");
    assert_eq!(bench.json(&["admin", "verify", "--deep"]), Value::Array(Vec::new()));
    let again = bench.json(&forced(&[]));
    assert_eq!(figures(&again, "chunks"), (0, 3_000, 3_001));
}

#[test]
fn what_a_manifest_refers_to_is_read_again_by_a_forced_run() {
    let bench = Bench::new();
    bench.write(
        "p.toml",
        &PIPELINE.replace("text = \"text\"", "text = { type = \"text\", uri = \"file\" }"),
    );
    bench.write("a.txt", "one two three");
    let ids = [("object_id", column(&["a"])), ("file", column(&["a.txt"]))];
    let manifest = bench.parquet("m.parquet", ids.to_vec());
    // So that the run does not read the manifest again.
    let hour = std::time::Duration::from_secs(60 * 60);
    let file = std::fs::File::options().append(true).open(manifest).unwrap();
    file.set_modified(std::time::SystemTime::now() - hour).unwrap();
    bench.json(&RUN);
    let before = bench.documents("notes");
    bench.write("a.txt", "four five six");
    assert_eq!(figures(&bench.json(&forced(&[])), "chunks"), (1, 0, 1));
    let after = bench.documents("notes");
    assert_eq!(after.len(), 1);
    assert_ne!(after, before);
}
