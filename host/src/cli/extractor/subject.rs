//! The extractor that a command is about: a project folder, a component file, or a name.

use super::super::options::{GlobalOptions, compiler, opening};
use super::super::run::given;
use crate::app::folders_beside_the_binary;
use crate::config::Config;
use crate::engine::Registry;
use crate::engine::trial::Failed;
use crate::error::{Code, Context, Error, Result};
use crate::model::{Ask, ExtractorRef, Grants};
use crate::plugin::{Component, Extractor, Host};
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Lines of a log that are shown with a failure.
const LOG_LINES: usize = 20;

/// How an extractor is tried.
#[derive(Args)]
pub(in crate::cli) struct Trying {
    /// Parameters as a JSON object, or @FILE that holds one
    #[arg(long, value_name = "JSON")]
    parameters: Option<String>,
    #[command(flatten)]
    pub(super) granting: Granting,
    #[command(flatten)]
    limits: CallLimits,
}

#[derive(Args)]
pub(in crate::cli) struct Granting {
    /// Let it use the clock, random bytes, variables and named hosts that its description asks for,
    /// in this run: for extractors you trust
    #[arg(long)]
    grant: bool,
}

impl Granting {
    pub(super) fn apply(&self, component: &Component) {
        if self.grant {
            let asks = &component.description().capabilities;
            // What is no ask was refused with the description.
            let asks: Vec<Ask> = asks.iter().filter_map(|ask| ask.parse().ok()).collect();
            component.grant(&Grants::asked(&asks));
        }
    }
}

#[derive(Args)]
pub(in crate::cli) struct CallLimits {
    /// Time that one extractor call may take, in milliseconds [default: 30000]
    #[arg(long, value_name = "MS")]
    call_ms_max: Option<u64>,
}

impl CallLimits {
    pub(super) fn settled(&self, options: &GlobalOptions) -> Result<Config> {
        let flags = given([("call_ms_max", self.call_ms_max.map(Value::from))]);
        Ok(options.resolve(flags)?.config)
    }
}

impl Trying {
    pub(super) fn settled(&self, options: &GlobalOptions) -> Result<Config> {
        self.limits.settled(options)
    }

    /// What was given, or nothing.
    pub(super) fn parameters(&self) -> Result<Option<Value>> {
        let Some(given) = &self.parameters else { return Ok(None) };
        let text = match given.strip_prefix('@') {
            None => given.clone(),
            Some(path) => std::fs::read_to_string(path)
                .context(Code::NotFound, || format!("can not read {path}"))?,
        };
        let parsed: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
            Error::invalid("the parameters are not a JSON object")
                .source(error)
                .field("--parameters")
                .hint("write --parameters '{\"size\": 4}'")
        })?;
        Ok(Some(Value::Object(parsed)))
    }
}

/// A component and where it came from.
pub(super) struct Subject {
    pub(super) wasm: Vec<u8>,
    pub(super) path: PathBuf,
}

impl Subject {
    /// Builds a folder, reads a file, looks a name up.
    pub(super) fn find(options: &GlobalOptions, config: &Config, text: &str) -> Result<Subject> {
        let path = Path::new(text);
        if path.is_dir() {
            return built(options, path);
        }
        if path.is_file() || path.extension().is_some_and(|extension| extension == "wasm") {
            let wasm = std::fs::read(path)
                .context(Code::NotFound, || format!("can not read {}", path.display()))?;
            return Ok(Subject { wasm, path: path.to_path_buf() });
        }
        let reference = ExtractorRef::parse(text).map_err(|error| {
            let hint = "name a project folder, a component file or an extractor as name@version";
            Error::new(Code::NotFound, format!("there is no extractor `{text}`"))
                .source(error)
                .hint(hint)
        })?;
        let registered = config.data_dir.join("extractors");
        let mut search = vec![registered.clone()];
        search.extend(config.extractors.iter().cloned());
        search.extend(folders_beside_the_binary());
        let registry = Registry::new(host(config)?, registered, search);
        let found = registry.find_one(&reference)?;
        let wasm = std::fs::read(&found.path)
            .context(Code::NotFound, || format!("can not read {}", found.path.display()))?;
        Ok(Subject { wasm, path: found.path })
    }

    pub(super) fn load(&self, host: &Host) -> Result<Component> {
        let named = || format!("{} can not be used", self.path.display());
        host.load(&self.wasm).map_err(|error| {
            let (code, hint) = (error.code(), error.hint_text().map(str::to_string));
            let wrapped = Error::new(code, named()).source(error);
            match hint {
                Some(hint) => wrapped.hint(hint),
                None => wrapped,
            }
        })
    }
}

fn built(options: &GlobalOptions, directory: &Path) -> Result<Subject> {
    let work = options.data_dir()?.join("build");
    let request = quarry_build::Request {
        directory: directory.to_path_buf(),
        out: work.join("components"),
        target: work,
    };
    let built = quarry_build::build(&request)
        .map_err(|error| Error::new(Code::Extractor, format!("{error:#}")))?;
    Ok(Subject { wasm: built.bytes, path: built.path })
}

/// A host with the limits of a batch. It keeps compiled components where a data directory is;
/// trying something makes none.
pub(super) fn host(config: &Config) -> Result<Host> {
    let settings = opening(config)?;
    let own = config.data_dir.join("cache");
    let cache = settings.cache_dir.or_else(|| config.data_dir.is_dir().then_some(own));
    Host::with_compiler(cache, settings.limits, compiler(config))
}

/// `name@version` as the component describes itself.
pub(super) fn name_of(component: &Component) -> String {
    let description = component.description();
    format!("{}@{}", description.name, description.version)
}

/// What the author of an extractor needs to know of a row that failed: the extractor, the row, the
/// reason and the last lines of the log.
pub(super) fn told(extractor: &str, row: &str, failed: &Failed) -> String {
    let mut text = format!("{row} failed in {extractor}: {}\n", failed.reason);
    text.push_str(&format!("  {}", failed.message));
    let skipped = failed.log.len().saturating_sub(LOG_LINES);
    if !failed.log.is_empty() {
        text.push_str("\n  last log lines:");
    }
    for line in &failed.log[skipped..] {
        text.push_str(&format!("\n    {line}"));
    }
    text
}

/// A failed row for programs.
pub(super) fn failure(extractor: &str, failed: &Failed) -> Value {
    let mut value = json!(failed);
    value["extractor"] = extractor.into();
    value
}

/// 1,536 bytes as "1.5 KiB".
pub(super) fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        _ => format!("{value:.1} {}", units[unit]),
    }
}

/// Nanoseconds in the unit in which they read best.
pub(super) fn nanos(count: f64) -> String {
    match count {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.1} µs", n / 1e3),
        n if n < 1e9 => format!("{:.1} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}
