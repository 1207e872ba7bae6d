//! Batches of a server from the command line: listed, submitted, watched, canceled.

use super::api::Serving;
use crate::support::quarry::{Answer, Bench};
use quarry::cli::batch::events::{Event, Events};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

const PIPELINE: &str = r#"
namespace = "shop"
[buckets.notes.schema]
text = "text"
[collections.chunks]
source = "bucket:notes"
extractor = "text-chunk@1.0.0"
parameters = { by = "words", size = 2 }
"#;

fn call(bench: &Bench, operation: &str, more: &[&str]) -> Value {
    bench.json(&[&["api", operation, "--namespace", "shop"], more].concat())
}

/// A bucket with a text for each, and a draft of them; the draft's id.
fn draft(bench: &Bench, texts: &[&str]) -> String {
    bench.write("p.toml", PIPELINE);
    bench.json(&["apply", "p.toml"]);
    let bucket = "bucket_identifier=notes";
    let objects = texts.iter().map(|text| {
        let body = json!({ "blobs": [{ "property": "text", "type": "text", "data": text }] });
        let body = body.to_string();
        let made = call(bench, "create_object_buckets", &["--path", bucket, "--body", &body]);
        made["object_id"].clone()
    });
    let body = json!({ "object_ids": objects.collect::<Vec<_>>() }).to_string();
    let made = call(bench, "create_batch_buckets_batches", &["--path", bucket, "--body", &body]);
    made["batch_id"].as_str().unwrap().to_string()
}

#[test]
fn a_batch_is_submitted_watched_and_read_where_its_server_is() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, &[]);
    let id = draft(&bench, &["one two three", "four"]);
    let task = bench.json(&["batch", "submit", &id]);
    assert!(task["task_id"].is_string(), "{task}");
    // The server is found by the data directory that it holds, or by its name.
    let watched = bench.quarry(&["batch", "watch", &id]).ok();
    let last = watched.stdout.lines().last().unwrap();
    assert_eq!(last, "COMPLETED: 3 documents of 2 objects", "{}", watched.stdout);
    assert!(watched.stderr.contains("batch.completed"), "{}", watched.stderr);
    let words = ["batch", "watch", &id, "--server", &serving.url, "--output", "ndjson"];
    let again = bench.quarry(&words).ok();
    let lines: Vec<Value> =
        again.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(kinds.first(), Some(&"batch.submitted"), "{kinds:?}");
    assert_eq!(kinds[kinds.len() - 3..], ["batch.completed", "end", "summary"], "{kinds:?}");
    assert_eq!(lines.last().unwrap()["data"]["documents_written"], 3);
    let listed = bench.json(&["batch", "list"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["batch_id"]), (1, &json!(id)));
    assert_eq!(bench.json(&["batch", "get", &id])["status"], "COMPLETED");
    assert_eq!(bench.json(&["batch", "errors", &id]), json!([]));
    let events = bench.json(&["batch", "events", &id]);
    let kinds = events.as_array().unwrap().iter();
    assert!(kinds.clone().any(|event| event["kind"] == "batch.completed"), "{events}");
    let again = bench.json(&["batch", "resubmit", &id, "--from-tier", "0"]);
    assert_eq!(again["partitions"], 1, "{again}");
    bench.quarry(&["batch", "watch", &id]).ok();
    assert_eq!(bench.quarry(&["batch", "watch", "btch_none"]).code, 4);
    assert_eq!(serving.stop(), 0);
    let nobody = bench.quarry(&["batch", "watch", &id]);
    assert_eq!(nobody.code, 69, "{}", nobody.stderr);
    assert!(nobody.stderr.contains("quarry serve"), "{}", nobody.stderr);
}

#[test]
fn a_canceled_batch_ends_a_watch_with_a_failure() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, &[]);
    let id = draft(&bench, &["one"]);
    let canceled = bench.json(&["batch", "cancel", &id, "--server", &serving.url]);
    assert_eq!(canceled["status"], "CANCELED");
    let watched = bench.quarry(&["batch", "watch", &id]);
    assert_eq!(watched.code, 1, "{}", watched.stderr);
    assert!(watched.stdout.ends_with("CANCELED: 0 documents of 1 objects\n"), "{}", watched.stdout);
}

/// The head of a request.
fn head(stream: &TcpStream) -> Vec<String> {
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.by_ref().take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect()
}

fn respond(mut stream: &TcpStream, kind: &str, body: &str) {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
    stream.write_all((head + body).as_bytes()).unwrap();
}

#[test]
fn a_connection_that_breaks_is_taken_up_after_the_last_event() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let kind = "text/event-stream";
        let event = |id: u32| format!("id: {id}\nevent: batch.step\ndata: {{\"data\": {{}}}}\n\n");
        let mut heads = Vec::new();
        for (answer, body) in [
            // The third event breaks off in the middle.
            (kind, format!("{}{}{}", event(1), event(2), "id: 3\nevent: batch.st")),
            (kind, format!("{}event: end\ndata: {{}}\n\n", event(3))),
            ("application/json", r#"{"batch_id": "b", "status": "COMPLETED"}"#.to_string()),
        ] {
            let (stream, _) = listener.accept().unwrap();
            heads.push(head(&stream));
            respond(&stream, answer, &body);
        }
        heads
    });
    let bench = Bench::new();
    let words = ["batch", "watch", "b", "--server", &url, "--output", "ndjson"];
    let watched: Answer = bench.quarry(&words).ok();
    let heads = server.join().unwrap();
    let told =
        |at: usize| heads[at].iter().find(|line| line.starts_with("last-event-id:")).cloned();
    assert_eq!((told(0), told(1)), (None, Some("last-event-id: 2".to_string())));
    let steps = watched.stdout.lines().filter(|line| line.contains("batch.step")).count();
    assert_eq!(steps, 3, "{}", watched.stdout);
}

#[test]
fn a_server_that_is_not_there_is_said_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bench = Bench::new();
    let url = format!("http://{free}");
    let watched = bench.quarry(&["batch", "watch", "b", "--server", &url]);
    assert_eq!(watched.code, 69, "{}", watched.stderr);
    assert!(watched.stderr.contains("does not answer"), "{}", watched.stderr);
}

#[test]
fn events_are_whole_however_they_are_cut() {
    let text =
        ": hello\n\nid: 7\nevent: a\ndata: one\ndata: two ü\n\nevent: end\ndata: {}\n\nid: 8\n";
    for size in 1..text.len() {
        let mut events = Events::default();
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            found.extend(events.take(piece).unwrap());
        }
        let one = Event { id: Some("7".into()), kind: "a".into(), data: "one\ntwo ü".into() };
        let end = Event { id: None, kind: "end".into(), data: "{}".into() };
        assert_eq!(found, [one, end], "{size}");
    }
    assert!(Events::default().take(&vec![b'a'; 5 << 20]).is_err());
}
