//! `quarry internal`: what the program starts itself for. Nobody else needs it.

use crate::plugin;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum Command {
    #[command(before_help = "Example: quarry internal compile --memory-bytes 2147483648 \
                             --cpu-seconds 120 < extractor.wasm > answer")]
    /// Compiles the component on stdin, within limits that the kernel keeps
    Compile {
        /// Address space it may take
        #[arg(long, value_name = "N")]
        memory_bytes: u64,
        /// Processor time it may take
        #[arg(long, value_name = "S")]
        cpu_seconds: u64,
        /// For a host that counts fuel
        #[arg(long)]
        fuel: bool,
    },
}

pub(super) fn run(command: &Command) -> ExitCode {
    let Command::Compile { memory_bytes, cpu_seconds, fuel } = command;
    match plugin::compile_answer(*memory_bytes, *cpu_seconds, *fuel) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
