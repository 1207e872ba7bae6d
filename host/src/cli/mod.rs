//! The command line. Data goes to stdout, everything else to stderr.

mod address;
mod admin;
mod api;
#[doc(hidden)]
pub mod apply;
#[doc(hidden)]
pub mod batch;
mod collection;
mod config;
mod doctor;
mod documents;
#[doc(hidden)]
pub mod extractor;
#[doc(hidden)]
pub mod filter;
mod internal;
mod key;
mod manifest;
mod manual;
mod options;
mod pipeline;
mod printer;
mod progress;
mod reach;
mod run;
mod search;
mod serve;

use crate::error::{Error, Result};
use crate::telemetry;
use clap::{Parser, Subcommand};
use options::GlobalOptions;
use std::process::ExitCode;

const EXAMPLE: &str = "\
Example:
  quarry manifest build photos/ -o photos.parquet
  quarry run pipeline.toml --manifest photos.parquet
  quarry search captions \"a boat on a lake\"

Objects go in as a Parquet manifest, sandboxed WebAssembly extractors cut them tier by tier into
documents with vectors, and the documents can be searched.";

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong input or usage, 3 done with row errors (--fail-on-errors),
4 not found, 5 not allowed, 69 unavailable, 71 state store failed, 74 storage error, 75 in use,
130 interrupted.";

#[derive(Parser)]
#[command(name = "quarry", version, about = EXAMPLE, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    global: GlobalOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build and look at manifests
    #[command(subcommand, before_help = "Example: quarry manifest build photos/ -o photos.parquet")]
    Manifest(manifest::Command),
    /// Check pipeline files
    #[command(subcommand, before_help = "Example: quarry pipeline check pipeline.toml")]
    Pipeline(pipeline::Command),
    Run(run::Arguments),
    /// Look at batches and end them
    #[command(subcommand, before_help = "Example: quarry batch list")]
    Batch(batch::Command),
    /// Change what collections are made with
    #[command(
        subcommand,
        before_help = "Example: quarry collection upgrade passages --to text-embed@2"
    )]
    Collection(collection::Command),
    /// Look at documents
    #[command(subcommand, before_help = "Example: quarry documents list passages --limit 5")]
    Documents(documents::Command),
    Search(search::Arguments),
    Serve(serve::Arguments),
    Api(api::Arguments),
    Apply(apply::Arguments),
    /// Make, rotate and revoke API keys
    #[command(subcommand, before_help = "Example: quarry key create ingest")]
    Key(key::Command),
    /// Show and check settings
    #[command(subcommand, before_help = "Example: quarry config show --origin")]
    Config(config::Command),
    /// Build, check, test, run and look at extractors
    #[command(subcommand, before_help = "Example: quarry extractor list")]
    Extractor(extractor::Command),
    /// Back up, restore, verify, compact, rebuild the data directory, collect garbage
    #[command(subcommand, before_help = "Example: quarry admin verify")]
    Admin(admin::Command),
    Doctor(doctor::Arguments),
    Completions(manual::Completions),
    Man(manual::Pages),
    /// What the program starts itself for
    #[command(subcommand, hide = true)]
    Internal(internal::Command),
}

/// Parses, runs, reports. Never returns an error: it becomes text and an exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // No settings are read for these: they are told what they need.
    if !matches!(arguments.command, Command::Internal(_)) {
        arguments.global.start_logging();
        start_traces();
    }
    let done = match &arguments.command {
        Command::Manifest(command) => manifest::run(&arguments.global, command),
        Command::Pipeline(command) => pipeline::run(&arguments.global, command),
        Command::Run(command) => run::run(&arguments.global, command),
        Command::Batch(command) => batch::run(&arguments.global, command),
        Command::Collection(command) => collection::run(&arguments.global, command),
        Command::Documents(command) => documents::run(&arguments.global, command),
        Command::Search(command) => search::run(&arguments.global, command),
        Command::Serve(command) => serve::run(&arguments.global, command),
        Command::Api(command) => api::run(&arguments.global, command),
        Command::Apply(command) => apply::run(&arguments.global, command),
        Command::Key(command) => key::run(&arguments.global, command),
        Command::Config(command) => config::run(&arguments.global, command),
        Command::Extractor(command) => extractor::run(&arguments.global, command),
        Command::Admin(command) => admin::run(&arguments.global, command),
        Command::Doctor(command) => doctor::run(&arguments.global, command),
        Command::Completions(command) => manual::completions(command),
        Command::Man(command) => manual::pages(&arguments.global, command),
        Command::Internal(command) => return internal::run(command),
    };
    telemetry::flush();
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            printer::report(&arguments.global, &error);
            ExitCode::from(error.code().exit_code())
        }
    }
}

/// Where the standard variables name a collector. One that can not be used ends no command.
fn start_traces() {
    match telemetry::Settings::from_environment(|name| std::env::var(name).ok()) {
        Ok(Some(settings)) => telemetry::start(settings),
        Ok(None) => {}
        Err(error) => tracing::warn!("no traces: {}", error.chain()),
    }
}

/// Exit code of a command that did what it was asked.
type Done = Result<u8>;
const DONE: u8 = 0;

fn wrong_option(name: &str, value: &str, hint: &str) -> Error {
    Error::invalid(format!("`{value}` does not fit")).field(name).hint(hint)
}
