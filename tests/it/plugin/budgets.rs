//! Each further limit, obeyed and violated: at the limit all is well, one below it is not.

use crate::torture::kinds::hostile::servers::{GRANTED, Servers};
use crate::torture::kinds::hostile::shell;
use arrow_array::{ArrayRef, StringArray};
use quarry::model::Grants;
use quarry::plugin::{Extractor, Host, Input, InputColumn, Limits, World};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// What loading, configuring and one batch of one row come to.
fn outcome(limits: Limits, text: &str) -> Result<Vec<String>, String> {
    granted(limits, text, &Grants::default(), &BTreeMap::new())
}

fn granted(
    limits: Limits,
    text: &str,
    grants: &Grants,
    ceilings: &BTreeMap<String, u64>,
) -> Result<Vec<String>, String> {
    let host = Host::new(None, limits).unwrap();
    host.limit_grants(ceilings.clone());
    host.surround(World {
        lookup: Some(Arc::new(|_| Ok(vec![IpAddr::V4(GRANTED)]))),
        ..World::default()
    });
    let component = host.load(&shell::component("budget", text).unwrap());
    let component = component.map_err(|error| error.chain())?;
    component.grant(grants);
    let mut instance = component.instantiate(&json!({})).map_err(|error| error.chain())?;
    let row: ArrayRef = Arc::new(StringArray::from(vec!["a row"]));
    let input = Input { rows: 1, columns: vec![InputColumn::Array(row), InputColumn::Absent] };
    instance.run(&input).map(|output| output.log).map_err(|failure| failure.message)
}

/// `text` is fine with `most` of a limit and not with one less.
#[track_caller]
fn check(name: &str, most: u64, text: &str, says: &str) {
    let with = |value: u64| {
        let mut limits = Limits { call_ms_max: 10_000, ..Limits::default() };
        limits.set(name, value).unwrap();
        outcome(limits, text)
    };
    with(most).unwrap_or_else(|error| panic!("{name} = {most}: {error}"));
    let error = with(most - 1).unwrap_err();
    assert!(error.contains(says), "{name} = {}: {error}", most - 1);
}

fn run(body: &str) -> String {
    format!(
        ";; @main
        (func (export \"run\") (param $batch i32) (param $sink i32) (result i32) (local $left i32)
        {body} (call $end (local.get $batch) (local.get $sink)))"
    )
}

/// Announces one document for the row.
const ANNOUNCED: &str = "(i32.store (i32.const 0x100000) (i32.const 1))
    (drop (call $documents (local.get $sink) (i32.const 0) (i32.const 0x100000) (i32.const 1)))
    (call $vectors (local.get $sink) (i32.const 1) (i32.const 0) (i32.const 0x100100)
        (i32.const 16))";
const REJECTED: &str = "(i32.store (i32.const 0x100000) (i32.const 0))
    (drop (call $documents (local.get $sink) (i32.const 0) (i32.const 0x100000) (i32.const 1)))";

fn repeated(times: u32, body: &str) -> String {
    format!(
        "(local.set $left (i32.const {times})) (loop $on {body}
        (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
    )
}

#[test]
fn tables() {
    let text = ";; @memory\n(table 1 funcref) (table 1 funcref) (table 1 funcref)\n";
    check("tables_max", 3, text, "table");
}

#[test]
fn memories() {
    let text =
        ";; @component\n(core module $more (memory 1))\n(core instance (instantiate $more))\n";
    check("memories_max", 2, text, "memor");
}

#[test]
fn core_instances() {
    // The one with the memory and the main one are two; instances that only name things are none.
    let text = ";; @component\n(core module $more)\n(core instance (instantiate $more))\n";
    check("core_instances_max", 3, text, "instance");
}

#[test]
fn handles() {
    // Batch and sink are two while the call runs.
    let text = format!(
        ";; @component
        (type $own (resource (rep i32)))
        (core func $new (canon resource.new $own))
        ;; @given
        (export \"new\" (func $new))
        ;; @imports
        (import \"h\" \"new\" (func $new (param i32) (result i32)))
        {}",
        run(&format!("{REJECTED} {}", repeated(10, "(drop (call $new (i32.const 1)))")))
    );
    let limits = |handles| Limits { handles_max: handles, ..Limits::default() };
    outcome(limits(64), &text).unwrap();
    let error = outcome(limits(8), &text).unwrap_err();
    assert!(error.contains("handle"), "{error}");
}

#[test]
fn wall_time() {
    let limits = Limits { call_ms_max: 1_000, ..Limits::default() };
    outcome(limits.clone(), &run(REJECTED)).unwrap();
    let error = outcome(limits, &run("(loop $on (br $on))")).unwrap_err();
    assert_eq!(error, "ran longer than 1000 ms");
}

#[test]
fn fuel_gives_an_exact_budget_where_it_is_counted() {
    let limits = |fuel| Limits { fuel_max: fuel, ..Limits::default() };
    let text = run(&format!("{} {REJECTED}", repeated(10_000, "")));
    outcome(limits(1_000_000), &text).unwrap();
    let error = outcome(limits(10_000), &text).unwrap_err();
    assert_eq!(error, "used more than 10000 units of fuel");
    // Halved until the budget is found that is just enough: the same one each time.
    let exact = || {
        let (mut less, mut enough) = (10_000, 1_000_000);
        while enough - less > 1 {
            let fuel = less + (enough - less) / 2;
            match outcome(limits(fuel), &text) {
                Ok(_) => enough = fuel,
                Err(_) => less = fuel,
            }
        }
        enough
    };
    assert_eq!(exact(), exact());
    outcome(limits(0), &text).unwrap();
}

#[test]
fn stack() {
    let text = format!(
        "{}\n(func $deeper (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (i32.add (call $deeper (i32.sub (local.get 0) (i32.const 1)))
                    (i32.const 1)))
                (else (i32.const 0))))",
        run(&format!("{REJECTED} (drop (call $deeper (i32.const 4000)))"))
    );
    let limits = |bytes| Limits { stack_bytes_max: bytes, ..Limits::default() };
    outcome(limits(512 << 10), &text).unwrap();
    let error = outcome(limits(32 << 10), &text).unwrap_err();
    assert!(error.contains("call stack exhausted"), "{error}");
}

#[test]
fn calls_of_the_host() {
    // One announces the row.
    let text =
        run(&format!("{REJECTED} {}", repeated(99, "(drop (call $rows (local.get $batch)))")));
    check("host_calls_max", 100, &text, "called the host more than 99 times");
}

#[test]
fn bytes_that_pass_at_once() {
    let text = run(&format!(
        "{REJECTED} (call $write (i32.const 3) (i32.const 0x100000) (i32.const 100000))"
    ));
    let limits = |bytes| Limits { hostcall_bytes_max: bytes, ..Limits::default() };
    outcome(limits(200_000), &text).unwrap();
    let error = outcome(limits(50_000), &text).unwrap_err();
    assert!(error.contains("passed more than 50000 bytes to the host at once"), "{error}");
}

#[test]
fn documents_of_a_call() {
    check("documents_max", 1, &run(ANNOUNCED), "1 documents of one call, at most 0");
}

#[test]
fn bytes_of_a_value() {
    let text = run(&format!(
        "{ANNOUNCED} (i32.store (i32.const 0x100204) (i32.const 1000))
        (memory.fill (i32.const 0x101000) (i32.const 0x61) (i32.const 1000))
        (call $varlen (local.get $sink) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0x100200) (i32.const 2) (i32.const 0x101000) (i32.const 1000))"
    ));
    check("value_bytes_max", 1_000, &text, "output `text` has more than 999 bytes in document 0");
}

#[test]
fn depth_of_json() {
    let text = run(&format!(
        "{ANNOUNCED} (i32.store (i32.const 0x100204) (i32.const 10))
        (i64.store (i32.const 0x101000) (i64.const 0x5d5d5d5b5b5b5b5b))
        (i32.store16 (i32.const 0x101008) (i32.const 0x5d5d))
        (call $varlen (local.get $sink) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0x100200) (i32.const 2) (i32.const 0x101000) (i32.const 10))"
    ));
    check("json_depth_max", 5, &text, "nested deeper than 4");
}

#[test]
fn bytes_of_all_log_lines() {
    let line = "(call $write (i32.const 3) (i32.const 0x100300) (i32.const 94))";
    let fill = "(memory.fill (i32.const 0x100300) (i32.const 0x61) (i32.const 94))";
    let text = run(&format!("{REJECTED} {fill} {}", repeated(20, line)));
    let limits = |bytes| Limits { log_bytes_max: bytes, ..Limits::default() };
    assert_eq!(outcome(limits(2_000), &text).unwrap().len(), 20);
    let log = outcome(limits(1_999), &text).unwrap();
    assert_eq!((log.len(), log[0].as_str()), (20, "(1 earlier lines dropped)"));
    assert_eq!(outcome(limits(50), &text).unwrap(), ["(20 earlier lines dropped)"]);
}

/// Sends so many requests with so many bytes and logs the last answer's body, or the error's code.
fn http(requests: u32, body: u32, url: &str) -> String {
    let send = format!(
        "(call $http-send (i32.const 0x1001a0) (i32.const 4) (i32.const 0x1001b0)
        (i32.const {}) (i32.const 0) (i32.const 0) (i32.const 0x101000) (i32.const {body})
        (i32.const 0) (i32.const 0x100000))",
        url.len()
    );
    let text = run(&format!(
        "{} (if (i32.load8_u (i32.const 0x100000))
            (then (call $write (i32.const 1) (i32.load (i32.const 0x100004))
                (i32.load (i32.const 0x100008))))
            (else (call $write (i32.const 3) (i32.load (i32.const 0x100010))
                (i32.load (i32.const 0x100014)))))
        {REJECTED}",
        repeated(requests, &send)
    ));
    let data =
        format!("(data (i32.const 0x1001a0) \"POST\") (data (i32.const 0x1001b0) \"{url}\")\n");
    format!(";; @http\n{}", text.replace(";; @main\n", &format!(";; @main\n{data}")))
}

/// The last answer is fine with `most` of a limit, and `code` with one less.
#[track_caller]
fn check_http(name: &str, most: u64, requests: u32, body: u32, code: &str) {
    let servers = Servers::start().unwrap();
    let host = format!("http://plain.example:{}", servers.ports.plain.port());
    let grants = Grants {
        http: vec![host.parse().unwrap()],
        networks: vec!["127.0.0.2".parse().unwrap()],
        ..Grants::default()
    };
    let text = http(requests, body, &format!("{host}/"));
    let with = |value: u64| {
        let mut limits = Limits::default();
        limits.set(name, value).unwrap();
        granted(limits, &text, &grants, &BTreeMap::new()).unwrap()
    };
    assert_eq!(with(most), ["info: hi"], "{name} = {most}");
    assert_eq!(with(most - 1), [format!("error: {code}")], "{name} = {}", most - 1);
}

#[test]
fn requests_of_a_call() {
    check_http("http_requests_max", 5, 5, 0, "limit");
}

#[test]
fn bytes_of_a_request() {
    check_http("http_request_bytes_max", 1_000, 1, 1_000, "limit");
}

#[test]
fn bytes_of_an_answer() {
    check_http("http_response_bytes_max", 2, 1, 0, "limit");
}

#[test]
fn bytes_of_an_answer_s_headers() {
    // content-length 2, connection close.
    check_http("http_header_bytes_max", 30, 1, 0, "limit");
}

#[test]
fn bytes_of_all_requests_and_answers() {
    // Three times 100 there and 2 back.
    check_http("http_bytes_max", 306, 3, 100, "limit");
}

#[test]
fn time_of_a_request() {
    let servers = Servers::start().unwrap();
    let host = format!("http://slow.example:{}", servers.ports.slow.port());
    let grants = Grants {
        http: vec![host.parse().unwrap()],
        networks: vec!["127.0.0.2".parse().unwrap()],
        ..Grants::default()
    };
    let text = http(1, 0, &format!("{host}/"));
    let limits = Limits { http_ms_max: 50, ..Limits::default() };
    let log = granted(limits, &text, &grants, &BTreeMap::new()).unwrap();
    assert_eq!(log, ["error: timeout"]);
}

#[test]
fn one_extractor_has_limits_of_its_own_up_to_the_operator_s_ceiling() {
    let text =
        run(&format!("{REJECTED} {}", repeated(99, "(drop (call $rows (local.get $batch)))")));
    let limits = Limits { host_calls_max: 50, ..Limits::default() };
    let with = |given: u64, ceiling: Option<u64>| {
        let map = |value: u64| BTreeMap::from([("host_calls_max".to_string(), value)]);
        let grants = Grants { limits: map(given), ..Grants::default() };
        let ceilings = ceiling.map(map).unwrap_or_default();
        granted(limits.clone(), &text, &grants, &ceilings)
    };
    with(100, Some(100)).unwrap();
    assert_eq!(with(100, Some(99)).unwrap_err(), "called the host more than 99 times");
    assert_eq!(with(100, None).unwrap_err(), "called the host more than 50 times");
    assert_eq!(with(10, Some(100)).unwrap_err(), "called the host more than 10 times");
}

#[test]
fn limits_are_set_by_their_names_or_refused() {
    let mut limits = Limits::default();
    for name in Limits::NAMES {
        let value = limits.get(name).unwrap();
        limits.set(name, value).unwrap();
    }
    assert_eq!(limits, Limits::default());
    let error = limits.set("memory", 1).unwrap_err();
    assert!(error.hint_text().unwrap().contains("memory_bytes_max"));
    assert!(limits.set("json_depth_max", 21).is_err());
    assert!(limits.set("stack_bytes_max", 64 << 20).is_err());
    assert!(limits.set("memory_bytes_max", 1 << 33).is_err());
    assert!(limits.set("documents_max", 1 << 40).is_err());
    let fuel = BTreeMap::from([("fuel_max".to_string(), 1)]);
    assert!(Limits::default().check_given(&fuel).is_err());
}
