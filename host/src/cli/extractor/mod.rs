//! `quarry extractor`: one file a subcommand.

mod build;
mod inspect;
mod list;

use super::Done;
use super::options::GlobalOptions;
use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Command {
    Build(build::Arguments),
    Inspect(inspect::Arguments),
    List(list::Arguments),
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::Build(arguments) => build::run(options, arguments),
        Command::Inspect(arguments) => inspect::run(options, arguments),
        Command::List(arguments) => list::run(options, arguments),
    }
}
