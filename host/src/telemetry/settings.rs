//! What the standard environment variables of OpenTelemetry say.

use super::Context;
use crate::error::{Error, Result};
use reqwest::Url;
use serde_json::{Map, Value};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
const SERVICE: &str = "quarry";

#[derive(Debug, Clone)]
pub struct Settings {
    /// Where spans go, with the path.
    pub endpoint: Url,
    pub headers: Vec<(String, String)>,
    pub timeout: Duration,
    pub sampler: Sampler,
    /// What this process is.
    pub resource: Map<String, Value>,
}

/// Which traces are told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Of traces that begin here, from 0 to 1.
    pub ratio: f64,
    /// A trace that began elsewhere is told if it is told there.
    pub parent_based: bool,
}

impl Sampler {
    pub fn root(&self, trace: &[u8; 16]) -> bool {
        // The last bytes of an id are random, and whoever sees the same id decides alike.
        let mut last = [0; 8];
        last.copy_from_slice(&trace[8..]);
        let number = u64::from_be_bytes(last) >> 1;
        self.ratio >= 1.0 || (number as f64) < self.ratio * (1_u64 << 63) as f64
    }

    pub fn below(&self, parent: &Context) -> bool {
        if self.parent_based { parent.sampled } else { self.root(&parent.trace) }
    }

    fn parse(name: &str, argument: Option<&str>) -> Result<Sampler> {
        let ratio =
            || match argument.map(str::parse::<f64>) {
                None => Ok(1.0),
                Some(Ok(ratio)) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
                Some(_) => Err(Error::invalid("a ratio is a number from 0 to 1")
                    .field("OTEL_TRACES_SAMPLER_ARG")),
            };
        let (name, parent_based) = match name.strip_prefix("parentbased_") {
            Some(rest) => (rest, true),
            None => (name, false),
        };
        let ratio = match name {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => ratio()?,
            _ => {
                return Err(Error::invalid(format!("there is no sampler `{name}`"))
                    .field("OTEL_TRACES_SAMPLER")
                    .hint("always_on, always_off, traceidratio, each also with parentbased_"));
            }
        };
        Ok(Sampler { ratio, parent_based })
    }
}

impl Settings {
    /// `None`: nobody wants traces.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Result<Option<Settings>> {
        let get = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        let either = |name: &str| {
            let own = get(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"));
            own.or_else(|| get(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        let is = |name: &str, word: &str| get(name).is_some_and(|v| v.eq_ignore_ascii_case(word));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        // What is for traces alone is used as it is; the other one is the root of all signals.
        let (name, address) = match get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
            Some(address) => ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", address),
            None => match get("OTEL_EXPORTER_OTLP_ENDPOINT") {
                Some(root) => {
                    let root = root.trim_end_matches('/').to_string();
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("{root}/v1/traces"))
                }
                None => return Ok(None),
            },
        };
        let endpoint = Url::parse(&address).ok();
        let endpoint = endpoint.filter(|url| matches!(url.scheme(), "http" | "https"));
        let endpoint = endpoint.ok_or_else(|| {
            let error = Error::invalid(format!("`{address}` is not the address of a collector"));
            error.field(name).hint("write http://HOST:4318")
        })?;
        // Collectors take the JSON form where they take the other one of HTTP.
        if either("PROTOCOL").is_some_and(|protocol| protocol == "grpc") {
            return Err(Error::invalid("traces go over HTTP, not over gRPC")
                .field("OTEL_EXPORTER_OTLP_PROTOCOL")
                .hint("use the collector's HTTP port, 4318, and http/json"));
        }
        let timeout = either("TIMEOUT").and_then(|text| text.trim().parse().ok());
        let sampler = get("OTEL_TRACES_SAMPLER");
        let sampler = sampler.as_deref().unwrap_or("parentbased_always_on");
        let argument = get("OTEL_TRACES_SAMPLER_ARG");
        let mut resource = Map::new();
        for (name, value) in pairs(&get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default()) {
            resource.insert(name, value.into());
        }
        if let Some(service) = get("OTEL_SERVICE_NAME") {
            resource.insert("service.name".to_string(), service.into());
        }
        resource.entry("service.name").or_insert_with(|| SERVICE.into());
        resource.insert("service.version".to_string(), env!("CARGO_PKG_VERSION").into());
        Ok(Some(Settings {
            endpoint,
            headers: pairs(&either("HEADERS").unwrap_or_default()),
            timeout: timeout.map_or(TIMEOUT, Duration::from_millis),
            sampler: Sampler::parse(sampler.trim(), argument.as_deref().map(str::trim))?,
            resource,
        }))
    }
}

/// `name=value,name=value`, values percent-encoded.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_string(), decoded(value.trim())))
    };
    text.split(',').filter_map(pair).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let code = code.and_then(|two| u8::from_str_radix(two, 16).ok());
        match code.filter(|_| byte == b'%') {
            Some(code) => {
                bytes.push(code);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
