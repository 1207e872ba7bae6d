//! `./x bench start`: how long a server needs until it can work with 20 extractors, when it has to
//! compile them first and when it has done so before.

use crate::Options;
use anyhow::{Context, Result, ensure};
use quarry::client::{Client, Sent};
use quarry::plugin::{Extractor, Host, Limits};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const EXTRACTORS: usize = 20;
const SECOND_START_MAX: Duration = Duration::from_millis(300);
/// Starts that are timed, at least, beside the first one.
const STARTS: usize = 5;

pub(crate) fn run(options: &Options) -> Result<()> {
    let work = options.work.join("start");
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    let components = work.join("components");
    std::fs::create_dir_all(&components)?;
    let bytes = copies(&components)?;
    let first = start(&work)?;
    let mut later = Vec::new();
    for _ in 0..options.repeat.max(STARTS) {
        later.push(start(&work)?);
    }
    later.sort();
    let (middle, worst) = (later[later.len() / 2], later[later.len() - 1]);
    let alone = loaded(&work)?;
    std::fs::remove_dir_all(&work)?;
    println!(
        "{EXTRACTORS} extractors of {} KiB: first start {:.2} s (compiles them), later starts \
         {:.0} ms (at most {:.0} ms of {} times), of which loading takes {:.0} ms",
        bytes >> 10,
        first.as_secs_f64(),
        middle.as_secs_f64() * 1e3,
        worst.as_secs_f64() * 1e3,
        later.len(),
        alone.as_secs_f64() * 1e3
    );
    // Not the worst one: it depends on what else the machine does.
    ensure!(
        middle < SECOND_START_MAX,
        "a start takes {middle:?}, {SECOND_START_MAX:?} are allowed"
    );
    Ok(())
}

/// The first-party extractors under other names, each another component; their bytes.
fn copies(folder: &Path) -> Result<u64> {
    let built = std::env::var_os("QUARRY_EXTRACTORS").context("QUARRY_EXTRACTORS is not set")?;
    let mut originals = Vec::new();
    for entry in std::fs::read_dir(built)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            originals.push(path);
        }
    }
    originals.sort();
    let mut bytes = 0;
    for number in 0..EXTRACTORS {
        let original = &originals[number % originals.len()];
        let name = original.file_stem().and_then(|name| name.to_str()).context("no name")?;
        // As long as the name before: nothing moves.
        let last = char::from(b'a' + u8::try_from(number)?);
        let other = format!("{}{last}", &name[..name.len() - 1]);
        let wasm = replaced(std::fs::read(original)?, name.as_bytes(), other.as_bytes());
        bytes += wasm.len() as u64;
        std::fs::write(folder.join(format!("{number}.wasm")), wasm)?;
    }
    Ok(bytes)
}

fn replaced(mut bytes: Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..bytes.len().saturating_sub(old.len()))
        .filter(|at| bytes[*at..].starts_with(old))
        .collect();
    for at in places {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    bytes
}

/// A server that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Only one that has ended already can not be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// From the start of the process until it has told of all extractors, for which it loads them.
fn start(work: &Path) -> Result<Duration> {
    let binary = std::env::var_os("QUARRY_BIN").context("QUARRY_BIN is not set, use ./x")?;
    let mut command = Command::new(binary);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--sink", "none", "--quiet"])
        .arg("--data-dir")
        .arg(work.join("data"))
        .arg("--extractors")
        .arg(work.join("components"))
        .env_remove("QUARRY_EXTRACTORS")
        .env("XDG_CONFIG_HOME", work.join("no-settings"))
        .stdout(Stdio::piped());
    let started = Instant::now();
    let mut server = Running(command.spawn()?);
    let mut url = String::new();
    let stdout = server.0.stdout.take().context("no stdout")?;
    BufReader::new(stdout).read_line(&mut url)?;
    let sent = Sent {
        method: "GET",
        path: "/v1/extractors",
        query: None,
        headers: Vec::new(),
        body: Vec::new(),
    };
    let answer = Client::new(url.trim())?.send(sent)?;
    let took = started.elapsed();
    let body: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let count = body["total_count"].as_u64().unwrap_or(0);
    ensure!(count >= EXTRACTORS as u64, "{count} extractors are ready: {body}");
    Ok(took)
}

/// Loading by itself, in this process.
fn loaded(work: &Path) -> Result<Duration> {
    let started = Instant::now();
    let host = Host::new(Some(work.join("data").join("cache")), Limits::default())?;
    for number in 0..EXTRACTORS {
        let wasm = std::fs::read(work.join("components").join(format!("{number}.wasm")))?;
        let component = host.load(&wasm)?;
        ensure!(!component.digest().is_empty());
    }
    Ok(started.elapsed())
}
