//! What watches the engine and what describes it. Probes and the description need no key: they say
//! nothing about what is stored.

use super::call::Call;
use super::metrics::{self, CONTENT_TYPE};
use super::operation::{NoQuery, Plainly, Table};
use crate::control::Control;
use crate::env::free_bytes;
use crate::error::Result;
use crate::model::{Name, Scope};
use crate::store::Store;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const PAGE: &str = include_str!("docs.html");
const HTML: &str = "text/html; charset=utf-8";
/// An object store or a sink is asked that often at most.
const PROBED_EVERY: Duration = Duration::from_secs(10);
/// One that needs longer is not ready.
const PROBE_TIME_MAX: Duration = Duration::from_secs(5);
/// Below this the state refuses to write.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// No namespace has a name that begins so.
const PROBE: &str = "_readyz/probe";

pub(super) fn declare(table: &mut Table) {
    table.tag("system");
    table.get("/healthz", "health", "Whether the process is alive", health).public();
    table.check("/readyz", "ready", "Whether it can work: 503 while it can not", ready).public();
    table.get("/version", "version", "What is running", version).public();
    table.get("/openapi.json", "describe", "This description", description).public();
    table.download("/docs", "read_docs", "The description for people", HTML, page).public();
    table
        .download("/metrics", "metrics", "Counts for Prometheus", CONTENT_TYPE, metrics::scrape)
        .scope(Scope::Admin);
}

#[derive(Serialize, JsonSchema)]
struct Health {
    /// `ok`
    status: &'static str,
}

fn health(_: &Call, _: NoQuery) -> Result<Health> {
    Ok(Health { status: "ok" })
}

#[derive(Serialize, JsonSchema)]
struct Version {
    name: &'static str,
    version: &'static str,
    /// Of the records in the state.
    state_version: u32,
    /// Of the extractor contract.
    extractor_contract: &'static str,
    /// What was compiled in.
    features: Vec<&'static str>,
}

fn version(_: &Call, _: NoQuery) -> Result<Version> {
    Ok(Version {
        name: "quarry",
        version: env!("CARGO_PKG_VERSION"),
        state_version: Store::version(),
        extractor_contract: "quarry:extractor@0.1.0",
        features: if cfg!(feature = "edge") { vec!["edge"] } else { Vec::new() },
    })
}

fn description(call: &Call, _: NoQuery) -> Result<Map<String, Value>> {
    match call.api.description() {
        Value::Object(description) => Ok(description),
        _ => Ok(Map::new()),
    }
}

fn page(_: &Call, _: NoQuery) -> Result<Plainly> {
    Ok(Plainly::Bytes { content_type: HTML.to_string(), bytes: PAGE.as_bytes().to_vec() })
}

#[derive(Serialize, JsonSchema)]
struct Readiness {
    /// `ready` or `not_ready`
    status: &'static str,
    /// By what was looked at: `state`, `object_store`, `sink`, `disk`.
    checks: BTreeMap<&'static str, Check>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Check {
    /// `ok` or `failed`
    status: &'static str,
    /// For people.
    detail: String,
}

impl Check {
    fn ok(detail: impl Into<String>) -> Check {
        Check { status: "ok", detail: detail.into() }
    }

    /// Without the cause, which may name what is nobody's business: the log has it.
    fn failed(detail: impl Into<String>) -> Check {
        Check { status: "failed", detail: detail.into() }
    }
}

fn ready(call: &Call) -> Result<(bool, Readiness)> {
    let probes = &call.api.probes;
    let checks = BTreeMap::from([
        ("state", state(call.control)),
        ("object_store", probes.object_store.check(call.api.control(), object_store)),
        ("sink", probes.sink.check(call.api.control(), sink)),
        ("disk", disk(call.control)),
    ]);
    let well = checks.values().all(|check| check.status == "ok");
    let status = if well { "ready" } else { "not_ready" };
    Ok((well, Readiness { status, checks }))
}

fn state(control: &Control) -> Check {
    if control.engine.store.poison().is_some() {
        return Check::failed("a write failed, and nothing is written any more: start again");
    }
    match control.has_keys() {
        Ok(_) => Check::ok("reads and writes"),
        Err(_) => Check::failed("can not be read"),
    }
}

fn disk(control: &Control) -> Check {
    match free_bytes(&control.data_dir) {
        Ok(free) if free >= FREE_BYTES_MIN => Check::ok(format!("{} MiB free", free >> 20)),
        Ok(free) => Check::failed(format!("only {} MiB free", free >> 20)),
        Err(_) => Check::failed("the free space can not be read"),
    }
}

fn object_store(control: &Control) -> Check {
    let artifacts = &control.engine.artifacts;
    let written = bytes::Bytes::from(control.engine.env.timestamp());
    let done = artifacts.put(PROBE, written.clone()).and_then(|()| artifacts.get(PROBE));
    match done {
        Ok(read) if read == written => Check::ok("reads and writes"),
        // Another engine over the same store probes as well.
        Ok(_) => Check::ok("reads and writes; somebody else does, too"),
        Err(error) => {
            tracing::warn!("the object store is not ready: {}", error.chain());
            Check::failed("can not be written or read")
        }
    }
}

fn sink(control: &Control) -> Check {
    let Some(sink) = &control.engine.sink else { return Check::ok("there is none") };
    let asked = Name::parse("readyz-probe").and_then(|name| sink.layout(&name));
    match asked {
        Ok(_) => Check::ok("answers"),
        Err(error) => {
            tracing::warn!("the sink is not ready: {}", error.chain());
            Check::failed("does not answer")
        }
    }
}

/// Looks at what is far away, seldom and not for long.
#[derive(Default)]
pub(super) struct Probes {
    object_store: Probe,
    sink: Probe,
}

#[derive(Default)]
struct Probe(Arc<Mutex<Looked>>);

#[derive(Default)]
struct Looked {
    last: Option<(Instant, Check)>,
    /// Somebody looks, maybe for long.
    looking: bool,
}

impl Probe {
    fn check(&self, control: &Arc<Control>, look: fn(&Control) -> Check) -> Check {
        let slow = || Check::failed("does not answer in time");
        {
            let mut looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = |(at, _): &&(Instant, Check)| at.elapsed() < PROBED_EVERY;
            if let Some((_, check)) = looked.last.as_ref().filter(fresh) {
                return check.clone();
            }
            if looked.looking {
                return looked.last.as_ref().map_or_else(slow, |(_, check)| check.clone());
            }
            looked.looking = true;
        }
        let (tell, told) = channel();
        let (control, place) = (control.clone(), self.0.clone());
        let runtime = control.engine.runtime.clone();
        runtime.spawn_blocking(move || {
            let check = look(&control);
            let mut looked = place.lock().unwrap_or_else(PoisonError::into_inner);
            *looked = Looked { last: Some((Instant::now(), check.clone())), looking: false };
            // Whoever asked may have gone.
            let _ = tell.send(check);
        });
        match told.recv_timeout(PROBE_TIME_MAX) {
            Ok(check) => check,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let mut looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                looked.last = Some((Instant::now(), slow()));
                slow()
            }
        }
    }
}
