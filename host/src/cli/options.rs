//! Options that every command takes.

use super::wrong_option;
use crate::app::{App, Settings};
use crate::engine::Patience;
use crate::error::Result;
use crate::plugin::Limits;
use crate::store::Store;
use clap::{Args, ValueEnum};
use std::io::IsTerminal;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct GlobalOptions {
    /// Where state, artifacts and vectors are
    #[arg(long, global = true, value_name = "DIR", env = "QUARRY_DATA_DIR")]
    #[arg(default_value = "quarry-data")]
    pub(super) data_dir: PathBuf,
    /// Where compiled extractors are kept; several data directories of one user may share it.
    /// Default: cache/ in the data directory
    #[arg(long, global = true, value_name = "DIR", env = "QUARRY_CACHE_DIR")]
    pub(super) cache_dir: Option<PathBuf>,
    /// How data is printed
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
    /// Say less: no progress, no summaries
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// Folder with extractor components; may be repeated
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "QUARRY_EXTRACTORS",
        value_delimiter = ':'
    )]
    pub(super) extractors: Vec<PathBuf>,
    /// Object store option such as aws_endpoint=http://localhost:9000; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub(super) storage_option: Vec<String>,
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
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .without_time()
            .with_target(false)
            .init();
    }

    pub(super) fn storage_options(&self) -> Result<Vec<(String, String)>> {
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
        Ok(Settings {
            data_dir: self.data_dir.clone(),
            cache_dir: self.cache_dir.clone(),
            artifacts: None,
            sink: "none".to_string(),
            storage_options: self.storage_options()?,
            extractors: self.extractors.clone(),
            workers: 1,
            patience: Patience::default(),
            limits: Limits::default(),
        })
    }

    /// A data directory that exists.
    pub(super) fn open(&self) -> Result<App> {
        if !Store::exists(&self.data_dir.join("state")) {
            let message = format!("there is no data directory {}", self.data_dir.display());
            return Err(crate::error::Error::new(crate::error::Code::NotFound, message)
                .hint("name it with --data-dir; `quarry run` makes one"));
        }
        App::open(&self.settings()?)
    }
}
