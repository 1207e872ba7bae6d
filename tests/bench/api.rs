//! `./x bench api`: what it costs to watch. A batch from a manifest runs through `quarry serve`,
//! once left alone and once while ten watchers (`--watchers N`) read it twice a second each; prints
//! how long such a read takes and how much slower the batch becomes.

use crate::Options;
use crate::digest::Expected;
use crate::{measure, runs};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long each watcher waits between two reads.
const READ_EVERY: Duration = Duration::from_millis(500);
const P99_MAX: Duration = Duration::from_millis(10);
const LOSS_MAX: f64 = 0.03;

/// One run of the batch.
struct Run {
    wall: Duration,
    /// Processor time of the server, from its start.
    cpu_s: f64,
    /// Sorted.
    reads: Vec<Duration>,
}

pub(crate) fn run(options: &Options, manifest: &Path) -> Result<()> {
    let mut alone: Vec<Run> = Vec::new();
    let mut watched: Vec<Run> = Vec::new();
    runs::clear(&options.work)?;
    // The first one compiles the extractors and is not counted.
    batch(options, manifest, 0)?;
    for round in 0..options.repeat.max(1) {
        // Whoever comes second finds the disk busy with what the first has left.
        let mut order = [0, options.watchers];
        order.rotate_left(round % 2);
        for watchers in order {
            let runs = if watchers == 0 { &mut alone } else { &mut watched };
            runs.push(batch(options, manifest, watchers)?);
        }
        let shown = |runs: &[Run]| {
            let last = runs.last().map(|run| (run.wall.as_secs_f64(), run.cpu_s));
            last.map_or_else(String::new, |(wall, cpu)| format!("{wall:.2} s ({cpu:.2} CPU s)"))
        };
        eprintln!("round {}: alone {}, watched {}", round + 1, shown(&alone), shown(&watched));
    }
    let middle = |runs: &[Run], of: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let [plain, busy] = [&alone, &watched].map(|runs| middle(runs, |run| run.wall.as_secs_f64()));
    let [plain_cpu, busy_cpu] = [&alone, &watched].map(|runs| middle(runs, |run| run.cpu_s));
    let mut reads: Vec<Duration> = watched.into_iter().flat_map(|run| run.reads).collect();
    reads.sort();
    ensure!(reads.len() >= 100, "{} reads are too few to speak of", reads.len());
    let at = |share: f64| reads[((reads.len() - 1) as f64 * share) as usize];
    let rows = options.rows as f64;
    println!("alone    {plain:>8.2} s {:>10.0} rows/s {plain_cpu:>8.2} CPU s", rows / plain);
    println!(
        "watched  {busy:>8.2} s {:>10.0} rows/s {busy_cpu:>8.2} CPU s, {} reads",
        rows / busy,
        reads.len()
    );
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "GET batch: p50 {:.2} ms, p99 {:.2} ms, at most {:.2} ms",
        ms(at(0.50)),
        ms(at(0.99)),
        ms(at(1.0))
    );
    let loss = 1.0 - plain / busy;
    println!("watched / alone throughput: {:.3}", plain / busy);
    let verdict = |good: bool| if good { "holds" } else { "DOES NOT HOLD" };
    println!("p99 under {} ms: {}", P99_MAX.as_millis(), verdict(at(0.99) < P99_MAX));
    println!("throughput falls by less than {LOSS_MAX}: {}", verdict(loss < LOSS_MAX));
    runs::clear(&options.work)
}

/// A server with an empty data directory, and the batch in it from its submission to its end.
fn batch(options: &Options, manifest: &Path, readers: usize) -> Result<Run> {
    let data = runs::next(&options.work)?;
    measure::settle()?;
    let server = Server::start(options, &data)?;
    let mut connection = server.connect()?;
    let (path, documents) = submit(&mut connection, manifest)?;
    let started = Instant::now();
    let over = AtomicBool::new(false);
    let run = std::thread::scope(|scope| -> Result<Run> {
        let (server, path, over) = (&server, &path, &over);
        let read = move |first: Duration| -> Result<Vec<Duration>> {
            let mut connection = server.connect()?;
            let mut times = Vec::new();
            std::thread::park_timeout(first);
            while !over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                connection.call("GET", path, None)?;
                times.push(asked.elapsed());
                std::thread::park_timeout(READ_EVERY.saturating_sub(asked.elapsed()));
            }
            Ok(times)
        };
        // Not in step: ten programs that know nothing of each other.
        let first = |reader: u32| READ_EVERY * reader / (readers as u32).max(1);
        let readers: Vec<_> =
            (0..readers as u32).map(|at| scope.spawn(move || read(first(at)))).collect();
        let ended = server.connect().and_then(|watching| watching.until_end(path));
        let wall = started.elapsed();
        over.store(true, Ordering::Relaxed);
        let mut reads = Vec::new();
        for reader in readers {
            reads.extend(reader.join().map_err(|_| anyhow::anyhow!("a reader panicked"))??);
        }
        ended?;
        check(&mut connection, path, documents)?;
        reads.sort();
        Ok(Run { wall, cpu_s: server.cpu_s()?, reads })
    })?;
    drop(server);
    Ok(run)
}

/// Makes bucket, collections and batch; answers the batch's path and how many documents it must
/// write where that is known.
fn submit(connection: &mut Connection, manifest: &Path) -> Result<(String, Option<u64>)> {
    let mut post = |path: &str, body: Value| connection.call("POST", path, Some(body));
    let text = |answer: &Value, name: &str| -> Result<String> {
        let id = answer[name].as_str().with_context(|| format!("no {name} in {answer}"))?;
        Ok(id.to_string())
    };
    let fields = json!({ "text": { "type": "text" }, "metadata": { "type": "string" } });
    let schema = json!({ "properties": fields });
    let bucket = post("/v1/buckets", json!({ "bucket_name": "objects", "bucket_schema": schema }))?;
    let bucket = text(&bucket, "bucket_id")?;
    let pipeline: Value = toml::from_str(include_str!("pipeline.toml"))?;
    let parameters = |name: &str| pipeline["collections"][name]["parameters"].clone();
    let collection = |name: &str, source: Value, extractor: &str, passed: &[&str]| {
        let passed: Vec<Value> = passed.iter().map(|path| json!({ "source_path": path })).collect();
        json!({
            "collection_name": name,
            "source": source,
            "feature_extractor": {
                "feature_extractor_name": extractor,
                "version": "1.0.0",
                "params": parameters(name),
                "input_mappings": { "text": "text" },
                "field_passthrough": passed,
            },
        })
    };
    let source = json!({ "type": "bucket", "bucket_ids": [bucket] });
    let chunk = collection("chunk", source, "text-chunk", &["metadata"]);
    let chunk = text(&post("/v1/collections", chunk)?, "collection_id")?;
    let source = json!({ "type": "collection", "collection_id": chunk });
    let passed = ["chunk_index", "text", "metadata"];
    post("/v1/collections", collection("embed", source, "text-embed", &passed))?;
    let manifest = std::path::absolute(manifest)?;
    let batches = format!("/v1/buckets/{bucket}/batches");
    let batch = post(&batches, json!({ "manifest_uri": manifest }))?;
    let path = format!("{batches}/{}", text(&batch, "batch_id")?);
    post(&format!("{path}/submit"), json!({}))?;
    let rows = manifest.join("_gen.json");
    let made: Option<Value> =
        std::fs::read(rows).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let rows = made.and_then(|made| made["rows"].as_u64());
    Ok((path, rows.and_then(Expected::of).map(|expected| expected.documents)))
}

/// Whether it made what it had to.
fn check(connection: &mut Connection, path: &str, documents: Option<u64>) -> Result<()> {
    let batch = connection.call("GET", path, None)?;
    ensure!(batch["status"] == "COMPLETED", "the batch ended as {batch}");
    let tiers = batch["tier_tasks"].as_array();
    let last = tiers.and_then(|tiers| tiers.last()).context("it has no tiers")?;
    let written = last["documents_written"].as_u64();
    if documents.is_some() && written != documents {
        bail!("{written:?} documents were written, {documents:?} were expected");
    }
    Ok(())
}

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(options: &Options, data: &Path) -> Result<Server> {
        let binary = std::env::var_os("QUARRY_BIN").context("QUARRY_BIN is not set, use ./x")?;
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--quiet", "--sink", &options.sink])
            .arg("--data-dir")
            .arg(data)
            .arg("--cache-dir")
            .arg(options.work.join("cache"))
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the server has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().strip_prefix("http://").context("the server did not start")?;
        Ok(Server { address: address.to_string(), child })
    }

    /// User and system time so far.
    fn cpu_s(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name, which may hold spaces: the 14th and 15th field of all.
        let fields = stat.rsplit_once(')').context("no name in stat")?.1.split_whitespace();
        let ticks = fields.skip(11).take(2).map(str::parse::<f64>);
        // SAFETY: a number that the system knows.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
        Ok(ticks.sum::<Result<f64, _>>()? / per_second)
    }

    fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Connection { stream: BufReader::new(stream), address: self.address.clone() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection that is kept, by hand: a client library's own time is not to be measured.
struct Connection {
    stream: BufReader<TcpStream>,
    address: String,
}

impl Connection {
    /// Reads the events of a batch to the last one, which comes as soon as it has ended.
    fn until_end(mut self, path: &str) -> Result<()> {
        let id = path.rsplit('/').next().unwrap_or_default();
        let head =
            format!("GET /v1/batches/{id}/events HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        self.stream.get_mut().write_all(head.as_bytes())?;
        let mut line = String::new();
        while self.stream.read_line(&mut line)? > 0 {
            if line.trim_end() == "event: end" {
                return Ok(());
            }
            line.clear();
        }
        bail!("the events of {path} broke off")
    }

    fn call(&mut self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse::<u16>().ok());
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse()?;
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        let shown = || String::from_utf8_lossy(&answer).into_owned();
        ensure!(status.is_some_and(|status| status < 300), "{method} {path}: {}", shown());
        serde_json::from_slice(&answer).with_context(shown)
    }
}
