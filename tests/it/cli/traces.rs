//! Traces: what a collector receives, and what the standard variables mean.

use super::{PIPELINE, ROWS, notes};
use crate::support::quarry::Bench;
use quarry::telemetry::{Context, Sampler, Settings};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};

/// A request that the collector received: its head in lower case, and its body.
type Posted = (Vec<String>, Value);

/// Takes every span that it is sent, until the test has ended.
fn collector() -> (String, Receiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                    break;
                }
                head.push(line.trim().to_lowercase());
            }
            let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            reader.read_exact(&mut body).unwrap();
            // Before the answer: who was answered may end, and the test looks then.
            if tell.send((head, serde_json::from_slice(&body).unwrap())).is_err() {
                return;
            }
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, told)
}

/// All spans that came, with their attributes by name.
fn spans(posted: &[Posted]) -> Vec<Value> {
    let mut all = Vec::new();
    for (_, body) in posted {
        for span in body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap() {
            let mut span = span.clone();
            let attributes = span["attributes"].take();
            let attributes = attributes.as_array().unwrap().iter().map(|attribute| {
                let value = attribute["value"].as_object().unwrap().values().next().unwrap();
                (attribute["key"].as_str().unwrap().to_string(), value.clone())
            });
            span["attributes"] = Value::Object(attributes.collect());
            all.push(span);
        }
    }
    all
}

fn named<'a>(spans: &'a [Value], name: &str) -> Vec<&'a Value> {
    spans.iter().filter(|span| span["name"] == name).collect()
}

#[test]
fn a_run_tells_of_its_batch_and_partitions() {
    let (url, told) = collector();
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    notes(&bench, "m.parquet", &ROWS);
    let words = ["run", "p.toml", "--manifest", "m.parquet", "--sink", "none"];
    let mut command = bench.command(&words);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &url).env("OTEL_SERVICE_NAME", "notes");
    command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a%20b");
    assert!(command.output().unwrap().status.success());
    let posted: Vec<Posted> = told.try_iter().collect();
    let (head, body) = &posted[0];
    assert!(head[0].starts_with("post /v1/traces "), "{head:?}");
    assert!(head.contains(&"x-tenant: a b".to_string()), "{head:?}");
    let resource = &body["resourceSpans"][0]["resource"]["attributes"];
    let service = json!({ "key": "service.name", "value": { "stringValue": "notes" } });
    assert!(resource.as_array().unwrap().contains(&service), "{resource}");
    let spans = spans(&posted);
    let batches = named(&spans, "batch");
    let [batch] = batches[..] else { panic!("{spans:?}") };
    assert_eq!(batch["attributes"]["quarry.batch.status"], "COMPLETED");
    assert_eq!(batch["attributes"]["quarry.namespace"], "test");
    let partitions = named(&spans, "partition");
    assert_eq!(partitions.len(), 2, "{spans:?}");
    for partition in partitions {
        assert_eq!(partition["traceId"], batch["traceId"]);
        assert_eq!(partition["parentSpanId"], batch["spanId"]);
        assert!(partition["attributes"]["quarry.collection"].is_string(), "{partition}");
        let number =
            |span: &Value, name: &str| -> u64 { span[name].as_str().unwrap().parse().unwrap() };
        let (began, ended) = ("startTimeUnixNano", "endTimeUnixNano");
        assert!(number(partition, began) <= number(partition, ended));
        assert!(number(batch, began) <= number(partition, began));
    }
}

#[test]
fn a_request_is_told_below_the_span_of_whoever_asks() {
    let (url, told) = collector();
    let bench = Bench::new();
    let mut command = bench.command(&["serve", "--listen", "127.0.0.1:0", "--sink", "none"]);
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("{url}/here"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    for flags in ["01", "00"] {
        let asked = http
            .get(format!("{}/v1/buckets/none", address.trim()))
            .header("x-anything", "s3cr3t")
            .header("x-request-id", "one")
            .header("traceparent", format!("00-{trace}-b7ad6b7169203331-{flags}"));
        assert_eq!(runtime.block_on(asked.send()).unwrap().status(), 404);
    }
    let process = i32::try_from(child.id()).unwrap();
    // SAFETY: the child is ours and has not been waited for, so its number is still its own.
    assert_eq!(unsafe { libc::kill(process, libc::SIGTERM) }, 0);
    assert!(child.wait().unwrap().success());
    let posted: Vec<Posted> = told.try_iter().collect();
    assert!(posted[0].0[0].starts_with("post /here "), "{posted:?}");
    assert!(!format!("{posted:?}").contains("s3cr3t"), "{posted:?}");
    // The second one is not told where it began, so it is not told here.
    let spans = spans(&posted);
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(span["name"], "GET /v1/buckets/{bucket_identifier}");
    assert_eq!(
        (&span["traceId"], &span["parentSpanId"]),
        (&json!(trace), &json!("b7ad6b7169203331"))
    );
    let attributes = &span["attributes"];
    assert_eq!(attributes["http.response.status_code"], "404");
    assert_eq!(attributes["quarry.request_id"], "one");
    assert_eq!(attributes["quarry.operation"], "get_bucket");
}

fn settings(variables: &[(&str, &str)]) -> quarry::error::Result<Option<Settings>> {
    Settings::from_environment(|name| {
        let mut known = variables.iter().filter(|(known, _)| *known == name);
        known.next().map(|(_, value)| value.to_string())
    })
}

#[test]
fn the_standard_variables_mean_what_they_say() {
    const ROOT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    assert!(settings(&[]).unwrap().is_none());
    assert!(settings(&[(ROOT, "http://c:4318"), ("OTEL_SDK_DISABLED", "true")]).unwrap().is_none());
    assert!(
        settings(&[(ROOT, "http://c:4318"), ("OTEL_TRACES_EXPORTER", "none")]).unwrap().is_none()
    );
    let plain = settings(&[(ROOT, "http://c:4318/")]).unwrap().unwrap();
    assert_eq!(plain.endpoint.as_str(), "http://c:4318/v1/traces");
    assert_eq!(plain.sampler, Sampler { ratio: 1.0, parent_based: true });
    assert_eq!(plain.resource["service.name"], "quarry");
    let half = [
        (ROOT, "http://c:4318"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
    ];
    let half = settings(&half).unwrap().unwrap().sampler;
    assert_eq!((half.root(&[0; 16]), half.root(&[0xff; 16])), (true, false));
    for (name, value) in [
        (ROOT, "nowhere"),
        ("OTEL_TRACES_SAMPLER", "now_and_then"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ] {
        let error = settings(&[(name, value), (ROOT, "http://c:4318")]).unwrap_err();
        assert_eq!(error.field_name(), Some(name));
    }
}

#[test]
fn a_traceparent_is_read_as_the_standard_says() {
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let read = |text: String| Context::parse(&text).map(|context| context.sampled);
    assert_eq!(read(format!("00-{trace}-{span}-01")), Some(true));
    assert_eq!(read(format!("00-{trace}-{span}-00")), Some(false));
    assert_eq!(read(format!("cc-{trace}-{span}-01-more")), Some(true));
    for wrong in [
        format!("00-{trace}-{span}-01-more"),
        format!("ff-{trace}-{span}-01"),
        format!("00-{}-{span}-01", "0".repeat(32)),
        format!("00-{trace}-{}-01", "0".repeat(16)),
        format!("00-{}-{span}-01", trace.to_uppercase()),
        format!("00-{trace}-{span}"),
        String::new(),
    ] {
        assert_eq!(read(wrong.clone()), None, "{wrong}");
    }
}
