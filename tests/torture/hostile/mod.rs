//! Components that mean harm, in one process: each has to end within its limits, for the reason
//! that it gave, and leave nothing behind.

pub(crate) mod corpus;
pub(crate) mod servers;
pub(crate) mod shell;

use super::Torture;
use super::batch::Dice;
use anyhow::{Context, Result, bail, ensure};
use arrow_array::{ArrayRef, StringArray};
use corpus::{CORPUS, Evil, When};
use quarry::error::Error;
use quarry::model::Grants;
use quarry::plugin::{Cells, Component, Extractor, Host, Input, InputColumn, Limits, World};
use servers::{GRANTED, Servers};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time of a call: enough for what does not wait for ever.
const CALL_MS: u64 = 200;
/// Beyond the limit: what noticing and cleaning up may take.
const LATE_MS_MAX: u64 = 100;
/// How often the time of a call goes into the time that reading blobs may take.
const READ_TIME_FACTOR: u64 = 20;
/// The one that reads blobs, and which part of the time of a call it is granted.
const SLOW: &str = "slow-cell";
const SLOW_PART: u64 = 10;
const GROWTH_MIB_MAX: u64 = 64;
/// Of a run that ended too late.
const RETRIES: u32 = 3;

/// Small, so that everything is reached soon.
fn limits(call_ms_max: u64) -> Limits {
    Limits {
        memory_bytes_max: 16 << 20,
        call_ms_max,
        host_calls_max: 10_000,
        http_requests_max: 8,
        http_response_bytes_max: 1 << 20,
        ..Limits::default()
    }
}

/// A host among servers.
pub(crate) struct Stage {
    pub(crate) host: Host,
    pub(crate) servers: Servers,
    call_ms: u64,
}

/// How one ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) when: When,
    pub(crate) says: String,
    /// Of the call that ended it.
    pub(crate) elapsed: Duration,
}

impl Stage {
    pub(crate) fn set(cache: Option<PathBuf>, call_ms: u64) -> Result<Stage> {
        let host = Host::new(cache, limits(call_ms))?;
        let lookups = Arc::new(AtomicU64::new(0));
        let lookup = move |name: &str| {
            // Every second time somebody else.
            let again =
                name.starts_with("rebinding") && lookups.fetch_add(1, Ordering::SeqCst) % 2 == 1;
            let address = if again { IpAddr::from([127, 0, 0, 1]) } else { IpAddr::V4(GRANTED) };
            Ok(vec![address])
        };
        host.surround(World { lookup: Some(Arc::new(lookup)), ..World::default() });
        Ok(Stage { host, servers: Servers::start()?, call_ms })
    }

    /// What the operator grants it: the host it asks for and all that takes no name.
    fn grants(&self, evil: &Evil) -> Result<Grants> {
        let mut grants = Grants { clock: true, random: true, ..Grants::default() };
        if let Some(host) = evil.host(&self.servers.ports) {
            grants.http.push(host.parse()?);
            grants.networks.push(GRANTED.to_string().parse()?);
        }
        if evil.name == SLOW {
            grants.limits.insert("call_ms_max".to_string(), self.call_ms / SLOW_PART);
        }
        Ok(grants)
    }

    /// How long the call that ends it may take.
    fn limit(&self, evil: &Evil) -> Duration {
        let slow = self.call_ms / SLOW_PART * READ_TIME_FACTOR;
        Duration::from_millis(if evil.name == SLOW { slow } else { self.call_ms })
    }

    /// One run of it, to its end.
    pub(crate) fn act(&self, evil: &Evil, wasm: &[u8]) -> Result<End> {
        let started = Instant::now();
        let ended = |when, started: Instant, says: String| {
            Ok(End { when, says, elapsed: started.elapsed() })
        };
        let component = match self.host.load(wasm) {
            Ok(component) => component,
            Err(error) => return ended(When::Load, started, error.chain()),
        };
        component.grant(&self.grants(evil)?);
        self.call(&component)
    }

    /// One run that has to end as it should: how long after its limit.
    fn late(&self, evil: &Evil, wasm: &[u8]) -> Result<Duration> {
        let end = self.act(evil, wasm)?;
        evil.check(&end)?;
        Ok(end.elapsed.saturating_sub(self.limit(evil)))
    }

    fn call(&self, component: &Component) -> Result<End> {
        let ended = |when, started: Instant, says: String| {
            Ok(End { when, says, elapsed: started.elapsed() })
        };
        let started = Instant::now();
        let mut instance = match component.instantiate(&serde_json::json!({})) {
            Ok(instance) => instance,
            Err(error) => return ended(When::Configure, started, error.chain()),
        };
        let input = input();
        let mut log = Vec::new();
        for when in [When::Run, When::Again] {
            let started = Instant::now();
            match instance.run(&input) {
                Ok(output) => log.extend(output.log),
                Err(failure) => return ended(when, started, failure.message),
            }
        }
        let started = Instant::now();
        let answered = instance.embed_query("anything");
        match (log.is_empty(), answered) {
            (true, Err(error)) => ended(When::Query, started, error.chain()),
            (true, Ok(_)) => bail!("it did nothing wrong"),
            (false, _) => ended(When::Never, started, log.join("\n")),
        }
    }
}

impl Evil {
    pub(crate) fn check(&self, end: &End) -> Result<()> {
        let fits = end.when == self.when && end.says.contains(self.says);
        let (name, when, says) = (self.name, self.when, self.says);
        ensure!(fits, "{name} should end in {when:?} with `{says}`, but: {end:?}");
        Ok(())
    }
}

/// One row with a text and a blob that is slow to read.
fn input() -> Input {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a text"]));
    Input { rows: 1, columns: vec![InputColumn::Array(text), InputColumn::Cells(Arc::new(Slow))] }
}

struct Slow;

impl Cells for Slow {
    fn len(&self, _: usize) -> std::result::Result<Option<u64>, Error> {
        Ok(Some(1 << 20))
    }

    fn read(&self, _: usize, _: u64, len: usize) -> std::result::Result<bytes::Bytes, Error> {
        std::thread::park_timeout(Duration::from_millis(10));
        Ok(vec![0; len].into())
    }

    fn slice(&self, _: usize, _: usize) -> Arc<dyn Cells> {
        Arc::new(Slow)
    }
}

pub(crate) fn run(torture: &Torture) -> Result<String> {
    let runs = torture.number("runs", 1_000);
    // The small form runs beside other tests, whose memory and time are not this one's.
    let judged = torture.number("judged", 1) == 1;
    let mut dice = Dice::new(torture.number("seed", 1));
    let stage = Stage::set(Some(torture.work.join("cache")), torture.number("call", CALL_MS))?;
    let corpus: Vec<(&Evil, Vec<u8>)> = CORPUS
        .iter()
        .map(|evil| Ok((evil, evil.component(&stage.servers.ports)?)))
        .collect::<Result<_>>()?;
    for (evil, wasm) in &corpus {
        evil.check(&stage.act(evil, wasm)?)?;
    }
    let before = resident_bytes()?;
    let mut latest = (Duration::ZERO, "");
    let most = Duration::from_millis(LATE_MS_MAX);
    let mut repeated = 0;
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    for _ in 0..runs {
        let (evil, wasm) = &corpus[dice.below(corpus.len() as u64) as usize];
        *ends.entry(evil.name).or_default() += 1;
        let mut late = stage.late(evil, wasm)?;
        // A machine that is busy with something else is late, too, but not again and again.
        for _ in 0..RETRIES {
            if late <= most {
                break;
            }
            repeated += 1;
            late = stage.late(evil, wasm)?;
        }
        latest = latest.max((late, evil.name));
        ensure!(!judged || late <= most, "{} ended {late:?} after its limit", evil.name);
    }
    let grown = resident_bytes()?.saturating_sub(before) >> 20;
    ensure!(!judged || grown < GROWTH_MIB_MAX, "the host has grown by {grown} MiB");
    let intruders = stage.servers.intruders();
    ensure!(intruders == 0, "{intruders} connections to an address that nobody granted");
    for (name, count) in &ends {
        eprintln!("{count:5} {name}");
    }
    Ok(format!(
        "{runs} runs of {} hostile components: 0 host exits, {grown} MiB more resident, the latest \
         {} ms after its limit ({}); {repeated} were repeated because they were later",
        ends.len(),
        latest.0.as_millis(),
        latest.1
    ))
}

fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
    Ok(kib.parse::<u64>()? << 10)
}
