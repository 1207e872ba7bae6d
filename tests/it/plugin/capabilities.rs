//! What was not granted is not there; what was granted works, and nothing beside it.

use super::{guest, host};
use crate::torture::kinds::hostile::servers::{GRANTED, Servers};
use crate::torture::kinds::hostile::shell;
use arrow_array::{Array, ArrayRef, StringArray};
use bytes::Bytes;
use quarry::env::Env;
use quarry::error::Result;
use quarry::model::{Ask, Capability, Credential, Grants, HostPattern};
use quarry::plugin::{Asset, AssetSource, Component, Denials, Extractor, Host, Input};
use quarry::plugin::{InputColumn, Limits, OutputColumn, World};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// Everything that was denied.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Denials for Heard {
    fn denied(&self, _: &str, digest: &str, what: &str) {
        assert_eq!(digest.len(), 64);
        self.0.lock().unwrap().push(what.to_string());
    }
}

/// One file, `table`.
struct Files;

impl AssetSource for Files {
    fn list(&self, _: &str) -> Result<Vec<Asset>> {
        Ok(vec![Asset { name: "table".to_string(), bytes: 150_000 }])
    }

    fn read(&self, _: &str, _: &str, offset: u64, len: usize) -> Result<Bytes> {
        assert!(len <= 64 << 10 && offset + len as u64 <= 150_000);
        Ok(vec![7; len].into())
    }
}

/// A host at the turn of the year 2026 with a variable, a file and names that lead to the servers.
fn stage(limits: Limits) -> (Host, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let host = Host::new(None, limits).unwrap();
    host.surround(World {
        env: Env::fixed(chrono::DateTime::from_timestamp(1_767_225_600, 0).unwrap()),
        variables: Arc::new(|name| match name {
            "QUARRY_PROBE" => Some("environment works".to_string()),
            "API_TOKEN" => Some("Bearer secret".to_string()),
            "QUARRY_OTHER" => Some("not granted".to_string()),
            _ => None,
        }),
        assets: Some(Arc::new(Files)),
        lookup: Some(Arc::new(|name| {
            let private = name.starts_with("private");
            Ok(vec![if private { IpAddr::from([127, 0, 0, 1]) } else { IpAddr::V4(GRANTED) }])
        })),
        denials: Some(heard.clone()),
    });
    (host, heard)
}

/// Calls one function of each capability it imports and logs that it works.
fn probe(capabilities: &[Capability], url: &str) -> Vec<u8> {
    let mut text = String::new();
    let mut run = String::new();
    for capability in capabilities {
        let name = capability.as_str();
        text.push_str(&format!(";; @{name}\n"));
        let works = |condition: &str, at: u32, length: usize| {
            format!(
                "(if {condition} (then (call $write (i32.const 3) (i32.const {at}) \
                 (i32.const {length}))))"
            )
        };
        run.push_str(&match capability {
            Capability::Clock => works(
                "(i64.gt_u (call $clock-now) (i64.const 1700000000000000000))",
                0x100100,
                "clock works".len(),
            ),
            Capability::Random => format!(
                "(call $random-bytes (i32.const 16) (i32.const 0x100000)) {}",
                works(
                    "(i32.eq (i32.load (i32.const 0x100004)) (i32.const 16))",
                    0x100120,
                    "random works".len()
                )
            ),
            Capability::Environment => "(call $environment-get (i32.const 0x100140) (i32.const 12)
                (i32.const 0x100000))
                (if (i32.load8_u (i32.const 0x100000)) (then (call $write (i32.const 3)
                (i32.load (i32.const 0x100004)) (i32.load (i32.const 0x100008)))))"
                .to_string(),
            Capability::Assets => format!(
                "(call $assets-size (i32.const 0x100160) (i32.const 5) (i32.const 0x100000)) {}",
                works(
                    "(i64.eq (i64.load (i32.const 0x100008)) (i64.const 150000))",
                    0x100180,
                    "assets works".len()
                )
            ),
            Capability::Http => format!(
                "(call $http-send (i32.const 0x1001a0) (i32.const 3) (i32.const 0x1001b0)
                (i32.const {}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0x100000)) {}",
                url.len(),
                works("(i32.eqz (i32.load8_u (i32.const 0x100000)))", 0x1001e0, "http works".len())
            ),
        });
    }
    text.push_str(&format!(
        ";; @main
        (data (i32.const 0x100100) \"clock works\")
        (data (i32.const 0x100120) \"random works\")
        (data (i32.const 0x100140) \"QUARRY_PROBE\")
        (data (i32.const 0x100160) \"table\")
        (data (i32.const 0x100180) \"assets works\")
        (data (i32.const 0x1001a0) \"GET\")
        (data (i32.const 0x1001b0) \"{url}\")
        (data (i32.const 0x1001e0) \"http works\")
        (func (export \"run\") (param $batch i32) (param $sink i32) (result i32)
        {run} (call $end (local.get $batch) (local.get $sink)))"
    ));
    shell::component("probe", &text).unwrap()
}

fn nothing() -> Input {
    Input { rows: 0, columns: vec![InputColumn::Absent, InputColumn::Absent] }
}

/// A grant of exactly one capability.
fn only(capability: Capability, servers: &Servers) -> Grants {
    let mut grants = Grants::default();
    match capability {
        Capability::Http => {
            let port = servers.ports.plain.port();
            grants.http.push(format!("http://plain.example:{port}").parse().unwrap());
            grants.networks.push("127.0.0.2".parse().unwrap());
        }
        Capability::Clock => grants.clock = true,
        Capability::Random => grants.random = true,
        Capability::Environment => {
            grants.environment.insert("QUARRY_PROBE".to_string());
        }
        Capability::Assets => grants.assets = true,
    }
    grants
}

fn all(servers: &Servers) -> Grants {
    let mut grants = only(Capability::Http, servers);
    (grants.clock, grants.random, grants.assets) = (true, true, true);
    grants.environment.insert("QUARRY_PROBE".to_string());
    grants
}

fn url(servers: &Servers) -> String {
    format!("http://plain.example:{}/", servers.ports.plain.port())
}

#[test]
fn one_that_imports_everything_is_not_started_until_everything_is_granted() {
    let servers = Servers::start().unwrap();
    let (host, heard) = stage(Limits::default());
    let wasm = probe(&Capability::ALL, &url(&servers));
    let component = host.load(&wasm).unwrap();
    assert_eq!(component.inspection().imports.len(), 3 + Capability::ALL.len());
    let refused = || component.instantiate(&json!({})).map(|_| ()).unwrap_err();
    let error = refused();
    let digest = &component.digest()[..12];
    assert_eq!(
        error.to_string(),
        format!(
            "the extractor probe@1.0.0 (sha256 {digest}) asks for http, clock, random, \
             env:QUARRY_PROBE, assets, which is not granted"
        )
    );
    let command = "quarry extractor grant probe@1.0.0 --http HOST --clock --random \
                   --env QUARRY_PROBE --assets";
    assert_eq!(error.hint_text(), Some(command));
    assert_eq!(heard.0.lock().unwrap().len(), Capability::ALL.len());
    for capability in Capability::ALL {
        component.grant(&only(capability, &servers));
        let error = refused().to_string();
        assert!(!error.contains(&format!(" {}", capability.as_str())), "{error}");
        let others = Capability::ALL.into_iter().filter(|other| *other != capability);
        for other in others {
            let asked = match other {
                Capability::Environment => "env:QUARRY_PROBE",
                other => other.as_str(),
            };
            assert!(error.contains(asked), "{error} has no {asked}");
        }
    }
    component.grant(&all(&servers));
    let output = component.instantiate(&json!({})).unwrap().run(&nothing()).unwrap();
    let works = ["http", "clock", "random", "environment", "assets"];
    assert_eq!(output.log, works.map(|name| format!("info: {name} works")));
}

#[test]
fn granting_exactly_one_thing_makes_exactly_that_work() {
    let servers = Servers::start().unwrap();
    let (host, _) = stage(Limits::default());
    for imported in Capability::ALL {
        let component = host.load(&probe(&[imported], &url(&servers))).unwrap();
        for granted in Capability::ALL {
            component.grant(&only(granted, &servers));
            let instance = component.instantiate(&json!({}));
            match instance {
                Ok(mut instance) => {
                    assert_eq!(imported, granted);
                    let log = instance.run(&nothing()).unwrap().log;
                    assert_eq!(log, [format!("info: {} works", granted.as_str())]);
                }
                Err(error) => {
                    assert_ne!(imported, granted, "{error}");
                    assert!(error.hint_text().unwrap().starts_with("quarry extractor grant"));
                }
            }
        }
    }
}

#[test]
fn what_is_granted_to_one_digest_is_nothing_to_another() {
    let servers = Servers::start().unwrap();
    let (host, _) = stage(Limits::default());
    let old = host.load(&probe(&[Capability::Clock], "")).unwrap();
    old.grant(&all(&servers));
    let new = host.load(&probe(&[Capability::Clock], "x")).unwrap();
    assert_ne!(old.digest(), new.digest());
    assert!(old.instantiate(&json!({})).is_ok());
    assert!(new.instantiate(&json!({})).is_err());
}

#[test]
fn what_is_taken_back_is_gone_with_the_next_batch() {
    let servers = Servers::start().unwrap();
    let (host, _) = stage(Limits::default());
    let component = host.load(&probe(&[Capability::Clock], "")).unwrap();
    component.grant(&only(Capability::Clock, &servers));
    let mut instance = component.instantiate(&json!({})).unwrap();
    assert_eq!(instance.run(&nothing()).unwrap().log, ["info: clock works"]);
    component.grant(&Grants::default());
    let failure = instance.run(&nothing()).unwrap_err();
    assert!(failure.message.contains("asks for clock, which is not granted"), "{failure:?}");
    component.grant(&only(Capability::Clock, &servers));
    assert_eq!(instance.run(&nothing()).unwrap().log, ["info: clock works"]);
}

/// The guest written with the SDK.
fn capable(host: &Host, grants: &Grants) -> Component {
    let component = host.load(&guest("capable")).unwrap();
    component.grant(grants);
    component
}

fn report(component: &Component, words: &[&str]) -> Vec<String> {
    let text: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
    let input = Input { rows: words.len(), columns: vec![InputColumn::Array(text)] };
    let mut instance = component.instantiate(&json!({})).unwrap();
    let output = instance.run(&input).unwrap_or_else(|failure| panic!("{}", failure.message));
    let OutputColumn::Scalar(array) = &output.columns[0] else { panic!("a text is a scalar") };
    let texts = array.as_any().downcast_ref::<StringArray>().unwrap();
    (0..texts.len()).map(|row| texts.value(row).to_string()).collect()
}

#[test]
fn an_extractor_of_the_sdk_uses_what_it_was_granted() {
    let servers = Servers::start().unwrap();
    let (host, heard) = stage(Limits::default());
    let component = capable(&host, &all(&servers));
    let url = format!("http {}", url(&servers));
    let words = [
        "clock",
        "random",
        "env QUARRY_PROBE",
        "env QUARRY_OTHER",
        "env HOME",
        "assets",
        "asset table",
        "asset other",
        &url,
    ];
    assert_eq!(
        report(&component, &words),
        [
            "1767225600 and on",
            "16 bytes",
            "environment works",
            "none",
            "none",
            "table",
            "150000 bytes",
            "there is no such asset",
            "200 hi",
        ]
    );
    assert_eq!(*heard.0.lock().unwrap(), ["env:QUARRY_OTHER", "env:HOME"]);
}

#[test]
fn an_extractor_that_calls_none_of_it_imports_none_of_it() {
    let host = host(Limits::default());
    let component = host.load(&guest("redact-pii")).unwrap();
    let known = ["input", "output", "log"];
    for import in &component.inspection().imports {
        assert!(known.iter().any(|name| import.contains(&format!("/{name}@"))), "{import}");
    }
}

#[test]
fn requests_go_where_they_were_granted_and_nowhere_else() {
    let servers = Servers::start().unwrap();
    let (host, heard) = stage(Limits::default());
    let port = servers.ports.plain.port();
    let mut grants = all(&servers);
    grants.http.push(format!("http://*.wild.example:{port}").parse().unwrap());
    grants.http.push(format!("http://private.example:{port}").parse().unwrap());
    let component = capable(&host, &grants);
    let at = |host: &str| format!("http http://{host}:{port}/");
    let words = [
        at("plain.example"),
        at("a.b.wild.example"),
        at("wild.example"),
        at("plain.example.evil.example"),
        "http http://plain.example/".to_string(),
        format!("http https://plain.example:{port}/"),
        at("user@plain.example"),
        "http file:///etc/passwd".to_string(),
        at("private.example"),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let report = report(&component, &words);
    let starts = [
        "200 hi",
        "200 hi",
        "denied: http://wild.example",
        "denied: http://plain.example.evil.example",
        "denied: http://plain.example may not be reached: it is not granted",
        "denied: https://plain.example",
        "invalid: the URL has a user or password",
        "denied: null",
        "denied: ",
    ];
    for (report, start) in report.iter().zip(starts) {
        assert!(report.starts_with(start), "{report}");
    }
    assert_eq!(servers.intruders(), 0);
    let last = format!("http:http://private.example:{port}");
    assert_eq!(heard.0.lock().unwrap().last(), Some(&last));
}

#[test]
fn credentials_are_added_on_the_way_out_and_never_shown() {
    let listener = TcpListener::bind((GRANTED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = [0; 4096];
        let read = stream.read(&mut seen).unwrap();
        stream.write_all(b"HTTP/1.1 204 No\r\nconnection: close\r\n\r\n").unwrap();
        String::from_utf8_lossy(&seen[..read]).to_string()
    });
    let (host, _) = stage(Limits::default());
    let hosts: HostPattern = format!("http://api.example:{port}").parse().unwrap();
    let component = capable(
        &host,
        &Grants {
            http: vec![hosts.clone()],
            networks: vec!["127.0.0.0/8".parse().unwrap()],
            credentials: vec![Credential {
                hosts,
                header: "Authorization".to_string(),
                variable: "API_TOKEN".to_string(),
            }],
            ..all(&Servers::start().unwrap())
        },
    );
    let own = format!("http-header http://api.example:{port}/");
    let sent = format!("post http://api.example:{port}/");
    let report = report(&component, &[&own, &sent, "env API_TOKEN"]);
    assert_eq!(report, ["invalid: the header authorization is set by the host", "204 ", "none"]);
    let request = server.join().unwrap();
    assert!(request.contains("authorization: Bearer secret\r\n"), "{request}");
    assert!(request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
}

#[test]
fn a_request_ends_with_its_own_timeout_and_with_the_call() {
    let servers = Servers::start().unwrap();
    let port = servers.ports.slow.port();
    let mut grants = all(&servers);
    grants.http.push(format!("http://slow.example:{port}").parse().unwrap());
    let (host, _) = stage(Limits::default());
    let word = format!("http-slow http://slow.example:{port}/");
    let answer = report(&capable(&host, &grants), &[&word]);
    assert_eq!(answer, ["timeout: the answer took too long"]);
}

#[test]
fn asks_and_patterns_are_read_or_refused_with_the_fix() {
    for ask in ["http", "clock", "random", "assets", "env:A_1", "http:https://a.example:8443"] {
        assert_eq!(ask.parse::<Ask>().unwrap().to_string(), ask);
    }
    for ask in ["", "files", "env:", "env:1A", "env:A=B", "http:a.example", "clock:now"] {
        assert!(ask.parse::<Ask>().unwrap_err().hint_text().is_some(), "{ask}");
    }
    for pattern in [
        "ftp://a.example",
        "https://a.example/path",
        "https://*",
        "https://a.*.example",
        "https://u:p@a.example",
        "https://*.10.1.2.3",
        "https://",
    ] {
        assert!(pattern.parse::<HostPattern>().is_err(), "{pattern}");
    }
    let pattern = |text: &str| text.parse::<HostPattern>().unwrap();
    assert_eq!(pattern("HTTPS://API.Example:443").to_string(), "https://api.example");
    let wild = pattern("https://*.a.example");
    assert!(wild.covers(&pattern("https://b.a.example")));
    assert!(wild.covers(&pattern("https://*.b.a.example")) && wild.covers(&wild));
    assert!(!wild.covers(&pattern("https://a.example")));
    assert!(!wild.covers(&pattern("https://ba.example")));
    assert!(!pattern("https://b.a.example").covers(&wild));
    assert!(!wild.covers(&pattern("http://b.a.example")));
    let one = pattern("https://a.example");
    assert!(!one.covers(&pattern("https://*.a.example")) && one.covers(&one));
}

#[test]
fn a_description_that_asks_for_what_there_is_not_is_refused() {
    let mut description = super::components::described("asking");
    description["capabilities"] = json!(["clock", "sockets"]);
    let wasm = super::components::component(&description.to_string());
    let error = host(Limits::default()).load(&wasm).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("`sockets` is no capability"), "{error}");
    assert_eq!(error.field_name(), Some("/capabilities/1"));
}
