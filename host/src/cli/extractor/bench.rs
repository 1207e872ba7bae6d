//! `quarry extractor bench`.

use super::super::options::GlobalOptions;
use super::super::{DONE, Done, printer};
use super::source::Source;
use super::subject::{Subject, Trying, bytes, name_of, nanos};
use crate::engine::trial::{Bench, Effort, Round};
use crate::error::Result;
use crate::plugin::{Component, Extractor, Host, Limits};
use clap::Args;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Instances that are made to find out how long that takes.
const INSTANCES: usize = 21;
const MEGABYTE: f64 = 1e6;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor bench my-extractor/ --manifest objects.parquet")]
/// Measures rows a second, memory, the share of host calls, and the times to compile and to start.
/// The rows are repeated until a call has as many as in a batch.
pub(in crate::cli) struct Arguments {
    /// Project folder, component file or name@version
    extractor: String,
    #[command(flatten)]
    source: Source,
    /// Rows at most
    #[arg(long, value_name = "N", default_value_t = 1024)]
    rows: usize,
    /// How long all rounds take together
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    seconds: f64,
    /// Rounds, of which the median is shown, with the slowest and the fastest
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    #[command(flatten)]
    trying: Trying,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let config = arguments.trying.settled(options)?;
    let limits = Limits { call_ms_max: config.call_ms_max, ..Limits::default() };
    // Without a cache: compiling is measured, too.
    let host = Host::new(None, limits)?;
    let origin = arguments.source.origin(&config, &arguments.extractor, arguments.rows.max(1))?;
    let parameters = arguments.trying.parameters()?.or(origin.parameters()).unwrap_or(json!({}));
    let subject = Subject::find(options, &config, &arguments.extractor)?;
    let started = Instant::now();
    let component = subject.load(&host)?;
    arguments.trying.granting.apply(&component);
    let compile = started.elapsed();
    let start = starts(&component, &parameters)?;
    let mut instance = component.instantiate(&parameters)?;
    instance.meter();
    let rows = origin.read(instance.description())?;
    let rounds = arguments.rounds.clamp(1, 1000);
    let round = Duration::try_from_secs_f64(arguments.seconds.clamp(0.0, 3600.0) / rounds as f64);
    let effort = Effort { rounds, round: round.unwrap_or_default() };
    let bench = Bench::run(instance.as_mut(), &rows.input, effort)?;
    let mut value = measured(&bench);
    value["extractor"] = name_of(&component).into();
    value["digest"] = component.digest().into();
    value["compile_ms"] = (compile.as_secs_f64() * 1e3).into();
    value["start_us"] = (start.as_secs_f64() * 1e6).into();
    value["readable"] = readable(&bench, compile, start);
    printer::one(options, &value, &BENCHED);
    Ok(DONE)
}

/// Median time to an instance that can be called.
fn starts(component: &Component, parameters: &Value) -> Result<Duration> {
    let mut times = Vec::with_capacity(INSTANCES);
    for _ in 0..INSTANCES {
        let started = Instant::now();
        let instance = component.instantiate(parameters)?;
        times.push(started.elapsed());
        drop(instance);
    }
    times.sort();
    Ok(times[INSTANCES / 2])
}

fn measured(bench: &Bench) -> Value {
    let spread = |of: fn(&Round) -> f64| {
        let [min, median, max] = bench.spread(of);
        json!({ "min": min, "median": median, "max": max })
    };
    let rows: u64 = bench.rounds.iter().map(|round| round.rows).sum();
    let documents: u64 = bench.rounds.iter().map(|round| round.documents).sum();
    let [_, rate, _] = bench.spread(Round::rows_per_second);
    let row_bytes = bench.call_bytes as f64 / bench.call_rows as f64;
    let shared = bench.crossing_share();
    json!({
        "call_rows": bench.call_rows,
        "call_bytes": bench.call_bytes,
        "rounds": bench.rounds.len(),
        "rows": rows,
        "documents": documents,
        "rows_per_second": spread(Round::rows_per_second),
        "row_ns": spread(|round| 1e9 / round.rows_per_second()),
        "megabytes_per_second": rate * row_bytes / MEGABYTE,
        "memory_bytes": bench.memory_bytes,
        "share": { "guest": 1.0 - shared, "crossing": shared },
        "host_calls_per_call": bench.rounds.iter().map(|r| r.host_calls).sum::<u64>() as f64
            / bench.rounds.iter().map(|r| r.calls).sum::<u64>().max(1) as f64,
    })
}

/// With units, for people.
fn readable(bench: &Bench, compile: Duration, start: Duration) -> Value {
    let [min, median, max] = bench.spread(Round::rows_per_second);
    let rows = |rate: f64| printer::thousands(rate as u64);
    let [fast, middle, slow] = bench.spread(|round| 1e9 / round.rows_per_second());
    let rate = median * bench.call_bytes as f64 / bench.call_rows as f64 / MEGABYTE;
    let crossing = 100.0 * bench.crossing_share();
    json!({
        "rows": format!("{} ({} to {})", rows(median), rows(min), rows(max)),
        "row": format!("{} ({} to {})", nanos(middle), nanos(fast), nanos(slow)),
        "rate": format!("{rate:.1} MB/s"),
        "memory": bytes(bench.memory_bytes as u64),
        "share": format!("{:.1} % guest, {crossing:.1} % host calls", 100.0 - crossing),
        "call": format!("{} rows, {}", bench.call_rows, bytes(bench.call_bytes)),
        "compile": nanos(compile.as_nanos() as f64),
        "start": nanos(start.as_nanos() as f64),
    })
}

const BENCHED: [printer::Column; 9] = [
    ("extractor", "/extractor"),
    ("rows a second", "/readable/rows"),
    ("time a row", "/readable/row"),
    ("input", "/readable/rate"),
    ("memory", "/readable/memory"),
    ("time in", "/readable/share"),
    ("a call", "/readable/call"),
    ("compile", "/readable/compile"),
    ("start", "/readable/start"),
];
