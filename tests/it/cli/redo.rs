//! What can be done about a batch that has ended, and how one is ended.

use super::notes;
use crate::support::quarry::Bench;
use serde_json::Value;
use std::process::Stdio;

fn hostile(act: &str) -> String {
    format!(
        "namespace = \"h\"\n[buckets.b.schema]\ntext = \"text\"\n[collections.c]\n\
         source = \"bucket:b\"\nextractor = \"hostile\"\nparameters = {{ act = \"{act}\" }}\n"
    )
}

fn id(batch: &Value) -> &str {
    batch["id"].as_str().unwrap()
}

#[test]
fn an_endless_guest_is_stopped_by_cancel_and_its_documents_go_if_asked() {
    let bench = Bench::new();
    bench.write("p.toml", &hostile("loop"));
    notes(&bench, "m.parquet", &[("a", "good"), ("b", "poison")]);
    // Without the cancel it would run for an hour, then for another in each half.
    let run = ["run", "p.toml", "--manifest", "m.parquet", "--call-ms-max", "3600000"];
    let mut child = bench
        .command(&run)
        .env("QUARRY_LOG", "quarry::step=trace")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(stderr).map_while(Result::ok);
    let batch = lines.find_map(|line| line.strip_prefix("batch ").map(str::to_string)).unwrap();
    assert!(lines.any(|line| line.contains("step=\"guest\"")), "the guest was not called");
    std::thread::spawn(move || lines.count());
    let asked = bench.json(&["batch", "cancel", &batch, "--discard"]);
    assert_eq!(asked["requested"], true, "{asked}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let canceled = bench.json(&["batch", "get", &batch]);
    assert_eq!(canceled["status"], "CANCELED");
    assert_eq!(canceled["failed"], 0, "a row that was stopped is no row that failed");
}

#[test]
fn rows_that_failed_run_again_and_good_ones_stay_as_they_are() {
    let bench = Bench::new();
    bench.write(
        "p.toml",
        "namespace = \"r\"\n[buckets.b.schema]\npage = { type = \"binary\", uri = \"uri\" }\n\
         [collections.pages]\nsource = \"bucket:b\"\nextractor = \"html-text\"\n\
         inputs = { html = \"page\" }\n",
    );
    bench.write("one.html", "<title>One</title><p>first page");
    let here = |name: &str| bench.path(name).to_str().unwrap().to_string();
    let uris = [here("one.html"), here("two.html")];
    let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
    let columns = vec![("object_id", super::column(&["a", "b"])), ("uri", super::column(&uris))];
    bench.parquet("m.parquet", columns);
    let run = bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    assert_eq!(run["batch"]["status"], "COMPLETED_WITH_ERRORS", "{run}");
    let batch = id(&run["batch"]);
    let before = bench.documents("pages");
    assert_eq!(before.len(), 1);
    // Nothing has changed: it fails again, and says so.
    let again = bench.json(&["batch", "retry", batch]);
    assert_eq!(again["batch"]["status"], "COMPLETED_WITH_ERRORS", "{again}");
    assert_eq!(again["batch"]["round"], 1);
    bench.write("two.html", "<title>Two</title><p>second page");
    let mended = bench.json(&["batch", "retry", batch]);
    assert_eq!(mended["batch"]["status"], "COMPLETED", "{mended}");
    let after = bench.documents("pages");
    assert_eq!(after.len(), 2);
    assert!(after.contains(&before[0]), "the good document is another one now");
    let nothing = bench.json(&["batch", "retry", batch]);
    assert_eq!(nothing["round"], 2, "nothing failed, so nothing is to run again");
    let all = bench.json(&["batch", "resubmit", batch, "--from-tier", "0"]);
    assert_eq!(all["batch"]["status"], "COMPLETED", "{all}");
    assert_eq!(bench.documents("pages"), after);
    let wrong = bench.quarry(&["batch", "resubmit", batch, "--from-tier", "7"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    let ended = bench.quarry(&["batch", "resume", batch]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
}

#[test]
fn a_batch_is_forgotten_with_its_files_once_nothing_needs_it() {
    let bench = Bench::new();
    let chunk = "namespace = \"n\"\n[buckets.b.schema]\ntext = \"text\"\n[collections.c]\n\
                 source = \"bucket:b\"\nextractor = \"text-chunk\"\n";
    bench.write("p.toml", chunk);
    notes(&bench, "one.parquet", &[("a", "first words"), ("b", "other words")]);
    notes(&bench, "two.parquet", &[("a", "second words")]);
    notes(&bench, "three.parquet", &[("b", "third words")]);
    let run = |manifest: &str| {
        let run = bench.json(&["run", "p.toml", "--manifest", manifest]);
        id(&run["batch"]).to_string()
    };
    let (one, two) = (run("one.parquet"), run("two.parquet"));
    let folder = |batch: &str| bench.path(&format!("quarry-data/objects/n/batches/{batch}"));
    let refused = |words: &[&str], why: &str| {
        let answer = bench.quarry(words);
        assert_eq!(answer.code, 1, "{}", answer.stderr);
        assert!(answer.stderr.contains(why), "{}", answer.stderr);
    };
    refused(&["batch", "delete", &two], "is the last one of namespace");
    refused(&["batch", "delete", &one], "1 documents in the sink are of batch");
    assert!(folder(&one).join("manifest.json").exists());
    // The third batch writes what was left of the first.
    run("three.parquet");
    let before = bench.documents("c");
    bench.json(&["batch", "delete", &one]);
    assert_eq!(bench.quarry(&["batch", "get", &one]).code, 4);
    assert!(!folder(&one).join("manifest.json").exists());
    bench.json(&["batch", "delete", &two, "--keep-documents"]);
    assert_eq!(bench.documents("c"), before);
    let list = bench.quarry(&["batch", "list", "--output", "json"]).ok();
    assert_eq!(list.stdout.lines().count(), 1, "{}", list.stdout);
    // It ends with 1 when it finds anything.
    bench.quarry(&["admin", "verify", "--deep"]).ok();
}
