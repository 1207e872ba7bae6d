//! `examples/rest` against a real `quarry serve`: the guide's curl lines as they are printed, and
//! one script for each way of watching.

use crate::support::quarry::{Bench, root};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long any of it may take.
const PATIENCE: Duration = Duration::from_secs(120);

struct Serve {
    child: Child,
    url: String,
    bench: Bench,
}

impl Serve {
    fn start() -> Serve {
        let bench = Bench::new();
        let mut child = bench
            .command(&["serve", "--listen", "127.0.0.1:0", "--allow-private-targets", "--quiet"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://"), "the first line is the URL: {url:?}");
        Serve { child, url: url.trim().to_string(), bench }
    }

    /// A script of the example, with what it needs in the environment.
    fn script(&self, program: &str, words: &[&str], ids: &[(String, String)]) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(root().join("examples/rest"))
            .args(words)
            .env("MP_API_URL", &self.url)
            .env("MP_API_KEY", "none")
            .env("MP_NAMESPACE", "shop")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(ids.iter().cloned());
        command
    }

    /// Runs one of the guide's lines.
    fn guide(&self, line: &str, ids: &[(String, String)]) -> Value {
        let text = run(self.script("sh", &["guide.sh", line], ids));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
    }

    /// The ids that `setup.sh` prints.
    fn set_up(&self) -> Vec<(String, String)> {
        let printed = run(self.script("sh", &["setup.sh"], &[]));
        let pair = |line: &str| {
            let (name, id) = line.strip_prefix("export ")?.split_once('=')?;
            (!id.is_empty()).then(|| (name.to_string(), id.to_string()))
        };
        let ids: Vec<_> = printed.lines().filter_map(pair).collect();
        assert_eq!(ids.len(), 4, "{printed}");
        ids
    }

    /// Makes a batch and submits it.
    fn batch(&self, ids: &mut Vec<(String, String)>) -> Value {
        let batch = self.guide("create", ids);
        let id = batch["batch_id"].as_str().unwrap_or_else(|| panic!("{batch}"));
        ids.retain(|(name, _)| name != "BATCH_ID");
        ids.push(("BATCH_ID".to_string(), id.to_string()));
        batch
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end, for as long as anything may take.
fn finish(mut command: Command) -> Output {
    let shown = format!("{command:?}");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{shown}: {error}; sh, curl and python3 are needed"));
    let end = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("{shown} did not end: {:?}", child.wait_with_output());
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn run(command: Command) -> String {
    let shown = format!("{command:?}");
    let output = finish(command);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}: {} {printed}{complaint}", output.status);
    printed
}

/// The Python that `./x` makes, with the packages of `tests/client/requirements.txt`.
fn python() -> String {
    let made = root().join("target/python/bin/python");
    let python = std::env::var_os("QUARRY_PYTHON").map_or(made, PathBuf::from);
    assert!(python.is_file(), "{} is not there; ./x client-check makes it", python.display());
    python.to_str().unwrap().to_string()
}

#[test]
fn the_lines_of_the_guide_run_as_they_are_printed() {
    let serve = Serve::start();
    let mut ids = serve.set_up();
    let batch = serve.batch(&mut ids);
    assert_eq!(
        (&batch["status"], &batch["batch_name"]),
        (&"DRAFT".into(), &"products-2025-10-28".into())
    );
    assert_eq!(batch["object_ids"].as_array().unwrap().len(), 2);
    let more = serve.guide("add-objects", &ids);
    assert_eq!(more["object_ids"].as_array().unwrap().len(), 3);
    let task = serve.guide("submit", &ids);
    let id = task["task_id"].as_str().unwrap_or_else(|| panic!("{task}"));
    ids.push(("TASK_ID".to_string(), id.to_string()));
    let end = Instant::now() + PATIENCE;
    let done = loop {
        let batch = serve.guide("poll-batch", &ids);
        assert!(Instant::now() < end, "{batch}");
        match batch["status"].as_str().unwrap_or_else(|| panic!("{batch}")) {
            "QUEUED" | "PROCESSING" => std::thread::park_timeout(Duration::from_millis(50)),
            _ => break batch,
        }
    };
    assert_eq!(done["status"], "COMPLETED", "{done}");
    let progress = &done["progress"];
    assert_eq!((&progress["processed"], &progress["total"]), (&3.into(), &3.into()));
    assert_eq!(serve.guide("poll-task", &ids)["status"], "COMPLETED");
    assert_eq!(serve.guide("health", &ids)["health"], "healthy");
}

#[test]
fn the_tour_of_the_readme_runs_as_it_is_written() {
    let serve = Serve::start();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split("\n## A server\n").nth(1).unwrap();
    let tour = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    // The port is the one that was free.
    let tour = tour.replace("http://127.0.0.1:7733", &serve.url);
    let mut shell = Command::new("sh");
    let binary = serve.bench.command(&[]).get_program().to_owned();
    let folder = std::path::Path::new(&binary).parent().unwrap().to_owned();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    shell.args(["-euc", &tour]).current_dir(serve.bench.path("")).env("PATH", path);
    let printed = run(shell);
    let last = printed.lines().rfind(|line| line.starts_with('{')).unwrap();
    let found: Value = serde_json::from_str(last).unwrap();
    assert_eq!(found["results"][0]["payload"]["title"], "Second", "{printed}");
    assert!(printed.contains("event: batch.completed"), "{printed}");
}

#[test]
fn a_batch_is_watched_by_asking_and_by_events() {
    let serve = Serve::start();
    let mut ids = serve.set_up();
    serve.batch(&mut ids);
    let batch = ids.iter().find(|(name, _)| name == "BATCH_ID").unwrap().1.clone();
    let events = serve.script("sh", &["watch-events.sh", &batch], &ids);
    let events = std::thread::spawn(move || run(events));
    serve.guide("submit", &ids);
    let polled = run(serve.script("sh", &["watch-poll.sh", &batch, "0.1"], &ids));
    assert!(polled.lines().last().unwrap_or_default().starts_with("Completed"), "{polled}");
    let events = events.join().unwrap();
    assert!(events.contains("batch.completed {"), "{events}");
    // Whoever comes late hears all of it.
    let again = run(serve.script("sh", &["watch-events.sh", &batch], &ids));
    assert!(again.contains("batch.completed {"), "{again}");
}

#[test]
fn a_webhook_is_verified_by_the_public_library_of_another_language() {
    let serve = Serve::start();
    let mut ids = serve.set_up();
    let words = ["watch_webhook.py", "--for", "100"];
    let mut receiver =
        serve.script(&python(), &words, &ids).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(receiver.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("listening at "), "{first}");
    serve.batch(&mut ids);
    serve.guide("submit", &ids);
    let heard: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(receiver.wait().unwrap().success(), "{heard:?}");
    let batch = &ids.iter().find(|(name, _)| name == "BATCH_ID").unwrap().1;
    let told = |kind: &str| {
        let start = format!("verified {kind} ");
        heard.iter().any(|line| line.starts_with(&start) && line.contains(batch.as_str()))
    };
    assert!(told("batch.completed"), "{heard:?}");
    assert!(told("collection.documents.written"), "{heard:?}");
}
