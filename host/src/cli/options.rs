//! Options that every command takes.

use super::wrong_option;
use crate::app::{App, Settings};
use crate::config::{self, Config, LogFormat, Origin, Resolved};
use crate::engine::Patience;
use crate::error::{Code, Error, Result};
use crate::plugin::{self, CompileLimits, Compiler, Limits, Trust};
use crate::store::Store;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
pub(super) struct GlobalOptions {
    /// Where state, artifacts and vectors are [default: quarry-data]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where compiled extractors are kept; several data directories of one user may share it.
    /// Default: cache/ in the data directory
    #[arg(long, global = true, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// How data is printed
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
    /// Say less: no progress, no summaries
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// Folder with extractor components; may be repeated
    #[arg(long, global = true, value_name = "DIR", value_delimiter = ':')]
    extractors: Vec<PathBuf>,
    /// Public key of somebody whose extractors are trusted (ed25519:…); may be repeated
    #[arg(long = "trusted-key", global = true, value_name = "KEY")]
    trusted_keys: Vec<String>,
    /// Refuse extractors without a signature by a trusted key
    #[arg(long, global = true)]
    require_signature: bool,
    /// Object store option such as aws_endpoint=http://localhost:9000; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    storage_option: Vec<String>,
    /// File with settings, instead of ./quarry.toml and those of user and system
    #[arg(long, global = true, value_name = "FILE", env = "QUARRY_CONFIG")]
    config: Option<PathBuf>,
    /// How the log is written: text, or json with one object a line [default: text]
    #[arg(long, global = true, value_name = "FORMAT", value_parser = ["text", "json"])]
    log_format: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Table,
    /// One JSON value
    Json,
    /// One JSON value a line
    Ndjson,
}

impl GlobalOptions {
    /// Warnings and errors of the program itself; QUARRY_LOG=debug shows more.
    pub(super) fn start_logging(&self) {
        let filter = tracing_subscriber::EnvFilter::try_from_env("QUARRY_LOG")
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("quarry=warn"));
        // Settings that can not be read are reported by the command that needs them.
        let format = self.settled().map(|config| config.log_format).unwrap_or_default();
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match format {
            LogFormat::Text => log
                .with_ansi(std::io::stderr().is_terminal())
                .without_time()
                .with_target(false)
                .init(),
            LogFormat::Json => {
                log.json().flatten_event(true).init();
                std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
            }
        }
    }

    /// The settings, with these flags of the command besides those that every command takes.
    pub(super) fn resolve(&self, mut flags: Map<String, Value>) -> Result<Resolved> {
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                flags.insert(name.to_string(), value);
            }
        };
        set("data_dir", self.data_dir.as_ref().map(|path| json!(path)));
        set("cache_dir", self.cache_dir.as_ref().map(|path| json!(path)));
        set("log_format", self.log_format.as_ref().map(|format| json!(format)));
        set("extractors", (!self.extractors.is_empty()).then(|| json!(self.extractors)));
        set("trusted_keys", (!self.trusted_keys.is_empty()).then(|| json!(self.trusted_keys)));
        set("require_signature", self.require_signature.then_some(true.into()));
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let mut places = config::places(environment.collect());
        places.flags = flags;
        places.file.clone_from(&self.config);
        let mut resolved = config::resolve(&places)?;
        // Options of the command line come on top of others, one by one.
        let given = self.storage_options()?;
        if !given.is_empty() {
            resolved.origins.insert("storage_options".to_string(), Origin::Flag);
            resolved.config.storage_options.extend(given);
        }
        Ok(resolved)
    }

    /// The settings of a command without flags of its own.
    pub(super) fn settled(&self) -> Result<Config> {
        Ok(self.resolve(Map::new())?.config)
    }

    pub(super) fn data_dir(&self) -> Result<PathBuf> {
        Ok(self.settled()?.data_dir)
    }

    fn storage_options(&self) -> Result<Vec<(String, String)>> {
        let parse = |text: &String| {
            let hint = "write KEY=VALUE, for instance aws_region=eu-central-1";
            text.split_once('=')
                .map(|(key, value)| (key.to_ascii_lowercase(), value.to_string()))
                .ok_or_else(|| wrong_option("--storage-option", text, hint))
        };
        self.storage_option.iter().map(parse).collect()
    }

    /// Settings for commands that only look.
    pub(super) fn settings(&self) -> Result<Settings> {
        Ok(Settings { sink: "none".to_string(), artifacts: None, ..opening(&self.settled()?)? })
    }

    /// A data directory that exists.
    pub(super) fn open(&self) -> Result<App> {
        let settings = self.settings()?;
        if !Store::exists(&settings.data_dir.join("state")) {
            let message = format!("there is no data directory {}", settings.data_dir.display());
            return Err(Error::new(Code::NotFound, message)
                .hint("name it with --data-dir; `quarry run` makes one"));
        }
        App::open(&settings)
    }
}

/// What a data directory is opened with.
pub(super) fn opening(config: &Config) -> Result<Settings> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let limits = Limits { call_ms_max: config.call_ms_max, ..Limits::default() };
    let limits = limits.with(&config.limits).map_err(|error| error.field("limits"))?;
    limits.with(&config.limit_ceilings).map_err(|error| error.field("limit_ceilings"))?;
    let mut patience = Patience::default();
    patience.limit = Duration::from_secs(config.patience);
    Ok(Settings {
        data_dir: config.data_dir.clone(),
        cache_dir: config.cache_dir.clone(),
        artifacts: config.artifacts.clone(),
        sink: config.sink.clone(),
        storage_options: config.storage_options.clone().into_iter().collect(),
        extractors: config.extractors.clone(),
        workers: config.workers.unwrap_or_else(cores).max(1),
        patience,
        limits,
        limit_ceilings: config.limit_ceilings.clone(),
        compact_from_bytes: config.compact_from_bytes,
        compiler: compiler(config),
        trust: Trust::parse(&config.trusted_keys, config.require_signature)?,
    })
}

/// This program as a compiler of extractors.
pub(super) fn compiler(config: &Config) -> Option<Compiler> {
    let limits = CompileLimits {
        memory_bytes_max: config.compile_memory_bytes_max,
        cpu_seconds_max: config.compile_seconds_max,
        ..CompileLimits::default()
    };
    plugin::own_program().map(|program| Compiler { program, limits })
}
