//! The API from the command line: over a data directory, and over a server that holds it.

use crate::support::quarry::{Answer, Bench};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

/// `quarry serve`, ended with the test.
pub(super) struct Serving {
    child: Child,
    pub(super) url: String,
}

impl Serving {
    pub(super) fn start(bench: &Bench, more: &[&str]) -> Serving {
        let words = [&["serve", "--listen", "127.0.0.1:0", "--sink", "none"], more].concat();
        let mut command = bench.command(&words);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Serving { child, url: url.trim().to_string() }
    }

    /// As a service manager stops it.
    pub(super) fn stop(mut self) -> i32 {
        let process = i32::try_from(self.child.id()).unwrap();
        // SAFETY: the child is ours and has not been waited for, so its number is still its own.
        assert_eq!(unsafe { libc::kill(process, libc::SIGTERM) }, 0);
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_server_that_is_stopped_ends_although_a_request_never_comes_whole() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, &["--drain-seconds", "1"]);
    let address = serving.url.strip_prefix("http://").unwrap();
    let mut asking = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /v1/buckets HTTP/1.1\r\nHost: {address}\r\nContent-Length: 100\r\n\
         Expect: 100-continue\r\n\r\n{{"
    );
    asking.write_all(head.as_bytes()).unwrap();
    let mut told = String::new();
    BufReader::new(&asking).read_line(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 100"), "{told}");
    assert_eq!(serving.stop(), 0);
}

fn bucket(name: &str) -> String {
    json!({ "bucket_name": name, "bucket_schema": { "properties": {} } }).to_string()
}

#[test]
fn operations_work_on_a_data_directory_without_a_server() {
    let bench = Bench::new();
    assert_eq!(bench.quarry(&["api", "list_buckets_get"]).code, 4);
    let create = ["api", "create_bucket", "--idempotency-key", "one", "--body", &bucket("a b")];
    let made = bench.json(&create);
    // Another process, another opening of the state: the answer is still known.
    assert_eq!(bench.json(&create), made);
    let one = bench.json(&["api", "get_bucket", "--path", "bucket_identifier=a b"]);
    assert_eq!(one["bucket_id"], made["bucket_id"]);
    let listed = bench.json(&["api", "list_buckets_get", "--query", "limit=5"]);
    assert_eq!(listed["total_count"], 1);
    let missing = bench.quarry(&["api", "get_bucket", "--path", "bucket_identifier=none"]);
    assert_eq!(missing.code, 4, "{}", missing.stderr);
    let unknown = bench.quarry(&["api", "get_buckets"]);
    assert_eq!(unknown.code, 4);
    let incomplete = bench.quarry(&["api", "get_bucket"]);
    assert_eq!(incomplete.code, 2);
    assert!(incomplete.stderr.contains("bucket_identifier"), "{}", incomplete.stderr);
}

#[test]
fn every_operation_is_listed_and_described() {
    let bench = Bench::new();
    let listed = bench.json(&["api", "list"]);
    let all = quarry::api::operations();
    assert_eq!(listed.as_array().unwrap().len(), all.len());
    let schema: Value = bench.quarry(&["api", "schema"]).ok().json();
    assert_eq!(schema, quarry::api::description());
}

#[test]
fn commands_find_the_server_that_holds_the_directory() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, &[]);
    bench.json(&["api", "create_bucket", "--body", &bucket("a")]);
    let key = bench.json(&["key", "create", "ingest", "--scope", "read"]);
    let secret = key["secret"].as_str().unwrap();
    // Keys are needed now; whoever may read the directory needs none.
    assert_eq!(bench.json(&["key", "list"])[0]["key_id"], key["key"]["key_id"]);
    let asked = |key: Option<&str>| -> Answer {
        let words = ["api", "list_buckets_get", "--output", "json", "--server", &serving.url];
        let mut command = bench.command(&words);
        if let Some(key) = key {
            command.env("QUARRY_API_KEY", key);
        }
        command.output().unwrap().into()
    };
    assert_eq!(asked(None).code, 5);
    assert_eq!(asked(Some(secret)).ok().json()["total_count"], 1);
    let id = key["key"]["key_id"].as_str().unwrap();
    let rotated = bench.json(&["key", "rotate", id, "--grace-seconds", "0"]);
    assert_eq!(asked(Some(secret)).code, 5);
    bench.write("key", rotated["secret"].as_str().unwrap());
    let words = ["api", "list_buckets_get", "--server", &serving.url, "--key-file", "key"];
    bench.quarry(&words).ok();
    bench.json(&["key", "revoke", id]);
    assert_eq!(bench.quarry(&words).code, 5);
    assert_eq!(serving.stop(), 0);
    assert!(!bench.path("quarry-data/control/server.json").exists());
}

#[test]
fn only_its_owner_can_read_how_to_reach_the_server() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let _serving = Serving::start(&bench, &[]);
    let file = bench.path("quarry-data/control/server.json");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_server_without_keys_refuses_to_listen_beyond_this_machine() {
    let bench = Bench::new();
    let refused = bench.quarry(&["serve", "--listen", "0.0.0.0:0", "--sink", "none"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("quarry key create"), "{}", refused.stderr);
    bench.json(&["key", "create", "first", "--scope", "admin"]);
    let words = ["serve", "--listen", "0.0.0.0:0", "--sink", "none"];
    let mut command = bench.command(&words);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let serving = Serving { child, url };
    assert!(serving.url.starts_with("http://0.0.0.0:"), "{}", serving.url);
    assert_eq!(serving.stop(), 0);
}

#[test]
fn shells_complete_and_manuals_are_printed() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = bench.quarry(&["completions", shell]).ok().stdout;
        assert!(script.contains("quarry"), "{shell}");
    }
    assert!(bench.quarry(&["man"]).ok().stdout.contains(".TH"));
    bench.quarry(&["man", "--out", "man"]).ok();
    for page in ["quarry.1", "quarry-serve.1", "quarry-key-create.1"] {
        assert!(bench.path("man").join(page).exists(), "{page}");
    }
}

#[test]
fn a_log_for_machines_has_one_object_a_line_and_no_secret() {
    let bench = Bench::new();
    let words = ["serve", "--listen", "127.0.0.1:0", "--sink", "none", "--log-format", "json"];
    let mut command = bench.command(&words);
    command.env("QUARRY_LOG", "quarry=info").stdout(Stdio::piped());
    let log = std::fs::File::create(bench.path("log")).unwrap();
    let mut child = command.stderr(log).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let serving = Serving { child, url: url.trim().to_string() };
    let words = ["api", "list_buckets_get", "--server", &serving.url, "--query", "cursor=s3cr3t"];
    let asked = bench.command(&words).env("QUARRY_API_KEY", "qk_s3cr3t").output().unwrap();
    assert!(!asked.status.success());
    assert_eq!(serving.stop(), 0);
    let log = std::fs::read_to_string(bench.path("log")).unwrap();
    assert!(!log.contains("s3cr3t"), "{log}");
    let answered = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let answered: Vec<Value> = answered.filter(|line| line["message"] == "answered").collect();
    assert_eq!(answered.len(), 1, "{log}");
    assert_eq!(
        (&answered[0]["path"], &answered[0]["status"]),
        (&json!("/v1/buckets"), &json!(422))
    );
    assert!(answered[0]["request_id"].is_string());
}
